"""A memory against a deeper model: trains the models of pipelines/novels.yaml and compares held-out perplexity and speed.

    python3 Tests/Peers/novels_models.py [--bin .build/release] [--run runs/novels] [--steps 1700] [--record]

pipelines/README.md says how to obtain the novels. Prepares the dataset with `pkm-data run`, trains four layers with one
memory, four layers without, and eight layers without (about 20 minutes on two cores; --resume goes on after a stop),
evaluates each on the test split and measures generation with `pkm-train bench`. Needs nothing but Python.
"""

import argparse
import json
import os
import subprocess
import tempfile

import figures

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--bin", default=".build/release")
parser.add_argument("--run", default="runs/novels")
parser.add_argument("--steps", type=int, default=1700)
figures.add_option(parser)
arguments = parser.parse_args()
RECIPE = os.path.join("pipelines", "novels.yaml")
MODELS = {
    "memory": ("4 layers, one with a memory of 128² slots", []),
    "dense": ("4 layers without memory", ["--set", "model.memory=null"]),
    "dense8": ("8 layers without memory", ["--set", "model.memory=null", "--set", "model.layers=8"]),
}


def tool(name, *flags):
    """The summary of one command."""
    with tempfile.TemporaryDirectory() as scratch:
        summary = os.path.join(scratch, "summary.json")
        subprocess.run(
            [os.path.join(arguments.bin, name), *flags, "--summary", summary, "--quiet"], check=True, cwd=figures.ROOT,
            stdout=subprocess.DEVNULL)
        return json.loads(open(summary).read())


tool("pkm-data", "run", RECIPE)
rows, values = [], {}
for name, (label, settings) in MODELS.items():
    run = os.path.join(arguments.run, name)
    settings = [*settings, "--set", f"train.steps={arguments.steps}"]
    tool("pkm-train", "train", "--config", RECIPE, "--data", os.path.join(arguments.run, "data"), "-o", run, "--resume", *settings)
    found = tool("pkm-train", "eval", "--checkpoint", run, "--split", "test")
    training = tool("pkm-train", "bench", "--config", RECIPE, "--vocabulary", "8257", *settings)
    generation = tool("pkm-train", "bench", "--config", RECIPE, "--vocabulary", "8257", "--generate", "--batches", "1", *settings)
    rows.append([
        label, f"{found['perplexity']:.1f}", f"{found['word_perplexity']:,.0f}", f"{found['bits_per_byte']:.3f}",
        f"{training['tokens_per_second']:,.0f}", f"{generation['tokens_per_second_1']:,.0f}"])
    values[name] = f"{found['perplexity']:.1f}"
    print(rows[-1], flush=True)
header = ["d = 256", "perplexity per token", "per word", "bits per byte", "training tokens/s", "generation tokens/s"]
print(figures.markdown(header, rows))
if arguments.record:
    figures.record("novels", header, rows, title=f"92 English novels, {arguments.steps} steps, held-out text, one seed", values=values)
