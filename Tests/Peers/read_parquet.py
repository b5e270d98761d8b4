"""Prints the rows of a Parquet file as JSON lines, each as another library reads it.

usage: read_parquet.py LIBRARY FILE    (pyarrow; polars and duckdb where they are installed)
"""

import json
import sys

library, path = sys.argv[1:]
if library == "pyarrow":
    import pyarrow.parquet as pq

    rows = pq.ParquetFile(path, page_checksum_verification=True).read().to_pylist()
elif library == "polars":
    import polars

    rows = polars.read_parquet(path).to_dicts()
elif library == "duckdb":
    import duckdb

    cursor = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
    rows = [dict(zip(cursor.columns, row)) for row in cursor.fetchall()]
else:
    sys.exit(__doc__)
for row in rows:
    print(json.dumps(row))
