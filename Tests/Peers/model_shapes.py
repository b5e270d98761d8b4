"""Tokenizers in the shapes of models, with small vocabularies: does pkm-data give the ids of the library `tokenizers`?

    python3 Tests/Peers/model_shapes.py [--pkm .build/release/pkm-data] [--only NAME...]

Each is the chain of normalizer, pre-tokenizer and added tokens that the models of its name ship, trained on the texts of the
tests. The ids of 5,500 texts are compared: prose in many scripts, code, and random strings of awkward characters and of added
tokens. Prints a line for each shape; the exit status is 1 if one is refused or an id differs.
"""

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile

import zstandard
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from pattern_speed import CASES, DEEPSEEK, KIMI, LLAMA3

HERE = os.path.dirname(os.path.abspath(__file__))


def fixture(name):
    with open(os.path.join(HERE, "..", "TokenizationTests", "Fixtures", name + ".txt.zst"), "rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(file.read())).read().decode()


PROSE, SCRIPTS = fixture("prose"), fixture("multilingual")
CODE = open(os.path.join(HERE, "encode_peers.py"), encoding="utf-8").read()
TRAINING = [PROSE[:150_000], SCRIPTS[:150_000], CODE]

Digits, Punctuation, Metaspace = pre_tokenizers.Digits, pre_tokenizers.Punctuation, pre_tokenizers.Metaspace
NFC, Prepend, Replace = normalizers.NFC, normalizers.Prepend, normalizers.Replace


def plain(use_regex=False, add_prefix_space=False):
    return pre_tokenizers.ByteLevel(use_regex=use_regex, add_prefix_space=add_prefix_space)


def chain(*steps):
    return pre_tokenizers.Sequence(list(steps))


def splits(*patterns, behavior="isolated", invert=False):
    return chain(*(pre_tokenizers.Split(Regex(pattern), behavior, invert=invert) for pattern in patterns), plain())


def special(*texts, **flags):
    return [AddedToken(text, special=True, **flags) for text in texts]


def added(*texts, **flags):
    return [AddedToken(text, special=False, **flags) for text in texts]


def byte_level(pre_tokenizer, normalizer=None, tokens=()):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2500, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"])
    tokenizer.train_from_iterator(TRAINING, trainer)
    tokenizer.add_tokens(list(tokens))
    return tokenizer


def characters(normalizer, pre_tokenizer=None, tokens=(), fuse_unk=True, byte_fallback=True):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=fuse_unk, byte_fallback=byte_fallback))
    tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    fallback = [f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else []
    trainer = trainers.BpeTrainer(
        vocab_size=3000, show_progress=False, limit_alphabet=300, special_tokens=["<unk>", "<s>", "</s>", *fallback])
    tokenizer.train_from_iterator((line for text in TRAINING for line in text.split("\n")), trainer)
    written = json.loads(tokenizer.to_str())
    # Byte tokens are tokens of the model alone.
    written["added_tokens"] = [token for token in written["added_tokens"] if not token["content"].startswith("<0x")]
    tokenizer = Tokenizer.from_str(json.dumps(written))
    tokenizer.add_tokens(list(tokens))
    return tokenizer


def marked():
    return normalizers.Sequence([Prepend("▁"), Replace(" ", "▁")])


WHITE = added(*(" " * count for count in range(2, 20)), *("\t" * count for count in range(2, 6)), normalized=True)
SHAPES = {
    "GPT-NeoX, MPT, OLMo": lambda: byte_level(plain(True), NFC(), WHITE),
    "CodeGen, Phi-2": lambda: byte_level(plain(True), None, added(*(" " * n for n in range(31, 1, -1)), normalized=False)),
    "Command R": lambda: byte_level(chain(Digits(True), plain(True)), NFC()),
    "StarCoder2, Granite": lambda: byte_level(chain(Digits(True), plain(True))),
    "DBRX": lambda: byte_level(splits(LLAMA3, behavior="removed", invert=True)),
    "GLM-4": lambda: byte_level(splits(LLAMA3), None, special("[gMASK]", "<|user|>")),
    "BLOOM": lambda: byte_level(splits(" ?[^(\\s|[.,!?…。，、।۔،])]+")),
    "Falcon": lambda: byte_level(chain(
        Punctuation("contiguous"), plain(True), Digits(False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"))),
    "Qwen 3": lambda: byte_level(
        splits(LLAMA3.replace("{1,3}", "")), NFC(), added("<tool_call>", "<think>") + special("<|im_start|>")),
    "RoBERTa": lambda: byte_level(plain(True, add_prefix_space=True), None, special("<mask>", lstrip=True)),
    "ModernBERT": lambda: byte_level(
        plain(True), NFC(), added("|||IP_ADDRESS|||", normalized=True) + WHITE + special("[MASK]", lstrip=True)),
    "Kimi K2": lambda: byte_level(splits(KIMI)),
    "DeepSeek R1": lambda: byte_level(
        splits(*DEEPSEEK), normalizers.Sequence([]), added("<think>", normalized=False) + special("<｜User｜>")),
    "Mistral Nemo, Nemotron": lambda: byte_level(splits(CASES % r"\p{N}", behavior="removed", invert=True)),
    "Llama 2": lambda: characters(marked()),
    "CodeLlama": lambda: characters(marked(), None, added("▁<PRE>", "▁<MID>")),
    "Phi-3": lambda: characters(marked(), None, added("<|assistant|>", "</s>", rstrip=True)),
    "Yi": lambda: characters(Replace(" ", "▁"), None, added("<|im_start|>")),
    "Gemma": lambda: characters(
        Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"),
        added(*("\n" * n for n in range(2, 8)), *("▁" * n for n in range(2, 6)), "<table>", normalized=False)),
    "no bytes": lambda: characters(Replace(" ", "▁"), None, added("\t\t", normalized=False), byte_fallback=False),
    "Mistral, Metaspace": lambda: characters(normalizers.Sequence([]), Metaspace(prepend_scheme="first", split=False)),
    "Jamba": lambda: characters(marked(), fuse_unk=False),
    "NFKC, Metaspace": lambda: characters(
        normalizers.NFKC(), Metaspace(prepend_scheme="always", split=True), byte_fallback=False),
}


def texts():
    found = [SCRIPTS[start : start + 900] for start in range(0, 200_000, 5000)]
    found += [PROSE[start : start + 500] for start in range(0, 60_000, 4000)]
    found += [CODE[start : start + 700] for start in range(0, 6000, 700)]
    chance = random.Random(1)
    awkward = (
        "ab zTHE  109'’sStTlLdDmMvVeErR \n\r\t.,/!-é日本語〇漢字한국어עבריתالعربية\u0301\u0327\u00a0\u3000\u2028"
        "ſǅʰª٣½Ⅷ🙂👍🏽\u200d\u0085▁<>|_{}[]#$%&ก็นี้क्षिAfiﬁ가Å"
    )
    parts = [
        "<tool_call>", "<think>", "  ", "\t\t", "\n\n\n", " <|assistant|>  x", "</s>  ", "▁<PRE> a", "<table>",
        "|||IP_ADDRESS|||", "▁▁", "a", "  <think>", "日", "1234567", "e\u0301", "</s>\n",
    ]
    found += ["".join(chance.choice(awkward) for _ in range(chance.randrange(1, 40))) for _ in range(4000)]
    found += ["".join(chance.choice(parts) for _ in range(chance.randrange(1, 10))) for _ in range(1500)]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pkm", default=".build/release/pkm-data")
    parser.add_argument("--only", nargs="*", help="only the shapes of these names")
    arguments = parser.parse_args()
    documents = texts()
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        lines, file, ours = (os.path.join(scratch, name) for name in ("texts.jsonl", "tokenizer.json", "ids"))
        with open(lines, "w", encoding="utf-8") as out:
            out.writelines(json.dumps({"text": text}) + "\n" for text in documents)
        for name, make in SHAPES.items():
            if arguments.only and name not in arguments.only:
                continue
            make().save(file)
            tokenizer = Tokenizer.from_file(file)
            tokenizer.encode_special_tokens = True
            if os.path.exists(ours):
                os.unlink(ours)
            command = [arguments.pkm, "encode", "--tokenizer", file, "--format", "ids", "--quiet", lines, "-o", ours]
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode != 0:
                failures += 1
                print(f"{name}: refused: {result.stderr.strip().splitlines()[-1:]}", flush=True)
                continue
            with open(ours, encoding="utf-8") as given:
                found = [[int(id) for id in line.split()] for line in given.read().split("\n")]
            expected = [tokenizer.encode(text, add_special_tokens=False).ids for text in documents]
            differing = [index for index, ids in enumerate(expected) if found[index] != ids]
            print(f"{name}: ids of {len(documents) - len(differing)} of {len(documents)} texts equal", flush=True)
            if differing:
                failures += 1
                index = min(differing, key=lambda index: len(documents[index]))
                print(f"    {documents[index]!r}\n    ours   {found[index]}\n    theirs {expected[index]}", flush=True)
    print(f"{failures} of the shapes differ or are refused")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
