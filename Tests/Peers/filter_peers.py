"""datatrove's filters, for the tests that compare ours with them and for timing.

    python3 Tests/Peers/filter_peers.py decide-ours < texts.jsonl        datatrove's rules on words as ours are defined
    python3 Tests/Peers/filter_peers.py decide-datatrove < texts.jsonl   datatrove as it is: its words are spaCy's
    python3 Tests/Peers/filter_peers.py time FILE [PKM_DATA [COUNT [--record]]]
                                                            documents/s and MB/s on one core, of datatrove in memory for the
                                                            first COUNT (default: 500) JSON lines of FILE, of the command
                                                            `PKM_DATA filter` from file to file for all of them

Texts travel as JSON lines (one string a line). The answer to each is an object: for each group the rule that drops the
document, by our name, or null; and under "c4-text" what C4's filter leaves.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import unicodedata

import figures
import regex
from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4ParagraphFilter,
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters import gopher_quality_filter
from datatrove.utils.text import TERMINAL_PUNCTUATION
from datatrove.utils.word_tokenizers import WordTokenizer

NAMES = {
    "gopher_short_doc": "gopher-min-words",
    "gopher_long_doc": "gopher-max-words",
    "gopher_below_avg_threshold": "gopher-min-word-length",
    "gopher_above_avg_threshold": "gopher-max-word-length",
    "gopher_too_many_hashes": "gopher-hash-ratio",
    "gopher_too_many_ellipsis": "gopher-ellipsis-ratio",
    "gopher_too_many_bullets": "gopher-bullet-lines",
    "gopher_too_many_end_ellipsis": "gopher-ellipsis-lines",
    "gopher_below_alpha_threshold": "gopher-alphabetic-words",
    "gopher_enough_stop_words": "gopher-stop-words",
    "dup_para_frac": "gopher-duplicate-paragraphs",
    "dup_para_char_frac": "gopher-duplicate-paragraph-chars",
    "dup_line_frac": "gopher-duplicate-lines",
    "dup_line_char_frac": "gopher-duplicate-line-chars",
    **{f"top_{n}_gram": f"gopher-top-{n}-gram" for n in (2, 3, 4)},
    **{f"duplicated_{n}_n_grams": f"gopher-duplicate-{n}-grams" for n in range(5, 11)},
    "lorem_ipsum": "c4-lorem-ipsum",
    "curly_bracket": "c4-curly-brackets",
    "too_few_sentences": "c4-sentences",
    "< 3 paragraphs": "mc4-long-lines",
    "line_punct_ratio": "fineweb-terminal-lines",
    "short_line_ratio": "fineweb-short-lines",
    "char_dup_ratio": "fineweb-duplicate-line-chars",
    "list_ratio": "fineweb-newline-ratio",
    "empty": "empty",
}

WORD = r"[^\p{White_Space}\p{P}\p{S}\p{Cc}\p{Ideographic}\p{Script=Hiragana}]"
LETTER, NUMBER = r"\p{L}", r"\p{N}"
SMALL = r"[\p{Ll}\p{Lm}\p{Lo}]"
CAPITAL = r"[\p{Lu}\p{Lt}]"
JOINED = rf"""(?:
    ['’_@&!"\#$%();?\[\\\]`{{|}}](?={WORD})
  | (?<={SMALL})\.(?={WORD})(?!{CAPITAL}) | (?<!{SMALL})\.(?={WORD})
  | (?<={LETTER}),(?={WORD})(?!{LETTER}) | (?<!{LETTER}),(?={WORD})
  | (?<={NUMBER})[*+^](?={WORD})(?!{NUMBER}) | (?<!{NUMBER})[*+^](?={WORD})
  | [:/<=>](?={WORD})(?!{LETTER})
  | (?<!{NUMBER})-(?={NUMBER})
)"""
TOKEN = regex.compile(rf"{WORD}(?:{WORD}|{JOINED})*|\.+|-+|.", regex.VERBOSE | regex.DOTALL)
TITLES = "Mr|Mrs|Ms|Messrs|Dr|Prof|St|Gen|Gov|Rev|Rep|Sen|Jr|Sr|Inc|Ltd|Co|Corp"
ABBREVIATION = regex.compile(rf"{LETTER}|.*\.{LETTER}|{TITLES}", regex.DOTALL)
DOT = regex.compile(rf"\.(?!\.|{WORD})")
ADDRESS = regex.compile(r"(?:[hH][tT][tT][pP][sS]?://|[wW][wW][wW]\.)[^\p{White_Space}<>\"]*")
CONTRACTION = regex.compile(
    r"(.+?)([nN]['’][tT]|['’](?:[sSdDmM]|[lL][lL]|[rR][eE]|[vV][eE]))", regex.DOTALL
)
SPACES = regex.compile(r"\p{White_Space}+")


def is_punctuation(token):
    return all(unicodedata.category(character).startswith("P") for character in token)


class OurWords(WordTokenizer):
    """The words that WordScanner.swift defines, written down a second time."""

    def spans(self, text):
        at = 0
        while at < len(text):
            if space := SPACES.match(text, at):
                at = space.end()
                continue
            if address := ADDRESS.match(text, at):
                end = address.end()
                while is_punctuation(text[end - 1]):
                    end -= 1
                yield at, end
                at = end
                continue
            end = TOKEN.match(text, at).end()
            if cut := CONTRACTION.fullmatch(text, at, end):
                yield at, cut.end(1)
                yield cut.end(1), end
            else:
                if ABBREVIATION.fullmatch(text, at, end) and DOT.match(text, end):
                    end += 1
                yield at, end
            at = end

    def word_tokenize(self, text):
        return [text[start:end] for start, end in self.spans(text)]

    def span_tokenize(self, text):
        starts, after_end = [], False
        for start, end in self.spans(text):
            if not starts or after_end and not is_punctuation(text[start:end]):
                if text[start:end] not in TERMINAL_PUNCTUATION or not starts:
                    starts.append(start)
                    after_end = False
            if text[start:end] in TERMINAL_PUNCTUATION:
                after_end = True
        return list(zip(starts, starts[1:] + [len(text)]))

    def sent_tokenize(self, text):
        return [text[start:end] for start, end in self.span_tokenize(text)]


class OurSymbols:
    """Characters that make no word, by their category instead of datatrove's list."""

    def __contains__(self, character):
        category = unicodedata.category(character)
        return category[0] in "PS" or category == "Cc"


def filters(language):
    return {
        "gopher-repetition": GopherRepetitionFilter(language=language),
        "gopher-quality": GopherQualityFilter(language=language),
        "mc4": C4ParagraphFilter(),
        "c4": C4QualityFilter(language=language),
        "fineweb": FineWebQualityFilter(language=language),
    }


def decide(language):
    groups = filters(language)
    for line in sys.stdin:
        text = json.loads(line)
        answer = {}
        for name, group in groups.items():
            document = Document(text=text, id="")
            try:
                result = group.filter(document)
            except ZeroDivisionError:
                result = (False, "empty")
            kept, reason = result if isinstance(result, tuple) else (result, None)
            answer[name] = None if kept else NAMES[reason]
            if name == "c4":
                answer["c4-text"] = document.text if kept else None
        print(json.dumps(answer))


def decide_ours():
    gopher_quality_filter.PUNCTUATION_SET = OurSymbols()
    decide(OurWords())


def decide_datatrove():
    decide("en")


def time_theirs(texts, chain):
    start = time.perf_counter()
    for text in texts:
        document = Document(text=text, id="")
        for group in chain:
            try:
                result = group.filter(document)
            except ZeroDivisionError:
                break
            if not (result[0] if isinstance(result, tuple) else result):
                break
    return time.perf_counter() - start


def time_ours(pkm_data, file, rules):
    with tempfile.TemporaryDirectory() as scratch:
        output = os.path.join(scratch, "out.jsonl")
        start = time.perf_counter()
        arguments = [pkm_data, "filter", "--quiet", "--threads", "1", "--rules", rules, "-o", output, file]
        subprocess.run(arguments, check=True, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start


def time_both(file, pkm_data=".build/release/pkm-data", count="500", record=None):
    rows = []
    with open(file, encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    groups = filters("en")
    sample = texts[: int(count)]
    size, sample_size = (sum(len(text.encode()) for text in some) for some in (texts, sample))
    for group in groups.values():
        group.filter(Document(text=texts[0], id=""))
    for name in [*groups, ",".join(groups)]:
        theirs = time_theirs(sample, [groups[group] for group in name.split(",")])
        ours = time_ours(pkm_data, file, name)
        rows.append([name.replace(",", ", "), f"{size / ours / 1e6:.0f}", f"{sample_size / theirs / 1e6:.2f}",
                     f"{size / ours / (sample_size / theirs):.0f}"])
        print(
            f"{name}: datatrove {len(sample) / theirs:.0f} documents/s, {sample_size / theirs / 1e6:.2f} MB/s; "
            f"pkm-data {len(texts) / ours:.0f} documents/s, {size / ours / 1e6:.0f} MB/s; "
            f"{size / ours / (sample_size / theirs):.0f} times by the byte")
    if record:
        figures.record(
            "filter", ["rules", "pkm-data, MB/s", "datatrove, MB/s", "ratio"], rows,
            title="Filters on one core; pkm-data from file to file, datatrove in memory",
            values={"ours": rows[-1][1], "datatrove": rows[-1][2]}, packages=["datatrove", "spacy"])


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    {"decide-ours": decide_ours, "decide-datatrove": decide_datatrove, "time": time_both}[sys.argv[1]](
        *sys.argv[2:]
    )
