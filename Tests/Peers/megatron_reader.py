"""Reads an export with Megatron's own reader and compares it with the dataset it came from.

    pkm-data export --format megatron DATASET -o EXPORT
    python3 Tests/Peers/megatron_reader.py DATASET EXPORT

Needs megatron-core, torch and zstandard, which the tests do without: they read the format as it is published.
"""

import json
import pathlib
import sys

import numpy
import zstandard
from megatron.core.datasets.indexed_dataset import IndexedDataset


def shard_ids(path, index, shard):
    with open(path / shard["file"], "rb") as file:
        plain = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
    return numpy.frombuffer(plain, numpy.uint16 if index["token_bytes"] == 2 else numpy.uint32)


def main(dataset, export):
    index = json.loads((dataset / "index.json").read_text())
    for split, totals in index["splits"].items():
        read = IndexedDataset(str(export / f"{split}_text_document"))
        assert len(read) == totals["documents"] and len(read.document_indices) == len(read) + 1, split
        document = 0
        for shard in [shard for shard in index["shards"] if shard["split"] == split]:
            ids = shard_ids(dataset, index, shard)
            position = 0
            for _ in range(shard["documents"]):
                tokens = read[document]
                assert numpy.array_equal(tokens, ids[position : position + len(tokens)]), (split, document)
                assert tokens[-1] == index["end_of_document"], (split, document)
                document, position = document + 1, position + len(tokens)
            assert position == len(ids), shard["file"]
        assert document == len(read), split
        print(f"{split}: {document} documents, {int(read.sequence_lengths.sum())} tokens, all equal")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:3]))
