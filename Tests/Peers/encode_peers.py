"""Encoding: pkm-data beside gigatoken, tiktoken and tokenizers, on one file with the same merges, in one run.

    python3 Tests/Peers/encode_peers.py TOKENIZER.json CORPUS.txt [--pkm .build/release/pkm-data] [--runs 3] [--slow-mb 20]

TOKENIZER.json is a byte-level one with the gpt2 pre-tokenizer, as `pkm-data learn-bpe` writes it. Every figure is MB of
text a second, median (slowest to fastest). Of the slow peers only the first --slow-mb MB are encoded. What is timed:

- pkm-data encode to shards: the whole command, file to synced files, the text as one document and by lines;
- pkm-data in memory: `pkm-data bench`, one thread, cold and warm;
- gigatoken file: its file source, tokenizer loaded inside the time, ids left in memory; in memory cold and warm likewise;
- tiktoken, tokenizers: the text in memory in pieces of about 5 kB, ids as lists.
"""

import argparse
import base64
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import figures

parser = argparse.ArgumentParser()
parser.add_argument("tokenizer")
parser.add_argument("corpus")
parser.add_argument("--pkm", default=".build/release/pkm-data")
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--slow-mb", type=int, default=20)
parser.add_argument("--threads", type=int, help="for the process that measures one count of threads (internal)")
figures.add_option(parser)
arguments = parser.parse_args()
size = os.path.getsize(arguments.corpus)
results = {}


def measure(name, run, bytes=size):
    rates = []
    for _ in range(arguments.runs):
        start = time.perf_counter()
        run()
        rates.append(bytes / (time.perf_counter() - start) / 1e6)
    results[name] = statistics.median(rates)
    print(f"{name:44} {results[name]:8.1f} MB/s ({min(rates):.1f} to {max(rates):.1f})", flush=True)


def measure_pkm(threads):
    scratch = tempfile.mkdtemp(prefix="pkm-peers-")
    shards = os.path.join(scratch, "shards")

    def encode(documents):
        shutil.rmtree(shards, ignore_errors=True)
        subprocess.run(
            [arguments.pkm, "encode", "--tokenizer", arguments.tokenizer, arguments.corpus, "-o", shards, "--quiet"]
            + ["--documents", documents, "--format", "shards", "--threads", str(threads)], check=True)

    def decode():
        subprocess.run(
            [arguments.pkm, "decode", shards, "-o", os.path.join(scratch, "text"), "--quiet", "--threads", str(threads)],
            check=True)

    measure(f"pkm-data encode to shards, {threads} thread(s)", lambda: encode("file"))
    measure(f"pkm-data encode lines to shards, {threads} thread(s)", lambda: encode("line"))
    measure(f"pkm-data decode shards, {threads} thread(s)", decode)
    if threads == 1:
        summary = os.path.join(scratch, "summary.json")
        subprocess.run(
            [arguments.pkm, "bench", "--tokenizer", arguments.tokenizer, arguments.corpus, "--documents", "file"]
            + ["--stages", "encode cold", "--stages", "encode warm", "--runs", str(arguments.runs), "--threads", "1", "--quiet"]
            + ["--summary", summary],
            check=True, stderr=subprocess.DEVNULL)
        for stage in ["cold", "warm"]:
            rate = json.load(open(summary))[f"mb_per_second_encode_{stage}"]
            results[f"pkm-data in memory {stage}, 1 thread(s)"] = rate
            print(f"{f'pkm-data in memory {stage}, 1 thread(s)':44} {rate:8.1f} MB/s")
    shutil.rmtree(scratch)


def measure_gigatoken(threads):
    import gigatoken

    options = {} if threads > 1 else {"parallel": False}
    files = gigatoken.TextFileSource([arguments.corpus], separator=None)
    measure(
        f"gigatoken file, {threads} thread(s)",
        lambda: gigatoken.Tokenizer(arguments.tokenizer).encode_files(files, **options))
    text = gigatoken.BytesSource([open(arguments.corpus, "rb").read()], separator=None)
    measure(
        f"gigatoken in memory cold, {threads} thread(s)",
        lambda: gigatoken.Tokenizer(arguments.tokenizer).encode_batch(text, **options))
    tokenizer = gigatoken.Tokenizer(arguments.tokenizer)
    tokenizer.encode_batch(text, **options)
    measure(f"gigatoken in memory warm, {threads} thread(s)", lambda: tokenizer.encode_batch(text, **options))


