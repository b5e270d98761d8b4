"""Reads pkm's token datasets in Python: for PyTorch, JAX or NumPy loops. Needs NumPy and zstandard; PyTorch is optional.

    from pkm_dataset import TokenDataset, BatchStream

    data = TokenDataset("runs/novels/data", "train", length=1024)
    inputs, targets = data[0]                                  # map-style: one sequence, in the order of the text

    batches = BatchStream(data, batch=8, seed=1)               # shuffled, epoch after epoch without end
    for inputs, targets in batches:                            # int64 arrays [8, 1024]
        ...
        state = batches.cursor                                 # save this with your checkpoint,
    batches = BatchStream(data, batch=8, seed=1, cursor=state)  # and go on from it

Sequences, order and batches are those of `pkm-train` with the same packing, length and seed. Targets are the inputs shifted
by one token; where a sequence is padded, the target is -1 (`ignore_index=-1` of PyTorch's cross entropy).

Run as a program it prints what a dataset holds:  python3 pkm_dataset.py runs/novels/data
"""

import bisect
import json
import os
import struct
import sys
from collections import OrderedDict

import numpy as np
import zstandard

try:  # Checksums of frames are compared where xxhash is installed.
    import xxhash
except ImportError:
    xxhash = None

_MASK = (1 << 64) - 1


class DatasetError(Exception):
    """What is wrong with a dataset, and where."""


class SeekableFile:
    """A file in zstd's seekable format: independent frames, and a table of their sizes at the end.

    Not thread-safe; may be pickled and used after a fork.
    """

    def __init__(self, path, cache_bytes=64 << 20):
        self.path, self.cache_bytes = path, cache_bytes
        self._open()
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size < 17:
                raise DatasetError(f"{path}: not a zstd seekable file")
            file.seek(-9, os.SEEK_END)
            count, flags, magic = struct.unpack("<IBI", file.read(9))
            table = 17 + 12 * count
            if magic != 0x8F92EAB1 or flags & 0x7C or not flags & 0x80 or table > size:
                raise DatasetError(f"{path}: its end is not a seek table with checksums")
            file.seek(-table, os.SEEK_END)
            header = struct.unpack("<II", file.read(8))
            entries = np.frombuffer(file.read(12 * count), "<u4").reshape(count, 3)
        self.offsets = np.concatenate([[0], np.cumsum(entries[:, 0], dtype=np.int64)])
        self.starts = np.concatenate([[0], np.cumsum(entries[:, 1], dtype=np.int64)])
        self.checksums = entries[:, 2]
        if header != (0x184D2A5E, table - 8) or self.offsets[-1] != size - table:
            raise DatasetError(f"{path}: the seek table does not fit the file")

    @property
    def bytes(self):
        """The size of the uncompressed content."""
        return int(self.starts[-1])

    def _open(self):
        self._process = os.getpid()
        self._file = open(self.path, "rb", buffering=0)
        self._decompressor = zstandard.ZstdDecompressor()
        self._cache, self._cached = OrderedDict(), 0

    def __getstate__(self):
        state = self.__dict__.copy()
        for name in ("_file", "_decompressor", "_cache"):
            state[name] = None
        return {**state, "_process": None}

    def frame(self, index):
        """The uncompressed bytes of a frame, checked."""
        if self._process != os.getpid():
            self._open()
        content = self._cache.get(index)
        if content is not None:
            return content
        offset, end = int(self.offsets[index]), int(self.offsets[index + 1])
        size = int(self.starts[index + 1] - self.starts[index])
        data = os.pread(self._file.fileno(), end - offset, offset)
        try:
            content = self._decompressor.decompress(data, max_output_size=size)
        except zstandard.ZstdError as error:
            raise DatasetError(f"{self.path}: frame {index} at byte {offset} is damaged: {error}") from None
        wrong = xxhash and xxhash.xxh64_intdigest(content) & 0xFFFFFFFF != self.checksums[index]
        if len(content) != size or wrong:
            raise DatasetError(f"{self.path}: frame {index} at byte {offset} does not fit its entry in the seek table")
        # Sequences are read at random, so any frame to drop is as good as another.
        while self._cache and self._cached + size > self.cache_bytes:
            self._cached -= len(self._cache.popitem(last=False)[1])
        self._cache[index] = content
        self._cached += size
        return content

    def read(self, start, end):
        """The uncompressed bytes start..<end."""
        parts = []
        index = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < end:
            first = int(self.starts[index])
            part = self.frame(index)[start - first : end - first]
            parts.append(part)
            start += len(part)
            index += 1
        return parts[0] if len(parts) == 1 else b"".join(parts)


