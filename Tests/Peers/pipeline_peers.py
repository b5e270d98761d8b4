"""The whole corridor beside the usual parts, on one slice of a corpus, in one run.

    python3 Tests/Peers/pipeline_peers.py CORPUS.jsonl [--megabytes 6] [--pkm .build/release/pkm-data] [--processes 2]

The usual parts: Python's unicodedata for NFKC, datatrove's reader, its filters of Gopher, C4 and FineWeb, its MinHash in
four stages (14 bands of 8), Hugging Face's tokenizers to learn 32,000 merges and to encode, and a writer of Megatron-LM's
token file and index, documents shuffled. Ours: the six commands of billion_words.py and `export --format megatron`. Both get
the same two processes or threads. The start of our commands is timed, and so is that of datatrove's processes, which load
spaCy's words. Prints seconds and MB of text per second of each stage and of all; datatrove's log goes to standard error.
Needs datatrove, orjson, spacy, "xxhash<3.6", tokenizers and numpy.
"""

import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import unicodedata

import figures

os.environ.setdefault("DATATROVE_COLORIZE_LOGS", "0")

import numpy
import tokenizers
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.formatters.base import BaseFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from loguru import logger

logger.remove()


class NFKC(BaseFormatter):
    name = "NFKC"

    def format(self, text):
        return unicodedata.normalize("NFKC", text)


def texts(directory):
    for path in sorted(pathlib.Path(directory).glob("*.jsonl")):
        with open(path, encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)["text"]


def write_megatron(prefix, documents, width):
    """The token file, and its index: magic, version, type, counts, lengths, byte offsets, document boundaries."""
    order = numpy.random.default_rng(1).permutation(len(documents))
    lengths = numpy.array([len(documents[i]) for i in order], numpy.int32)
    with open(prefix + ".bin", "wb") as file:
        for i in order:
            file.write(numpy.array(documents[i], width).tobytes())
    with open(prefix + ".idx", "wb") as file:
        file.write(b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, 8, len(lengths), len(lengths) + 1))
        file.write(lengths.tobytes())
        starts = numpy.concatenate([[0], numpy.cumsum(lengths.astype(numpy.int64))[:-1]]) * numpy.dtype(width).itemsize
        file.write(starts.tobytes())
        file.write(numpy.arange(len(lengths) + 1, dtype=numpy.int64).tobytes())


def usual(slices, work, processes):
    """Seconds of each stage."""
    path = lambda name: str(work / name)
    times = {}

    def run(name, *steps, tasks=processes):
        began = time.perf_counter()
        LocalPipelineExecutor(pipeline=list(steps), tasks=tasks, workers=processes, logging_dir=None).run()
        times[name] = time.perf_counter() - began

    plain = lambda name: JsonlWriter(path(name), output_filename="${rank}.jsonl", compression=None)
    config = MinhashConfig(n_grams=5, num_buckets=14, hashes_per_bucket=8)
    read = lambda name: JsonlReader(path(name), glob_pattern="*.jsonl")
    run("normalize", JsonlReader(slices), NFKC(), plain("normalized"))
    run(
        "filter", read("normalized"), GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(),
        FineWebQualityFilter(), plain("filtered"),
    )
    began = time.perf_counter()
    run("signatures", read("filtered"), MinhashDedupSignature(path("signatures"), config))
    run("buckets", MinhashDedupBuckets(path("signatures"), path("buckets"), config=config), tasks=14)
    run("cluster", MinhashDedupCluster(path("buckets"), path("clusters"), config=config), tasks=1)
    run("removal", read("filtered"), MinhashDedupFilter(path("clusters")), plain("unique"))
    for name in ("signatures", "buckets", "cluster", "removal"):
        del times[name]
    times["dedup"] = time.perf_counter() - began

    began = time.perf_counter()
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=32000 + 257, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts(path("unique")), trainer)
    times["learn-bpe"] = time.perf_counter() - began

    began = time.perf_counter()
    end = tokenizer.token_to_id("<|endoftext|>")
    documents, batch = [], []
    for text in texts(path("unique")):
        batch.append(text)
        if len(batch) == 1000:
            documents += [encoding.ids + [end] for encoding in tokenizer.encode_batch_fast(batch)]
            batch = []
    documents += [encoding.ids + [end] for encoding in tokenizer.encode_batch_fast(batch)]
    times["encode"] = time.perf_counter() - began
    began = time.perf_counter()
    write_megatron(path("train"), documents, numpy.uint16)
    times["shard, export"] = time.perf_counter() - began
    return times, len(documents)


