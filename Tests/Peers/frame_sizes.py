"""What zstd level and what frame size a shard should have: ratio, speed and time of a random read.

    python Tests/Peers/frame_sizes.py SHARD.tokens.zst [--megabytes 32] [--rounds 5]

Takes the token ids of a shard and compresses them in frames of several sizes and levels, on one thread. A random read
decompresses one frame: what a training sequence costs that lies in none of the frames at hand. Best of the rounds. Needs zstandard.
"""

import argparse
import random
import time

import zstandard


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
    arguments = parser.parse_args()
    with open(arguments.shard, "rb") as file:
        ids = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read(arguments.megabytes << 20)
    print(f"{len(ids) / 1e6:.0f} MB of ids\n| level | frame | ratio | write MB/s | read MB/s | random read µs |\n|---|---|---|---|---|---|")
    settings = [(1, kilobytes) for kilobytes in (16, 32, 64, 128, 256, 1024)] + [(level, 64) for level in (-1, 2, 3, 5, 9)]
    for level, kilobytes in settings:
        size = kilobytes << 10
        compressor, decompressor = zstandard.ZstdCompressor(level=level), zstandard.ZstdDecompressor()
        plain = [ids[start : start + size] for start in range(0, len(ids), size)]
        write, frames = best(arguments.rounds, lambda: [compressor.compress(frame) for frame in plain])
        read, _ = best(arguments.rounds, lambda: [decompressor.decompress(frame) for frame in frames])
        chosen = random.Random(1).choices(frames[:-1], k=500)
        access, _ = best(arguments.rounds, lambda: [decompressor.decompress(frame) for frame in chosen])
        ratio = len(ids) / sum(map(len, frames))
        print(
            f"| {level} | {kilobytes}K | {ratio:.3f} | {len(ids) / write / 1e6:.0f} | {len(ids) / read / 1e6:.0f} "
            f"| {access / len(chosen) * 1e6:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
