"""Other people's tokenizers, for the tests that compare ours with them.

    python3 Tests/Peers/bpe_peers.py COMMAND [ARGUMENT...] < input > output

Texts travel as JSON lines (one string a line), so that they may hold anything.
"""

import io
import json
import sys


def texts():
    return [json.loads(line) for line in sys.stdin]


def pre_tokenizer(name_or_pattern):
    from tokenizers import Regex, pre_tokenizers

    if name_or_pattern == "gpt2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if name_or_pattern == "none":
        return byte_level
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(name_or_pattern), "isolated"), byte_level])


def learn_tokenizers(merges, minimum, name_or_pattern):
    """Merges of the byte-level trainer, each text as one item: `left right` lines in byte characters."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer(name_or_pattern)
    trainer = trainers.BpeTrainer(
        vocab_size=256 + int(merges),
        min_frequency=int(minimum),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    for left, right in json.loads(tokenizer.to_str())["model"]["merges"]:
        print(left, right)


def learn_gigatoken(merges):
    """Merges of gigatoken on the texts as one: `left right` lines in hexadecimal."""
    import os

    import gigatoken

    # It talks on standard output.
    output = os.dup(1)
    os.dup2(2, 1)
    _, pairs = gigatoken.train_bpe("".join(texts()).encode(), 256 + int(merges), [])
    os.dup2(output, 1)
    for left, right in pairs:
        print(left.hex(), right.hex())


def encode_tokenizers(file):
    """Ids of each text, without its special tokens being looked for."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(file)
    tokenizer.encode_special_tokens = True
    for text in texts():
        print(*tokenizer.encode(text, add_special_tokens=False).ids)


def encode_gpt2(vocabulary, merges):
    """Ids of each text by vocab.json and merges.txt."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.BPE.from_file(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    for text in texts():
        print(*tokenizer.encode(text, add_special_tokens=False).ids)


def ids_xlm(codes, dictionary):
    """Ids that the rules of XLM's dictionaries give the pieces of each text."""
    from subword_nmt.apply_bpe import BPE

    ids = {"<s>": 0, "</s>": 1, "<pad>": 2, "<unk>": 3} | {f"<special{n}>": 4 + n for n in range(10)}
    with open(dictionary, encoding="utf-8", newline="\n") as file:
        for line in file:
            fields = line.split()
            if "\u2028" not in line and len(fields) == 2 and fields[0] not in ids:
                ids[fields[0]] = len(ids)
    with open(codes, encoding="utf-8", newline="\n") as file:
        bpe = BPE(file)
    for text in texts():
        print(*(ids.get(piece, 3) for piece in bpe.process_line(text).split()))


def resave_tokenizers(file):
    """The tokenizer.json as its own library writes it."""
    from tokenizers import Tokenizer

    print(Tokenizer.from_file(file).to_str())


def split_tokenizers(pattern):
    """Pre-tokens of each text as a JSON array."""
    from tokenizers import Regex, pre_tokenizers

    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    for text in texts():
        print(json.dumps([piece for piece, _ in split.pre_tokenize_str(text)]))


def classes_tokenizers():
    """The class of every code point but surrogates, as one digit each: see CharacterClass."""
    from tokenizers import Regex, pre_tokenizers

    def matching(pattern):
        split = pre_tokenizers.Split(Regex(pattern), "removed")
        return {
            point
            for point in range(0x110000)
            if not 0xD800 <= point < 0xE000 and not split.pre_tokenize_str(chr(point))
        }

    classes = ["0"] * 0x110000
    for pattern, digit in [
        (r"\s", "1"), (r"\p{N}", "2"), (r"\p{M}", "3"), (r"[\p{Lu}\p{Lt}]", "4"), (r"\p{Ll}", "5"), (r"[\p{Lm}\p{Lo}]", "6")
    ]:
        for point in matching(pattern):
            assert classes[point] == "0"
            classes[point] = digit
    print("".join(classes))


def encode_tiktoken(file, pattern):
    """Ordinary ids of each text with the ranks of a .tiktoken file."""
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    encoding = tiktoken.Encoding(
        "ours", pat_str=pattern, mergeable_ranks=load_tiktoken_bpe(file), special_tokens={}
    )
    for text in texts():
        print(*encoding.encode_ordinary(text))


def tiktoken_pattern(name):
    """The pattern that tiktoken publishes for an encoding, without downloading its ranks."""
    import tiktoken_ext.openai_public as public

    public.load_tiktoken_bpe = lambda *_, **__: {}
    public.data_gym_to_mergeable_bpe_ranks = lambda *_, **__: {}
    print(json.dumps(getattr(public, name)()["pat_str"]))


def learn_subword_nmt(merges, minimum):
    from subword_nmt.learn_bpe import learn_bpe

    text = "".join(texts())
    learn_bpe(io.StringIO(text, newline="\n"), sys.stdout, int(merges), min_frequency=int(minimum))


def apply_subword_nmt(codes):
    from subword_nmt.apply_bpe import BPE

    with open(codes, encoding="utf-8", newline="\n") as file:
        bpe = BPE(file)
    for text in texts():
        print(json.dumps(bpe.process_line(text)))


def apply_fastbpe(codes):
    import fastBPE

    for line in fastBPE.fastBPE(codes).apply(texts()):
        print(json.dumps(line))


def has(module):
    from importlib.util import find_spec

    print(find_spec(module) is not None)


class Xoshiro:
    """xoshiro256** (Blackman and Vigna 2018) seeded through SplitMix64, in place of Python's generator."""

    def __init__(self, seed):
        self.state = []
        for _ in range(4):
            seed = (seed + 0x9E3779B97F4A7C15) % 2**64
            z = seed
            z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
            z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
            self.state.append(z ^ z >> 31)

    def random(self):
        a, b, c, d = self.state
        product = b * 5 % 2**64
        result = (product << 7 | product >> 57) * 9 % 2**64
        shifted = b << 17 & 2**64 - 1
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= shifted
        d = (d << 45 | d >> 19) & 2**64 - 1
        self.state = [a, b, c, d]
        return (result >> 11) * 2.0**-53


def apply_subword_nmt_with(codes, option, value, threshold="1"):
    """With dropout (each text seeded by its number), a vocabulary file, or glossaries separated by spaces."""
    import random

    from subword_nmt.apply_bpe import BPE, read_vocabulary

    settings = {}
    if option == "vocabulary":
        settings["vocab"] = read_vocabulary(open(value, encoding="utf-8", newline="\n"), int(threshold))
    if option == "glossaries":
        settings["glossaries"] = value.split(" ")
    with open(codes, encoding="utf-8", newline="\n") as file:
        bpe = BPE(file, **settings)
    for number, text in enumerate(texts()):
        if option == "dropout":
            random.random = Xoshiro(number).random
            print(json.dumps(bpe.process_line(text, float(value))))
        else:
            print(json.dumps(bpe.process_line(text)))


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
