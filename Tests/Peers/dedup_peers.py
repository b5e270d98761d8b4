"""MinHash near-duplicates and exact duplicates beside other tools, on one core, on the same documents.

    python3 Tests/Peers/dedup_peers.py PKM_DATA DOCS.jsonl [--documents N] [--rounds N] [--datatrove N]

DOCS.jsonl holds {"text": …} lines. Prints seconds and MB/s of text, median and range over the rounds, which alternate
between the tools. Ours is the whole command, file to file, with JSON read and written; the others are given texts in
memory. Common to all: 5-word shingles; 112 hashes as 14 bands of 8 rows, but 128 as 16 of 8 for rensa and datasketch,
whose number of hashes has to be a power of two or a multiple of the bands. Needs datatrove, "xxhash<3.6", spacy, rensa, datasketch and numpy,
and clang for the kernel alone.
"""

import argparse
import ctypes
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import figures

os.environ["RAYON_NUM_THREADS"] = "1"

WORD = re.compile(r"\w+")
# The arithmetic of a signature alone: a product, a sum and a minimum of 16 numbers of 32 bits, all in registers.
LIMIT = """
#include <stdint.h>
typedef uint32_t Lanes __attribute__((ext_vector_type(16)));
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) uint32_t limit(long rounds) {
  Lanes factors[8], least[8], low = (Lanes)(uint32_t)rounds, high = low * 3;
  for (int v = 0; v < 8; v++) factors[v] = (Lanes)(uint32_t)(rounds + v), least[v] = (Lanes)(uint32_t)-1;
  for (long i = 0; i < rounds; i++) {
    low += high;  // One sum more to eight of the others, so that there is something to do.
#pragma clang loop unroll(full)
    for (int v = 0; v < 8; v++) least[v] = __builtin_elementwise_min(least[v], factors[v] * low + high);
  }
  uint32_t sum = 0;
  for (int v = 0; v < 8; v++) sum += least[v][0];
  return sum;
}
"""

ROOT = pathlib.Path(__file__).resolve().parents[2]


def shingles(text, length=5):
    words = WORD.findall(text.lower())
    return {" ".join(words[i : i + length]) for i in range(max(1, len(words) - length + 1))}


def seconds(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


class Table:
    def __init__(self):
        self.rows = {}

    def add(self, name, megabytes, elapsed):
        self.rows.setdefault(name, (megabytes, []))[1].append(elapsed)

    def show(self):
        for name, (megabytes, times) in self.rows.items():
            median = statistics.median(times)
            print(
                f"{name:58s} {median:8.3f} s ({min(times):.3f} to {max(times):.3f}, n={len(times)}) "
                f"{megabytes / median:8.1f} MB/s",
                flush=True,
            )

    def rate(self, name):
        megabytes, times = self.rows[name]
        return megabytes / statistics.median(times)


def ours(tool, documents, megabytes, table, output):
    for name, options in {
        "exact": ["--method", "exact"],
        "exact --key normalized": ["--method", "exact", "--key", "normalized"],
        "minhash 14 x 8": ["--method", "minhash", "--bands", "14", "--rows", "8"],
        "minhash 16 x 8": ["--method", "minhash", "--bands", "16", "--rows", "8"],
    }.items():
        for suffix, extra in {"": ["-o", output], " --dry-run": ["--dry-run"]}.items():
            command = [tool, "dedup", *options, "--threads", "1", "--quiet", *extra, documents]
            elapsed, _ = seconds(lambda: subprocess.run(command, check=True))
            table.add(f"pkm-data dedup {name}{suffix}", megabytes, elapsed)


def kernel(table, megabytes, shingle_count):
    """Signatures alone: shingles as ready hashes, the kernel and nothing else."""
    import numpy

    with tempfile.TemporaryDirectory() as directory:
        library = os.path.join(directory, "minhash.so")
        source = ROOT / "Sources" / "CBytes"
        subprocess.run(
            ["clang", "-O3", "-shared", "-fPIC", f"-I{source / 'include'}", str(source / "minhash.c"), "-o", library],
            check=True,
        )
        update = ctypes.CDLL(library).pkm_minhash_update
        source, library = os.path.join(directory, "limit.c"), os.path.join(directory, "limit.so")
        pathlib.Path(source).write_text(LIMIT)
        subprocess.run(["clang", "-O3", "-shared", "-fPIC", source, "-o", library], check=True)
        limit = ctypes.CDLL(library).limit
    ready = numpy.random.default_rng(1).integers(0, 2**63, 16384, dtype=numpy.uint64)
    for hashes in (112, 128):
        multipliers = numpy.random.default_rng(2).integers(0, 2**32, hashes, dtype=numpy.uint64).astype(numpy.uint32)
        minima = numpy.full(hashes, 2**32 - 1, numpy.uint32)
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (ready, multipliers, minima)]
        calls = shingle_count // len(ready)

        def run():
            for _ in range(calls):
                update(pointers[0], ctypes.c_size_t(len(ready)), pointers[1], pointers[2], ctypes.c_size_t(hashes))

        elapsed, _ = seconds(run)
        table.add(f"our kernel, {hashes} hashes from ready shingles", megabytes, elapsed)
    # As many products as for 128 hashes.
    elapsed, _ = seconds(lambda: limit(ctypes.c_long(calls * len(ready))))
    table.add("the arithmetic of 128 hashes alone", megabytes, elapsed)


