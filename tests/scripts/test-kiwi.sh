#!/bin/bash
# Are the image descriptions in kiwi/ what KIWI's schema allows, and do they name no mirror? Uses the KIWI that is pinned in
# kiwi/requirements.txt. Building the Debian one is the quickstart's job; the MicroOS one is built where openSUSE's packages are, so
# what OBS does after KIWI is tried on a small tree.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=kiwi.sh
. "$top/tests/scripts/kiwi.sh"
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

# --- what OBS runs after KIWI, and the signer outside --------------------------------------------------------------------------
(cd "$top" && cargo build --quiet --locked -p tiu-create -p tiu-extract)
export PATH=${CARGO_TARGET_DIR:-$top/target}/debug:$PATH
obs=$work/obs
tree=$obs/KIWIROOT-tbz
mkdir -p "$obs/SOURCES" "$tree"/{etc,usr/bin,usr/lib}
cp "$top/kiwi/microos-container-host/bundle.yaml" "$obs/SOURCES/"
cp "$(realpath /bin/sh)" "$tree/usr/bin/sh"
ln -s usr/bin "$tree/bin"
printf 'ID=opensuse-microos\nIMAGE_VERSION=7\n' >"$tree/usr/lib/os-release"
ln -s ../usr/lib/os-release "$tree/etc/os-release"
printf "kiwi_iname='tiu-microos-container-host'\nkiwi_iversion='1.0.0'\n" >"$tree/.profile"
if TOPDIR=$obs "$top/kiwi/obs/kiwi_post_run" >"$work/log" 2>&1; then
    ok "kiwi_post_run packs the root tree that KIWI left"
else
    bad "kiwi_post_run failed:"
    cat "$work/log"
fi
bundle=$obs/KIWI/tiu-microos-container-host-7.$(uname -m).tiu
tiu-create keygen "$work/keys" >/dev/null
if tiu-extract verify --progress none --keyring "$work/keys/ca.cert.pem" "$bundle" >"$work/log" 2>&1; then
    bad "what kiwi_post_run made is trusted before it was signed"
elif grep -q 'the bundle is not signed yet' "$work/log"; then
    ok "what kiwi_post_run made is not trusted before it was signed"
else
    bad "what kiwi_post_run made should be refused because it is not signed:"
    cat "$work/log"
fi
openssl cms -sign -binary -nodetach -md sha256 -nosmimecap -outform DER -signer "$work/keys/signer.cert.pem" \
    -inkey "$work/keys/signer.key.pem" -in "$bundle.manifest" -out "$work/cms"
if tiu-create sign --progress none --cms "$work/cms" "$bundle" >"$work/log" 2>&1 \
    && tiu-extract verify --progress none --keyring "$work/keys/ca.cert.pem" "$bundle" >>"$work/log" 2>&1; then
    ok "a signature made outside is put in, and the bundle is trusted"
else
    bad "a signature made outside cannot be put in:"
    cat "$work/log"
fi
rm "$obs/SOURCES/bundle.yaml"
if TOPDIR=$obs "$top/kiwi/obs/kiwi_post_run" >"$work/log" 2>&1 || ! grep -q 'no tiu-microos-container-host.bundle.yaml or bundle.yaml' "$work/log"; then
    bad "kiwi_post_run without a recipe should fail and say so:"
    cat "$work/log"
else
    ok "kiwi_post_run without a recipe fails and says so"
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