def ours(pkm, files, work, threads):
    path = lambda name: str(work / name)
    times = {}

    def run(name, *command):
        began = time.perf_counter()
        subprocess.run([pkm, *command, "--threads", str(threads), "--quiet", "--summary", path("summary.json")], check=True)
        times[name] = times.get(name, 0) + time.perf_counter() - began

    run("normalize", "normalize", *files, "-o", path("normalized.jsonl"))
    run("filter", "filter", "--rules", "gopher,c4,fineweb", path("normalized.jsonl"), "-o", path("filtered.jsonl"))
    run("dedup", "dedup", "--method", "minhash", path("filtered.jsonl"), "-o", path("unique.jsonl"))
    documents = json.loads((work / "summary.json").read_text())["documents_out"]
    run("learn-bpe", "learn-bpe", "--merges", "32000", path("unique.jsonl"), "-o", path("bpe.json"))
    run("encode", "encode", "--tokenizer", path("bpe.json"), path("unique.jsonl"), "-o", path("encoded/"))
    run("shard, export", "shard", path("encoded"), "-o", path("shards/"))
    run("shard, export", "export", path("shards"), "--format", "megatron", "-o", path("megatron"))
    return times, documents


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--megabytes", type=float, default=6)
    parser.add_argument("--pkm", default=".build/release/pkm-data")
    parser.add_argument("--processes", type=int, default=2)
    figures.add_option(parser)
    arguments = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(arguments.processes)
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        for name in ("slices", "usual", "ours"):
            (work / name).mkdir()
        # A file for each process, as datatrove shares work.
        files = [work / "slices" / f"{number}.jsonl" for number in range(arguments.processes)]
        size = 0
        with open(arguments.corpus, encoding="utf-8") as source:
            outputs = [open(file, "w", encoding="utf-8") for file in files]
            for number, line in enumerate(source):
                if size > arguments.megabytes * 1e6:
                    break
                try:
                    size += len(json.loads(line)["text"].encode())
                except ValueError:
                    continue
                outputs[number % len(outputs)].write(line)
            for output in outputs:
                output.close()
        mine, kept = ours(arguments.pkm, list(map(str, files)), work / "ours", arguments.processes)
        theirs, kept_theirs = usual(str(work / "slices"), work / "usual", arguments.processes)
    print(f"{size / 1e6:.1f} MB of text; documents at the end: ours {kept}, theirs {kept_theirs}")
    rows = []
    for name in [*mine, "all"]:
        a, b = (sum(times.values()) if name == "all" else times[name] for times in (mine, theirs))
        rows.append([name, f"{a:.2f}", f"{b:.2f}", f"{b / a:.1f}"])
        print(f"{name:14s} ours {a:7.2f} s {size / 1e6 / a:7.1f} MB/s   theirs {b:7.2f} s {size / 1e6 / b:6.2f} MB/s   {b / a:6.1f} times")
    if arguments.record:
        figures.record(
            "pipeline", ["stage", "pkm-data, seconds", "the usual parts, seconds", "ratio"], rows,
            title=f"The whole pipeline on {size / 1e6:.1f} MB of text, {arguments.processes} processes or threads",
            packages=["datatrove", "tokenizers", "numpy"])


if __name__ == "__main__":
    sys.exit(main())
