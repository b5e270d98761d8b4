"""Training and evaluation: pkm-train beside PyTorch, the same model, batch and machine, both sides in one run.

    pip install torch==2.13.0 numpy
    python3 Tests/Peers/train_peers.py [--pkm .build/release/pkm-train] [--configs S,M,L] [--precisions fp32,bf16]
        [--torch eager,compile] [--threads 2] [--steps 4]

The models are those of pipelines/bench-s.yaml, -m and -l with a vocabulary of 16,000. PyTorch's side is written below for
speed: scaled_dot_product_attention, EmbeddingBag with a sparse gradient for the values, SparseAdam for them and fused
Adam for the rest, an allocator that keeps what it has freed, matmuls in bfloat16 by autocast. Of fp32 there are two
variants: `exact`, and `medium`, in which PyTorch may round the operands of float32 matmuls to bfloat16
(torch.set_float32_matmul_precision). Like with like, it stands beside our precision `bf16`, whose parameters, residual
stream and everything else but the operands of matmuls are float32, too. --torch eager,compile tries both ways of
running and the faster one counts; --torch installed is PyTorch as it comes: eager, its default Adam, the system's
allocator as it is.

Every measurement is a process of its own, so that its peak memory is its own; ours and theirs alternate. Printed: tokens a
second in training (forward, backward, update) and in evaluation (forward and loss), medians, and the largest resident size.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import figures

VOCABULARY = 16000
CONFIGS = {
    "S": dict(d=256, layers=4, heads=4, length=256, batch=8, memory=2, subkeys=128, query=128),
    "M": dict(d=512, layers=6, heads=8, length=256, batch=8, memory=3, subkeys=256, query=256),
    "L": dict(d=768, layers=12, heads=12, length=512, batch=4, memory=6, subkeys=512, query=384),
}

parser = argparse.ArgumentParser()
parser.add_argument("--pkm", default=".build/release/pkm-train")
parser.add_argument("--configs", default="S,M,L")
parser.add_argument("--precisions", default="fp32,bf16")
parser.add_argument("--torch", default="eager,compile")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--steps", type=int, default=4)
parser.add_argument("--measure", help="for the process of one measurement of PyTorch (internal)")
figures.add_option(parser)
arguments = parser.parse_args()


def measure_torch(config, precision, matmul, way):
    """One JSON object on standard output."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.manual_seed(1)
    torch.set_num_threads(arguments.threads)
    torch.set_float32_matmul_precision(matmul)
    c = CONFIGS[config]
    d, heads, top = c["d"], c["heads"], 32

    @torch.compiler.disable
    def read(table, slots, weights):  # a sparse gradient cannot be compiled
        with torch.autocast("cpu", enabled=False):
            return table(slots, per_sample_weights=weights.float())

    class Memory(nn.Module):
        """Product keys: 4 heads, the best 32 of n² slots each, values summed over the heads."""

        def __init__(self):
            super().__init__()
            n, half = c["subkeys"], c["query"] // 2
            self.query = nn.Linear(d, 4 * 2 * half)
            self.norm = nn.BatchNorm1d(4 * 2 * half)
            self.subkeys = nn.Parameter((torch.rand(8, n, half) * 2 - 1) / half**0.5)
            self.values = nn.EmbeddingBag(n * n, d, mode="sum", sparse=True)
            nn.init.normal_(self.values.weight, std=d**-0.5)

        def forward(self, x):
            n, half = self.subkeys.shape[1:]
            queries = self.norm(self.query(x)).view(-1, 8, half).transpose(0, 1)
            scores, ids = torch.bmm(queries, self.subkeys.transpose(1, 2)).topk(top)  # 8 × tokens × 32
            scores, ids = scores.view(4, 2, -1, top), ids.view(4, 2, -1, top)
            sums = (scores[:, 0, :, :, None] + scores[:, 1, :, None, :]).flatten(2)
            best, at = sums.topk(top)
            slots = ids[:, 0].gather(2, at // top) * n + ids[:, 1].gather(2, at % top)
            weights = best.float().softmax(2)
            flat = [t.transpose(0, 1).reshape(-1, 4 * top) for t in (slots, weights)]
            return read(self.values, *flat)

    class Block(nn.Module):
        def __init__(self, has_memory):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
            self.input, self.output = nn.Linear(d, 3 * d), nn.Linear(d, d)
            self.second = Memory() if has_memory else nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

        def forward(self, x):
            sequences, length, _ = x.shape
            parts = self.input(self.norm1(x)).view(sequences, length, 3, heads, d // heads).unbind(2)
            mixed = F.scaled_dot_product_attention(*(part.transpose(1, 2) for part in parts), is_causal=True)
            x = x + self.output(mixed.transpose(1, 2).reshape(x.shape))
            y = self.norm2(x)
            return x + (self.second(y.flatten(0, 1)).view(x.shape) if isinstance(self.second, Memory) else self.second(y))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(VOCABULARY, d), nn.Embedding(c["length"], d)
            self.blocks = nn.ModuleList(Block(layer == c["memory"]) for layer in range(c["layers"]))
            self.norm = nn.LayerNorm(d)
            self.bias = nn.Parameter(torch.zeros(VOCABULARY))
            for embedding in (self.tokens, self.positions):
                nn.init.normal_(embedding.weight, std=0.02)

        def forward(self, ids, targets):
            x = self.tokens(ids) + self.positions.weight[: ids.shape[1]]
            for block in self.blocks:
                x = block(x)
            logits = F.linear(self.norm(x), self.tokens.weight, self.bias)  # the head is tied
            return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())

    model = Model()
    run = torch.compile(model) if way == "compile" else model
    values = [block.second.values.weight for block in model.blocks if isinstance(block.second, Memory)]
    dense = [p for p in model.parameters() if all(p is not v for v in values)]
    optimizers = [torch.optim.Adam(dense, lr=2.5e-4, betas=(0.9, 0.98), fused=way != "installed"), torch.optim.SparseAdam(values, lr=1e-3)]
    frequencies = 1 / torch.arange(1, VOCABULARY + 1)
    ids = torch.multinomial(frequencies, 4 * c["batch"] * (c["length"] + 1), replacement=True).view(4, c["batch"], -1)

    def loss(index):
        batch = ids[index % 4]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            return run(batch[:, :-1], batch[:, 1:].contiguous())

    def train(index):
        loss(index).backward()
        nn.utils.clip_grad_norm_(dense, 1.0)  # SparseAdam's part is left out: it would only slow this side down
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def evaluate(index):
        with torch.no_grad():
            loss(index)

    def seconds(step):
        for index in range(2):
            step(index)
        times = []
        for index in range(arguments.steps):
            start = time.perf_counter()
            step(index)
            times.append(time.perf_counter() - start)
        return statistics.median(times)

    training = seconds(train)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    model.eval()
    count = c["batch"] * c["length"]
    print(json.dumps({"train": count / training, "eval": count / seconds(evaluate), "bytes": peak}))


def torch_side(config, precision, matmul):
    """The faster of the ways asked for."""
    best = None
    # Freed memory is kept: pages that come and go cost PyTorch up to half of its time.
    allocator = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 36),
                 "MALLOC_TOP_PAD_": str(1 << 26)}
    for way in arguments.torch.split(","):
        environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads)} | (allocator if way != "installed" else {})
        command = [sys.executable, __file__, "--measure", ",".join([config, precision, matmul, way])]
        command += ["--threads", str(arguments.threads), "--steps", str(arguments.steps)]
        result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
        if result.returncode == 0:
            found = json.loads(result.stdout.splitlines()[-1]) | {"way": way}
            # Training and evaluation each by the way that is faster for it.
            if best is None or found["train"] > best["train"]:
                best = found | {"eval": max(found["eval"], best["eval"] if best else 0)}
            best["eval"] = max(best["eval"], found["eval"])
    return best


