"""Small tokenizers in the shapes that models ship, made and applied by the library `tokenizers`.

    python3 Tests/Peers/tokenizer_shapes.py make SHAPE FILE < texts
    python3 Tests/Peers/tokenizer_shapes.py encode FILE plain|parse|add < texts > ids
    python3 Tests/Peers/tokenizer_shapes.py decode FILE skip|keep < ids > texts

Texts travel as JSON lines (one string a line), so that they may hold anything.
"""

import json
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GPT4 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def texts():
    return [json.loads(line) for line in sys.stdin]


def byte_level(**settings):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(**({"add_prefix_space": False} | settings))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def split(*steps, **byte_settings):
    tokenizer = byte_level()
    last = pre_tokenizers.ByteLevel(**({"add_prefix_space": False, "use_regex": False} | byte_settings))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*steps, last])
    return tokenizer


def characters(**settings):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", **settings))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def shape_of(name):
    """The tokenizer without its vocabulary."""
    if name == "template":
        return split(pre_tokenizers.Split(Regex(GPT4), "isolated"))
    if name in ("roberta", "prefix"):
        return byte_level(add_prefix_space=True)
    if name in ("whisper", "bert", "neox", "phi", "plain", "lacking", "dropping", "flags", "ignoring"):
        tokenizer = byte_level()
        if name == "neox":
            tokenizer.normalizer = normalizers.NFC()
        if name == "flags":
            tokenizer.normalizer = normalizers.Lowercase()
        return tokenizer
    if name == "qwen":
        tokenizer = split(pre_tokenizers.Split(Regex(GPT4.replace("{1,3}", "")), "isolated"))
        tokenizer.normalizer = normalizers.NFC()
        return tokenizer
    if name == "starcoder":
        return split(pre_tokenizers.Digits(individual_digits=True), use_regex=True)
    if name == "removed":
        return split(pre_tokenizers.Split(Regex(GPT4), "removed", invert=True))
    if name == "empty":
        tokenizer = byte_level()
        tokenizer.normalizer = normalizers.Sequence([])
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.ByteLevel(add_prefix_space=False)])
        return tokenizer
    if name == "accents":
        tokenizer = byte_level()
        tokenizer.normalizer = normalizers.Sequence(
            [
                normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip(),
                normalizers.Replace("''", '"'), normalizers.Replace(Regex(r"\s{2,}"), " "), normalizers.NFKC(),
            ]
        )
        return tokenizer
    if name == "compatible":
        tokenizer = byte_level()
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.Prepend("x ")])
        return tokenizer
    if name in ("llama", "llama-unfused"):
        tokenizer = characters(byte_fallback=True, fuse_unk=name == "llama")
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        return tokenizer
    if name == "gemma":
        tokenizer = characters(byte_fallback=True, fuse_unk=True)
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
        return tokenizer
    if name.startswith("metaspace"):
        tokenizer = characters(fuse_unk=name.endswith("first"))
        scheme = name.split("-")[1]
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=scheme != "first")
        tokenizer.decoder = decoders.Metaspace(prepend_scheme=scheme)
        return tokenizer
    raise SystemExit(f"no shape {name}")


def added(text, special=False, **flags):
    return {"content": text, "special": special} | {
        name: flags.get(name, False) for name in ("single_word", "lstrip", "rstrip", "normalized")
    }


