"""Encoding by pattern: what each way to split text costs, relative to gpt2's, and beside other libraries.

    python3 Tests/Peers/pattern_speed.py ENGLISH.txt [--pkm .build/release/pkm-data] [--mb 20] [--slow-mb 4] [--runs 3]
        [--directory DIRECTORY] [--only NAME...]

A vocabulary of 32,000 merges is learned on the first --mb MB of ENGLISH with each of the patterns gpt2, cl100k and o200k; every
other pattern takes that of the nearest one, written as models write it in tokenizer.json. Four kinds of tokenizers are
measured: patterns with a kernel; chains that run through ICU's regular expressions; SentencePiece-style ones without
pre-tokenizer (Mistral's, from the package mistral-common, kept in --directory); and each through every library that can.

pkm-data encodes in memory on one thread (`bench`), the text as one document, cold (the encoder has seen nothing) and warm (it
has seen this very text). The libraries encode the text in pieces of about 5 kB, gigatoken as one; tokenizers, tiktoken and
fastokens only the first --slow-mb MB. Printed: MB of text a second, the cost beside that of gpt2's pattern (its rate divided
by this one).
"""

import argparse
import base64
import copy
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import figures
from real_tokenizers import download

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("english")
parser.add_argument("--pkm", default=".build/release/pkm-data")
parser.add_argument("--mb", type=int, default=20)
parser.add_argument("--slow-mb", type=int, default=4)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--directory", help="where the packages are kept")
parser.add_argument("--only", nargs="*", help="only the tokenizers of these names, and gpt2")
parser.add_argument("--no-peers", action="store_true", help="pkm-data alone")
figures.add_option(parser)

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CASES = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
    r"%s| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
