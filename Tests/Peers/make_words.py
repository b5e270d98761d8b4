"""Makes a corpus of any size from a real text: JSON lines of documents, with planted duplicates and junk.

    python3 Tests/Peers/make_words.py TEXT --words 100M -o corpus/ [--seed 1] [--processes 2]

TEXT is plain text or JSON lines with "text". Its sentences are drawn again and again, so grammar, letters and frequent words
are those of real text. Written are corpus/part-00000.jsonl and so on, each of some 10 M words, and corpus/planted.json with
what was planted; a part depends on TEXT, the seed and its number alone, so a larger corpus begins with a smaller one. By the
rules:

- A document has 2 to 200 sentences, log-normal with a median of 14, six sentences a paragraph (a line).
- In every other sentence one word is replaced by an invented one: number k with a probability in proportion to k^-1.3, spelled
  by two words of TEXT and an ending. So the vocabulary grows without end, as n^0.77 (Heaps' law) besides the words of TEXT.
- 2 % of the sentences have ligatures, full-width letters, decomposed accents, non-breaking spaces or soft hyphens to normalize.
- 5 % of the documents are exact copies, 5 % near copies: of a document a little earlier in the part, or (one in five) of one of
  200 that the whole corpus shares. In a near copy one sentence in twenty, at least one, is another, which leaves a Jaccard index
  of its 5-word shingles of about 0.9.
- 4 % are junk for the filters: one sentence over and over, a menu of short lines, or text of symbols.

Needs numpy.
"""

import argparse
import json
import multiprocessing
import pathlib
import re
import time
import unicodedata

import numpy

PART_WORDS = 10_000_000
SHARED, RECENT = 200, 2000
ENDINGS = "ing ed er est ly ness ment able ful less ish ist ism ity ia ville ton son berg ski ova ine ol ase ium us a o e".split()
LIGATURES = str.maketrans({"A": "Ａ", "T": "Ｔ"})


def decorated(sentence, kind):
    """The same to a reader, other code points."""
    if kind == 0:
        return sentence.replace("fi", "ﬁ").replace("fl", "ﬂ").translate(LIGATURES)
    if kind == 1:
        return unicodedata.normalize("NFD", sentence.replace("e", "é", 1))
    return sentence.replace(" ", "\u00a0", 3).replace("tion", "ti\u00adon")


class Source:
    """The sentences of a text, ready to be put between the quotes of JSON, and where to replace a word."""

    def __init__(self, path):
        text = pathlib.Path(path).read_text(encoding="utf-8")
        if text.lstrip().startswith("{"):
            text = "\n".join(json.loads(line)["text"] for line in text.splitlines() if line.strip())
        generator = numpy.random.default_rng(0)
        sentences = []
        for sentence in re.split(r"(?<=[.!?])[\"”']?\s+", text):
            sentence = " ".join(sentence.split())
            if 3 <= sentence.count(" ") < 80:
                sentences.append(sentence)
        kinds = generator.integers(0, 150, len(sentences))
        self.words = numpy.array([sentence.count(" ") + 1 for sentence in sentences])
        self.whole, self.before, self.after = [], [], []
        for sentence, kind, place in zip(sentences, kinds, generator.random(len(sentences))):
            words = sentence.split(" ")
            at = int(place * len(words))
            tail = re.search(r"\W*$", words[at]).group()
            if kind < 3:
                sentence = decorated(sentence, kind)
            self.whole.append(quoted(sentence))
            self.before.append(quoted(" ".join(words[:at]) + " " if at else ""))
            self.after.append(quoted(tail + (" " + " ".join(words[at + 1 :]) if at + 1 < len(words) else "")))
        counts = {}
        for word in re.findall(r"\b[a-z]{3,8}\b", text[:20_000_000]):
            counts[word] = counts.get(word, 0) + 1
        self.stems = sorted(counts, key=lambda word: (-counts[word], word))[:3000]

    def __len__(self):
        return len(self.whole)

    def invented(self, number):
        # An odd factor permutes the numbers, so that words of neighboring ones have nothing in common.
        code = number * 0x9E3779B1 & 0xFFFFFFFF
        code, ending = divmod(code, len(ENDINGS))
        code, first = divmod(code, len(self.stems))
        return self.stems[first] + self.stems[code % len(self.stems)] + ENDINGS[ending]


def quoted(text):
    return json.dumps(text, ensure_ascii=False)[1:-1]