class TokenDataset:
    """The sequences of a split, in the order of the text: `len(data)`, and `data[i]` as (inputs, targets) of `length` tokens.

    `packing` is "stream" (one stream of documents, cut every `length` tokens) or "document" (a sequence begins with a
    document and takes the following ones that fit; the rest is padding); None takes what the dataset is meant for.
    """

    def __init__(self, directory, split="train", length=1024, packing=None, cache_bytes=256 << 20):
        with open(os.path.join(directory, "index.json"), encoding="utf-8") as file:
            self.index = json.load(file)
        if self.index.get("format") != "pkm-dataset" or self.index.get("version") != 1:
            raise DatasetError(f"{directory}: not a dataset that this reader knows")
        if split not in self.index["splits"]:
            raise DatasetError(f"{directory}: no split {split!r}; there are: {', '.join(sorted(self.index['splits']))}")
        self.directory, self.split, self.length = directory, split, length
        self.packing = packing or self.index.get("packing") or "stream"
        self.vocabulary_size, self.end_of_document = self.index["vocabulary_size"], self.index["end_of_document"]
        self._type = np.dtype("<u2" if self.index["token_bytes"] == 2 else "<u4")
        shards = [shard for shard in self.index["shards"] if shard["split"] == split]
        self._files, self._starts = [], [0]
        for shard in shards:
            if not shard["tokens"]:
                continue
            file = SeekableFile(os.path.join(directory, shard["file"]), cache_bytes // max(1, len(shards)))
            if file.bytes != shard["tokens"] * self._type.itemsize:
                raise DatasetError(f"{file.path}: has {file.bytes} bytes of tokens; index.json says {shard['bytes']}")
            self._files.append(file)
            self._starts.append(self._starts[-1] + shard["tokens"])
        self.tokens = self._starts[-1]
        if self.packing == "stream":
            self._bounds, self._count = None, max(0, self.tokens - 1) // length
        elif self.packing == "document":
            self._bounds = self._document_bounds(shards)
            self._count = len(self._bounds) - 1
        else:
            raise ValueError(f'packing is {self.packing!r}, and must be "stream" or "document"')
        if not self._count:
            raise DatasetError(f"{directory}: split {split!r} has {self.tokens} tokens; a sequence needs {length + 1}")

    def _document_bounds(self, shards):
        bounds, last, end, length = [0], 0, 0, self.length
        for shard in shards:
            for tokens in self._rows(shard)[:, 0].tolist():
                if end - last + tokens > length and end > last:
                    bounds.append(last := end)
                end += tokens
                while end - last > length:
                    bounds.append(last := last + length)
        if end > last:
            bounds.append(end)
        return np.array(bounds)

    def _rows(self, shard):
        file = SeekableFile(os.path.join(self.directory, shard["documents_file"]))
        return np.frombuffer(file.read(0, file.bytes) if file.bytes else b"", "<u4").reshape(-1, 3)

    def documents(self):
        """Rows of the documents of the split: tokens (with the end-of-document id), bytes and words of the text."""
        rows = [self._rows(shard) for shard in self.index["shards"] if shard["split"] == self.split]
        return np.concatenate(rows) if rows else np.zeros((0, 3), np.uint32)

    def __len__(self):
        return self._count

    def read(self, start, end):
        """The tokens start..<end of the split, as one array over all shards."""
        if not 0 <= start <= end <= self.tokens:
            raise IndexError(f"tokens {start} to {end} of {self.tokens}")
        parts, size = [], self._type.itemsize
        shard = bisect.bisect_right(self._starts, start) - 1
        while start < end:
            first, last = self._starts[shard], min(end, self._starts[shard + 1])
            content = self._files[shard].read((start - first) * size, (last - first) * size)
            parts.append(np.frombuffer(content, self._type))
            start, shard = last, shard + 1
        tokens = parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else np.zeros(0, self._type)
        if len(tokens) and tokens.max() >= self.vocabulary_size:
            raise DatasetError(f"{self.directory}: token id {tokens.max()} is outside the vocabulary of {self.vocabulary_size}")
        return tokens

    def __getitem__(self, index):
        if not -self._count <= index < self._count:
            raise IndexError(index)
        index %= self._count
        if self._bounds is None:
            start = index * self.length + 1
            end = start + self.length
        else:
            start, end = int(self._bounds[index]), int(self._bounds[index + 1])
        inputs = np.full(self.length, self.end_of_document, np.int64)
        targets = np.full(self.length, -1, np.int64)
        tokens = self.read(max(start - 1, 0), end)
        if start == 0:  # Before the first document stands what ends every other one.
            tokens = np.concatenate([np.array([self.end_of_document], self._type), tokens])
        inputs[: end - start] = tokens[:-1]
        targets[: end - start] = tokens[1:]
        return inputs, targets


class Permutation:
    """The order of the sequences in an epoch: a Feistel network, so that no list is kept. Equals that of pkm-train."""

    def __init__(self, count, seed, epoch):
        half = 1
        while half < 31 and 1 << (2 * half) < max(count, 1):
            half += 1
        self.count, self._half, self._keys = count, half, _keys(seed, epoch)

    def __getitem__(self, position):
        """The sequences at an array of positions."""
        value = np.asarray(position, np.uint64)
        half, mask = np.uint64(self._half), np.uint64((1 << self._half) - 1)
        outside = np.ones(value.shape, bool)
        while outside.any():
            left, right = value >> half, value & mask
            for key in self._keys:
                left, right = right, left ^ (_mix(right ^ key) & mask)
            value = np.where(outside, left << half | right, value)
            outside = value >= self.count
        return value.astype(np.int64)


class BatchStream:
    """Batches of shuffled sequences without end: (inputs, targets), int64 [batch, length] each.

    A step of `ranks` processes takes `batch * ranks` sequences, of which this one, `rank`, gets the `rank`-th group. `cursor`
    is where to begin: {"epoch": E, "sequence": S}, the attribute of that name of an earlier stream, the same for all ranks and
    for any number of them. For PyTorch's DataLoader wrap it in `torch_dataset`, which shares the batches out to its workers.
    """

    def __init__(self, data, batch, seed, cursor=None, rank=0, ranks=1):
        if batch < 1 or not 0 <= rank < ranks:
            raise ValueError("batch is at least 1, and rank is between 0 and ranks - 1")
        self.data, self.batch, self.seed, self.rank, self.ranks = data, batch, seed, rank, ranks
        self.cursor = dict(cursor or {"epoch": 0, "sequence": 0})
        if self.cursor["epoch"] < 0 or not 0 <= self.cursor["sequence"] < len(data):
            raise ValueError(f"cannot begin at {self.cursor}: there are {len(data)} sequences")
        self._orders = {}

    def after(self, batches):
        """The cursor after so many more batches: with a DataLoader, count what you have taken from it."""
        position = self.cursor["sequence"] + batches * self.batch * self.ranks
        return {"epoch": self.cursor["epoch"] + position // len(self.data), "sequence": position % len(self.data)}

    def indices(self):
        """The numbers of the sequences of the next batch."""
        count = len(self.data)
        positions = self.cursor["sequence"] + self.rank * self.batch + np.arange(self.batch)
        epochs = self.cursor["epoch"] + positions // count
        found = np.empty(self.batch, np.int64)
        for epoch in np.unique(epochs).tolist():
            if epoch not in self._orders:
                self._orders = {e: o for e, o in self._orders.items() if e >= self.cursor["epoch"]}
                self._orders[epoch] = Permutation(count, self.seed, epoch)
            found[epochs == epoch] = self._orders[epoch][positions[epochs == epoch] % count]
        return found

    def __iter__(self):
        return self

    def __next__(self):
        pairs = [self.data[index] for index in self.indices()]
        self.cursor = self.after(1)
        return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])


