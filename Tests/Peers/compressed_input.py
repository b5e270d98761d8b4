"""How busy two processors are while pkm-data reads compressed input: seconds and CPU time with one thread and with two.

    python3 Tests/Peers/compressed_input.py FILE.jsonl [--pkm-data PATH] [--runs N] [--directory DIR]

FILE holds JSON lines with a "text". Made from it: gzip, zstd, a WET file as Common Crawl writes it (a gzip member a
record), and the same WET file four times. `normalize` and `filter` run over each, the page cache warm. The bytes of one gzip member or
zstd frame come one after the other, and members are found by decompressing those before: so the time of one thread for reading alone,
estimated as what compression adds to a plain file, is a bound, and so is half of all CPU time. Needs gzip and zstd.
"""

import argparse
import gzip
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time

import figures


def write_wet(source, path):
    head = (
        "WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://example.org/{0}\r\n"
        "WARC-Date: 2024-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:{0}>\r\nContent-Type: text/plain\r\n"
        "Content-Length: {1}\r\n\r\n"
    )
    with open(source, encoding="utf-8") as lines, open(path + ".gz", "wb") as packed, open(path, "wb") as plain:
        for number, line in enumerate(lines):
            text = json.loads(line)["text"].encode()
            record = head.format(number, len(text)).encode() + text + b"\r\n\r\n"
            plain.write(record)
            packed.write(gzip.compress(record, 6))


def measured(arguments, output, runs):
    results = []
    for _ in range(runs):
        if os.path.exists(output):
            os.unlink(output)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL)
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        results.append((wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    return statistics.median(w for w, _ in results), statistics.median(c for _, c in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--pkm-data", default=".build/release/pkm-data")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--directory", help="where files are written (default: the system's for temporary ones)")
    figures.add_option(parser)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(dir=options.directory) as scratch:
        wet, lines = os.path.join(scratch, "a.wet"), os.path.join(scratch, "a.jsonl")
        write_wet(options.file, wet)
        os.symlink(os.path.abspath(options.file), lines)
        with open(lines + ".gz", "wb") as packed:
            subprocess.run(["gzip", "-c", lines], check=True, stdout=packed)
        subprocess.run(["zstd", "-qf", lines, "-o", lines + ".zst"], check=True)
        inputs = [
            ("JSON lines, gzip", lines, [lines + ".gz"]), ("JSON lines, zstd", lines, [lines + ".zst"]),
            ("WET, gzip", wet, [wet + ".gz"]), ("WET, gzip, 4 files", wet, 4 * [wet + ".gz"]),
        ]
        commands = [("normalize", ["normalize"]), ("filter", ["filter", "--rules", "gopher,c4,fineweb"])]
        output = os.path.join(scratch, "out.jsonl")
        for command, arguments in commands:
            for name, plain, files in inputs:
                start = [options.pkm_data, *arguments, "--quiet", "-o", output, "--threads"]
                plain_cpu = measured([*start, "1", *(len(files) * [plain])], output, options.runs)[1]
                one, cpu = measured([*start, "1", *files], output, options.runs)
                two, cpu_of_two = measured([*start, "2", *files], output, options.runs)
                size = len(files) * os.path.getsize(plain)
                rows.append([command, name, f"{size / 1e6:.0f}", f"{one:.3f}", f"{two:.3f}", f"{one / two:.2f}"])
                print(
                    f"{command:10} {name:20} {size / 1e6:5.0f} MB: 1 thread {one:.3f} s, 2 threads {two:.3f} s, ratio "
                    f"{one / two:.2f}, {cpu_of_two / two * 100:3.0f} % of a processor; decompressing {cpu - plain_cpu:.3f} s")

    if options.record:
        figures.record(
            "compressed_input", ["command", "input", "MB", "1 thread, seconds", "2 threads, seconds", "ratio"], rows,
            title=f"Compressed input, median of {options.runs} runs")


main()
