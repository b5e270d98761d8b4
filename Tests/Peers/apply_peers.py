"""Applying merges to words, text to text: pkm-data beside fastBPE's applybpe, in one run, outputs compared byte by byte.

    python3 Tests/Peers/apply_peers.py PROGRAM TOKENIZED.txt [--pkm .build/release/pkm-data] [--merges 32000] [--runs 3]

PROGRAM is fastBPE's command-line tool: `pip download --no-binary :all: fastBPE`, then
`g++ -std=c++11 -pthread -O3 fastBPE/main.cc -IfastBPE -o fast`. TOKENIZED.txt has words with spaces between them and ends in a
line feed. Whole processes, file to file; applybpe takes as many threads as there are processors for a part of its work. Printed:
median seconds and MB of text per second, and the ratios.
"""

import argparse
import filecmp
import os
import statistics
import subprocess
import sys
import tempfile
import time

import figures

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("text")
parser.add_argument("--pkm", default=".build/release/pkm-data")
parser.add_argument("--merges", type=int, default=32000)
parser.add_argument("--runs", type=int, default=3)
figures.add_option(parser)
arguments = parser.parse_args()
rows = []
size = os.path.getsize(arguments.text)


def measure(name, command):
    seconds = []
    for _ in range(arguments.runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    print(f"{name:28} {median:7.2f} s ({min(seconds):.2f} to {max(seconds):.2f}) {size / median / 1e6:8.1f} MB/s", flush=True)
    rows.append([name, f"{median:.2f}", f"{size / median / 1e6:.0f}"])
    return median


with tempfile.TemporaryDirectory() as scratch:
    codes, fast_codes, ours, theirs = (os.path.join(scratch, name) for name in ("codes", "fast", "ours", "theirs"))
    learn = [arguments.pkm, "learn-bpe", "--mode", "word", "--merges", str(arguments.merges), "--quiet", arguments.text]
    subprocess.run([*learn, "-o", codes], check=True)
    convert = [arguments.pkm, "convert-tokenizer", codes, "--codes-format", "fastbpe", "--quiet", "-o", fast_codes]
    subprocess.run(convert, check=True)
    peer = measure("applybpe", [arguments.program, "applybpe", theirs, arguments.text, fast_codes])
    for threads in (1, 2):
        encode = [arguments.pkm, "encode", "--codes", codes, "--format", "tokens", "--quiet", arguments.text, "-o", ours]
        own = measure(f"pkm-data encode, {threads} thread(s)", [*encode, "--threads", str(threads)])
        if not filecmp.cmp(ours, theirs, shallow=False):
            sys.exit("the outputs differ")
        print(f"applybpe / pkm-data, {threads} thread(s): {peer / own:.1f}")

if arguments.record:
    figures.record(
        "apply", ["", "seconds", "MB/s"], rows,
        title=f"Applying {arguments.merges} merges to words, {size / 1e6:.0f} MB, equal output, median of {arguments.runs} runs")