def measure_slow(threads):
    text = open(arguments.corpus, "rb").read(arguments.slow_mb * 1_000_000).decode("utf-8", "ignore")
    lines = text.splitlines(keepends=True)
    pieces = ["".join(lines[index : index + 50]) for index in range(0, len(lines), 50)]
    bytes = len(text.encode())

    import tiktoken
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(arguments.tokenizer)
    measure(
        f"tokenizers, {threads} thread(s)", lambda: tokenizer.encode_batch_fast(pieces, add_special_tokens=False), bytes)
    with tempfile.TemporaryDirectory() as scratch:
        file = os.path.join(scratch, "bpe.gpt2.tiktoken")
        subprocess.run([arguments.pkm, "convert-tokenizer", arguments.tokenizer, "-o", file, "--quiet"], check=True)
        ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in open(file))}
    pattern = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
    encoding = tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    measure(
        f"tiktoken, {threads} thread(s)", lambda: encoding.encode_ordinary_batch(pieces, num_threads=threads), bytes)


if arguments.threads:
    measure_pkm(arguments.threads)
    for peer in (measure_gigatoken, measure_slow):
        try:
            peer(arguments.threads)
        except Exception as error:
            print(f"{peer.__name__}: {error}")
    print("results:" + json.dumps(results))
    sys.exit()

# The peers read their count of threads from the environment, once.
for threads in (1, 2):
    command = [sys.executable, __file__, *sys.argv[1:], "--threads", str(threads)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"RAYON_NUM_THREADS": str(threads)})
    for line in process.stdout:
        if line.startswith("results:"):
            results |= json.loads(line.removeprefix("results:"))
        else:
            print(line, end="", flush=True)

print("\nRatios")
for threads in (1, 2):
    ours = results[f"pkm-data encode to shards, {threads} thread(s)"]
    for peer in ("gigatoken file", "tiktoken", "tokenizers"):
        theirs = results.get(f"{peer}, {threads} thread(s)")
        if theirs:
            print(f"pkm-data encode to shards / {peer}, {threads} thread(s): {ours / theirs:.2f}")
one, two = (results[f"pkm-data encode to shards, {threads} thread(s)"] for threads in (1, 2))
print(f"pkm-data encode to shards, 2 threads / 1 thread: {two / one:.2f}")
for stage in ("cold", "warm"):
    ours = results.get(f"pkm-data in memory {stage}, 1 thread(s)")
    theirs = results.get(f"gigatoken in memory {stage}, 1 thread(s)")
    if ours and theirs:
        print(f"in memory {stage}, pkm-data / gigatoken, 1 thread: {ours / theirs:.2f}")

if arguments.record:
    rate = lambda name: f"{results[name]:.0f}" if name in results else "not measured"
    kinds = ["pkm-data encode to shards", "pkm-data encode lines to shards", "pkm-data decode shards", "gigatoken file",
             "pkm-data in memory cold", "pkm-data in memory warm", "gigatoken in memory cold", "gigatoken in memory warm",
             "tiktoken", "tokenizers"]
    rows = [[kind, *(rate(f"{kind}, {threads} thread(s)") for threads in (1, 2))] for kind in kinds]
    values = {
        f"{key}_{threads}": rate(f"{kind}, {threads} thread(s)")
        for threads in (1, 2)
        for key, kind in (("ours", "pkm-data encode to shards"), ("gigatoken", "gigatoken file"), ("tiktoken", "tiktoken"),
                          ("tokenizers", "tokenizers"))
    }
    figures.record(
        "encode", [f"MB/s of text, median of {arguments.runs} runs, {size / 1e6:.0f} MB", "1 thread", "2 threads"], rows,
        title="Encoding with 32,000 merges", values=values, packages=["gigatoken", "tiktoken", "tokenizers"])
