#!/usr/bin/env bash
# Runs the tests again and again, beside busy processes and in random order: shake.sh [TIMES [ARGUMENTS OF swift test]]
#
# A test that fails here and passes in Tests/run.sh depends on time or on its neighbours.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."
times=${1:-10}
shift || true

swift build -c release --build-tests
busy=()
trap 'kill "${busy[@]}" 2>/dev/null || true' EXIT
for _ in 1 2; do
  (while :; do :; done) &
  busy+=($!)
done

for ((run = 1; run <= times; run++)); do
  echo "run $run of $times"
  swift test -c release --skip-build "$@"
done

# Every suite in a process of its own, in an order that the seed gives.
seed=${PKM_SHAKE_SEED:-$RANDOM}
echo "suites in random order, PKM_SHAKE_SEED=$seed"
swift test list -c release --skip-build 2>/dev/null | sed -n 's|^\([A-Za-z]*Tests\.[A-Za-z]*\)/.*|\1|p' | sort -u |
  shuf --random-source=<(yes "$seed") | while read -r suite; do
  swift test -c release --skip-build --filter "^$suite/" "$@" < /dev/null > .build/shake.log 2>&1 ||
    { echo "$suite fails"; tail -20 .build/shake.log; exit 1; }
done
echo "all pass"
