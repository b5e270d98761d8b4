"""Writes Parquet files with pyarrow, and beside each what it holds as JSON lines: NAME.parquet and NAME.jsonl.

usage: parquet_files.py DIRECTORY [--small]
"""

import base64
import datetime
import decimal
import json
import os
import random
import sys
import uuid

import numpy
import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = datetime.date(1970, 1, 1)


def fraction(count, unit):
    per = {"s": 1000, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    if unit == "s":
        count *= 1000
    digits = {"s": 3, "ms": 3, "us": 6, "ns": 9}[unit]
    return count // per, f"{count % per:0{digits}d}"


def clock(second):
    return f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def number(value, kind):
    if value != value:
        return '"NaN"'
    if value in (float("inf"), float("-inf")):
        return '"Infinity"' if value > 0 else '"-Infinity"'
    return ("number", float(value), kind)


def render(value, t, raw=None):
    """The JSON text of a value. Floating-point numbers are compared by value, so they are marked."""
    if value is None:
        return "null"
    if pa.types.is_boolean(t):
        return "true" if value else "false"
    if pa.types.is_integer(t):
        return str(value)
    if pa.types.is_floating(t):
        n = number(value, str(t))
        return n if isinstance(n, str) else repr(n[1])
    if pa.types.is_decimal(t):
        sign, digits, exponent = value.as_tuple()
        text = "".join(map(str, digits))
        scale = t.scale
        text = text + "0" * (exponent + scale) if exponent + scale > 0 else text
        text = text.rjust(scale + 1, "0")
        zero = "-" if sign and int(text) else ""
        return zero + (text[:-scale] + "." + text[-scale:] if scale else text)
    if pa.types.is_date(t):
        return f'"{value.isoformat()}"'
    if pa.types.is_dictionary(t):
        return render(value, t.value_type)
    if pa.types.is_string(t) or pa.types.is_large_string(t):
        return json.dumps(value, ensure_ascii=False)
    if pa.types.is_binary(t) or pa.types.is_large_binary(t) or pa.types.is_fixed_size_binary(t):
        try:
            return json.dumps(value.decode(), ensure_ascii=False)
        except UnicodeDecodeError:
            return '{"base64":"' + base64.b64encode(value).decode() + '"}'
    if isinstance(t, pa.UuidType):
        return f'"{value}"'
    if pa.types.is_map(t):
        if pa.types.is_string(t.key_type):
            return "{" + ",".join(render(k, t.key_type) + ":" + render(v, t.item_type) for k, v in value) + "}"
        return (
            "["
            + ",".join('{"key":' + render(k, t.key_type) + ',"value":' + render(v, t.item_type) + "}" for k, v in value)
            + "]"
        )
    if pa.types.is_list(t) or pa.types.is_large_list(t) or pa.types.is_fixed_size_list(t):
        return "[" + ",".join(render(v, t.value_type) for v in value) + "]"
    if pa.types.is_struct(t):
        return "{" + ",".join(json.dumps(f.name) + ":" + render(value[f.name], f.type) for f in t) + "}"
    raise TypeError(t)


def column(array, t):
    """The JSON texts of a column."""
    if pa.types.is_timestamp(t) or pa.types.is_time(t):
        unit = t.unit
        counts = array.cast(pa.int64() if t.bit_width == 64 else pa.int32()).to_pylist()
        texts = []
        for count in counts:
            if count is None:
                texts.append("null")
                continue
            seconds, rest = fraction(count, unit)
            if pa.types.is_time(t):
                texts.append(f'"{clock(seconds)}.{rest}"')
            else:
                day = EPOCH + datetime.timedelta(days=seconds // 86400)
                zone = "Z" if t.tz else ""
                texts.append(f'"{day.isoformat()}T{clock(seconds % 86400)}.{rest}{zone}"')
        return texts
    return [render(v, t) for v in array.to_pylist()]


def lines(table):
    columns = [(json.dumps(f.name), column(table[f.name], f.type)) for f in table.schema]
    for row in range(table.num_rows):
        yield "{" + ",".join(name + ":" + texts[row] for name, texts in columns) + "}"


def flat(r, n, nulls):
    def some(make):
        return [None if nulls and r.random() < 0.3 else make() for _ in range(n)]

    words = ["", "a", "naïve", "日本語", 'quote " \\ and\nline', "x" * 300, "\t", "𝄞"]
    text = lambda: " ".join(r.choice(words) for _ in range(r.randrange(8)))
    fields = {
        "text": (pa.string(), some(text)),
        "word": (pa.string(), some(lambda: r.choice(words))),
        "large": (pa.large_string(), some(text)),
        "category": (pa.dictionary(pa.int32(), pa.string()), some(lambda: r.choice(words))),
        "flag": (pa.bool_(), some(lambda: r.random() < 0.5)),
        "i8": (pa.int8(), some(lambda: r.randrange(-128, 128))),
        "u8": (pa.uint8(), some(lambda: r.randrange(256))),
        "i16": (pa.int16(), some(lambda: r.randrange(-(2**15), 2**15))),
        "u16": (pa.uint16(), some(lambda: r.randrange(2**16))),
        "i32": (pa.int32(), some(lambda: r.randrange(-(2**31), 2**31))),
        "u32": (pa.uint32(), some(lambda: r.randrange(2**32))),
        "i64": (pa.int64(), some(lambda: r.randrange(-(2**63), 2**63))),
        "u64": (pa.uint64(), some(lambda: r.randrange(2**64))),
        "near": (pa.int64(), some(lambda: 10**15 + r.randrange(1000))),
        "f16": (pa.float16(), some(lambda: numpy.float16(r.uniform(-9, 9)))),
        "f32": (pa.float32(), some(lambda: r.choice([0.5, -2.25, 1e10, float("inf"), float("nan"), 2.0**-140]))),
        "f64": (pa.float64(), some(lambda: r.choice([r.random(), -1e300, 5e-324, float("-inf")]))),
        "d9": (pa.decimal128(9, 2), some(lambda: decimal.Decimal(r.randrange(-(10**9) + 1, 10**9)).scaleb(-2))),
        "d18": (pa.decimal128(18, 0), some(lambda: decimal.Decimal(r.randrange(-(10**18) + 1, 10**18)))),
        "d38": (pa.decimal128(38, 20), some(lambda: decimal.Decimal(r.randrange(-(10**38) + 1, 10**38)).scaleb(-20, decimal.Context(prec=60)))),
        "d76": (pa.decimal256(76, 3), some(lambda: decimal.Decimal(r.randrange(-(10**76) + 1, 10**76)).scaleb(-3, decimal.Context(prec=90)))),
        "date": (pa.date32(), some(lambda: EPOCH + datetime.timedelta(days=r.randrange(-700000, 2900000)))),
        "t_ms": (pa.time32("ms"), some(lambda: r.randrange(86_400_000))),
        "t_us": (pa.time64("us"), some(lambda: r.randrange(86_400_000_000))),
        "t_ns": (pa.time64("ns"), some(lambda: r.randrange(86_400_000_000_000))),
        "ts_ms": (pa.timestamp("ms"), some(lambda: r.randrange(-(10**13), 10**14))),
        "ts_us": (pa.timestamp("us", "UTC"), some(lambda: r.randrange(-(10**16), 10**17))),
        "ts_ns": (pa.timestamp("ns"), some(lambda: r.randrange(-(2**62), 2**62))),
        "bytes": (pa.binary(), some(lambda: r.choice([b"plain", b"\xff\x00", b"", bytes(r.randrange(256) for _ in range(9))]))),
        "fixed": (pa.binary(5), some(lambda: r.choice([b"abcde", b"\x80\x81\x82\x83\x84"]))),
        "uuid": (pa.uuid(), some(lambda: uuid.UUID(int=r.randrange(2**128)).bytes)),
    }
    arrays = []
    for t, values in fields.values():
        if isinstance(t, pa.UuidType):
            arrays.append(pa.ExtensionArray.from_storage(t, pa.array(values, pa.binary(16))))
        else:
            arrays.append(pa.array(values, t))
    return pa.table(arrays, names=list(fields))


def nested(r, n):
    deep = pa.struct(
        [
            ("name", pa.string()),
            ("tags", pa.list_(pa.string())),
            ("grid", pa.list_(pa.list_(pa.int32()))),
            ("inner", pa.struct([("a", pa.int64()), ("b", pa.list_(pa.struct([("c", pa.string()), ("d", pa.float64())])))])),
        ]
    )
    types = {
        "text": pa.string(),
        "meta": deep,
        "list": pa.list_(deep),
        "map": pa.map_(pa.string(), pa.list_(pa.int32())),
        "ints": pa.map_(pa.int32(), pa.string()),
        "pair": pa.list_(pa.int16(), 2),
        "maps": pa.list_(pa.map_(pa.string(), pa.struct([("x", pa.int32())]))),
    }
    strict = pa.list_(pa.field("element", pa.int32(), nullable=False))
    types["strict"] = strict

    def make(t, nullable=True):
        if nullable and r.random() < 0.25:
            return None
        if pa.types.is_struct(t):
            return {f.name: make(f.type) for f in t}
        if pa.types.is_map(t):
            keys = r.sample(range(50), r.randrange(4))
            return [(str(k) if pa.types.is_string(t.key_type) else k, make(t.item_type)) for k in keys]
        if pa.types.is_fixed_size_list(t):
            return [make(t.value_type) for _ in range(t.list_size)]
        if pa.types.is_list(t):
            return [make(t.value_type, t.value_field.nullable) for _ in range(r.choice([0, 1, 2, 5]))]
        return r.choice(["", "é", "z" * 20]) if pa.types.is_string(t) else r.random() if pa.types.is_floating(t) else r.randrange(1000)

    return pa.table({k: pa.array([make(t) for _ in range(n)], t) for k, t in types.items()})


ENCODINGS = {
    "delta": {
        "text": "DELTA_BYTE_ARRAY", "word": "DELTA_LENGTH_BYTE_ARRAY", "large": "DELTA_LENGTH_BYTE_ARRAY",
        "i8": "DELTA_BINARY_PACKED", "i32": "DELTA_BINARY_PACKED", "u32": "DELTA_BINARY_PACKED",
        "i64": "DELTA_BINARY_PACKED", "u64": "DELTA_BINARY_PACKED", "near": "DELTA_BINARY_PACKED",
        "date": "DELTA_BINARY_PACKED", "ts_ns": "DELTA_BINARY_PACKED", "bytes": "DELTA_BYTE_ARRAY",
        "fixed": "DELTA_BYTE_ARRAY", "d38": "DELTA_BYTE_ARRAY", "flag": "RLE", "f32": "BYTE_STREAM_SPLIT",
    },
    "split": {
        "i32": "BYTE_STREAM_SPLIT", "i64": "BYTE_STREAM_SPLIT", "f16": "BYTE_STREAM_SPLIT",
        "f32": "BYTE_STREAM_SPLIT", "f64": "BYTE_STREAM_SPLIT", "fixed": "BYTE_STREAM_SPLIT",
        "d38": "BYTE_STREAM_SPLIT", "uuid": "BYTE_STREAM_SPLIT", "text": "DELTA_LENGTH_BYTE_ARRAY",
    },
}


def write(directory, name, table, **options):
    pq.write_table(table, os.path.join(directory, name + ".parquet"), **options)
    with open(os.path.join(directory, name + ".jsonl"), "w", encoding="utf-8") as out:
        out.writelines(line + "\n" for line in lines(table))


def main():
    directory = sys.argv[1]
    os.makedirs(directory, exist_ok=True)
    r = random.Random(1)
    if "--small" in sys.argv:
        few = ["text", "word", "flag", "i32", "near", "f64", "bytes", "date"]
        pair = dict(row_group_size=20, data_page_size=128, write_batch_size=5)
        write(directory, "flat", flat(r, 50, True).select(few), compression="none", data_page_version="1.0", **pair)
        write(
            directory, "delta", flat(r, 50, True).select(few), compression="snappy", data_page_version="2.0",
            use_dictionary=False, column_encoding={k: v for k, v in ENCODINGS["delta"].items() if k in few}, **pair,
        )
        write(directory, "nested", nested(r, 30), compression="zstd", write_page_checksum=True, **pair)
        write(directory, "plain", nested(r, 30), compression="none", use_dictionary=False, **pair)
        return
    for nulls in (False, True):
        table = flat(r, 700, nulls)
        for version in ("1.0", "2.0"):
            for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4"):
                write(
                    directory, f"flat-{codec}-{version}-{nulls}", table, compression=codec, data_page_version=version,
                    row_group_size=300, data_page_size=700, write_batch_size=50, write_page_checksum=codec != "gzip",
                )
            for dictionary, name in ((True, "dictionary"), (False, "plain")):
                write(
                    directory, f"flat-{name}-{version}-{nulls}", table, compression="zstd", use_dictionary=dictionary,
                    data_page_version=version, version="2.6",
                )
            for name, encodings in ENCODINGS.items():
                write(
                    directory, f"flat-{name}-{version}-{nulls}", table, compression="snappy", use_dictionary=False,
                    column_encoding=encodings, data_page_version=version, data_page_size=2000, write_batch_size=100,
                )
        write(directory, f"flat-old-{nulls}", table.select(["text", "i32", "ts_ms"]), version="1.0")
        stamps = table.select(["ts_ns"])
        write(directory, f"flat-int96-{nulls}", stamps, use_deprecated_int96_timestamps=True)
    for version in ("1.0", "2.0"):
        for dictionary in (False, True):
            table = nested(r, 500)
            write(
                directory, f"nested-{version}-{dictionary}", table, data_page_version=version, compression="snappy",
                use_dictionary=dictionary, row_group_size=120, data_page_size=300, write_batch_size=16,
                write_page_checksum=True,
            )
            write(
                directory, f"nested-old-{version}-{dictionary}", table, data_page_version=version,
                use_compliant_nested_type=False, use_dictionary=dictionary,
            )
    empty = flat(r, 0, True)
    write(directory, "empty", empty)
    one = pa.table({"text": pa.array([None, None], pa.null())})
    pq.write_table(one, os.path.join(directory, "null.parquet"))
    with open(os.path.join(directory, "null.jsonl"), "w") as out:
        out.write('{"text":null}\n' * 2)


main()
