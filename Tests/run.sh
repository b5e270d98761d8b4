#!/usr/bin/env bash
# Installs what the tests need and runs all of them. Arguments go to `swift test`, for example: --filter ModelTests
set -euo pipefail
cd "$(dirname "$0")/.."

bash pipelines/install.sh python3-venv zstd

# The tokenizers that ours is compared with live in an environment of their own.
peers=.build/peers
if ! cmp -s Tests/Peers/requirements.txt $peers/installed.txt; then
  echo "Installing the peers to compare with: $(tr '\n' ' ' <Tests/Peers/requirements.txt)" >&2
  rm -rf $peers
  python3 -m venv $peers
  $peers/bin/pip install --quiet --disable-pip-version-check -r Tests/Peers/requirements.txt
  cp Tests/Peers/requirements.txt $peers/installed.txt
fi
export PKM_PEERS_PYTHON="$PWD/$peers/bin/python"

swift test -c release "$@"
