"""How other people's tokenizers cut and merge text, for the tests that compare ours with them.

    python3 Tests/Peers/split_peers.py COMMAND [ARGUMENT...] < input > output

Texts travel as JSON lines (one string a line), so that they may hold anything.
"""

import json
import sys


def texts():
    return [json.loads(line) for line in sys.stdin]


def pieces(*files):
    """The pieces that the pre_tokenizer of each tokenizer.json cuts each text into, as JSON arrays of hexadecimal."""
    from tokenizers import Tokenizer

    given = texts()
    for file in files:
        split = Tokenizer.from_file(file).pre_tokenizer
        with open(file, encoding="utf-8") as written:
            is_bytes = "ByteLevel" in json.dumps(json.load(written)["pre_tokenizer"])
        for text in given:
            found = [piece for piece, _ in split.pre_tokenize_str(text)]
            print(json.dumps([to_bytes(piece).hex() if is_bytes else piece.encode().hex() for piece in found]))


def to_bytes(piece):
    """The bytes for which GPT-2's letters stand."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    letters = {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(rest)}
    return bytes(letters[letter] for letter in piece)


def character_tokenizer(kind, size, file):
    """Writes a tokenizer.json whose symbols are characters, trained on the texts, in the shape that a kind of model has."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    special = ["<unk>", "<s>", "</s>"] + (fallback if "bytes" in kind or kind in ("llama", "gemma", "mistral") else [])
    model = models.BPE(
        unk_token=None if kind == "nothing" else "<unk>", fuse_unk=kind not in ("single", "nothing"),
        byte_fallback=kind in ("llama", "gemma", "mistral")
    )
    tokenizer = Tokenizer(model)
    replace = normalizers.Replace(" ", "\u2581")
    if kind in ("gemma", "single", "fused", "nothing"):
        tokenizer.normalizer = replace
    elif kind == "llama":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), replace])
    # Words are cut while training, and runs of spaces are tokens, as SentencePiece does.
    tokenizer.pre_tokenizer = pre_tokenizers.Split(
        __import__("tokenizers").Regex("\u2581+[^\u2581]*|[^\u2581]+" if kind != "metaspace" else "x^"), "isolated"
    )
    if kind in ("metaspace", "mistral"):
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
            prepend_scheme="first" if kind == "mistral" else "always", split=kind == "metaspace"
        )
    alphabet = None if kind != "fused" and kind != "single" and kind != "nothing" else 60
    trainer = trainers.BpeTrainer(
        vocab_size=int(size), special_tokens=special, show_progress=False, limit_alphabet=alphabet or 1000
    )
    given = texts()
    if kind == "mistral":
        given = [part for text in given for part in text.splitlines()]
    tokenizer.train_from_iterator(given, trainer)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    written = json.loads(tokenizer.to_str())
    if kind == "gemma":
        written["pre_tokenizer"] = {
            "type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False
        }
    elif kind not in ("metaspace", "mistral"):
        written["pre_tokenizer"] = None
    with open(file, "w", encoding="utf-8") as out:
        json.dump(written, out)


def ids(file):
    """The ids of each text, without special tokens of the model around them."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(file)
    tokenizer.encode_special_tokens = True
    for text in texts():
        print(*tokenizer.encode(text, add_special_tokens=False).ids)


def sentencepiece_model(file, options):
    """Trains a SentencePiece model on the texts; `options` is a JSON object of the trainer's."""
    import io

    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in texts() for line in text.splitlines()),
        model_writer=model, minloglevel=2, **json.loads(options)
    )
    with open(file, "wb") as out:
        out.write(model.getvalue())


def same_scores(file):
    """Gives the last third of the pieces of a model one score, as models have that were extended by hand."""
    with open(file, "rb") as given:
        model = bytearray(given.read())

    def number(position):
        value = shift = 0
        while True:
            value |= (model[position] & 127) << shift
            position, shift = position + 1, shift + 7
            if model[position - 1] < 128:
                return value, position

    scores, position = [], 0
    while position < len(model):
        key, position = number(position)
        length, position = number(position)
        if key == 10:
            # A piece begins with its text; its score follows.
            text, start = number(position + 1)
            if model[start + text] == 0x15:
                scores.append(start + text + 1)
        position += length
    for score in scores[len(scores) * 2 // 3 :]:
        model[score : score + 4] = bytes(4)
    with open(file, "wb") as out:
        out.write(model)


def sentencepiece_ids(file):
    """The ids of each text."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=file)
    for text in texts():
        print(*processor.encode(text))


def sentencepiece_texts(file):
    """The decoded ids of each text, as JSON strings."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=file)
    for text in texts():
        print(json.dumps(processor.decode(processor.encode(text))))


def tekken(file, pattern, specials):
    """Ids of each text with the ranks of a tekken.json by tiktoken, offset by the special tokens."""
    import base64

    import tiktoken

    with open(file, encoding="utf-8") as given:
        written = json.load(given)
    count = written["config"]["default_vocab_size"] - int(specials)
    ranks = {base64.b64decode(entry["token_bytes"]): entry["rank"] for entry in written["vocab"][:count]}
    encoding = tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    for text in texts():
        print(*(id + int(specials) for id in encoding.encode_ordinary(text)))


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
