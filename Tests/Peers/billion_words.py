"""The whole corridor at scale: text to shuffled shards, what each stage takes, and whether it stays so as the corpus grows.

    python3 Tests/Peers/make_words.py TEXT --words 1B -o corpus/
    python3 Tests/Peers/billion_words.py corpus/ --words 10M,100M,1B --work DIR [--pkm .build/release/pkm-data]

normalize, filter, dedup --method minhash, learn-bpe (32,000 merges), encode, shard with its shuffle, each a command of its own
that reads the files of the one before and writes its own, zstd between the stages. A size takes the first parts of the
corpus. Of each stage it prints wall time, MB of corpus text per second, how busy the threads were, and the largest resident
memory of the process tree (read from /proc every 20 ms; pages of mapped files count) and of the disk (what lies in
the work directory, temporary files too, and what the stage before left); of the whole the time a million words.
Files of a stage are removed when nobody needs them anymore. Needs nothing but Python.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time

import figures

RULES = "gopher,c4,fineweb"


def count(text):
    return int(float(text.rstrip("kMB")) * {"k": 1e3, "M": 1e6, "B": 1e9}.get(text[-1], 1))


def tree(root):
    """The process and all below it."""
    found, rest = [], [root]
    while rest:
        process = rest.pop()
        found.append(process)
        try:
            for task in os.listdir(f"/proc/{process}/task"):
                rest += map(int, pathlib.Path(f"/proc/{process}/task/{task}/children").read_text().split())
        except OSError:
            pass
    return found


def resident(root):
    """Bytes of RAM of a process tree: all, and what is not pages of files."""
    total = anonymous = 0
    for process in tree(root):
        try:
            fields = pathlib.Path(f"/proc/{process}/statm").read_text().split()
        except OSError:
            continue
        total += int(fields[1])
        anonymous += int(fields[1]) - int(fields[2])
    page = os.sysconf("SC_PAGE_SIZE")
    return total * page, anonymous * page


def disk(directory):
    total = 0
    for path, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except OSError:
                pass
    return total


class Watch:
    def __init__(self, process, directory):
        self.memory = self.anonymous = self.disk = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(process, directory))
        self.thread.start()

    def run(self, process, directory):
        turn = 0
        while not self.stop.wait(0.02):
            total, anonymous = resident(process)
            self.memory, self.anonymous = max(self.memory, total), max(self.anonymous, anonymous)
            if turn % 25 == 0:
                self.disk = max(self.disk, disk(directory))
            turn += 1

    def end(self, directory):
        self.stop.set()
        self.thread.join()
        self.disk = max(self.disk, disk(directory))


def stages(work, inputs, threads, memory):
    """Name, command, and what is no longer needed afterwards."""
    path = lambda name: str(work / name)
    return [
        ("normalize", ["normalize", *inputs, "-o", path("normalized.jsonl.zst")], []),
        ("filter", ["filter", "--rules", RULES, path("normalized.jsonl.zst"), "-o", path("filtered.jsonl.zst")],
         ["normalized.jsonl.zst"]),
        ("dedup", ["dedup", "--method", "minhash", "--memory", memory, path("filtered.jsonl.zst"), "-o",
                   path("unique.jsonl.zst")], ["filtered.jsonl.zst"]),
        ("learn-bpe", ["learn-bpe", "--merges", "32000", "--memory", memory, path("unique.jsonl.zst"), "-o", path("bpe.json")], []),
        ("encode", ["encode", "--tokenizer", path("bpe.json"), path("unique.jsonl.zst"), "-o", path("encoded/")],
         ["unique.jsonl.zst"]),
        ("shard", ["shard", "--split", "valid=0.001,test=0.001", "--memory", memory, path("encoded"), "-o",
                   path("shards/")], ["encoded"]),
    ]


def run(tool, corpus, words, work, threads, memory, learn_memory):
    parts = sorted(map(str, pathlib.Path(corpus).glob("part-*.jsonl")))[: max(1, words // 10_000_000)]
    text = sum(map(os.path.getsize, parts))
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    total = busy = 0
    rows = []
    peak = [0, 0, 0]
    print(f"\n{words / 1e6:.0f} M words, {len(parts)} files, {text / 1e6:.0f} MB, {threads} threads, --memory {memory}")
    print("| stage | seconds | MB/s | CPU seconds | threads busy | peak RSS (without files) | disk | documents |\n|---|---|---|---|---|---|---|---|")
    for name, command, done in stages(work, parts, threads, memory):
        if not learn_memory and name == "learn-bpe":
            at = command.index("--memory")
            command = command[:at] + command[at + 2 :]
        summary = work / f"{name}.json"
        began = time.perf_counter()
        process = subprocess.Popen([tool, *command, "--threads", str(threads), "--quiet", "--summary", str(summary)])
        watch = Watch(process.pid, work)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        watch.end(work)
        if status:
            raise SystemExit(f"{name} failed with status {status}")
        counts = json.loads(summary.read_text())
        used = usage.ru_utime + usage.ru_stime
        total, busy = total + seconds, busy + used
        peak = [max(a, b) for a, b in zip(peak, (watch.memory, watch.anonymous, watch.disk))]
        documents = counts.get("documents_out", counts.get("documents_in", ""))
        print(
            f"| {name} | {seconds:.1f} | {text / 1e6 / seconds:.0f} | {used:.1f} | {used / seconds / threads:.0%} "
            f"| {watch.memory / 1e6:.0f} MB ({watch.anonymous / 1e6:.0f}) | {watch.disk / 1e9:.2f} GB | {documents} |",
            flush=True,
        )
        rows.append([f"`{name}`", f"{seconds:.1f}", f"{text / 1e6 / seconds:.0f}", f"{used / seconds / threads:.0%}",
                     f"{watch.memory / 1e6:.0f} MB", f"{watch.disk / 1e9:.2f} GB"])
        for file in done:
            shutil.rmtree(work / file) if (work / file).is_dir() else (work / file).unlink()
    print(
        f"| all | {total:.1f} | {text / 1e6 / total:.0f} | {busy:.1f} | {busy / total / threads:.0%} | {peak[0] / 1e6:.0f} MB "
        f"({peak[1] / 1e6:.0f}) | {peak[2] / 1e9:.2f} GB | {total / words * 1e6:.4f} s a million words |"
    )
    rows.append(["all", f"{total:.1f}", f"{text / 1e6 / total:.0f}", f"{busy / total / threads:.0%}",
                 f"{peak[0] / 1e6:.0f} MB", f"{peak[2] / 1e9:.2f} GB"])
    return total / words, busy / words, rows, text, peak[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--words", default="10M,100M,1B")
    parser.add_argument("--work", required=True)
    parser.add_argument("--pkm", default=".build/release/pkm-data")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--memory", default="4G")
    figures.add_option(parser)
    arguments = parser.parse_args()
    help_text = subprocess.run([arguments.pkm, "learn-bpe", "--help"], capture_output=True, text=True).stdout
    sizes = [count(size) for size in arguments.words.split(",")]
    costs = [
        run(arguments.pkm, arguments.corpus, words, pathlib.Path(arguments.work), arguments.threads, arguments.memory,
            "--memory" in help_text)
        for words in sizes
    ]
    for kind, name in enumerate(("time", "CPU time")):
        ratios = ", ".join(f"{cost[kind] / costs[0][kind]:.2f}" for cost in costs)
        print(f"{name} per word, against the smallest: {ratios}")
    print(f"30 billion words at the last rate: {costs[-1][0] * 30e9 / 3600:.1f} hours")
    if arguments.record:
        figures.record(
            "billion_words", ["stage", "seconds", "MB/s", "threads busy", "peak memory", "disk"], costs[-1][2],
            title=f"{sizes[-1] / 1e6:,.0f} million words, {costs[-1][3] / 1e9:.1f} GB, {arguments.threads} threads, --memory {arguments.memory}")
        figures.record(
            "corpus_sizes", ["words", "seconds", "seconds per million words", "CPU seconds per million words", "peak memory"],
            [[f"{words / 1e6:,.0f} million", f"{cost[0] * words:.1f}", f"{cost[0] * 1e6:.3f}", f"{cost[1] * 1e6:.2f}", f"{cost[4] / 1e6:.0f} MB"]
             for words, cost in zip(sizes, costs)], title="The same stages on growing corpora")


if __name__ == "__main__":
    main()
