"""Normalization to NFKC by pkm-data, uconv and PyICU on the same file in one run: medians, ranges and ratios.

    python normalize_peers.py FILE [--pkm-data PATH] [--runs N] [--megabytes N] [--output FILE]

Needs pkm-data built in release mode (default: .build/release/pkm-data), and compares with what is there: `uconv` (Debian
package icu-devtools) and the module `icu` (PyPI PyICU, built on libicu-dev). pkm-data and uconv are timed as whole
commands, one thread, from file to file; PyICU in memory, line by line, with the text already decoded. The turns
alternate, so that what else the machine does falls on all of them. FILE is UTF-8, best some hundreds of megabytes;
--megabytes takes less of it for the peers, which are slower.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time


def command(arguments):
    def run():
        started = time.perf_counter()
        subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL)
        return time.perf_counter() - started

    return run


def in_memory(lines):
    import icu

    normalizer = icu.Normalizer2.getNFKCInstance()
    texts = [icu.UnicodeString(line) for line in lines]

    def run():
        started = time.perf_counter()
        for text in texts:
            normalizer.normalize(text)
        return time.perf_counter() - started

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--pkm-data", default=".build/release/pkm-data")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--megabytes", type=int, default=60)
    parser.add_argument("--output", help="where outputs go (default: a temporary file)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure(options, scratch)


def measure(options, scratch):
    part = os.path.join(scratch, "part.txt")
    with open(options.file, "rb") as file:
        content = file.read(options.megabytes * 1_000_000)
    content = content[: content.rfind(b"\n") + 1] or content
    with open(part, "wb") as file:
        file.write(content)
    output = options.output or os.path.join(scratch, "out.txt")
    whole = os.path.getsize(options.file)

    contestants = []
    for threads in (1, 2):
        arguments = [options.pkm_data, "normalize", "--quiet", "--threads", str(threads), "-o", output]
        name = f"pkm-data, {threads} thread" + "s" * (threads > 1)
        contestants.append((name, whole, command(arguments + [options.file])))
    # The same part as the peers: a ratio on the same bytes.
    arguments = [options.pkm_data, "normalize", "--quiet", "--threads", "1", "-o", output]
    contestants.append(("pkm-data, 1 thread, the peers' part", len(content), command(arguments + [part])))
    if shutil.which("uconv"):
        arguments = ["uconv", "-f", "utf-8", "-t", "utf-8", "-x", "nfkc", "-o", output, part]
        contestants.append(("uconv -x nfkc", len(content), command(arguments)))
    else:
        print("no uconv here: apt-get install icu-devtools")
    try:
        lines = content.decode("utf-8", "replace").splitlines(keepends=True)
        contestants.append(("PyICU Normalizer2, in memory", len(content), in_memory(lines)))
    except ImportError:
        print("no PyICU here: pip install PyICU, with libicu-dev installed")

    times = {name: [] for name, _, _ in contestants}
    for _ in range(options.runs):
        for name, _, run in contestants:
            times[name].append(run())
    rates = {}
    for name, size, _ in contestants:
        median = statistics.median(times[name])
        rates[name] = size / 1e6 / median
        low, high = min(times[name]), max(times[name])
        print(f"{name:38} {size / 1e6:6.0f} MB  {median:7.3f} s ({low:.3f}-{high:.3f})  {rates[name]:6.0f} MB/s")
    one = rates["pkm-data, 1 thread"]
    print(f"two threads to one: {rates['pkm-data, 2 threads'] / one:.2f}")
    ours = rates["pkm-data, 1 thread, the peers' part"]
    for name in list(rates)[3:]:
        print(f"pkm-data, 1 thread, to {name}: {ours / rates[name]:.1f}")


main()
