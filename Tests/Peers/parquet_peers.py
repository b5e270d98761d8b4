"""Parquet to JSON lines: pkm-data beside pyarrow with Python, and beside the same documents as JSONL.zst; CPU seconds.

    python3 Tests/Peers/parquet_peers.py FILE.jsonl [--pkm-data PATH] [--runs N] [--directory DIR]

FILE holds JSON lines with a "text". It is written as Parquet by pyarrow (zstd and snappy, with its defaults) and as JSONL.zst;
each is then read once with one thread and written as JSON lines. Also, that pyarrow, and where they are installed polars and
DuckDB, read what pkm-data writes. Needs zstd.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

PYARROW = """
import json, sys
import pyarrow as pa, pyarrow.parquet as pq
pa.set_cpu_count(1)
pa.set_io_thread_count(1)
with open(sys.argv[2], "w", encoding="utf-8") as out:
    for batch in pq.ParquetFile(sys.argv[1]).iter_batches(use_threads=False):
        for row in batch.to_pylist():
            out.write(json.dumps(row, ensure_ascii=False) + "\\n")
"""


def cpu(arguments, runs):
    seconds = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--pkm-data", default=".build/release/pkm-data")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--directory")
    options = parser.parse_args()
    import pyarrow as pa
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        path = lambda name: os.path.join(directory, name)
        with open(options.file, encoding="utf-8") as lines:
            table = pa.Table.from_pylist([json.loads(line) for line in lines])
        pq.write_table(table, path("zstd.parquet"), compression="zstd")
        pq.write_table(table, path("snappy.parquet"), compression="snappy")
        subprocess.run(["zstd", "-q", options.file, "-o", path("x.jsonl.zst")], check=True)
        # Reading and writing, and next to nothing else.
        keep = [options.pkm_data, "normalize", "--form", "none", "--threads", "1"]
        rows = []
        for name in ("x.jsonl.zst", "zstd.parquet", "snappy.parquet"):
            rows.append((f"pkm-data, {name}", cpu(keep + [path(name), "-o", path("out.jsonl")], options.runs)))
        for name in ("zstd.parquet", "snappy.parquet"):
            script = [sys.executable, "-c", PYARROW, path(name), path("py.jsonl")]
            rows.append((f"pyarrow and Python, {name}", cpu(script, options.runs)))
        for name, seconds in rows:
            print(f"{name:36} {seconds:8.2f} s")
        subprocess.run(keep + [path("zstd.parquet"), "-o", path("out.parquet")], check=True, stderr=subprocess.DEVNULL)
        expected = [json.loads(line) for line in open(path("out.jsonl"), encoding="utf-8")]
        reader = os.path.join(os.path.dirname(os.path.abspath(__file__)), "read_parquet.py")
        for library in ("pyarrow", "polars", "duckdb"):
            found = subprocess.run([sys.executable, reader, library, path("out.parquet")], capture_output=True)
            if found.returncode:
                print(f"{library}: {found.stderr.decode().splitlines()[-1]}")
                continue
            same = [json.loads(line) for line in found.stdout.splitlines()] == expected
            print(f"{library} reads {'the same rows' if same else 'OTHER ROWS'}")


if __name__ == "__main__":
    main()
