#!/bin/bash
# Does what README.md tells a reader to type work as it stands there? Its blocks are run word by word: building a bundle of a small tree,
# and checking it by hand with the tools of others. The rest is the quickstart's: here only that every command it names is there.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
(cd "$top" && cargo build --quiet --locked -p tiu -p tiu-create -p tiu-extract)
export PATH=${CARGO_TARGET_DIR:-$top/target}/debug:$PATH
work=$(mktemp -d "${TMPDIR:-/tmp}/tiu-readme.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# commands TITLE: what the section with this title gives to type.
commands() {
    awk -v title="^## $1\$" '/^## /{ found = ($0 ~ title) } /^```$/{ code = 0 } found && code; /^```sh$/{ code = 1 }' "$top/README.md"
}

mkdir -p root-tree/{etc,usr/bin,usr/lib,var}
cp "$(realpath /bin/sh)" root-tree/usr/bin/sh
ln -s usr/bin root-tree/bin
printf 'ID=example\nIMAGE_VERSION=1\n' >root-tree/usr/lib/os-release
ln -s ../usr/lib/os-release root-tree/etc/os-release

for title in 'Build a bundle' 'Check a bundle by hand'; do
    commands=$(commands "$title")
    [ -n "$commands" ] || { echo "FAILED  README.md has no commands under '$title'" >&2 && exit 1; }
    # Mounts of its own: a command that fails leaves none.
    if ! unshare --mount --propagation private bash -euxo pipefail -c "$commands" >log 2>&1; then
        cat log
        echo "FAILED  $title" >&2
        exit 1
    fi
    echo "ok      $title: $(wc -l <<<"$commands") lines"
done
# What the last block is to show.
for said in 'CMS Verification successful' 'compatible=example-host' 'Verity Hash'; do
    grep -q "$said" log || { cat log && echo "FAILED  Check a bundle by hand did not say '$said'" >&2 && exit 1; }
done
# A bundle that was changed must not pass: these commands show it to whom trusts nothing of tiu.
printf x | dd of=example-1.tiu bs=1 seek=100 conv=notrunc status=none
if unshare --mount --propagation private bash -euo pipefail -c "$commands" >log 2>&1; then
    echo "FAILED  a changed bundle passes the check by hand" >&2
    exit 1
fi
echo "ok      a changed bundle does not pass: $(grep -i -m 1 -E 'verif|corrupt' <(tail -n 3 log))"

named=0
# shellcheck disable=SC2016 # code in text
while read -r program command; do
    "$program" "$command" --help >log 2>&1 || { cat log && echo "FAILED  README.md names '$program $command'" >&2 && exit 1; }
    named=$((named + 1))
done < <({ commands '.*' && grep -oE '`tiu[^`]+`' "$top/README.md" | tr -d '`'; } | grep -oE '^tiu(-create|-extract)? [a-z-]+' | sort -u)
echo "ok      $named commands that it names are there"
