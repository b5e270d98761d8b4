#!/usr/bin/env bash
# Tries the packages in a directory on a bare Debian 12 without Swift: try_packages.sh [DIR [DEBIAN]]
#
# Needs root and debootstrap (installed if missing). Debian is unpacked into a temporary folder, or into DEBIAN, which stays
# for the next time.
set -euo pipefail
unset CDPATH
packages=$(realpath "${1:-dist}")
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || { echo "debootstrap needs root: sudo bash pipelines/try_packages.sh" >&2; exit 1; }
bash pipelines/install.sh debootstrap
scratch=$(mktemp -d)
trap 'umount "$root/proc" 2>/dev/null || true; rm -rf "$scratch"' EXIT
root=${2:-$scratch/debian}
if [ ! -e "$root/etc/debian_version" ]; then
  echo "unpacking Debian 12"
  debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv bookworm "$root" > "$scratch/log" 2>&1 ||
    { tail "$scratch/log" >&2; exit 1; }
fi
cp /etc/apt/sources.list "$root/etc/apt/" 2>/dev/null || true
[ ! -f /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/"
cp -L /etc/resolv.conf "$root/etc/" 2>/dev/null || true
# A proxy may have a certificate of its own.
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
# Programs find the libraries beside them by /proc.
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
rm -rf "$root/packages" "$root/anywhere" "$root/venv"
mkdir "$root/packages" "$root/anywhere"
cp "$packages"/pkm* "$root/packages/"
zstd -q -dc pipelines/sample.txt.zst > "$root/packages/sample.txt"
truncate -s 300000 "$root/packages/sample.txt"

in_debian() { chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
  PIP_CERT=/etc/ssl/certs/ca-certificates.crt "$@"; }
# From text to a sample of a model, with the commands in a directory.
try() {
  in_debian bash -euc '
    export PATH=$0:$PATH
    cd "$(mktemp -d)"
    pkm-data learn-bpe --merges 500 /packages/sample.txt -o bpe.json --quiet
    pkm-data encode --tokenizer bpe.json --documents paragraph /packages/sample.txt -o data --format shards --quiet
    pkm-data shard data -o split --split valid=0.1 --quiet
    pkm-data verify split --quiet
    printf "%s\n" "model: {layers: 2, dim: 32, heads: 2, context: 32, memory: {layers: [1], subkeys: 16, heads: 2, topk: 4, query_dim: 16}}" \
      "train: {steps: 3, batch: 2}" > model.yaml
    pkm-train train --config model.yaml --data split -o run --quiet
    pkm-train generate --checkpoint run "The" --tokens 5 --quiet > sample
    [ -s sample ]' "$1"
}
echo "tar.zst"
tar -C "$root/anywhere" --zstd -xf "$packages"/pkm-*-linux-*.tar.zst
try /anywhere/$(ls "$root/anywhere")/bin
echo "wheel"
in_debian python3 -m venv /venv
in_debian bash -c '/venv/bin/pip install -q /packages/pkm-*.whl'
try /venv/bin
in_debian /venv/bin/python -c 'import pkm_dataset'
echo ".deb"
in_debian bash -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends /packages/pkm_*.deb' > "$scratch/log" 2>&1 ||
  { tail "$scratch/log" >&2; exit 1; }
try /usr/bin
in_debian bash -c 'test -s /usr/share/man/man1/pkm-data.1.gz && test -s /usr/share/bash-completion/completions/pkm-data'
in_debian dpkg --remove pkm > /dev/null
echo "all three work"
