#!/usr/bin/env bash
# Makes packages of pkm for machines without Swift: a relocatable tar.zst, a .deb for Debian 12, and a wheel for pip.
#
#   bash pipelines/package.sh [--output DIR] [--test]     packages in DIR (default: dist); --test tries them
#   bash pipelines/package.sh --prefix DIR                installs into DIR/bin, DIR/lib/pkm and DIR/share instead
#
# The commands carry the runtime of Swift. The libraries that they need of Debian 12 lie in lib/pkm, so that the tar.zst and the
# wheel run on any Linux with glibc 2.36 or newer; the .deb depends on Debian's packages instead. OpenBLAS and oneDNN are
# looked for at run time and may be missing.
set -euo pipefail
unset CDPATH
cd "$(dirname "$0")/.."

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0"; }
output=dist prefix= test=
while [ $# -gt 0 ]; do
  case $1 in
    --output | --prefix)
      [ $# -ge 2 ] || { echo "$1 needs a directory" >&2; exit 64; }
      if [ "$1" = --output ]; then output=$2; else prefix=$2; fi
      shift 2 ;;
    --test) test=1; shift ;;
    -h | --help) usage; exit 0 ;;
    *) echo "unknown argument: $1" >&2; usage >&2; exit 64 ;;
  esac
done

bash pipelines/install.sh dpkg-dev binutils zstd
# Libraries find each other by the commands' path, too, if it is an RPATH of the old kind.
build=(swift build -c release --static-swift-stdlib --scratch-path .build/package
  -Xlinker -rpath -Xlinker '$ORIGIN/../lib/pkm' -Xlinker --disable-new-dtags)
# Products one by one: the tests' own libraries cannot be linked statically.
"${build[@]}" --product pkm-data
"${build[@]}" --product pkm-train
bin=$("${build[@]}" --show-bin-path)
date=$(git log -1 --format=%ct 2>/dev/null || date +%s)
version=$("$bin/pkm-data" --version | cut -d' ' -f1)
case $(uname -m) in
  x86_64) architecture=amd64 ;;
  aarch64) architecture=arm64 ;;
  *) echo "no packages for $(uname -m)" >&2; exit 1 ;;
esac

# The manual pages, made by the parser's own generator.
manual() {
  local pages=.build/package/manual tool page
  if [ ! -e "$pages/done" ] || [ "$bin/pkm-data" -nt "$pages/done" ]; then
    rm -rf "$pages"
    mkdir -p "$pages"
    local parser=(--package-path .build/package/checkouts/swift-argument-parser --scratch-path .build/package/generator)
    swift build "${parser[@]}" --product generate-manual >&2
    for tool in pkm-data pkm-train; do
      "$(swift build "${parser[@]}" --show-bin-path)/generate-manual" "$bin/$tool" --multi-page --output-directory "$pages" \
        --date "$(date -u -d "@$date" +%F)" >&2
    done
    touch "$pages/done"
  fi
  mkdir -p "$1/share/man/man1"
  for page in "$pages"/*.1; do gzip -9nc "$page" > "$1/share/man/man1/$(basename "$page").gz"; done
}

# Everything but libraries, below a directory.
stage() {
  local root=$1 tool
  mkdir -p "$root/bin" "$root/share/pkm" "$root/share/doc/pkm" "$root/share/bash-completion/completions" \
    "$root/share/zsh/site-functions" "$root/share/fish/vendor_completions.d"
  for tool in pkm-data pkm-train; do
    strip -o "$root/bin/.$tool.new" "$bin/$tool"
    chmod 755 "$root/bin/.$tool.new"
    mv -f "$root/bin/.$tool.new" "$root/bin/$tool"
    "$bin/$tool" --generate-completion-script bash > "$root/share/bash-completion/completions/$tool"
    "$bin/$tool" --generate-completion-script zsh > "$root/share/zsh/site-functions/_$tool"
    "$bin/$tool" --generate-completion-script fish > "$root/share/fish/vendor_completions.d/$tool.fish"
  done
  cp pipelines/*.yaml pipelines/pkm_dataset.py pipelines/sample.txt.zst "$root/share/pkm/"
  cp -r vocab "$root/share/pkm/"
  cp README.md "$root/share/doc/pkm/README.md"
  cp pipelines/README.md "$root/share/doc/pkm/pipelines.md"
  cp LICENSE "$root/share/doc/pkm/copyright"
  manual "$root"
}

# The shared libraries that are no part of glibc, and what their licences ask to go with them.
libraries() {
  local root=$1 name path package
  mkdir -p "$root/lib/pkm" "$root/share/doc/pkm/libraries"
  ldd "$bin/pkm-data" "$bin/pkm-train" | awk '$2 == "=>" && $3 ~ /^\// { print $1, $3 }' | sort -u | while read -r name path; do
    # Debian lists a library below /lib or below /usr/lib, which are one.
    package=$({ dpkg-query -S "$(realpath "$path")" || dpkg-query -S "$path"; } 2>/dev/null | head -1 | cut -d: -f1)
    [ "$package" != libc6 ] || continue
    install -m 644 "$(realpath "$path")" "$root/lib/pkm/$name"
    cp "/usr/share/doc/$package/copyright" "$root/share/doc/pkm/libraries/$package"
  done
}

if [ -n "$prefix" ]; then
  mkdir -p "$prefix"
  stage "$prefix"
  echo "Installed pkm $version in $prefix:"
  printf '  %s\n' "$prefix/bin/pkm-data" "$prefix/bin/pkm-train" "$prefix/share/pkm (recipes, vocabularies, pkm_dataset.py)"
  case ":$PATH:" in *":$(realpath "$prefix")/bin:"*) ;; *) echo "Add $prefix/bin to PATH to call them by name." ;; esac
  exit 0
fi

mkdir -p "$output"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# tar.zst: bin, lib and share in one folder that may lie anywhere.
name=pkm-$version-linux-$(uname -m)
stage "$work/$name"
libraries "$work/$name"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$date" -cf - "$name" |
  zstd -q -T0 ${PKM_PACKAGE_LEVEL:--19} -f -o "$output/$name.tar.zst"

# .deb: the same below /usr, with Debian's libraries.
root=$work/deb
stage "$root/usr"
mkdir -p "$root/DEBIAN" "$work/debian"
printf 'Source: pkm\n\nPackage: pkm\nArchitecture: any\n' > "$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O deb/usr/bin/pkm-data deb/usr/bin/pkm-train 2>/dev/null | sed 's/^shlibs:Depends=//')
cat > "$root/DEBIAN/control" <<END
Package: pkm
Version: $version
Architecture: $architecture
Maintainer: pkm <pkm@localhost>
Installed-Size: $(du -sk "$root/usr" | cut -f1)
Depends: $depends
Recommends: libopenblas0-pthread, libdnnl2
Section: science
Priority: optional
Description: token shards and language models with product-key memory
 pkm-data turns raw text into shards of token ids; pkm-train trains, evaluates
 and samples transformer language models with product-key memory layers.
END
find "$root" -exec touch -h -d "@$date" {} +
SOURCE_DATE_EPOCH=$date dpkg-deb --root-owner-group -Zxz --build "$root" "$output/pkm_${version}_$architecture.deb" > /dev/null

# wheel: the tar.zst's folder, laid out for pip, and pkm_dataset.py as a module.
python3 pipelines/wheel.py "$work/$name" "$version" "$date" "$output"

ls -l "$output" | awk 'NR > 1 { printf "%6.1f MB  %s\n", $5 / 1e6, $9 }'
[ -z "$test" ] || bash pipelines/try_packages.sh "$output"
