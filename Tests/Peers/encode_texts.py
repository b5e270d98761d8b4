"""How the speed of encoding depends on the pattern and on the text: scripts, languages, source code.

    python3 Tests/Peers/encode_texts.py ENGLISH.txt TEXT... [--pkm .build/release/pkm-data] [--mb 20] [--runs 3]

For each of the patterns gpt2, cl100k and o200k a vocabulary of 32,000 merges is learned on the first --mb MB of ENGLISH and
all of the TEXTs. Then every text is encoded in memory on one thread by `pkm-data bench`, cold (the encoder has seen nothing)
and warm (it has seen this very text); a shorter one is repeated up to a megabyte first. Printed: median MB of text per second,
in parentheses the ratio to English with the same pattern, and behind them the ratios of the patterns to gpt2.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile

import figures

parser = argparse.ArgumentParser()
parser.add_argument("english")
parser.add_argument("texts", nargs="*")
parser.add_argument("--pkm", default=".build/release/pkm-data")
parser.add_argument("--mb", type=int, default=20)
parser.add_argument("--runs", type=int, default=3)
figures.add_option(parser)
arguments = parser.parse_args()

with tempfile.TemporaryDirectory() as scratch:

    def run(*command):
        subprocess.run([arguments.pkm, *command, "--quiet", "--threads", "1"], check=True, stderr=subprocess.DEVNULL)

    files = {}
    for path in [arguments.english, *arguments.texts]:
        text = open(path, "rb").read(arguments.mb * 1_000_000)
        text = text[: text.rfind(b"\n") + 1] or text
        name = os.path.splitext(os.path.basename(path))[0]
        files[name] = os.path.join(scratch, name)
        with open(files[name], "wb") as file:
            file.write(text * max(1, 1_000_000 // max(1, len(text))))
    english = next(iter(files))
    rates = {}
    for pattern in ("gpt2", "cl100k", "o200k"):
        tokenizer = os.path.join(scratch, pattern + ".json")
        run("learn-bpe", "--pre-tokenizer", pattern, "--merges", "32000", *files.values(), "-o", tokenizer)
        for name, path in files.items():
            summary = os.path.join(scratch, "summary.json")
            run(
                "bench", path, "--tokenizer", tokenizer, "--documents", "file", "--runs", str(arguments.runs),
                "--summary", summary, "--stages", "encode cold", "--stages", "encode warm")
            found = json.load(open(summary))
            for state in ("cold", "warm"):
                rates[pattern, name, state] = found[f"mb_per_second_encode_{state}"]
    for state in ("cold", "warm"):
        print(f"{state:28}" + "".join(f"{pattern:>18}" for pattern in ("gpt2", "cl100k", "o200k")))
        for name in files:
            line = f"  {name:26}"
            for pattern in ("gpt2", "cl100k", "o200k"):
                rate = rates[pattern, name, state]
                line += f"{rate:10.0f} ({rate / rates[pattern, english, state]:4.2f})"
            ratios = [rates[pattern, name, state] / rates["gpt2", name, state] for pattern in ("cl100k", "o200k")]
            print(line + "".join(f"{ratio:8.2f}" for ratio in ratios))
    if arguments.record:
        figures.record(
            "encode_texts", ["MB/s of text on one thread (ratio to English)"] + [f"{p} {s}" for s in ("cold", "warm") for p in ("gpt2", "cl100k", "o200k")],
            [[name] + [f"{rates[p, name, s]:.0f} ({rates[p, name, s] / rates[p, english, s]:.2f})"
                       for s in ("cold", "warm") for p in ("gpt2", "cl100k", "o200k")] for name in files],
            title="Encoding in memory by pattern and text")
    print("slowest beside English:", f"{min(rate / rates[p, english, s] for (p, _, s), rate in rates.items()):.2f}")