KIMI = (
    r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"
    + CONTRACTIONS
    + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"
    + CONTRACTIONS + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
DEEPSEEK = [
    r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
]


def split(*patterns):
    steps = [{"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": False} for p in patterns]
    return {"type": "Sequence", "pretokenizers": [*steps, plain_bytes(use_regex=False)]}


def plain_bytes(use_regex=True):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def after(*steps):
    return {"type": "Sequence", "pretokenizers": [*steps, plain_bytes()]}


# The name, the learned vocabulary it takes, and the pre_tokenizer; None for the one it was learned with.
PATTERNS = [
    ("gpt2", "gpt2", None),
    ("cl100k", "cl100k", None),
    ("o200k", "o200k", None),
    ("llama3", "cl100k", split(LLAMA3)),
    ("qwen2", "cl100k", split(LLAMA3.replace("{1,3}", ""))),
    ("qwen3.5", "cl100k", split(
        CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")),
    ("tekken", "o200k", split(CASES % r"\p{N}")),
    ("starcoder", "gpt2", after({"type": "Digits", "individual_digits": True})),
    ("digit runs", "gpt2", after({"type": "Digits", "individual_digits": False})),
    ("deepseek", "cl100k", split(*DEEPSEEK)),
    ("kimi", "o200k", split(KIMI)),
    ("o200k, no contractions", "o200k", split(CASES % r"\p{N}{1,3}")),
    ("bloom", "gpt2", split(" ?[^(\\s|[.,!?…。，、।۔،])]+")),
    ("falcon", "gpt2", {"type": "Sequence", "pretokenizers": [
        {"type": "Punctuation", "behavior": "Contiguous"}, plain_bytes(),
        {"type": "Digits", "individual_digits": False},
        {"type": "Split", "pattern": {"Regex": "[0-9][0-9][0-9]"}, "behavior": "Isolated", "invert": False}]}),
    ("gpt-4 with possessives", "cl100k", split(
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s")),
]


def mistral(directory):
    """A SentencePiece model, and the same as tokenizer.json."""
    import sentencepiece

    name = "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3"
    data = download("mistral-common", directory)(name)
    processor = sentencepiece.SentencePieceProcessor(model_proto=data)
    vocabulary = {processor.id_to_piece(id): id for id in range(processor.vocab_size())}
    scored = []
    for piece, id in vocabulary.items():
        if processor.is_control(id) or processor.is_unknown(id) or processor.is_byte(id):
            continue
        pairs = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        scored += [
            (-processor.get_score(id), vocabulary[left], vocabulary[right], left, right)
            for left, right in pairs if left in vocabulary and right in vocabulary
        ]
    added = [
        {"id": id, "content": piece, "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        for piece, id in vocabulary.items() if processor.is_control(id) or processor.is_unknown(id)
    ]
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    written = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, replace]},
        "pre_tokenizer": None, "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": vocabulary, "merges": [[left, right] for _, _, _, left, right in sorted(scored)]},
    }
    return data, written


def median_rate(run, bytes, runs):
    rates = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        rates.append(bytes / (time.perf_counter() - start) / 1e6)
    return statistics.median(rates)


def tiktoken_run(file, pieces, pkm, scratch):
    """Only for a single pattern of byte-level tokenizers, as tiktoken has it."""
    import tiktoken

    steps = json.load(open(file))["pre_tokenizer"]
    inner = steps.get("pretokenizers", [steps])
    patterns = [step["pattern"]["Regex"] for step in inner if step["type"] == "Split"]
    if steps["type"] == "ByteLevel":
        patterns = [r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""]
    if len(patterns) != 1 or any(step["type"] not in ("Split", "ByteLevel") for step in inner):
        return None
    ranks_file = os.path.join(scratch, "ranks.gpt2.tiktoken")
    subprocess.run([pkm, "convert-tokenizer", file, "-o", ranks_file, "--quiet"], check=True, stderr=subprocess.DEVNULL)
    ranks = {base64.b64decode(token): int(rank) for token, rank in (line.split() for line in open(ranks_file))}
    encoding = tiktoken.Encoding("ours", pat_str=patterns[0], mergeable_ranks=ranks, special_tokens={})
    return lambda: [encoding.encode_ordinary(piece) for piece in pieces]


def main():
    arguments = parser.parse_args()
    text = open(arguments.english, "rb").read(arguments.mb * 1_000_000)
    text = text[: text.rfind(b"\n") + 1] or text
    lines = text[: arguments.slow_mb * 1_000_000].decode("utf-8", "ignore").splitlines(keepends=True)
    pieces = ["".join(lines[start : start + 50]) for start in range(0, len(lines), 50)]
    slow_size = sum(len(piece.encode()) for piece in pieces)
    os.environ["RAYON_NUM_THREADS"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    rows = []

    with tempfile.TemporaryDirectory() as scratch:
        corpus = os.path.join(scratch, "english.txt")
        open(corpus, "wb").write(text)

        def ours(file):
            summary = os.path.join(scratch, "summary.json")
            subprocess.run(
                [arguments.pkm, "bench", corpus, "--tokenizer", file, "--documents", "file", "--runs", str(arguments.runs)]
                + ["--summary", summary, "--stages=encode cold,encode warm", "--threads", "1", "--quiet"],
                check=True, stderr=subprocess.DEVNULL)
            found = json.load(open(summary))
            return [found[f"mb_per_second_encode_{state}"] for state in ("cold", "warm")]

        def peers(file, model=None):
            import fastokens
            import gigatoken
            import sentencepiece
            from tokenizers import Tokenizer

            def tokenizers_run():
                tokenizer = Tokenizer.from_file(file)
                return lambda: tokenizer.encode_batch_fast(pieces, add_special_tokens=False)

            def fastokens_run():
                tokenizer = fastokens.Tokenizer.from_file(file)
                return lambda: tokenizer.encode_batch(pieces, False)

            def sentencepiece_run():
                processor = sentencepiece.SentencePieceProcessor(model_file=model)
                return lambda: processor.encode(pieces, num_threads=1)

            rates = {}
            makers = {
                "tokenizers": tokenizers_run, "fastokens": fastokens_run,
                "tiktoken": lambda: tiktoken_run(file, pieces, arguments.pkm, scratch) if model is None else None,
                "sentencepiece": lambda: sentencepiece_run() if model else None,
            }
            for name, make in makers.items():
                try:
                    run = make()
                    if run:
                        rates[name] = median_rate(run, slow_size, arguments.runs)
                except Exception as error:
                    print(f"    {name}: {str(error).splitlines()[0]:.100}", flush=True)
            try:
                source = gigatoken.BytesSource([text], separator=None)
                rates["gigatoken"] = median_rate(
                    lambda: gigatoken.Tokenizer(file).encode_batch(source, parallel=False), len(text), arguments.runs)
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                print(f"    gigatoken: {(str(error).splitlines() or [''])[0]:.100}", flush=True)
            return rates

        def measure(name, file, json_file=None, model=None):
            cold, warm = ours(file)
            others = {} if arguments.no_peers else peers(json_file or file, model)
            reference = rows[0] if rows else (name, cold, warm, others)
            cost = reference[1] / cold, reference[2] / warm
            rows.append((name, cold, warm, others))
            line = f"{name:24} cold {cold:6.0f}, {cost[0]:5.2f} x; warm {warm:6.0f}, {cost[1]:5.2f} x"
            line += "".join(f"; {peer} {rate:.1f}" for peer, rate in others.items())
            print(line, flush=True)

        learned = {}
        for name, base, pre_tokenizer in PATTERNS:
            if arguments.only and name not in ("gpt2", *arguments.only):
                continue
            if base not in learned:
                file = os.path.join(scratch, base + ".json")
                subprocess.run(
                    [arguments.pkm, "learn-bpe", "--pre-tokenizer", base, "--merges", "32000", corpus, "-o", file, "--quiet"],
                    check=True)
                learned[base] = json.load(open(file))
            written = copy.deepcopy(learned[base])
            if pre_tokenizer:
                written["pre_tokenizer"] = pre_tokenizer
            file = os.path.join(scratch, "tokenizer.json")
            json.dump(written, open(file, "w"))
            measure(name, file)
        if not arguments.only or any(name.startswith("mistral") for name in arguments.only):
            data, written = mistral(arguments.directory or os.path.join(scratch, "packages"))
            model = os.path.join(scratch, "mistral.model")
            open(model, "wb").write(data)
            file = os.path.join(scratch, "mistral.json")
            json.dump(written, open(file, "w"))
            measure("mistral, tokenizer.json", file, model=model)
            measure("mistral, SentencePiece", model, file, model)

    if arguments.record:
        names = ["tokenizers", "fastokens", "tiktoken", "sentencepiece", "gigatoken"]
        first = rows[0]
        table = [
            [name, f"{cold:.0f}", f"{first[1] / cold:.2f}", f"{warm:.0f}", f"{first[2] / warm:.2f}",
             *(f"{others[peer]:.1f}" if peer in others else "—" for peer in names)]
            for name, cold, warm, others in rows
        ]
        figures.record(
            "patterns", ["MB/s on one thread", "pkm-data cold", "cost beside gpt2", "pkm-data warm", "cost beside gpt2", *names], table,
            title=f"Encoding {len(text) / 1e6:.0f} MB of English in memory by pattern, median of {arguments.runs} runs",
            packages=["gigatoken", "tiktoken", "tokenizers", "fastokens", "sentencepiece"])


if __name__ == "__main__":
    sys.exit(main())
