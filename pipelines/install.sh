#!/usr/bin/env bash
# Installs those Debian or Ubuntu packages that pkm needs and that are missing.
# Arguments are names of further packages to install.
#
#   bash pipelines/install.sh                     what the build needs
#   bash pipelines/install.sh --prefix ~/.local   builds pkm too, and installs the commands with completions and manual pages
set -euo pipefail

if [ "${1:-}" = --prefix ]; then
  exec bash "$(dirname "$0")/package.sh" "$@"
fi

remedy="Install Swift 6.1 or newer from https://www.swift.org/install/linux/, then run this script again."
if ! command -v swift >/dev/null; then
  echo "Swift is missing. $remedy" >&2
  exit 1
fi
if [[ ! $(swift --version 2>/dev/null) =~ Swift\ version\ ([0-9]+)\.([0-9]+) ]] ||
  ((BASH_REMATCH[1] * 100 + BASH_REMATCH[2] < 601)); then
  echo "This is ${BASH_REMATCH[0]:-an unknown version of Swift}, which is too old. $remedy" >&2
  exit 1
fi
packages=(g++ pkg-config libicu-dev libzstd-dev zlib1g-dev libisal-dev libbrotli-dev libsnappy-dev liblz4-dev libxxhash-dev libssl-dev
  libsimdjson-dev libfasttext-dev libopenblas0-pthread libdnnl-dev "$@")
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "This is no Debian or Ubuntu. Install what corresponds to these packages, then build with swift build -c release:" >&2
  printf '  %s\n' "${packages[@]}" >&2
  exit 1
fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Packages are missing, and there is no sudo here. As root, run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  root=(sudo)
  echo "Installing with sudo, which may ask for your password: ${missing[*]}" >&2
else
  echo "Installing: ${missing[*]}" >&2
fi
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
