"""Texts that tokenizers dislike: what learning and encoding take for them, beside ordinary text of the same length.

    python3 Tests/Peers/worst_cases.py ENGLISH.txt [--pkm .build/release/pkm-data] [--mb 25] [--gigatoken] [--limit 120]

ENGLISH.txt has at least 2 × --mb MB. Of each kind of text --mb and 2 × --mb MB are made: whole commands on one thread,
`learn-bpe --merges 32000` and `encode` to shards with merges learned on ENGLISH. Printed: seconds, how many times the
seconds of English, how many times the seconds of half the length (2 is linear), and the peak memory in MB. Last, 60,000
merges of 3 MB of ENGLISH. With --gigatoken its seconds and memory on the shorter texts stand behind, unless it takes longer
than --limit seconds.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time

import figures

parser = argparse.ArgumentParser()
parser.add_argument("english")
parser.add_argument("--pkm", default=".build/release/pkm-data")
parser.add_argument("--mb", type=int, default=25)
parser.add_argument("--gigatoken", action="store_true")
parser.add_argument("--limit", type=int, default=120)
figures.add_option(parser)
arguments = parser.parse_args()
rows = []
# Random bytes become letters and digits by tables: lists of numbers would make this process larger than those it measures.
letters = bytes(97 + byte % 26 for byte in range(256))
digits = bytes(48 + byte % 10 for byte in range(256))


def texts(size):
    """Names and contents; the same for the same length."""
    dice = random.Random(1)
    yield "English", open(arguments.english, "rb").read(size)
    yield "one letter", b"a" * size
    yield "spaces", b" " * size
    yield "letters, no spaces", dice.randbytes(size).translate(letters)
    yield "random bytes", dice.randbytes(size)
    words = bytearray(dice.randbytes(size).translate(letters))
    words[::10] = b" " * len(words[::10])
    yield "every word new", words
    yield "digits", dice.randbytes(size).translate(digits)


def measure(command):
    """Seconds and peak MB of a process; None when it takes too long."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while True:
        done, status, usage = os.wait4(process.pid, os.WNOHANG)
        if done:
            break
        if time.perf_counter() - start > arguments.limit:
            process.kill()
            os.wait4(process.pid, 0)
            process.returncode = -9
            return None
        time.sleep(0.005)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}")
    return seconds, usage.ru_maxrss / 1000


GIGATOKEN = {
    "learn": "import gigatoken, sys; gigatoken.train_bpe(gigatoken.TextFileSource([sys.argv[1]], separator=None), "
    "256 + int(sys.argv[2]), [])",
    "encode": "import gigatoken, sys; gigatoken.Tokenizer(sys.argv[2]).encode_files("
    "gigatoken.TextFileSource([sys.argv[1]], separator=None), parallel=False)",
}

with tempfile.TemporaryDirectory() as scratch:
    text, learned = os.path.join(scratch, "text"), os.path.join(scratch, "learned.json")

    def learn(merges=32000, output=os.path.join(scratch, "text.json")):
        common = ["--input-format", "text", "--documents", "file", "--threads", "1", "--quiet"]
        return measure([arguments.pkm, "learn-bpe", "--merges", str(merges), text, "-o", output, *common])

    def encode():
        output = os.path.join(scratch, "shards")
        subprocess.run(["rm", "-rf", output], check=True)
        common = ["--input-format", "text", "--documents", "file", "--format", "shards", "--threads", "1", "--quiet"]
        return measure([arguments.pkm, "encode", "--tokenizer", learned, text, "-o", output, *common])

    def peer(stage, *more):
        environment = "RAYON_NUM_THREADS=1"
        try:
            return shown(measure(["env", environment, sys.executable, "-c", GIGATOKEN[stage], text, *more]))
        except RuntimeError:
            return "    fails"

    def shown(found):
        return f"{found[0]:8.2f} s {found[1]:6.0f} MB" if found else f"    more than {arguments.limit} s"

    half, english = {}, {}
    for size in (arguments.mb * 1_000_000, 2 * arguments.mb * 1_000_000):
        print(f"{size // 1_000_000} MB", flush=True)
        for name, content in texts(size):
            with open(text, "wb") as file:
                file.write(content)
            del content
            if name == "English" and not half:
                learn(output=learned)
            for stage, run in (("learn", learn), ("encode", encode)):
                found = run()
                line = f"  {stage:7}{name:20}{shown(found)}"
                if found:
                    if name == "English":
                        english[stage] = found[0]
                    line += f"  {found[0] / english[stage]:5.1f} × English"
                    if (name, stage) in half:
                        line += f"  {found[0] / half[name, stage]:4.1f} × half"
                    elif arguments.gigatoken:
                        line += "  gigatoken" + peer(stage, "32000" if stage == "learn" else learned)
                    half.setdefault((name, stage), found[0])
                rows.append([f"{stage} {name}", f"{size // 1_000_000}", *((f"{found[0]:.2f}", f"{found[0] / english[stage]:.1f}", f"{found[1]:.0f}")
                             if found else (f"over {arguments.limit}", "", ""))])
                print(line, flush=True)
    with open(text, "wb") as file:
        file.write(open(arguments.english, "rb").read(3_000_000))
    line = f"  60,000 merges of 3 MB of English {shown(learn(60000))}"
    print(line + ("  gigatoken" + peer("learn", "60000") if arguments.gigatoken else ""))

if arguments.record:
    figures.record("worst_cases", ["", "MB", "seconds", "times English", "peak MB"], rows,
                   title="Texts that tokenizers dislike, one thread, whole commands")
