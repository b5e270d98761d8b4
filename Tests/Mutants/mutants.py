#!/usr/bin/env python3
"""Plants mistakes in a copy of the sources and looks which of them the tests notice. README.md beside it says how.

    python3 Tests/Mutants/mutants.py [--room ROOM] [--only N,N-N] [--record]

Needs Python 3.9 and nothing else. Exit codes: 0 all are caught or explained, 1 some survive, 2 the list does not fit the
sources, 3 the tests fail without a mistake.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zlib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LIST = HERE / "mutants.txt"
# What a copy needs to be built and tested.
COPIED = ["Package.swift", "Package.resolved", "Sources", "Tests", "pipelines", "vocab", "README.md", ".swift-format"]

SWIFT = """#if canImport(Glibc)
  import Glibc
#else
  import Foundation
#endif

/// The number of the mistake that this process makes.
package let pkmMutant: Int = getenv("PKM_MUTANT").flatMap { Int(String(cString: $0)) } ?? 0
"""
C = """#pragma once
#include <stdlib.h>

// The number of the mistake that this process makes.
static inline __attribute__((unused)) int pkm_mutant(void) {
  static int number = -1;
  if (number < 0) {
    const char *text = getenv("PKM_MUTANT");
    number = text ? atoi(text) : 0;
  }
  return number;
}
"""


class ListError(Exception):
    pass


class Mutant:
    """One mistake: what stands in a file, what stands there instead, why somebody could write that."""

    def __init__(self, room, tests, file, why, line):
        self.room, self.tests, self.file, self.why, self.line = room, tests, file, why, line
        self.old, self.new, self.at, self.equivalent, self.kind = [], [], [], "", "expression"
        self.number = 0

    @property
    def key(self):
        """What the mutant is: its number changes with the list."""
        return json.dumps([self.file, self.at, self.old, self.new])

    @property
    def code(self):
        """The value of the variable that makes this mistake."""
        return 1 + zlib.crc32(self.key.encode()) % 1_000_000_000

    def place(self, text):
        """The range of the old text in its file."""
        old, context = "\n".join(self.old), "\n".join(self.at)
        start, end = 0, len(text)
        if context:
            if text.count(context) != 1:
                raise ListError(f"{self}: its context is there {text.count(context)} times: {context}")
            start = text.index(context)
            end = start + len(context)
        found = text.count(old, start, end)
        if found != 1:
            raise ListError(f"{self}: its place is there {found} times: {old}")
        begin = text.index(old, start, end)
        return begin, begin + len(old)

    def __str__(self):
        return f"{LIST.name}:{self.line}: mutant {self.number} of {self.file}"


def read_list():
    """The mistakes of the list, numbered from 1."""
    mutants, room, tests, file = [], None, None, None
    current = None
    for line_number, line in enumerate(LIST.read_text().split("\n"), 1):
        if not line.strip():
            current = None
            continue
        mark, rest = line[0], line[2:]
        if mark == "#":
            continue
        if mark == "=":
            if current is not None and current.new:
                current.equivalent = (current.equivalent + " " + rest).strip()
                continue
            room, _, tests = rest.partition(": ")
        elif mark == "@":
            file = rest
        elif mark == "&":
            # Inside a mutant it is the mutant's own.
            if current is not None:
                current.tests = rest
            else:
                tests = rest
        elif mark == "~":
            current = Mutant(room, tests, file, rest, line_number)
            mutants.append(current)
            current.number = len(mutants)
        elif current is None:
            raise ListError(f"{LIST.name}:{line_number}: what is this? {line}")
        elif mark == "?":
            current.at.append(rest)
        elif mark == "-":
            current.old.append(rest)
        elif mark == "+":
            current.new.append(rest)
        elif mark == "!":
            current.kind = rest
        else:
            raise ListError(f"{LIST.name}:{line_number}: what is this? {line}")
    for mutant in mutants:
        if not mutant.old or mutant.kind not in ("expression", "statement", "alone"):
            raise ListError(f"{mutant}: has no place, or an unknown kind")
    return mutants


def is_swift(file):
    return file.endswith(".swift")


def planted(text, file, mutants, alone):
    """The text with all mistakes behind the switch; with that of `alone`, if it is one of them, in its place."""
    places = {}
    for mutant in mutants:
        places.setdefault(mutant.place(text), []).append(mutant)
    last = len(text)
    for (start, end), here in sorted(places.items(), reverse=True):
        if end > last:
            raise ListError(f"{here[0]}: overlaps the next one")
        last = start
        old = text[start:end]
        if alone in here:
            text = text[:start] + "\n".join(alone.new) + text[end:]
            continue
        switched = [m for m in here if m.kind != "alone"]
        if not switched:
            continue
        name = "pkmMutant" if is_swift(file) else "pkm_mutant()"
        if switched[0].kind == "statement":
            result = ""
            for m in switched:
                new = "\n".join(m.new)
                result += f"if {name} == {m.code} {{ {new} }} else " if is_swift(file) else (
                    f"if ({name} == {m.code}) {{ {new} }} else ")
            result += f"{{ {old} }}"
        else:
            result = old if is_swift(file) else f"({old})"
            for m in reversed(switched):
                new = "\n".join(m.new)
                result = f"({name} == {m.code} ? ({new}) : ({result}))"
        text = text[:start] + result + text[end:]
    return text


def update(path, text):
    """Writes a file, unless it has this text: what is unchanged is not built again."""
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def copy_tree(scratch):
    """Copies the sources, and removes from the copy what is not among them."""
    wanted = set()
    for name in COPIED:
        source = ROOT / name
        files = [source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()] if source.exists() else []
        for file in files:
            if "__pycache__" in file.parts:
                continue
            relative = file.relative_to(ROOT)
            wanted.add(relative)
            target = scratch / relative
            data = file.read_bytes()
            if not target.exists() or target.read_bytes() != data and str(relative) not in PLANTED:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
                shutil.copymode(file, target)
    for name in ["Sources", "Tests"]:
        for file in (scratch / name).rglob("*"):
            if file.is_file() and file.relative_to(scratch) not in wanted and "mutant" not in file.name.lower():
                file.unlink()


PLANTED = set()


def target_of(file):
    return "/".join(file.split("/")[:2])


def plant(scratch, mutants, alone=None):
    """Brings the copy up to date, with all mistakes in it."""
    by_file = {}
    for mutant in mutants:
        by_file.setdefault(mutant.file, []).append(mutant)
    PLANTED.update(by_file)
    copy_tree(scratch)
    package = (ROOT / "Package.swift").read_text()
    # The variables are global: what the optimizer knows of the values would be another warning.
    package = package.replace('.unsafeFlags(["-warnings-as-errors"]),', "").replace('"-Wall", "-Wextra", "-Werror", ', "")
    package = package.replace('"-Wall", "-Werror"', '"-w"')
    update(scratch / "Package.swift", package)
    for target in sorted({target_of(f) for f in by_file}):
        if any(is_swift(f) for f in by_file if target_of(f) == target):
            update(scratch / target / "PkmMutant.swift", SWIFT)
    for file, here in by_file.items():
        text = (ROOT / file).read_text()
        text = planted(text, file, here, alone)
        if not is_swift(file):
            header = scratch / target_of(file) / "pkm_mutant.h"
            update(header, C)
            up = "../" * (len(file.split("/")) - 3)
            include = f'#include "{up}pkm_mutant.h"\n'
            # After the guard, if there is one.
            text = text.replace("#pragma once\n", "#pragma once\n" + include, 1) if "#pragma once\n" in text else include + text
        update(scratch / file, text)


def build(scratch, configuration):
    command = ["swift", "build", "--build-tests", "-c", configuration]
    done = subprocess.run(command, cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        errors = list(dict.fromkeys(line for line in done.stdout.split("\n") if ": error: " in line))
        raise ListError("the copy does not build:\n" + "\n".join(errors[:40] or done.stdout.split("\n")[-20:]))


def stages(tests):
    """The groups of patterns that run one after the other, and whether the tests that take seconds are among them."""
    for stage in tests.split(" > "):
        long = stage.startswith("long ")
        # Not within parentheses.
        yield re.split(r"\|(?![^()]*\))", stage[5:] if long else stage), long


def run_tests(scratch, configuration, patterns, number, limit, environment):
    """caught, survived or hung; and the first line that says why."""
    program = next((scratch / ".build" / configuration).glob("*PackageTests.xctest"))
    command = [str(program), "--testing-library", "swift-testing"]
    for pattern in patterns:
        command += ["--filter", pattern]
    if configuration == "debug":
        # They count what an optimized build allocates.
        command += ["--skip", "AllocationTests"]
    process = subprocess.Popen(
        command, cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        env={**os.environ, **environment, "PKM_MUTANT": str(number)}, start_new_session=True)
    verdict = {"is": None, "line": "", "ran": False}

    def read():
        for line in process.stdout:
            if re.search(r"Test run with [1-9]\d* test", line):
                verdict["ran"] = True
            if "recorded an issue" in line or "Caught error" in line:
                line = re.sub(r"\x1b\[[0-9;]*m", "", line).strip()
                verdict["is"], verdict["line"] = "caught", line[:200]
                # One is enough.
                kill(process)
                return

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(limit)
    if reader.is_alive():
        kill(process)
        reader.join()
        process.wait()
        return ("caught" if verdict["is"] else "hung"), verdict["line"] or f"longer than {limit} s"
    process.wait()
    kill(process)
    if verdict["is"]:
        return "caught", verdict["line"]
    if process.returncode != 0:
        return "caught", f"ended with {process.returncode}"
    if not verdict["ran"]:
        raise ListError(f"no test has a name like {'|'.join(patterns)}, or the list does not say that it is long")
    return "survived", ""


def digest(mutant, root=ROOT, files={}):
    """A hash of the mutant's source and of the files that hold its suites, below `root`."""
    paths = set()
    for patterns, _ in stages(mutant.tests):
        for pattern in patterns:
            target, _, suite = pattern.partition("/")[0].partition(".")
            for path in (root / "Tests" / target).rglob("*.swift"):
                if path not in files:
                    files[path] = path.read_text()
                if re.search(rf"\b(struct|class|enum|actor|extension) {re.escape(suite)}", files[path]):
                    paths.add(path)
    total = hashlib.sha256((ROOT / mutant.file).read_bytes())
    for path in sorted(paths):
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def numbers(text):
    chosen = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        chosen.update(range(int(first), int(last or first) + 1))
    return chosen


