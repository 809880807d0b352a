# shellcheck shell=bash
# What the cases share, made on this machine, where it is quicker: keys, two bundles, and listings of what they hold.
#
#   keys/           what tiu-create keygen writes
#   system.tiu      a small system with every kind of inode under usr/share/fixture
#   large.tiu       the same and much incompressible content: its hash tree has three levels
#   *.facts         tree_facts of usr/share/fixture as it was packed: what extracting has to give

# Fails with what to install when a program is missing on this machine.
fixture_require() {
    local program missing=()
    for program in openssl setfattr mkfs.btrfs; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    [ ${#missing[@]} = 0 ] && return
    printf 'tests/vm: missing: %s\n' "${missing[@]}" >&2
    return 1
}

# fixture_make OUT TIU-CREATE
fixture_make() (
    set -e
    local out=$1 create=$2 root=$1/root
    mkdir -p "$out"
    "$create" keygen "$out/keys" >/dev/null
    cat >"$out/recipe.yaml" <<END
compatible: fixture
arch: $(uname -m)
version: "1"
description: A small system for tests
END
    fixture_tree "$root"
    fixture_pack "$create" "$root" "$out" system
    # More than 128 * 128 blocks of 4096 bytes.
    fixture_noise $((66 << 20)) 2 >"$root/usr/share/fixture/large"
    fixture_pack "$create" "$root" "$out" large
    rm -rf "$root"
)

# fixture_pack TIU-CREATE ROOT OUT NAME
fixture_pack() {
    # Times later than the bundle's own are cut to it: the tree's files are only just made, and their times are compared to the nanosecond.
    SOURCE_DATE_EPOCH=$(($(date +%s) + 1)) "$1" pack --progress none --recipe "$3/recipe.yaml" --cert "$3/keys/signer.cert.pem" --key "$3/keys/signer.key.pem" \
        "$2" "$3/$4.tiu" >/dev/null
    tree_facts "$2/usr/share/fixture" >"$3/$4.facts"
}

# fixture_noise BYTES SEED: content that does not compress, the same in every run.
fixture_noise() {
    head -c "$1" /dev/zero | openssl enc -aes-128-ctr -nosalt -K "$(printf %032x "$2")" -iv "$(printf %032x 0)"
}

# fixture_tree ROOT
fixture_tree() (
    set -e
    mkdir -p "$1"/{etc,boot,dev,proc,sys,run,tmp,var/lib,usr/{bin,lib/modules/6.0-fixture,share/fixture}}
    printf 'ID=fixture\nVERSION_ID=1\nPRETTY_NAME="Fixture 1"\n' >"$1/usr/lib/os-release"
    ln -s ../usr/lib/os-release "$1/etc/os-release"
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$1/etc/passwd"
    printf 'root:x:0:\n' >"$1/etc/group"
    cd "$1/usr/share/fixture"
    : >empty
    for size in 1 4095 4096 4097 $((129 * 4096)); do fixture_noise "$size" 1 >"size-$size"; done
    fixture_noise $((3 << 20)) 3 >noise
    seq 200000 >text
    truncate -s 20M sparse
    echo end >>sparse
    ln text text-link
    mkdir -p deep/er many
    ln text deep/er/text-link
    for i in $(seq 400); do echo "file $i" >"many/$i"; done
    ln -s ../nowhere dangling
    ln -s /etc/shadow deep/absolute
    mkfifo fifo
    mknod char c 1 3
    mknod block b 7 300
    printf secret >private
    chown 1000:70000 private
    chmod 4711 private
    mkdir -m 1777 sticky
    printf cap >capable
    setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 capable
    setfattr -n user.comment -v "a value" text
    setfattr -n trusted.overlay.opaque -v y sticky
    printf name >$'odd \n\xff name'
    touch -d '1999-12-31 23:59:59.123456789 UTC' empty
    touch -h -d '2001-02-03 04:05:06 UTC' dangling
)

# fixture_disk OUT IMAGE: a btrfs with what fixture_make made in /data.
fixture_disk() (
    set -e
    rm -rf "$2.root"
    mkdir "$2.root"
    mv "$1" "$2.root/data"
    truncate -s 3G "$2"
    mkfs.btrfs --quiet --metadata single --rootdir "$2.root" "$2" >/dev/null
    rm -rf "$2.root"
)
