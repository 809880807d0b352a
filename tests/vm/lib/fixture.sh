# shellcheck shell=bash
# What the cases share: keys, bundles, and listings of the trees that they were made of.

fixture_require() { :; }
fixture_make() { mkdir -p "$1"; }
fixture_disk() {
    truncate -s 1G "$2"
    mkfs.btrfs --quiet --metadata single --rootdir "$1" "$2" >/dev/null
}
