#!/usr/bin/env bash
# From a fresh clone to a trained model with a product-key memory: installs missing packages, builds, prepares the sample
# text, trains, evaluates and generates a paragraph. Running it again resumes where it stopped, or finishes at once.
set -euo pipefail
# With it, cd may go elsewhere, and prints where.
unset CDPATH
cd "$(dirname "$0")/.."
run=runs/quickstart

bash pipelines/install.sh
echo "== Building (a few minutes the first time)"
swift build -c release --product pkm-data
swift build -c release --product pkm-train
bin=$(swift build -c release --show-bin-path)

echo "== Preparing the text: normalize, dedup, learn-bpe, encode, shard"
"$bin/pkm-data" run pipelines/quickstart.yaml

echo "== Training"
"$bin/pkm-train" train --config pipelines/quickstart.yaml --data $run/data -o $run/model --resume

echo "== The held-out text, before and after training"
"$bin/pkm-train" eval --checkpoint $run/model --data $run/data --split test --baseline

echo "== A paragraph by the model"
"$bin/pkm-train" generate --checkpoint $run/model --tokens 120 --temperature 0.8 --top-p 0.95 --seed 9 "The old man looked at"

cat <<END

Done. $run/data is the dataset; $run/model holds the checkpoints and metrics.jsonl.
Try next:
  $bin/pkm-data inspect $run/data
  $bin/pkm-train train --config pipelines/quickstart.yaml --data $run/data -o $run/dense --set model.memory=null
  $bin/pkm-train generate --checkpoint $run/model "It was a dark night"
END
