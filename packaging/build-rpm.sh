#!/bin/bash
# Builds RPM packages of programs that are already built: packaging/build-rpm.sh OUT PROGRAMS
#
# OUT gets the packages. The Open Build Service builds from sources instead: docs/building/packaging.md.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(realpath -m "$1") programs=$(realpath "$2")
work=$(mktemp -d "${TMPDIR:-/tmp}/tiu-rpm.XXXXXX")
trap 'rm -rf "$work"' EXIT

mkdir -p "$out"
rpmbuild -bb --nodeps --define "_topdir $work" --define "tiu_programs $programs" --define "tiu_top $top" \
    "$top/packaging/rpm/tiu.spec" >"$out/build.log" 2>&1 || {
    tail -20 "$out/build.log" >&2
    exit 1
}
find "$work/RPMS" -name '*.rpm' -exec mv -t "$out" {} +
