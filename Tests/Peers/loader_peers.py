"""Our datasets in Python beside other loaders: the same tokens, and tokens per second.

    python3 Tests/Peers/loader_peers.py DATASET [--pkm .build/release/pkm-data] [--seconds 5] [--length 1024] [--batch 8]

Exports the split train of DATASET for MosaicML Streaming, LitData, WebDataset and nanoGPT, reads each export with its own
loader (pip install mosaicml-streaming litdata webdataset torch zstandard), and compares the tokens of the first documents.
Then it measures batches of shuffled sequences: pipelines/pkm_dataset.py from the zstd frames, a memory-mapped file of nanoGPT
with random offsets, and MosaicML's shuffled documents of the MDS export.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy

import figures

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "pipelines"))
from pkm_dataset import BatchStream, TokenDataset

parser = argparse.ArgumentParser()
parser.add_argument("dataset")
parser.add_argument("--pkm", default=".build/release/pkm-data")
parser.add_argument("--seconds", type=float, default=5)
parser.add_argument("--length", type=int, default=1024)
parser.add_argument("--batch", type=int, default=8)
figures.add_option(parser)
arguments = parser.parse_args()


def rate(batches):
    """Tokens per second of an iterator of batches, after a warm-up."""
    next(batches)
    start, tokens = time.perf_counter(), 0
    while time.perf_counter() - start < arguments.seconds:
        tokens += next(batches)
    return tokens / (time.perf_counter() - start)


def ours(data):
    for inputs, targets in BatchStream(data, arguments.batch, seed=1):
        yield inputs.size


def memory_map(path):
    """What nanoGPT's train.py does to make a batch."""
    import torch

    while True:
        data = numpy.memmap(path, dtype=numpy.uint16, mode="r")
        starts = torch.randint(len(data) - arguments.length, (arguments.batch,))
        parts = [data[i : i + arguments.length + 1].astype(numpy.int64) for i in starts]
        x = torch.stack([torch.from_numpy(part[:-1]) for part in parts])
        y = torch.stack([torch.from_numpy(part[1:]) for part in parts])
        yield x.numel() if len(y) else 0


def mosaic(directory, shuffle):
    from streaming import StreamingDataset

    while True:
        yield from StreamingDataset(local=directory, batch_size=1, shuffle=shuffle, shuffle_seed=1)


with tempfile.TemporaryDirectory() as scratch:
    paths = {}
    for name in ("mds", "litdata", "webdataset", "nanogpt"):
        paths[name] = os.path.join(scratch, name)
        command = [arguments.pkm, "export", arguments.dataset, "--format", name, "--split", "train", "-o", paths[name], "--quiet"]
        if name != "nanogpt":
            command += ["--shard-tokens", "4000000"]
        subprocess.run(command, check=True)

    data = TokenDataset(arguments.dataset, "train", arguments.length)
    lengths = data.documents()[:1000, 0].tolist()
    ends = numpy.cumsum([0] + lengths).tolist()
    tokens = data.read(0, ends[-1])
    documents = [tokens[a:b] for a, b in zip(ends, ends[1:])]

    from litdata import StreamingDataset as LitDataset, TokensLoader
    import webdataset

    for document, sample in zip(documents, mosaic(os.path.join(paths["mds"], "train"), False)):
        assert (sample["tokens"] == document).all() and len(sample["tokens"]) == len(document)
    archives = sorted(os.path.join(paths["webdataset"], name) for name in os.listdir(paths["webdataset"]))
    for document, sample in zip(documents, webdataset.WebDataset(archives, shardshuffle=False).decode()):
        assert (sample["npy"] == document).all() and len(sample["npy"]) == len(document)
    blocks = LitDataset(os.path.join(paths["litdata"], "train"), item_loader=TokensLoader(block_size=arguments.length))
    for number in range(min(len(blocks), ends[-1] // arguments.length)):
        expected = tokens[number * arguments.length : (number + 1) * arguments.length]
        assert (blocks[number].numpy() == expected).all()
    print(f"the tokens of {len(documents)} documents agree: MosaicML Streaming, LitData, WebDataset")

    found = {"pkm_dataset.py": rate(ours(data))}
    bare = os.path.join(paths["nanogpt"], "train.bin")
    if os.path.exists(bare):
        found["memory-mapped nanoGPT file"] = rate(memory_map(bare))
    found["MosaicML Streaming, whole documents"] = rate(
        len(sample["tokens"]) for sample in mosaic(os.path.join(paths["mds"], "train"), True))
    rows = [[name, f"{value / 1e6:.1f}"] for name, value in found.items()]
    for name, value in rows:
        print(f"{name:40}{value:>8} M tokens/s")

if arguments.record:
    figures.record(
        "loaders", [f"batches of {arguments.batch} × {arguments.length} tokens, one process", "M tokens/s"], rows,
        title="Datasets in Python", packages=("mosaicml-streaming", "litdata", "webdataset", "torch", "numpy", "zstandard"))
