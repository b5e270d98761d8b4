"""How other people's tokenizers cut and merge text, for the tests that compare ours with them.

    python3 Tests/Peers/split_peers.py COMMAND [ARGUMENT...] < input > output

Texts travel as JSON lines (one string a line), so that they may hold anything.
"""

import json
import sys


def texts():
    return [json.loads(line) for line in sys.stdin]


def pieces(*files):
    """The pieces that the pre_tokenizer of each tokenizer.json cuts each text into, as JSON arrays of strings."""
    from tokenizers import Tokenizer

    given = texts()
    for file in files:
        split = Tokenizer.from_file(file).pre_tokenizer
        for text in given:
            print(json.dumps([text[start:end] for _, (start, end) in split.pre_tokenize_str(text)]))


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
