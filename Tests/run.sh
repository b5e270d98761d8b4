#!/usr/bin/env bash
# Runs the tests; --help says how.
set -euo pipefail

usage() {
  cat <<'END'
USAGE: bash Tests/run.sh [--quick] [ARGUMENTS OF swift test]

Installs what the tests need and runs all of them, in a release build.

  --quick   Leave out the slow tests, and install nothing. This leaves out:
              - the comparisons with other programs (the trait .peers), which need packages from PyPI;
              - the tests that take seconds each (the trait .long): killed and resumed runs, training, large inputs.
            The same by hand: PKM_TESTS=quick swift test -c release
  --help    Print this text.

All other arguments go to `swift test`, for example: bash Tests/run.sh --filter ModelTests
END
}

quick=
arguments=()
for argument in "$@"; do
  case $argument in
    --quick) quick=yes ;;
    --help | -h) usage && exit ;;
    *) arguments+=("$argument") ;;
  esac
done
unset CDPATH
cd "$(dirname "$0")/.."

if [ "$quick" ]; then
  export PKM_TESTS=quick
else
  bash pipelines/install.sh python3-venv zstd
  # The programs that ours are compared with are installed in a virtual environment.
  peers=.build/peers
  if ! cmp -s Tests/Peers/requirements.txt $peers/installed.txt; then
    echo "Installing the peers to compare with: $(tr '\n' ' ' <Tests/Peers/requirements.txt)" >&2
    rm -rf $peers
    python3 -m venv $peers
    $peers/bin/pip install --quiet --disable-pip-version-check -r Tests/Peers/requirements.txt
    cp Tests/Peers/requirements.txt $peers/installed.txt
  fi
  export PKM_PEERS_PYTHON="$PWD/$peers/bin/python"
fi

swift test -c release ${arguments[@]+"${arguments[@]}"}