def fresh(source, generator, count):
    """Documents that are no copies, as lists of sentences, with the words of each."""
    lengths = numpy.clip(numpy.exp(generator.normal(numpy.log(14), 0.8, count)), 2, 200).astype(int)
    total = int(lengths.sum())
    chosen = generator.integers(0, len(source), total)
    # Numbers beyond 2^32 would be spelled as others are.
    numbers = numpy.where(generator.random(total) < 0.5, numpy.minimum(generator.zipf(1.3, total), 2**32 - 1), 0)
    words = source.words[chosen]
    whole, before, after, invented = source.whole, source.before, source.after, source.invented
    sentences = [
        before[i] + invented(number) + after[i] if number else whole[i]
        for i, number in zip(chosen.tolist(), numbers.tolist())
    ]
    ends = numpy.cumsum(lengths)
    word_counts = numpy.add.reduceat(words, ends - lengths)
    start = 0
    for end, count in zip(ends.tolist(), word_counts.tolist()):
        yield sentences[start:end], count
        start = end


def junk(sentences, kind):
    if kind == 0:
        return sentences[:1] * 40
    if kind == 1:
        return ["\\n".join(sentence.split(" ")[0] for sentence in sentences)]
    return ["# @ %d == //" % (len(sentence) * 7 + k) for sentence in sentences for k in range(4)]


def line(identity, sentences):
    paragraphs = (" ".join(sentences[at : at + 6]) for at in range(0, len(sentences), 6))
    return f'{{"id":"{identity}","text":"' + "\\n".join(paragraphs) + '"}\n'


def make_part(job):
    number, target, seed, directory = job
    source = SOURCE
    shared = [sentences for sentences, _ in fresh(source, numpy.random.default_rng([seed, 0]), SHARED)]
    generator = numpy.random.default_rng([seed, 1, number])
    planted = {"words": 0, "documents": 0, "exact": 0, "near": 0, "junk": 0, "bytes": 0}
    recent = []
    with open(f"{directory}/part-{number:05d}.jsonl", "w", encoding="utf-8") as file:
        while planted["words"] < target:
            kinds = generator.random(4000)
            picks = generator.integers(0, 1 << 30, 4000).tolist()
            lines = []
            for (sentences, words), kind, pick in zip(fresh(source, generator, 4000), kinds.tolist(), picks):
                if kind < 0.10 and recent:
                    old = shared[pick % SHARED] if pick % 5 == 0 else recent[pick // 5 % len(recent)]
                    if kind < 0.05:
                        planted["exact"] += 1
                        copy = old
                    else:
                        planted["near"] += 1
                        copy = list(old)
                        for k in range(max(1, len(old) // 20)):
                            copy[(pick + 7 * k) % len(old)] = sentences[k % len(sentences)]
                    sentences = copy
                    words = sum(sentence.count(" ") + 1 for sentence in sentences)
                elif kind < 0.14:
                    planted["junk"] += 1
                    sentences = junk(sentences, pick % 3)
                    words = sum(sentence.count(" ") + sentence.count("\\n") + 1 for sentence in sentences)
                elif pick % 8 == 0:
                    if len(recent) < RECENT:
                        recent.append(sentences)
                    else:
                        recent[pick // 8 % RECENT] = sentences
                lines.append(line(f"{number}-{planted['documents']}", sentences))
                planted["documents"] += 1
                planted["words"] += words
                if planted["words"] >= target:
                    break
            block = "".join(lines)
            planted["bytes"] += len(block.encode())
            file.write(block)
    return planted


def count(text):
    return int(float(text.rstrip("kMB")) * {"k": 1e3, "M": 1e6, "B": 1e9}.get(text[-1], 1))


def main():
    global SOURCE
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text")
    parser.add_argument("--words", type=count, required=True)
    parser.add_argument("-o", "--output", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    began = time.time()
    SOURCE = Source(arguments.text)
    directory = pathlib.Path(arguments.output)
    directory.mkdir(parents=True)
    starts = range(0, arguments.words, PART_WORDS)
    jobs = [(n, min(PART_WORDS, arguments.words - start), arguments.seed, str(directory)) for n, start in enumerate(starts)]
    total = {}
    # Forked, so that the sentences are in memory once; ended by closing, as whoever blocks SIGTERM cannot be terminated.
    pool = multiprocessing.get_context("fork").Pool(arguments.processes) if arguments.processes > 1 else None
    for planted in (pool.imap if pool else map)(make_part, jobs):
        total = {name: total.get(name, 0) + value for name, value in planted.items()}
    if pool:
        pool.close()
        pool.join()
    total["seconds"] = round(time.time() - began, 1)
    (directory / "planted.json").write_text(json.dumps(total) + "\n")
    print(json.dumps(total))


if __name__ == "__main__":
    main()
