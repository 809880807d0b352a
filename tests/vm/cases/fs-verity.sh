# shellcheck shell=bash
# Content digests are fs-verity's: the kernel's own measurement equals ours, and is taken instead of reading the file.

step "the digest in the index is what the kernel measures"
extract kernel "$DATA/system.tiu" tree
find tree/usr/share/fixture tree/etc -type f -print0 | xargs -0 -n 1 fsverity enable
tiu-extract list --json --keyring "$KEYRING" "$DATA/system.tiu" >list.json
head -c 2000 list.json
