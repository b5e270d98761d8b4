"""Writes Sources/Tokenization/PreTokenization/UnicodeClassRuns.swift from the Unicode Character Database.

    python3 Tests/Peers/unicode_classes.py > Sources/Tokenization/PreTokenization/UnicodeClassRuns.swift

Needs unicodedata2==16.0.0: the version of the Unicode tables in tokenizers 0.23 and tiktoken 0.14, checked by
bpe_peers.py over every code point.
"""

import unicodedata2

assert unicodedata2.unidata_version == "16.0.0"

# White_Space of PropList.txt, which is not a general category.
SPACE = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
OTHER, WHITE, NUMBER, MARK, UPPER, LOWER, CASELESS, EVEN_UPPER = range(8)


def character_class(point):
    category = unicodedata2.category(chr(point))
    if point in SPACE:
        return WHITE
    if category in ("Lu", "Lt"):
        return UPPER
    if category == "Ll":
        return LOWER
    return {"L": CASELESS, "N": NUMBER, "M": MARK}.get(category[0], OTHER)


classes = [character_class(point) for point in range(0x110000)]
runs = []
point = 0
while point < 0x110000:
    # Scripts with case often alternate: an upper-case letter at each even code point, its lower case behind it.
    end = point
    while point % 2 == 0 and classes[end : end + 2] == [UPPER, LOWER]:
        end += 2
    if end - point >= 4:
        runs.append((point, EVEN_UPPER))
        point = end
        continue
    end = point + 1
    while end < 0x110000 and classes[end] == classes[point]:
        end += 1
    runs.append((point, classes[point]))
    point = end

print("// Written by Tests/Peers/unicode_classes.py; do not edit.\n")
print("extension CharacterClasses {")
print("  /// Unicode 16.0: where runs of equal class begin, as `first code point << 3 | class`; 7 is upper case at even and")
print("  /// lower case at odd code points.")
print("  static let runs: [UInt32] = [")
line = "   "
for point, kind in runs:
    item = f" {point << 3 | kind},"
    if len(line) + len(item) > 108:
        print(line)
        line = "   "
    line += item
print(line)
print("  ]")
print("}")
