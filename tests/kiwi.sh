#!/bin/bash
# Are the image descriptions in kiwi/ what KIWI's schema allows, and do they name no mirror? Uses the KIWI that is pinned in
# kiwi/requirements.txt. Building the Debian one is the quickstart's job; the MicroOS one is built where openSUSE's packages are.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=lib/kiwi.sh
. "$top/tests/lib/kiwi.sh"
kiwi_install "${TIU_CACHE:-${XDG_CACHE_HOME:-/var/cache}/tiu}" "$top"
work=$(mktemp -d "${TMPDIR:-/tmp}/tiu-kiwi.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0
passed=0

ok() {
    echo "ok      $*"
    passed=$((passed + 1))
}
bad() {
    echo "FAILED  $*"
    failed=$((failed + 1))
}

for folder in debian microos-container-host; do
    if "$KIWI" image info --description "$top/kiwi/$folder" >"$work/log" 2>&1; then
        ok "kiwi/$folder is valid by KIWI's schema"
    else
        bad "kiwi/$folder is not valid by KIWI's schema:"
        cat "$work/log"
    fi
    # Mirrors are the build machine's business.
    if grep -nE '<source path="' "$top/kiwi/$folder/config.xml" | grep -v 'obsrepositories:/'; then
        bad "kiwi/$folder names a package source"
    else
        ok "kiwi/$folder names no package source"
    fi
    # KIWI looks for these by name and ignores others without a word.
    if [ -x "$top/kiwi/$folder/config.sh" ]; then
        ok "kiwi/$folder/config.sh can be run"
    else
        bad "kiwi/$folder/config.sh is missing or not executable"
    fi
done

# The check itself: a description with a mistake must be refused.
cp -r "$top/kiwi/microos-container-host" "$work/mistake"
sed -i 's/<package name="tiu"\/>/<packages name="tiu"\/>/' "$work/mistake/config.xml"
if "$KIWI" image info --description "$work/mistake" >"$work/log" 2>&1; then
    bad "KIWI accepts a description with an element that its schema does not know"
else
    ok "KIWI refuses a description with an element that its schema does not know"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
