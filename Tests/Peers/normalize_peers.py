"""Normalization to NFKC by pkm-data, uconv and PyICU on the same file in one run: medians, ranges and ratios.

    python3 Tests/Peers/normalize_peers.py FILE [--pkm-data PATH] [--runs N] [--megabytes N] [--directory DIR]

Needs pkm-data built in release mode (default: .build/release/pkm-data), and compares with what is there: `uconv` (Debian
package icu-devtools) and the module `icu` (PyPI PyICU, built on libicu-dev). pkm-data and uconv are timed as whole
commands, from file to a new file; PyICU in memory, line by line, with the text already decoded and the result left in
UTF-16, beside pkm-data in memory on one thread (`pkm-data bench`). The turns alternate, so that what else the machine
does falls on all of them. FILE is UTF-8, best some hundreds of megabytes; --megabytes takes only so much of it.

What a second thread can bring is bounded by what the system does for one file at a time, so this is timed too: copying
the file, written and synced, by one thread and by two that write to different places, and starting the command.
"""

import argparse
import ctypes
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time


import figures

LIBC = ctypes.CDLL(None)


class Commands:
    """Runs commands that write OUTPUT, which is removed before: to replace a file, its pages must go first."""

    def __init__(self, output):
        self.output = output

    def timed(self, body):
        def run():
            if os.path.exists(self.output):
                os.unlink(self.output)
            cpu = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
            started = time.perf_counter()
            body()
            seconds = time.perf_counter() - started
            return seconds, sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - cpu

        return run

    def command(self, arguments):
        return self.timed(lambda: subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL))

    def copy(self, source, threads, piece=1 << 20):
        size = os.path.getsize(source)

        def work(first, read, write):
            buffer = bytearray(piece)
            for start in range(first * piece, size, threads * piece):
                count = os.preadv(read, [buffer], start)
                os.pwrite(write, memoryview(buffer)[:count], start)
                # SYNC_FILE_RANGE_WRITE: on its way to the disk meanwhile, as pkm-data does it.
                LIBC.sync_file_range(write, ctypes.c_long(start), ctypes.c_long(count), 2)

        def body():
            read = os.open(source, os.O_RDONLY)
            write = os.open(self.output, os.O_WRONLY | os.O_CREAT)
            others = [threading.Thread(target=work, args=(i, read, write)) for i in range(1, threads)]
            for other in others:
                other.start()
            work(0, read, write)
            for other in others:
                other.join()
            os.fsync(write)
            os.close(read)
            os.close(write)

        return self.timed(body)


def in_memory(lines):
    import icu

    normalizer = icu.Normalizer2.getNFKCInstance()
    texts = [icu.UnicodeString(line) for line in lines]

    def run():
        started = time.perf_counter()
        for text in texts:
            normalizer.normalize(text)
        return time.perf_counter() - started, 0

    return run