def torch_dataset(stream):
    """The stream as an IterableDataset of PyTorch; use DataLoader(..., batch_size=None), with any number of workers.

    The batches and their order are those of the stream itself. The stream's cursor stays where it was: save
    `stream.after(n)` after n batches.
    """
    import torch

    class Batches(torch.utils.data.IterableDataset):
        def __iter__(self):
            worker = torch.utils.data.get_worker_info()
            first, step = (worker.id, worker.num_workers) if worker else (0, 1)
            mine = BatchStream(stream.data, stream.batch, stream.seed, stream.after(first), stream.rank, stream.ranks)
            while True:
                inputs, targets = next(mine)
                # __next__ went one batch on; the batches between belong to the other workers.
                mine.cursor = mine.after(step - 1)
                yield torch.from_numpy(inputs), torch.from_numpy(targets)

    return Batches()


def _mix(value):
    """The output function of SplitMix64, of numbers or arrays of uint64."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _mixed(value):
    return int(_mix(np.array([value], np.uint64))[0])


def _keys(seed, epoch):
    """The six keys of an epoch: xoshiro256** (Blackman and Vigna, 2018), seeded by XXH3 of a name and the seed."""
    state, words = _xxh3(b"window order", _mixed(seed & _MASK) ^ epoch), []
    for _ in range(4):
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        words.append(_mixed(state))
    a, b, c, d = words
    keys = []
    for _ in range(6):
        product = b * 5 & _MASK
        keys.append(np.uint64((product << 7 | product >> 57) * 9 & _MASK))
        shifted = b << 17 & _MASK
        c, d = c ^ a, d ^ b
        b, a = b ^ c, a ^ d
        c, d = c ^ shifted, (d << 45 | d >> 19) & _MASK
    return keys


def _xxh3(data, seed):
    """XXH3 (Collet), 64 bits, of 9 to 16 bytes."""
    assert 9 <= len(data) <= 16
    secret = struct.unpack("<4Q", bytes.fromhex("7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248e"))
    low = int.from_bytes(data[:8], "little") ^ (((secret[0] ^ secret[1]) + seed) & _MASK)
    high = int.from_bytes(data[-8:], "little") ^ (((secret[2] ^ secret[3]) - seed) & _MASK)
    product = low * high
    swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
    value = (len(data) + swapped + high + ((product & _MASK) ^ (product >> 64))) & _MASK
    value = ((value ^ (value >> 37)) * 0x165667919E3779F9) & _MASK
    return value ^ (value >> 32)


def main():
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        sys.exit("usage: pkm_dataset.py DATASET")
    try:
        with open(os.path.join(sys.argv[1], "index.json"), encoding="utf-8") as file:
            index = json.load(file)
        for split, totals in sorted(index["splits"].items()):
            data = TokenDataset(sys.argv[1], split, length=1)
            print(f"{split}: {totals['documents']:,} documents, {data.tokens:,} tokens, {totals['text_bytes']:,} bytes of text;")
            print(f"    begins with the tokens {' '.join(map(str, data.read(0, min(12, data.tokens))))}")
    except (DatasetError, OSError, ValueError) as error:
        sys.exit(f"pkm_dataset.py: {error}")


if __name__ == "__main__":
    main()
