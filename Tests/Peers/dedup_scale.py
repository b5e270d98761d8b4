"""Near-duplicates at scale: makes short documents with planted duplicates, and judges what was found.

    python3 Tests/Peers/dedup_scale.py make DOCUMENTS > documents.txt
    pkm-data dedup --method minhash --bands 14 --rows 8 --memory 2G --dry-run --report report.jsonl documents.txt
    python3 Tests/Peers/dedup_scale.py judge DOCUMENTS 14 8 report.jsonl [--record]

A document is a line of 16 random words, so 12 shingles of 5 words. Of ten documents one is the exact copy of another, and
one is a copy whose last 1, 2, 3 or 4 words are others, which leaves a Jaccard index of 11/13, 10/14, 9/15 or 8/16. Every
word follows from the seed, the document's number and its place, so any document can be made again. Needs numpy.
"""

import json
import sys

import figures

import numpy

WORDS, VOCABULARY, BLOCK, SEED = 16, 60_000, 100_000, 1


def mix(values):
    values = (values ^ (values >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return values ^ (values >> numpy.uint64(31))


def plan(numbers, count):
    """For each document the one it is made of, and how many of its last words are its own; 16 where it is no copy."""
    groups = count // 10
    group, place = numbers // 10, numbers % 10
    step = next(s for s in (7_368_787, 7_368_791, 15_485_863) if groups % s)
    source, own = numbers.copy(), numpy.full(len(numbers), WORDS)
    is_planted = group < groups
    for kind in (8, 9):
        chosen = (place == kind) & is_planted
        # Each group's first or second document is copied once.
        source[chosen] = (group[chosen] * step + kind) % groups * 10 + (kind - 8)
        own[chosen] = 0 if kind == 8 else 1 + group[chosen] % 4
    return source, own


def make(count):
    letters = numpy.frombuffer(b"abcdefghijklmnopqrstuvwxyz", numpy.uint8)
    codes = numpy.arange(VOCABULARY)
    spelled = numpy.full((VOCABULARY, 6), ord(" "), numpy.uint8)
    for place in range(5):
        spelled[:, place] = letters[codes // 26**place % 26]
    places = numpy.arange(WORDS)
    for start in range(0, count, BLOCK):
        numbers = numpy.arange(start, min(count, start + BLOCK))
        source, own = plan(numbers, count)
        author = numpy.where(places[None, :] >= WORDS - own[:, None], numbers[:, None], source[:, None])
        keys = (author * WORDS + places[None, :]).astype(numpy.uint64) + numpy.uint64(SEED << 40)
        text = spelled[mix(keys) % numpy.uint64(VOCABULARY)].reshape(len(numbers), 6 * WORDS)
        text[:, -1] = ord("\n")
        sys.stdout.buffer.write(text.tobytes())


def judge(count, bands, rows, report, record=False):
    table = []
    numbers = numpy.arange(count)
    source, own = plan(numbers, count)
    kept_by = numpy.full(count, -1)
    with open(report) as file:
        for line in file:
            entry = json.loads(line)
            kept_by[entry["line"] - 1] = entry["duplicate_of"]["line"] - 1
    first, second = numpy.minimum(numbers, source), numpy.maximum(numbers, source)
    expected = numpy.zeros(count, bool)
    within = True
    for words in range(5):
        chosen = own == words
        pairs = int(chosen.sum())
        found = int((kept_by[second[chosen]] == first[chosen]).sum())
        expected[second[chosen]] = True
        similarity = (12 - words) / (12 + words)
        probability = 1 - (1 - similarity**rows) ** bands
        error = (probability * (1 - probability) / max(pairs, 1)) ** 0.5
        deviation = (found / max(pairs, 1) - probability) / error if error else 0
        within &= abs(deviation) < 4 if error else found == pairs
        table.append([f"{similarity:.3f}", str(pairs), str(found), f"{probability:.5f}", f"{deviation:+.2f}"])
        print(
            f"similarity {similarity:.3f}: {pairs} pairs, found {found} = {found / max(pairs, 1):.5f}, "
            f"predicted {probability:.5f}, off by {deviation:+.2f} standard errors"
        )
    removed = int((kept_by >= 0).sum())
    wrong = int(((kept_by >= 0) & ~expected).sum())
    print(f"removed {removed}, of which {wrong} no planted duplicates ({wrong / max(count, 1):.1e} of all documents)")
    print("as predicted" if within and wrong <= 1e-6 * count else "NOT as predicted")
    if record:
        figures.record(
            "dedup_scale", ["Jaccard similarity", "planted pairs", "found", "predicted share", "standard errors off"], table,
            title=f"Near-duplicates in {count:,} made documents, {bands} bands of {rows} rows",
            note=f"Removed {removed:,} documents, {wrong} of them without a planted duplicate.")
    return within and wrong <= 1e-6 * count


if __name__ == "__main__":
    numpy.seterr(over="ignore")
    if sys.argv[1] == "make":
        make(int(sys.argv[2]))
    else:
        sys.exit(0 if judge(*(int(value) for value in sys.argv[2:5]), sys.argv[5], "--record" in sys.argv) else 1)