def python_shingles(texts, megabytes, table):
    elapsed, result = seconds(lambda: [list(shingles(text)) for text in texts])
    table.add("5-word shingles in Python", megabytes, elapsed)
    return result


def rensa(ready, megabytes, table):
    from rensa import RMinHash, RMinHashLSH

    elapsed, matrix = seconds(lambda: RMinHash.digest_matrix_from_token_sets(ready, num_perm=128, seed=42))
    table.add("rensa, 128 hashes from ready shingles", megabytes, elapsed)
    index = RMinHashLSH(threshold=0.8, num_perm=128, num_bands=16)
    elapsed, _ = seconds(lambda: index.query_duplicate_flags_matrix_one_shot(matrix))
    table.add("rensa, 16 bands from signatures", megabytes, elapsed)


def datasketch(ready, megabytes, table):
    from datasketch import MinHash, MinHashLSH

    def run():
        index = MinHashLSH(params=(16, 8), num_perm=128)
        tokens = [[shingle.encode() for shingle in document] for document in ready]
        for number, signature in enumerate(MinHash.bulk(tokens, num_perm=128)):
            if not index.query(signature):
                index.insert(number, signature)

    elapsed, _ = seconds(run)
    table.add("datasketch, 128 hashes and bands from ready shingles", megabytes, elapsed)


def datatrove(texts, megabytes, table):
    from datatrove.pipeline.dedup.minhash import MinhashDedupSignature

    stage = MinhashDedupSignature(tempfile.mkdtemp())
    stage.get_signature(stage.get_shingles(texts[0]))

    def run():
        for text in texts:
            found = stage.get_shingles(text)
            if found.size:
                stage.get_signature(found)

    elapsed, _ = seconds(run)
    table.add("datatrove, shingles and 112 hashes from text", megabytes, elapsed)


def size(texts):
    return sum(len(text.encode()) for text in texts) / 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool")
    parser.add_argument("file")
    parser.add_argument("--documents", type=int, default=20_000, help="documents for all but datatrove")
    parser.add_argument("--datatrove", type=int, default=400, help="documents for datatrove")
    parser.add_argument("--datasketch", type=int, default=2_000, help="documents for datasketch")
    parser.add_argument("--rounds", type=int, default=3)
    figures.add_option(parser)
    arguments = parser.parse_args()
    texts = []
    with open(arguments.file) as file, tempfile.TemporaryDirectory() as directory:
        documents = os.path.join(directory, "documents.jsonl")
        with open(documents, "w") as copy:
            for line in file:
                texts.append(json.loads(line)["text"])
                copy.write(line)
                if len(texts) == arguments.documents:
                    break
        megabytes = size(texts)
        words = sum(len(WORD.findall(text)) for text in texts)
        print(f"{len(texts)} documents, {megabytes:.1f} MB of text, {words} words, one thread each")
        table = Table()
        for _ in range(arguments.rounds):
            ours(arguments.tool, documents, megabytes, table, os.path.join(directory, "unique.jsonl"))
            kernel(table, megabytes, words)
            ready = python_shingles(texts, megabytes, table)
            rensa(ready, megabytes, table)
            few = texts[: arguments.datasketch]
            datasketch(ready[: len(few)], size(few), table)
            few = texts[: arguments.datatrove]
            datatrove(few, size(few), table)
        table.show()
        whole = table.rate("pkm-data dedup minhash 16 x 8")
        from_text = 1 / sum(
            1 / table.rate(name)
            for name in (
                "5-word shingles in Python", "rensa, 128 hashes from ready shingles", "rensa, 16 bands from signatures"
            )
        )
        print(f"ours, whole, against rensa with its shingling: {whole / from_text:.1f} times")
        print(
            "ours, whole, against datatrove's signatures: "
            f"{table.rate('pkm-data dedup minhash 14 x 8') / table.rate('datatrove, shingles and 112 hashes from text'):.0f} times"
        )
        kernels = table.rate("our kernel, 128 hashes from ready shingles")
        print(f"our kernel against rensa's signatures: {kernels / table.rate('rensa, 128 hashes from ready shingles'):.1f} times")
        print(f"our kernel: {100 * kernels / table.rate('the arithmetic of 128 hashes alone'):.0f} % of the arithmetic's rate")
        if arguments.record:
            rows = [
                [name, f"{statistics.median(times):.3f}", f"{table.rate(name):.1f}"] for name, (_, times) in table.rows.items()
            ]
            figures.record(
                "dedup", ["one thread", "seconds", "MB/s"], rows,
                title=f"Duplicates in {len(texts)} documents, {megabytes:.0f} MB of text, median of {arguments.rounds} rounds",
                values={"ours": f"{whole:.0f}",
                        "datatrove": f"{table.rate('datatrove, shingles and 112 hashes from text'):.1f}"},
                packages=["datatrove", "rensa", "datasketch"])


if __name__ == "__main__":
    main()
