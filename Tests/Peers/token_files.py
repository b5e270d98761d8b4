"""Reads exported token files and the dataset they came from, without any code of pkm, and compares them.

usage: python3 Tests/Peers/token_files.py DIRECTORY

DIRECTORY holds the dataset `d` and its exports `megatron`, `llmc`, `nanogpt` and `numpy`. Needs numpy and zstandard.
"""
import glob
import json
import os
import struct
import sys

import numpy
import zstandard


def shards(path, split, index):
    dtype = numpy.uint16 if index["token_bytes"] == 2 else numpy.uint32
    parts = []
    for shard in index["shards"]:
        if shard["split"] == split:
            with open(os.path.join(path, shard["file"]), "rb") as file:
                plain = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
            parts.append(numpy.frombuffer(plain, dtype=dtype))
    return numpy.concatenate(parts)


def megatron(prefix):
    with open(prefix + ".idx", "rb") as file:
        assert file.read(9) == b"MMIDIDX\x00\x00"
        version, code, sequences, entries = struct.unpack("<QBQQ", file.read(25))
        assert version == 1 and entries == sequences + 1
        rest = file.read()
    dtype = {4: numpy.int32, 8: numpy.uint16}[code]
    lengths = numpy.frombuffer(rest, numpy.int32, sequences)
    offsets = numpy.frombuffer(rest, numpy.int64, sequences, 4 * sequences)
    documents = numpy.frombuffer(rest, numpy.int64, entries, 12 * sequences)
    assert len(rest) == 12 * sequences + 8 * entries and (documents == numpy.arange(entries)).all()
    ids = numpy.memmap(prefix + ".bin", dtype=dtype, mode="r")
    return [ids[o // ids.itemsize : o // ids.itemsize + n] for o, n in zip(offsets, lengths)]


def llmc(pattern):
    parts = []
    for path in sorted(glob.glob(pattern)):
        header = numpy.fromfile(path, numpy.int32, 256)
        assert header[0] == 20240520 and header[1] == 1
        parts.append(numpy.fromfile(path, numpy.uint16, offset=1024))
        assert len(parts[-1]) == header[2]
    return numpy.concatenate(parts)


top = sys.argv[1]
index = json.load(open(os.path.join(top, "d/index.json")))
end = index["end_of_document"]
for split in sorted(index["splits"]):
    name = "val" if split == "valid" else split
    ids = shards(os.path.join(top, "d"), split, index)
    starts = numpy.concatenate([[0], numpy.flatnonzero(ids == end) + 1])
    assert len(ids) == index["splits"][split]["tokens"] and starts[-1] == len(ids)
    documents = [ids[a:b] for a, b in zip(starts, starts[1:])]
    other = megatron(os.path.join(top, "megatron", split + "_text_document"))
    assert len(other) == len(documents) and all((a == b).all() for a, b in zip(other, documents))
    moved = numpy.concatenate([numpy.concatenate([d[-1:], d[:-1]]) for d in documents])
    assert (llmc(os.path.join(top, "llmc", name + "_*.bin")) == moved).all()
    assert (numpy.memmap(os.path.join(top, "nanogpt", name + ".bin"), numpy.uint16, "r") == ids).all()
    assert (numpy.load(os.path.join(top, "numpy", split + ".npy")) == ids).all()
    assert (numpy.load(os.path.join(top, "numpy", split + ".documents.npy")) == starts).all()
    print(f"{split}: megatron, llmc, nanogpt, numpy and the shards agree")
