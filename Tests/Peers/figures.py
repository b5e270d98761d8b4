"""Keeps the figures of the README pages: scripts measure and record them, nobody types them.

    python3 Tests/Peers/figures.py            writes the recorded figures into README.md and Tests/Peers/README.md
    python3 Tests/Peers/figures.py --check    exits with 1 if the pages and the records differ

A measuring script that is given --record writes figures/NAME.json: the table it printed, the named values that README.md
quotes, its command line, the machine, the commit, the date and the versions of everything measured. It then rewrites the
pages between the comments `figures` and `end`: README.md gets one summary, Tests/Peers/README.md all records. Needs nothing
but Python.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import shlex
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RECORDS = HERE / "figures"

# Headings of Tests/Peers/README.md and the records below each, in order.
SECTIONS = {
    "Data": [
        "learn", "encode", "apply", "encode_texts", "patterns", "worst_cases", "normalize", "charset", "filter", "dedup", "dedup_scale",
        "compressed_input", "frame_sizes", "loaders", "billion_words", "corpus_sizes", "pipeline",
    ],
    "Training": ["novels", "train", "steps", "memory_layer", "generation", "precision"],
}

# The table of the front page: what is compared, by pkm, by another tool, and the record that says so. A value is
# "RECORD.KEY" in braces; a row whose record is missing is left out.
SUMMARY = [
    ("Learn 32,000 BPE merges, {learn.megabytes} MB of text, same merges", "{learn.ours} s", "gigatoken {learn.gigatoken} s"),
    (
        "Encode to shards on one thread, same ids",
        "{encode.ours_1} MB/s",
        "gigatoken {encode.gigatoken_1}, tiktoken {encode.tiktoken_1}, tokenizers {encode.tokenizers_1} MB/s",
    ),
    ("Normalize to NFKC on one thread", "{normalize.ours} MB/s", "uconv {normalize.uconv} MB/s"),
    ("Filter by the rules of Gopher, C4 and FineWeb on one core", "{filter.ours} MB/s", "datatrove {filter.datatrove} MB/s"),
    ("Remove near-duplicates (MinHash) on one thread", "{dedup.ours} MB/s", "datatrove {dedup.datatrove} MB/s"),
    (
        "Train a 60 M parameter model with a memory, fp32",
        "{train.ours_M_fp32} tokens/s",
        "PyTorch {train.torch_version}, tuned: {train.torch_M_fp32} tokens/s",
    ),
    ("Perplexity per token of held-out novels after 1,700 steps", "{novels.memory} with a memory", "{novels.dense} without"),
]


def machine():
    """The processor, its cores and memory, and the system."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    field = lambda name: re.search(rf"^{name}\s*: (.*)$", info, re.M)
    model, family, number = (field(name) for name in ("model name", "cpu family", "model"))
    flags = field("flags").group(1).split() if field("flags") else []
    units = [label for flag, label in (("avx2", "AVX2"), ("avx512f", "AVX-512"), ("avx512_bf16", "AVX512_BF16"), ("amx_bf16", "AMX")) if flag in flags]
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) / 1e6
    system = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text()).group(1)
    name = f"{model.group(1)} (family {family.group(1)}, model {number.group(1)}; {', '.join(units)})" if model else platform.machine()
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GB, {system}"


def commit():
    run = lambda *command: subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return run("git", "rev-parse", "--short=10", "HEAD") + (" with changes" if run("git", "status", "--porcelain", "Sources") else "")


def swift_version():
    try:
        text = subprocess.run(["swift", "--version"], capture_output=True, text=True).stdout
    except OSError:
        return None
    found = re.search(r"Swift version (\S+)", text)
    return found and found.group(1)


def add_option(parser):
    """The option that all measuring scripts share."""
    parser.add_argument("--record", action="store_true", help="write the figures into the README pages")