def benchmark(pkm_data, file, runs, scratch):
    """MB/s of pkm-data on one thread in memory."""
    summary = os.path.join(scratch, "bench.json")
    arguments = [pkm_data, "bench", "--stages", "normalize", "--threads", "1", "--runs", str(runs), "--summary", summary, file]
    subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with open(summary) as opened:
        return json.load(opened)["mb_per_second_normalize"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--pkm-data", default=".build/release/pkm-data")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, help="no more of the file than this")
    parser.add_argument("--directory", help="where files are written (default: the system's for temporary ones)")
    figures.add_option(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch:
        measure(options, scratch)


def measure(options, scratch):
    with open(options.file, "rb") as file:
        content = file.read(options.megabytes * 1_000_000 if options.megabytes else -1)
    content = content[: content.rfind(b"\n") + 1] or content
    text, empty = os.path.join(scratch, "text.txt"), os.path.join(scratch, "empty.txt")
    for path, part in ((text, content), (empty, b"")):
        with open(path, "wb") as file:
            file.write(part)
    size = len(content)
    output = os.path.join(scratch, "out.txt")
    commands = Commands(output)

    def ours(threads, path, output=output):
        return commands.command(
            [options.pkm_data, "normalize", "--quiet", "--threads", str(threads), "-o", output, path])

    contestants = {"pkm-data, 1 thread": ours(1, text), "pkm-data, 2 threads": ours(2, text)}
    for threads in (1, 2):
        contestants[f"the same to /dev/null, {threads}"] = ours(threads, text, "/dev/null")
    contestants["starting and ending pkm-data"] = ours(1, empty)
    for threads in (1, 2):
        contestants[f"copying the file, {threads} thread" + "s" * (threads > 1)] = commands.copy(text, threads)
    if shutil.which("uconv"):
        contestants["uconv -x nfkc"] = commands.command(
            ["uconv", "-f", "utf-8", "-t", "utf-8", "-x", "nfkc", "-o", output, text])
    else:
        print("no uconv here: apt-get install icu-devtools")
    try:
        contestants["PyICU Normalizer2, in memory"] = in_memory(
            content.decode("utf-8", "replace").splitlines(keepends=True))
    except ImportError:
        print("no PyICU here: pip install PyICU, with libicu-dev installed")

    times = {name: [] for name in contestants}
    for _ in range(options.runs):
        for name, run in contestants.items():
            times[name].append(run())
    seconds, rates = {}, {}
    for name, measured in times.items():
        walls = sorted(wall for wall, _ in measured)
        seconds[name] = statistics.median(walls)
        rates[name] = size / 1e6 / seconds[name]
        busy = statistics.median(cpu / wall for wall, cpu in measured)
        print(
            f"{name:30} {size / 1e6:6.0f} MB {seconds[name]:7.3f} s ({walls[0]:.3f}-{walls[-1]:.3f})"
            f"  {rates[name]:6.0f} MB/s" + f"  {busy * 100:3.0f} % of a processor" * (busy > 0))
    rates["pkm-data, in memory"] = benchmark(options.pkm_data, text, options.runs, scratch)
    print(f"{'pkm-data, in memory':30} {size / 1e6:6.0f} MB {'':25}  {rates['pkm-data, in memory']:6.0f} MB/s")

    one, two = seconds["pkm-data, 1 thread"], seconds["pkm-data, 2 threads"]
    start = seconds["starting and ending pkm-data"]
    copies = [seconds["copying the file, 1 thread"], seconds["copying the file, 2 threads"]]
    # Where the time goes: starting, all that is not writing, and what writing to a file adds.
    unwritten = [seconds[f"the same to /dev/null, {threads}"] for threads in (1, 2)]
    parts = {
        "starting": (start, start), "reading and work": [time - start for time in unwritten],
        "writing": (one - unwritten[0], two - unwritten[1]), "all": (one, two),
    }
    for name, (alone, together) in parts.items():
        print(f"{name:18} 1 thread {alone:.3f} s, 2 threads {together:.3f} s, ratio {alone / together:.2f}")
    print(f"copying the file alone: ratio {copies[0] / copies[1]:.2f}")
    for name in ("uconv -x nfkc", "PyICU Normalizer2, in memory"):
        if name in rates:
            print(f"pkm-data, 1 thread, to {name}: whole command {rates['pkm-data, 1 thread'] / rates[name]:.1f}, "
                  f"in memory {rates['pkm-data, in memory'] / rates[name]:.1f}")
    if options.record:
        figures.record(
            "normalize", ["", "seconds", "MB/s"],
            [[name, f"{seconds[name]:.3f}" if name in seconds else "", f"{rate:.0f}"] for name, rate in rates.items()],
            title=f"Normalization to NFKC, {size / 1e6:.0f} MB, median of {options.runs} runs",
            values={"ours": f"{rates['pkm-data, 1 thread']:.0f}", "uconv": f"{rates.get('uconv -x nfkc', float('nan')):.0f}"},
            packages=["PyICU"])


main()
