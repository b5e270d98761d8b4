"""What zstd level and what frame size a shard should have: ratio, speed and time of a random read.

    python3 Tests/Peers/frame_sizes.py SHARD.tokens.zst [--megabytes 32] [--rounds 5]

Takes the token ids of a shard and compresses them in frames of several sizes and levels, on one thread. Level 0 is ours: no
search for repetitions, bytes coded by their frequencies. A random read decompresses one frame: what a training sequence costs
that lies in none of the frames at hand. Best of the rounds. Calls the system's libzstd.so.1; reads the shard with the zstd tool.
"""

import argparse
import ctypes
import random
import subprocess
import time

import figures

LEVEL, TARGET_LENGTH, LITERAL_MODE = 100, 106, 1002
zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_createCCtx.restype = ctypes.c_void_p
zstd.ZSTD_compress2.restype = zstd.ZSTD_decompress.restype = ctypes.c_size_t
POINTER = ctypes.c_char_p
zstd.ZSTD_CCtx_setParameter.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
zstd.ZSTD_compress2.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, POINTER, ctypes.c_size_t]
zstd.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, POINTER, ctypes.c_size_t]


def make_context(level):
    context = zstd.ZSTD_createCCtx()
    settings = {LEVEL: level} if level > 0 else {LEVEL: -1, TARGET_LENGTH: 1 << 17, LITERAL_MODE: 1}
    for parameter, value in settings.items():
        zstd.ZSTD_CCtx_setParameter(context, parameter, value)
    return context


def best(rounds, work):
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - began)
    return min(times), result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shard")
    parser.add_argument("--megabytes", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    figures.add_option(parser)
    arguments = parser.parse_args()
    rows = []
    ids = subprocess.run(["zstd", "-dcq", arguments.shard], check=True, capture_output=True).stdout
    ids = ids[: arguments.megabytes << 20]
    print(f"{len(ids) / 1e6:.0f} MB of ids\n| level | frame | ratio | write MB/s | read MB/s | random read µs |\n|---|---|---|---|---|---|")
    for level, kilobytes in [(level, 64) for level in (0, 1, 2, 3, 5, 9)] + [(0, 16), (0, 256), (0, 1024), (1, 256)]:
        size = kilobytes << 10
        buffer = ctypes.create_string_buffer(size + (size >> 7) + 1024)
        context = make_context(level)
        compress = lambda frame: zstd.ZSTD_compress2(context, buffer, len(buffer), frame, len(frame))
        compressed = lambda frame: (compress(frame), buffer.raw)
        plain = [ids[start : start + size] for start in range(0, len(ids), size)]
        frames = [bytes[:length] for length, bytes in map(compressed, plain)]
        write, _ = best(arguments.rounds, lambda: [compress(frame) for frame in plain])
        decompress = lambda frames: [zstd.ZSTD_decompress(buffer, size, frame, len(frame)) for frame in frames]
        read, lengths = best(arguments.rounds, lambda: decompress(frames))
        assert sum(lengths) == len(ids)
        chosen = random.Random(1).choices(frames[:-1] or frames, k=500)
        access, _ = best(arguments.rounds, lambda: decompress(chosen))
        rows.append([str(level), f"{kilobytes}K", f"{len(ids) / sum(map(len, frames)):.3f}", f"{len(ids) / write / 1e6:.0f}",
                     f"{len(ids) / read / 1e6:.0f}", f"{access / len(chosen) * 1e6:.0f}"])
        print(
            f"| {level} | {kilobytes}K | {len(ids) / sum(map(len, frames)):.3f} | {len(ids) / write / 1e6:.0f} "
            f"| {len(ids) / read / 1e6:.0f} | {access / len(chosen) * 1e6:.0f} |",
            flush=True,
        )
    if arguments.record:
        figures.record(
            "frame_sizes", ["level", "frame", "ratio", "write MB/s", "read MB/s", "random read µs"], rows,
            title=f"Levels and frames of shards, {len(ids) / 1e6:.0f} MB of ids, one thread")


if __name__ == "__main__":
    main()