def our_side(config, precision):
    recipe = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "pipelines", f"bench-{config.lower()}.yaml")
    with tempfile.NamedTemporaryFile("r", suffix=".json") as summary:
        subprocess.run(
            [arguments.pkm, "bench", "--config", recipe, "--vocabulary", str(VOCABULARY), "--set",
             f"train.precision={precision}", "--steps", str(arguments.steps), "--threads", str(arguments.threads),
             "--summary", summary.name, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        found = json.load(open(summary.name))
    return {"train": found["tokens_per_second"], "eval": found["evaluation_tokens_per_second"], "bytes": found["peak_bytes"]}


if arguments.measure:
    measure_torch(*arguments.measure.split(","))
    sys.exit()

print(f"{'':22}{'training':>26}{'evaluation':>26}{'peak memory':>26}")
print(f"{'':22}" + f"{'ours':>9}{'theirs':>9}{'ratio':>8}" * 2 + f"{'ours':>9}{'theirs':>9}{'ratio':>8}")
rows, values = [], {}
for config in arguments.configs.split(","):
    for precision in arguments.precisions.split(","):
        for matmul in ("highest", "medium") if precision == "fp32" else ("highest",):
            ours = our_side(config, "bf16" if matmul == "medium" else precision)
            theirs = torch_side(config, precision, matmul)
            if theirs is None:
                print(f"{config} {precision}: PyTorch failed")
                continue
            label = f"{config} {precision}" + (" medium" if matmul == "medium" else "") + f" ({theirs['way']})"
            line = f"{label:22}"
            for key, unit in (("train", 1), ("eval", 1), ("bytes", 1e6)):
                line += f"{ours[key] / unit:9.0f}{theirs[key] / unit:9.0f}{ours[key] / theirs[key]:8.2f}"
            print(line, flush=True)
            rows.append([label] + [
                text for key, unit in (("train", 1), ("eval", 1), ("bytes", 1e6))
                for text in (f"{ours[key] / unit:,.0f}", f"{theirs[key] / unit:,.0f}", f"{ours[key] / theirs[key]:.2f}")])
            if matmul == "highest":
                values |= {f"ours_{config}_{precision}": f"{ours['train']:,.0f}", f"torch_{config}_{precision}": f"{theirs['train']:,.0f}"}
if arguments.record:
    import importlib.metadata

    header = [""] + [f"{kind}, {side}" for kind in ("training tokens/s", "evaluation tokens/s", "peak MB") for side in ("pkm", "PyTorch", "ratio")]
    figures.record(
        "train", header, rows, title=f"Training and evaluation beside PyTorch, {arguments.threads} threads",
        values=values | {"torch_version": importlib.metadata.version("torch").split("+")[0]}, packages=["torch"],
        note="In brackets stands how PyTorch ran fastest. In `medium` PyTorch may round float32 operands to bfloat16; ours is "
             "`bf16` there.")
