"""Batches of pipelines/pkm_dataset.py for the tests: prints their tokens as int32, inputs then targets.

    python3 Tests/Peers/python_batches.py DATASET SPLIT LENGTH PACKING BATCH SEED EPOCH SEQUENCE RANK RANKS BATCHES
"""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "pipelines"))
from pkm_dataset import BatchStream, TokenDataset

directory, split, length, packing, batch, seed, epoch, sequence, rank, ranks, count = sys.argv[1:]
data = TokenDataset(directory, split, int(length), packing, cache_bytes=1 << 16)
cursor = {"epoch": int(epoch), "sequence": int(sequence)}
stream = BatchStream(data, int(batch), int(seed), cursor, int(rank), int(ranks))
for _ in range(int(count)):
    inputs, targets = next(stream)
    sys.stdout.buffer.write(inputs.astype("<i4").tobytes() + targets.astype("<i4").tobytes())
end = stream.cursor
sys.stdout.buffer.write(np.array([len(data), end["epoch"], end["sequence"]], "<i4").tobytes())
