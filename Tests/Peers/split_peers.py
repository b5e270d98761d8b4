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


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
