"""Loss curves of bf16 beside fp32 on real text: is the difference within what another seed makes?

    pip install matplotlib numpy
    python3 Tests/Peers/precision_curves.py [--bin .build/release] [--steps 1000] [--seeds 3] [-o pipelines/precision-curves.svg]

Takes pipelines/sample.txt.zst through pkm-data, trains the model of pipelines/quickstart.yaml with batches of 8 once for
each precision and seed (about a minute a run on two cores), and compares the validation loss every 50 steps:

- noise: how far fp32 runs of two seeds are apart, root mean square over steps and pairs of seeds;
- difference: how far bf16 is from fp32 at the same seed, and how far the means over seeds are apart, likewise.

Ends with exit code 1 when the mean curves are further apart than the noise.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile

import figures
import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plot
import numpy

parser = argparse.ArgumentParser()
parser.add_argument("--bin", default=".build/release")
parser.add_argument("--steps", type=int, default=1000)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("-o", "--output", default="pipelines/precision-curves.svg")
figures.add_option(parser)
arguments = parser.parse_args()
pipelines = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "pipelines")


def tool(name, *flags):
    subprocess.run([os.path.join(arguments.bin, name), *flags, "--quiet"], check=True)


def curve(data, directory, precision, seed):
    """Steps and validation losses in nats per token, and training tokens/s (the median)."""
    settings = {"steps": arguments.steps, "precision": precision, "batch": 8, "eval_every": 50, "eval_tokens": 0,
                "checkpoint_every": 0, "log_every": 10}
    run = os.path.join(directory, f"{precision}-{seed}")
    tool("pkm-train", "train", "--config", os.path.join(pipelines, "quickstart.yaml"), "--data", data, "-o", run,
         "--seed", str(seed), *[part for key, value in settings.items() for part in ("--set", f"train.{key}={value}")])
    lines = [json.loads(line) for line in open(os.path.join(run, "metrics.jsonl"))]
    points = [(line["step"], line["nll"]) for line in lines if line.get("split") == "valid" and line["step"] > 0]
    rate = numpy.median([line["tokens_per_second"] for line in lines if "tokens_per_second" in line])
    print(f"{precision} seed {seed}: {points[-1][1]:.4f} nats after {points[-1][0]} steps, {rate:.0f} tokens/s", flush=True)
    return [list(column) for column in zip(*points)]


def distance(a, b):
    return float(numpy.sqrt(numpy.mean((numpy.array(a) - numpy.array(b)) ** 2)))


with tempfile.TemporaryDirectory(prefix="pkm-precision-") as scratch:
    text = os.path.join(pipelines, "sample.txt.zst")
    tokenizer, everything, data = (os.path.join(scratch, name) for name in ("bpe.json", "all", "data"))
    tool("pkm-data", "learn-bpe", "--merges", "4000", "-o", tokenizer, text)
    tool("pkm-data", "encode", "--documents", "paragraph", "--tokenizer", tokenizer, "-o", everything, text)
    tool("pkm-data", "shard", everything, "--split", "valid=0.02", "-o", data)
    seeds = range(1, arguments.seeds + 1)
    runs = {precision: [curve(data, scratch, precision, seed) for seed in seeds] for precision in ("fp32", "bf16")}

steps = runs["fp32"][0][0]
losses = {precision: numpy.array([points[1] for points in curves]) for precision, curves in runs.items()}
pairs = [distance(a, b) for a, b in itertools.combinations(losses["fp32"], 2)]
noise = float(numpy.sqrt(numpy.mean(numpy.square(pairs)))) if pairs else float("nan")
same = [distance(a, b) for a, b in zip(losses["fp32"], losses["bf16"])]
means = distance(losses["fp32"].mean(axis=0), losses["bf16"].mean(axis=0))
print(f"validation loss, nats per token: two seeds of fp32 are {noise:.4f} apart; bf16 and fp32 of one seed",
      f"{float(numpy.sqrt(numpy.mean(numpy.square(same)))):.4f}, their means over {arguments.seeds} seeds {means:.4f}")

if arguments.record:
    rms = float(numpy.sqrt(numpy.mean(numpy.square(same))))
    figures.record(
        "precision", ["validation loss, nats per token, root mean square over the steps", "apart"],
        [["two seeds of fp32", f"{noise:.4f}"], ["bf16 and fp32 of one seed", f"{rms:.4f}"],
         [f"their means over {arguments.seeds} seeds", f"{means:.4f}"]],
        title=f"bf16 beside fp32 over {arguments.steps} steps on the sample text")

figure, (above, below) = plot.subplots(2, 1, sharex=True, figsize=(6, 4.6), height_ratios=[2, 1], layout="constrained")
for precision, color in (("fp32", "tab:blue"), ("bf16", "tab:orange")):
    for index, losses_of_seed in enumerate(losses[precision]):
        above.plot(steps, losses_of_seed, color=color, linewidth=0.9, label=precision if index == 0 else None)
above.set_ylabel("validation loss, nats per token")
above.legend(frameon=False)
middle = losses["fp32"].mean(axis=0)
below.fill_between(steps, losses["fp32"].min(axis=0) - middle, losses["fp32"].max(axis=0) - middle, alpha=0.25,
                   color="tab:blue", linewidth=0, label="fp32, all seeds")
for index, losses_of_seed in enumerate(losses["bf16"]):
    below.plot(steps, losses_of_seed - middle, color="tab:orange", linewidth=0.9, label="bf16" if index == 0 else None)
below.set_ylabel("minus the mean of fp32")
below.set_xlabel("steps of 1,024 tokens")
below.legend(frameon=False, ncols=2)
figure.savefig(arguments.output, metadata={"Date": None})
sys.exit(0 if means <= noise else 1)
