"""How fast learning is beside other people's trainers, on the same text in one run.

    python3 Tests/Peers/learn_peers.py TEXT [--tokenized TEXT] [--merges 32000] [--threads 2] [--runs 3] [--fastbpe PROGRAM]
                          [--large PATH...] [--pkm-data .build/release/pkm-data]

Prints the median and range of whole processes, file in to vocabulary out, their largest memory, and the ratio of each
peer to ours. TEXT goes to the byte-level trainers (gigatoken, and tokenizers with --slow), the words of --tokenized,
separated by spaces, to the word-level ones (youtokentome where it is installed, fastBPE where its program is given). The
merges of gigatoken are compared with ours. Further rows of ours: counting with all threads and with one, 1,000 merges (and
so what each merge beyond them takes), 60,000 merges, and the files of --large, say those of make_words.py. The peers: pip
install gigatoken tokenizers; youtokentome wants "cython<3"; fastBPE's program as apply_peers.py says.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import figures

GIGATOKEN = """
import gigatoken, pickle, sys
pairs = gigatoken.train_bpe(gigatoken.TextFileSource([sys.argv[1]]), 256 + int(sys.argv[2]), [])[1]
pickle.dump(pairs, open(sys.argv[3], "wb"))
"""
TOKENIZERS = """
import sys
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.train([sys.argv[1]], trainers.BpeTrainer(vocab_size=256 + int(sys.argv[2]), show_progress=False,
                initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
tokenizer.save(sys.argv[3])
"""
YOUTOKENTOME = """
import sys, youtokentome
youtokentome.BPE.train(data=sys.argv[1], model=sys.argv[3], vocab_size=int(sys.argv[2]), n_threads=int(sys.argv[4]))
"""


def measure(command, runs, threads, output=None):
    """Seconds of each run and the largest memory of any, in MB."""
    environment = dict(os.environ, RAYON_NUM_THREADS=str(threads), TOKENIZERS_PARALLELISM="true")
    seconds, peak = [], 0
    for _ in range(runs):
        started = time.monotonic()
        with open(output or os.devnull, "wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, env=environment)
            errors = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
        seconds.append(time.monotonic() - started)
        peak = max(peak, usage.ru_maxrss // 1024)
        if status != 0:
            return None, errors.decode(errors="replace").strip().splitlines()[-1:]
    return seconds, peak


def byte_characters():
    """GPT-2's character for each byte."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--tokenized")
    parser.add_argument("--merges", default="32000")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--pkm-data", default=".build/release/pkm-data")
    parser.add_argument("--fastbpe")
    parser.add_argument("--large", nargs="+", default=[])
    parser.add_argument("--slow", action="store_true", help="also peers that take a minute and more")
    figures.add_option(parser)
    options = parser.parse_args()
    recorded = []
    scratch = tempfile.TemporaryDirectory()
    path = lambda name: os.path.join(scratch.name, name)
    threads = ["--threads", str(options.threads)]
    learn = [options.pkm_data, "learn-bpe", "--quiet"]
    ours = learn + threads + ["--merges", options.merges]
    count = [options.pkm_data, "count-words", "--quiet", options.text, "-o", path("ours.counts")]
    python = [sys.executable, "-c"]

    def table(title, texts, rows):
        """The median of each row by its name; the first is what the others are compared with."""
        size = sum(map(os.path.getsize, texts)) / 1e6
        for text in texts:
            with open(text, "rb") as file:  # Every row reads it from memory.
                while file.read(1 << 24):
                    pass
        print(f"{title}: {size:.0f} MB, {options.merges} merges, {options.threads} threads, {options.runs} runs")
        medians = {}
        for name, command, output in rows:
            seconds, peak = measure(command, options.runs, options.threads, output)
            if seconds is None:
                print(f"  {name:18} not measured: {' '.join(peak)}")
                continue
            median = medians[name] = statistics.median(seconds)
            recorded.append([f"{title}: {name}", f"{median:.2f}", f"{size / median:.0f}", str(peak), f"{median / medians['ours']:.2f}"])
            print(
                f"  {name:18} {median:6.2f} s ({min(seconds):.2f}-{max(seconds):.2f}) {size / median:6.1f} MB/s"
                f" {peak:5} MB  {median / medians['ours']:5.2f} times ours", flush=True)
        return medians

    rows = [
        ("ours", ours + [options.text, "-o", path("ours.json")], None),
        ("1,000 merges", learn + threads + ["--merges", "1000", options.text, "-o", path("few.json")], None),
        ("60,000 merges", learn + threads + ["--merges", "60000", options.text, "-o", path("many.json")], None),
        ("counting", count + threads, None),
        ("counting, 1 thread", count + ["--threads", "1"], None),
        ("gigatoken", python + [GIGATOKEN, options.text, options.merges, path("gigatoken")], None),
    ]
    if options.slow:
        rows.append(("tokenizers", python + [TOKENIZERS, options.text, options.merges, path("hf.json")], None))
    medians = table("byte-level", [options.text], rows)
    if int(options.merges) > 1000:
        each = (medians["ours"] - medians["1,000 merges"]) / (int(options.merges) - 1000)
        print(f"  {each * 1e6:.1f} \u00b5s a merge beyond the first thousand")
    if os.path.exists(path("gigatoken")):
        import pickle

        characters = byte_characters()
        show = lambda token: "".join(characters[byte] for byte in token)
        theirs = [[show(left), show(right)] for left, right in pickle.load(open(path("gigatoken"), "rb"))]
        same = json.load(open(path("ours.json")))["model"]["merges"] == theirs
        print("  merges of gigatoken:", "identical" if same else "DIFFERENT")
    if options.large:
        table("large", options.large, [("ours", ours + options.large + ["-o", path("large.json")], None)])
    if options.tokenized:
        rows = [
            ("ours", ours + ["--mode", "word", options.tokenized, "-o", path("ours.codes")], None),
            ("youtokentome", python + [YOUTOKENTOME, options.tokenized, options.merges, path("yttm"),
                                       str(options.threads)], None),
        ]
        if options.fastbpe:
            rows.append(("fastBPE", [options.fastbpe, "learnbpe", options.merges, options.tokenized], path("codes")))
        table("words", [options.tokenized], rows)
    if options.record:
        size = os.path.getsize(options.text) / 1e6
        figures.record(
            "learn", ["", "seconds", "MB/s", "peak MB", "times ours"], recorded,
            title=f"Learning {options.merges} merges, {options.threads} threads, median of {options.runs} runs",
            values={"megabytes": f"{size:.0f}", "ours": f"{medians['ours']:.2f}",
                    "gigatoken": f"{medians.get('gigatoken', float('nan')):.2f}"},
            packages=["gigatoken", "tokenizers"])


if __name__ == "__main__":
    main()
