"""Makes WARC records with HTTP bodies in all codings, many of them damaged, and says what warcio and FastWARC read.

usage: warc_peers.py SEED COUNT; prints a line of JSON for each record, with all bytes in base64:
  record    the record
  text      the text that was coded
  body      the body as it is in the record
  is_whole  whether nothing was damaged; the codings may have been undone before, as careless crawlers do
  shows     whether anybody can see the damage: bytes that change where nothing has a checksum leave no trace
  warcio    the body that warcio returns, null if it raises
  fastwarc  the same of FastWARC
"""
import base64, contextlib, gzip, io, json, random, sys, zlib

import brotli
import zstandard
from fastwarc.warc import ArchiveIterator as FastIterator
from warcio.archiveiterator import ArchiveIterator

WORDS = "the of feed cafe dead bad a 12 0 ff Été зима 東京 quick; brown: fox\r\n lazy\n dog, \r\n\r\n 5\r\n".split(" ")


def make_text(r):
    # A text shorter than a few words says too little about what it was.
    return " ".join(r.choice(WORDS) for _ in range(r.choice([8, 40, 400, 9000]))).encode()


def deflate(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def chunk(r, data):
    out, at = b"", 0
    while at < len(data):
        size = r.choice([1, 7, 64, 5000, 70000])
        part = data[at:at + size]
        number = format(len(part), r.choice(["x", "X", "04x"])).encode()
        out += number + r.choice([b"", b"", b"", b";name=value", b" "]) + b"\r\n" + part + b"\r\n"
        at += size
    return out + b"0\r\n" + r.choice([b"", b"", b"X-Trailer: value\r\n"]) + b"\r\n"


CODINGS = {
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": deflate,
    "br": lambda data: brotli.compress(data, quality=4),
    "zstd": zstandard.compress,
}


CUT = 0


def damage(r, data, kind):
    at = r.randrange(len(data)) if data else 0
    if kind == CUT:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes(r.randrange(256) for _ in range(5)) + data[at + 5:]
    if kind == 2:
        return data[:at] + data[at + r.randrange(1, 30):]
    return data + b"more bytes"


def make_record(r):
    text = body = make_text(r)
    head = []
    codings = r.choice([[], ["gzip"], ["GZIP"], ["deflate"], ["Deflate"], ["br"], ["zstd"], ["gzip", "br"], ["br", "gzip"]])
    was_decoded = r.random() < 0.25
    is_chunked = False
    for coding in codings:
        if not was_decoded:
            body = CODINGS[coding](body)
    if codings:
        head.append("Content-Encoding: " + ", ".join(codings))
    if r.random() < 0.5:
        head.append(r.choice(["Transfer-Encoding", "transfer-encoding"]) + ": " + r.choice(["chunked", "chunked", "Chunked"]))
        is_chunked = r.random() < 0.6
        if is_chunked:
            body = chunk(r, body)
    is_whole, kind = r.random() < 0.6, r.randrange(4)
    has_checksum = not was_decoded and any(coding in ["gzip", "GZIP", "deflate"] for coding in codings)
    has_end = has_checksum or is_chunked or bool(codings) and not was_decoded
    shows = not is_whole and (has_checksum or kind == CUT and has_end)
    if not is_whole:
        body = damage(r, body, kind)
    http = "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: text/plain"] + head + ["", ""]).encode() + body
    record = (
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:1>\r\nWARC-Target-URI: http://a/\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    ).encode() + http + b"\r\n\r\n"
    return text, body, is_whole, shows, record


def read_warcio(record):
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            return [each.content_stream().read() for each in ArchiveIterator(io.BytesIO(record))][0]
        except Exception:
            return None


def read_fastwarc(record):
    try:
        return [each.reader.read() for each in FastIterator(io.BytesIO(record), auto_decode="all")][0]
    except Exception:
        return None


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


seed, count = map(int, sys.argv[1:])
for number in range(count):
    text, body, is_whole, shows, record = make_record(random.Random(seed * 1_000_000 + number))
    print(json.dumps({
        "record": encode(record), "text": encode(text), "body": encode(body), "is_whole": is_whole, "shows": shows,
        "warcio": encode(read_warcio(record)), "fastwarc": encode(read_fastwarc(record)),
    }))
