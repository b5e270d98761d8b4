"""Reads exported token files and the dataset they came from, without any code of pkm, and compares them.

usage: python3 Tests/Peers/token_files.py DIRECTORY

DIRECTORY holds the dataset `d` and its exports `megatron`, `llmc`, `nanogpt`, `numpy`, `mds`, `litdata` and `webdataset`. Needs
numpy and zstandard: the layouts of the last three are written out here; loader_peers.py reads them by their own loaders.
"""
import glob
import io
import json
import os
import struct
import sys
import tarfile

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


def offsets(data):
    """The offsets in front of a shard of MDS or LitData: where each sample begins, and the end of the last."""
    (count,) = numpy.frombuffer(data, "<u4", 1)
    return numpy.frombuffer(data, "<u4", count + 1, 4).tolist()


def mds(directory, dtype):
    """Documents of MosaicML Streaming's shards."""
    shards = json.load(open(os.path.join(directory, "index.json")))["shards"]
    for shard in shards:
        data = open(os.path.join(directory, shard["raw_data"]["basename"]), "rb").read()
        ends = offsets(data)
        header = json.loads(data[4 + 4 * len(ends) : ends[0]])
        assert {key: shard[key] for key in header} == header and header["column_names"] == ["tokens"]
        assert header["column_encodings"] == ["ndarray:" + numpy.dtype(dtype).name] and header["column_sizes"] == [None]
        assert shard["samples"] == len(ends) - 1 and shard["raw_data"]["bytes"] == len(data) == ends[-1]
        assert header["format"] == "mds" and shard["zip_data"] is None
        for start, end in zip(ends, ends[1:]):
            assert int.from_bytes(data[start : start + 4], "little") == end - start - 4
            dimensions, size = data[start + 4] >> 2, 1 << (data[start + 4] & 3)
            length = int.from_bytes(data[start + 5 : start + 5 + size], "little")
            tokens = numpy.frombuffer(data[start + 5 + size : end], dtype)
            assert dimensions == 1 and len(tokens) == length
            yield tokens


def litdata(directory):
    """Documents of LitData's chunks."""
    index = json.load(open(os.path.join(directory, "index.json")))
    assert index["config"]["data_format"] == ["no_header_tensor:16"]
    for chunk in index["chunks"]:
        data = open(os.path.join(directory, chunk["filename"]), "rb").read()
        ends = offsets(data)
        assert chunk["chunk_size"] == len(ends) - 1 and chunk["chunk_bytes"] == len(data) == ends[-1]
        assert ends[0] == 4 * (len(ends) + 1) and 4 * chunk["dim"] == ends[-1] - ends[0]
        for start, end in zip(ends, ends[1:]):
            yield numpy.frombuffer(data[start:end], numpy.int32)


def webdataset(pattern):
    """Documents of WebDataset's archives."""
    number = 0
    for path in sorted(glob.glob(pattern)):
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                assert member.name == f"{number:09}.npy" and member.isreg() and member.mode == 0o644
                number += 1
                yield numpy.load(io.BytesIO(archive.extractfile(member).read()))


def equal(found, documents):
    found = list(found)
    return len(found) == len(documents) and all((a == b).all() and len(a) == len(b) for a, b in zip(found, documents))


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
    assert equal(mds(os.path.join(top, "mds", split), ids.dtype), documents)
    assert equal(litdata(os.path.join(top, "litdata", split)), documents)
    assert equal(webdataset(os.path.join(top, "webdataset", split + "-*.tar")), documents)
    print(f"{split}: megatron, llmc, nanogpt, numpy, mds, litdata, webdataset and the shards agree")