def record(name, header, rows, *, title=None, values=None, packages=(), versions=None, note=None):
    """Writes figures/NAME.json and the pages.

    header and rows are the printed table; values are named numbers or texts for the front page; packages are PyPI names
    whose installed versions are noted; versions adds others by name.
    """
    found = {"Swift": swift_version()} | (versions or {})
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    arguments = [os.path.basename(a) if os.path.isabs(a) else a for a in sys.argv[1:] if a != "--record"]
    entry = {
        "title": title,
        "command": shlex.join(["python3", f"Tests/Peers/{os.path.basename(sys.argv[0])}", *arguments]),
        "machine": machine(),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "versions": {key: value for key, value in found.items() if value},
        "header": list(header),
        "rows": [[str(cell) for cell in row] for row in rows],
        "note": note,
        "values": values or {},
    }
    RECORDS.mkdir(exist_ok=True)
    (RECORDS / f"{name}.json").write_text(json.dumps(entry, indent=1, ensure_ascii=False) + "\n")
    write_pages()


def markdown(header, rows):
    line = lambda cells: "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    return "\n".join([line(header), "|" + "---|" * len(header), *map(line, rows)])


def rendered(entry):
    """A record as Markdown: the table, then where it comes from in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in entry["versions"].items())
    parts = [f"`{entry['command']}`", entry["machine"], versions, f"commit {entry['commit']}", entry["date"]]
    text = markdown(entry["header"], entry["rows"]) + "\n\n" + "; ".join(part for part in parts if part) + "."
    return (f"### {entry['title']}\n\n" if entry["title"] else "") + text + (f"\n\n{entry['note']}" if entry["note"] else "")


def summary(records):
    """The table of the front page and the machines that it was measured on."""
    used = set()

    def filled(text):
        def value(match):
            name, key = match.group(1).split(".")
            used.add(name)
            return str(records[name]["values"][key])

        return re.sub(r"\{([a-z_]+\.\w+)\}", value, text)

    rows = []
    for row in SUMMARY:
        names = {name.split(".")[0] for cell in row for name in re.findall(r"\{([a-z_]+\.\w+)\}", cell)}
        if names <= records.keys():
            rows.append([filled(cell) for cell in row])
    if not rows:
        return ""
    machines = sorted({records[name]["machine"].split(";")[0].split(",")[0] + ")" for name in used})
    table = markdown(("what", "pkm", "beside"), rows)
    return table + f"\n\nMeasured on two cores of {' and '.join(machines)}. Commands, versions, dates and all other figures: [Tests/Peers](Tests/Peers/README.md)."


def everything(records):
    """All records under their headings; a record that no heading names is an error."""
    unknown = records.keys() - {name for names in SECTIONS.values() for name in names}
    if unknown:
        raise SystemExit(f"figures.py: add {', '.join(sorted(unknown))} to SECTIONS")
    parts = []
    for heading, names in SECTIONS.items():
        measured = [name for name in names if name in records]
        parts += [f"## {heading}"] + [rendered(records[name]) for name in measured]
        missing = [name for name in names if name not in records]
        if missing:
            parts.append(f"Not measured yet with this version: {', '.join(missing)}.")
    return "\n\n".join(parts)


def pages():
    """The text that each page should have, by its path."""
    records = {path.stem: json.loads(path.read_text()) for path in sorted(RECORDS.glob("*.json"))}
    texts = {}
    for path, body in ((ROOT / "README.md", summary(records)), (HERE / "README.md", everything(records))):
        place = re.compile(r"<!-- figures -->\n.*?<!-- end -->", re.S)
        old = path.read_text()
        if len(place.findall(old)) != 1:
            raise SystemExit(f"{path}: there must be one place for figures: <!-- figures --> and <!-- end -->")
        texts[path] = place.sub(lambda _: f"<!-- figures -->\n{body}\n<!-- end -->", old)
    return texts


def write_pages():
    for path, text in pages().items():
        path.write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        stale = [str(path.relative_to(ROOT)) for path, text in pages().items() if path.read_text() != text]
        if stale:
            raise SystemExit(f"{', '.join(stale)}: the figures differ from Tests/Peers/figures/*.json; run python3 Tests/Peers/figures.py")
    else:
        write_pages()