def make(name, file):
    tokenizer = shape_of(name)
    fallback = [f"<0x{byte:02X}>" for byte in range(256)] if getattr(tokenizer.model, "byte_fallback", False) else []
    is_bytes = tokenizer.model.unk_token is None
    trainer = trainers.BpeTrainer(
        vocab_size=1400,
        show_progress=False,
        limit_alphabet=1000 if is_bytes else 150,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if is_bytes else [],
        special_tokens=["<unk>", "<s>", "</s>", *fallback] if not is_bytes else ["<s>", "</s>"],
    )
    tokenizer.train_from_iterator(texts(), trainer)
    data = json.loads(tokenizer.to_str())
    # Byte tokens are tokens of the model alone.
    data["added_tokens"] = [token for token in data["added_tokens"] if not token["content"].startswith("<0x")]
    more = []
    if name == "phi":
        more = [added(" " * count, normalized=True) for count in range(12, 1, -1)] + [added("\t\t"), added("<tool>")]
    if name == "flags":
        more = [
            added("<L>", lstrip=True), added("<R>", rstrip=True), added("<B>", lstrip=True, rstrip=True),
            added("the", single_word=True), added("AND", normalized=True), added("é"),
            added("<|x|>", special=True), added("x|"), added("İ", normalized=True),
        ]
    if name == "lacking":
        for byte in [0xC0, 0xC1, *range(0xF5, 0x100)]:
            drop(data, byte)
    if name == "dropping":
        for byte in [0x00, 0x09, 0x0D, 0xC0, 0xC1, 0xE2, *range(0xF5, 0x100)]:
            drop(data, byte)
    if name == "ignoring":
        data["model"]["ignore_merges"] = True
        data["model"]["merges"] = data["model"]["merges"][::2]
        possible(data)
    if name in ("gemma", "llama"):
        more = [added("\n" * count) for count in (2, 3, 4)] + [added("<turn>", special=True), added("<i>", normalized=True)]
    next_id = max([*data["model"]["vocab"].values(), *(token["id"] for token in data["added_tokens"])]) + 1
    for number, token in enumerate(more):
        data["added_tokens"].append({"id": next_id + number} | token)
    begin, end = (data["model"]["vocab"][text] for text in ("<s>", "</s>"))
    if name in ("template", "llama", "whisper"):
        template = {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "</s>", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {
                "<s>": {"id": "<s>", "ids": [begin, end], "tokens": ["<s>", "</s>"]},
                "</s>": {"id": "</s>", "ids": [end], "tokens": ["</s>"]},
            },
        }
        byte = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
        data["post_processor"] = template
        if name == "template":
            data["post_processor"] = {"type": "Sequence", "processors": [byte, template]}
    if name in ("roberta", "bert"):
        data["post_processor"] = {
            "type": "RobertaProcessing" if name == "roberta" else "BertProcessing",
            "sep": ["</s>", end], "cls": ["<s>", begin],
        } | ({"trim_offsets": True, "add_prefix_space": True} if name == "roberta" else {})
    with open(file, "w", encoding="utf-8") as out:
        json.dump(data, out, ensure_ascii=False)
    # The library gives ids to added tokens by rules of its own.
    Tokenizer.from_file(file).save(file)


def drop(data, byte):
    """Takes a byte out of the vocabulary, with all that is made of it."""
    from tokenizers.pre_tokenizers import ByteLevel

    kept = sorted(range(0x21, 0x7F)) + list(range(0xA1, 0xAD)) + list(range(0xAE, 0x100))
    letters = {byte: chr(byte) for byte in kept}
    for number, other in enumerate(byte for byte in range(256) if byte not in letters):
        letters[other] = chr(0x100 + number)
    assert set(letters.values()) == set(ByteLevel.alphabet())
    letter = letters[byte]
    model = data["model"]
    model["vocab"] = {token: number for token, number in model["vocab"].items() if letter not in token}
    possible(data)


def possible(data):
    """Keeps the merges whose tokens exist."""
    model = data["model"]
    vocabulary = model["vocab"]
    model["merges"] = [
        pair for pair in model["merges"]
        if all(part in vocabulary for part in pair) and "".join(pair) in vocabulary
    ]


def encode(file, mode):
    tokenizer = Tokenizer.from_file(file)
    tokenizer.encode_special_tokens = mode != "parse"
    for text in texts():
        print(*tokenizer.encode(text, add_special_tokens=mode == "add").ids)


def decode(file, mode):
    tokenizer = Tokenizer.from_file(file)
    for line in sys.stdin:
        ids = [int(word) for word in line.split()]
        print(json.dumps(tokenizer.decode(ids, skip_special_tokens=mode == "skip")))


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    globals()[sys.argv[1]](*sys.argv[2:])