def table(results, mutants, machine, date):
    rooms = list(dict.fromkeys(m.room for m in mutants))
    names = ["mutants", "caught", "hung", "equivalent", "survived", "not run"]
    lines = [f"{date}, {machine}", "", f"| room | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    total = [0] * len(names)
    for room in rooms:
        here = [m for m in mutants if m.room == room]
        found = [results[m.number][0] if m.number in results else "" for m in here]
        explained = sum(verdict == "survived" and bool(m.equivalent) for m, verdict in zip(here, found))
        row = [
            len(here), found.count("caught"), found.count("hung"), explained, found.count("survived") - explained,
            found.count("")]
        total = [a + b for a, b in zip(total, row)]
        lines.append(f"| {room} | " + " | ".join(map(str, row)) + " |")
    lines.append("| all | " + " | ".join(map(str, total)) + " |")
    return lines


def record(lines):
    path = HERE / "README.md"
    text = path.read_text()
    begin, end = "<!-- table -->\n", "<!-- end -->"
    head, rest = text.split(begin)
    path.write_text(head + begin + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--room", action="append", help="only this room; may be repeated")
    parser.add_argument("--only", type=numbers, help="only these numbers, such as 3,7-9")
    parser.add_argument("--check", action="store_true", help="only check that every place is there")
    parser.add_argument("--scratch", type=pathlib.Path, help="the directory of the copy (default: .build/mutants)")
    parser.add_argument("--configuration", default="debug", choices=["debug", "release"])
    parser.add_argument("--limit", type=float, default=120, help="seconds for the tests of a mutant (default: 120)")
    parser.add_argument("--no-build", action="store_true", help="the copy is built already")
    parser.add_argument("--build-only", action="store_true", help="plant and build, and run nothing")
    parser.add_argument("--long", action="store_true", help="also the tests that take seconds each")
    parser.add_argument("--again", action="store_true", help="also what an earlier run knows of the same file and tests")
    parser.add_argument("--trust", action="store_true", help="do not run the tests without a mistake first")
    parser.add_argument("--record", action="store_true", help="write the table into README.md")
    options = parser.parse_args()

    mutants = read_list()
    for file in {mutant.file for mutant in mutants}:
        planted((ROOT / file).read_text(), file, [m for m in mutants if m.file == file], None)
    chosen = [
        m for m in mutants
        if (not options.room or m.room in options.room) and (not options.only or m.number in options.only)]
    if options.check:
        print(f"{len(mutants)} mutants, all of them have their place")
        return 0

    scratch = options.scratch or ROOT / ".build" / "mutants"
    scratch.mkdir(parents=True, exist_ok=True)
    if not options.no_build:
        plant(scratch, mutants)
        build(scratch, options.configuration)
    if options.build_only:
        return 0
    store = scratch / "mutants.json"
    known = json.loads(store.read_text()) if store.exists() else {}

    def remembered(m):
        """What an earlier run found of the same mutant, the same file and the same tests."""
        return known[m.key][:2] if m.key in known and known[m.key][2] == digest(m) else None

    def run(m, number):
        """The worst that a stage of the mutant's tests finds."""
        for patterns, long in stages(m.tests):
            environment = {} if long or options.long else {"PKM_TESTS": "quick"}
            if number == 0 and (tuple(patterns), long) in clean:
                continue
            limit = options.limit * (1 if number else 4)
            verdict = run_tests(scratch, options.configuration, patterns, number, limit, environment)
            if verdict[0] != "survived":
                return verdict
            if number == 0:
                clean.add((tuple(patterns), long))
        return "survived", ""

    clean = set()
    results = {}
    failures = 0
    for mutant in chosen:
        if not options.again and remembered(mutant):
            results[mutant.number] = remembered(mutant)
            continue
        if mutant.kind == "alone":
            plant(scratch, mutants, alone=mutant)
            try:
                build(scratch, options.configuration)
            except ListError:
                print(f"{mutant}: does not build", flush=True)
                continue
        elif not options.trust:
            verdict, line = run(mutant, 0)
            if verdict != "survived":
                print(f"without a mistake, {mutant.tests}: {verdict}: {line}", file=sys.stderr, flush=True)
                failures += 1
                continue
        begin = time.time()
        verdict, line = run(mutant, mutant.code)
        results[mutant.number] = (verdict, line)
        known[mutant.key] = (verdict, line, digest(mutant, scratch))
        store.write_text(json.dumps(known))
        note = mutant.why if verdict == "survived" else line
        print(f"{mutant.number:4} {verdict:9} {time.time() - begin:5.1f} s  {mutant.room}: {mutant.file}: {note}", flush=True)
        if mutant.kind == "alone":
            plant(scratch, mutants)
            build(scratch, options.configuration)

    processor = next(
        (line.split(": ", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    # What earlier runs have found counts, too.
    for mutant in mutants:
        if mutant.number not in results and remembered(mutant):
            results[mutant.number] = remembered(mutant)
    lines = table(results, mutants, f"{os.cpu_count()} cores of {processor}", datetime.date.today().isoformat())
    print("\n" + "\n".join(lines))
    missing = [m for m in mutants if m.number not in results]
    if missing:
        print(f"not run: {', '.join(str(m.number) for m in missing)}")
    left = [m for m in chosen if m.number in results and results[m.number][0] != "caught" and not m.equivalent]
    for m in left:
        print(f"{results[m.number][0]}: {m}: {m.why}\n  - {' '.join(m.old)}\n  + {' '.join(m.new)}")
    if options.record:
        record(lines)
    if failures:
        return 3
    return 1 if any(results[m.number][0] == "survived" for m in left) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ListError as error:
        sys.exit(f"{error}") if False else (print(error, file=sys.stderr), sys.exit(2))
