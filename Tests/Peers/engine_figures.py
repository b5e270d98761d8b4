"""The training engine by itself: whole steps with and without the memory, one memory layer by size, generation.

    python3 Tests/Peers/engine_figures.py [--pkm .build/release/pkm-train] [--configs s,m,l] [--threads 2] [--steps 4] [--record]

Runs `pkm-train bench` with the recipes pipelines/bench-*.yaml and a vocabulary of 16,000, in fp32 and in bf16. Printed are
training and evaluation tokens/s, the same without a memory, and the peak memory; forward tokens/s of one memory layer with
d = 1024 and query_dim 512 for 128² to 1024² slots; and tokens/s of generation with the share of the roofline that `bench`
computes, for one sequence and for 32. Needs nothing but Python.
"""

import argparse
import json
import os
import subprocess
import tempfile

import figures

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--pkm", default=".build/release/pkm-train")
parser.add_argument("--configs", default="s,m,l")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--steps", type=int, default=4)
figures.add_option(parser)
arguments = parser.parse_args()
VOCABULARY = ["--vocabulary", "16000"]


def bench(config, *flags):
    """The summary of one run of `pkm-train bench`."""
    recipe = figures.ROOT / "pipelines" / f"bench-{config}.yaml"
    with tempfile.TemporaryDirectory() as scratch:
        summary = os.path.join(scratch, "summary.json")
        subprocess.run(
            [arguments.pkm, "bench", "--config", str(recipe), "--threads", str(arguments.threads), "--summary", summary,
             "--quiet", *flags],
            check=True, stdout=subprocess.DEVNULL)
        return json.loads(open(summary).read())


def show(title, header, rows):
    print(f"\n{title}\n{figures.markdown(header, rows)}", flush=True)


steps, generation = [], []
for config in arguments.configs.split(","):
    for precision in ("fp32", "bf16"):
        setting = ["--set", f"train.precision={precision}"]
        with_memory = bench(config, *VOCABULARY, *setting, "--steps", str(arguments.steps))
        without = bench(config, *VOCABULARY, *setting, "--set", "model.memory=null", "--steps", str(arguments.steps))
        steps.append([
            f"{config.upper()} {precision}", f"{with_memory['tokens_per_second']:,.0f}", f"{without['tokens_per_second']:,.0f}",
            f"{1e3 * with_memory['step_seconds']:.0f}", f"{1e3 * without['step_seconds']:.0f}",
            f"{with_memory['evaluation_tokens_per_second']:,.0f}", f"{with_memory['peak_bytes'] / 1e6:,.0f}"])
        found = bench(config, *VOCABULARY, *setting, "--generate", "--batches", "1,32")
        generation.append([f"{config.upper()} {precision}"] + [
            text for batch in (1, 32)
            for text in (f"{found[f'tokens_per_second_{batch}']:,.0f}", f"{found[f'share_{batch}']:.0%}")])
steps_header = ["", "training tokens/s", "without memory", "ms per step", "without memory", "evaluation tokens/s", "peak MB"]
generation_header = ["", "1 sequence, tokens/s", "of the roofline", "32 sequences, tokens/s", "of the roofline"]
show("Whole steps", steps_header, steps)
show("Generation", generation_header, generation)

sizes = (128, 256, 512, 1024)
layers = []
for values in ("fp32", "bf16"):
    found = bench(
        "m", "--memory", "--forward-only", "--subkeys", ",".join(map(str, sizes)), "--set", "model.dim=1024",
        "--set", "model.memory.query_dim=512", "--set", f"model.memory.values={values}")
    layers.append([values] + [f"{found[f'forward_tokens_per_second_{size}']:,.0f}" for size in sizes])
layers_header = ["values", *(f"{size}² slots" for size in sizes)]
show("One memory layer, forward tokens/s", layers_header, layers)

if arguments.record:
    figures.record("steps", steps_header, steps, title=f"Whole training steps, {arguments.threads} threads")
    figures.record("generation", generation_header, generation, title="Generation beside a roofline of bytes and arithmetic")
    figures.record(
        "memory_layer", layers_header, layers, title="One memory layer, d = 1024, query_dim 512, forward tokens/s")
