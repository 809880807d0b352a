#!/bin/bash
# Builds the Debian packages of this tree: packaging/build-deb.sh OUT [PROGRAMS]
#
# OUT gets the packages. PROGRAMS is a folder of programs that are already built; without it, cargo builds them in the source tree,
# from vendored crates and without a network.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(realpath -m "$1")
programs=${2:+$(realpath "$2")}
work=$(mktemp -d "${TMPDIR:-/tmp}/tiu-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/tiu" "$out"
git -C "$top" ls-files -z --cached --others --exclude-standard | (cd "$top" && xargs -0 cp --parents -t "$work/tiu")
mv "$work/tiu/packaging/debian" "$work/tiu/debian"
cd "$work/tiu"
if [ -z "$programs" ]; then
    mkdir -p .cargo
    cargo vendor --locked --quiet --versioned-dirs vendor >.cargo/config.toml
    exec_in=(unshare --net --)
else
    export TIU_PROGRAMS=$programs
    exec_in=()
fi
"${exec_in[@]}" dpkg-buildpackage -d -b -us -uc >"$out/build.log" 2>&1 || {
    tail -20 "$out/build.log" >&2
    exit 1
}
mv ../*.deb ../*.changes ../*.buildinfo "$out/"
