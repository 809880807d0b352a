# shellcheck shell=bash
# What cases are written with. A case is a bash script that runs as root in a machine of its own, in /scratch (btrfs, with the
# shared data in /scratch/data), and fails with its first failing command.
set -eEu -o pipefail
trap 'echo "FAILED: line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND" >&2' ERR

# shellcheck disable=SC2034 # for the cases
DATA=/scratch/data
# shellcheck disable=SC2034
KEYRING=/scratch/data/keys/ca.cert.pem

for part in checks tree; do
    # shellcheck source=/dev/null
    . "/usr/share/tiu-vm/$part.sh"
done

# flip FILE OFFSET: turns over the lowest bit of one byte.
flip() {
    local byte
    byte=$(od -An -v -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# What an opened image holds in the kernel: loop devices, device-mapper devices, squashfs mounts of any mount namespace.
held() {
    local file
    for file in /sys/block/loop*/loop/backing_file; do
        [ ! -e "$file" ] || echo "loop device ${file//[!0-9]/}: $(cat "$file" 2>/dev/null)"
    done
    for file in /sys/block/dm-*/dm/name; do
        [ ! -e "$file" ] || echo "device-mapper device: $(cat "$file" 2>/dev/null)"
    done
    for file in /dev/mapper/*; do
        case ${file##*/} in control | '*') ;; *) echo "node: $file" ;; esac
    done
    cat /proc/[0-9]*/mountinfo 2>/dev/null | sed -n 's/^.* - squashfs /squashfs mount: /p' | sort -u
}

# Fails when something is held. The kernel finishes closing devices in the background, so it gets some seconds.
nothing_held() {
    local tries
    for ((tries = 0; tries < 50; tries++)); do
        [ -n "$(held)" ] || return 0
        sleep 0.1
    done
    die "left behind after $1: $(held)"
}

# extract WAY BUNDLE DIR [ARGUMENT...]: what most cases run.
extract() {
    local way=$1 bundle=$2 dir=$3
    shift 3
    tiu-extract extract --progress none --keyring "$KEYRING" --verity "$way" "$@" "$bundle" "$dir"
}

# good_tree DIR NAME: DIR is the system of NAME.tiu as it was packed, compared without any program of tiu.
good_tree() {
    tree_facts "$1/usr/share/fixture" | diff "$DATA/$2.facts" - || die "the tree in $1 differs from the one packed into $2.tiu"
}

# no_wrong_content DIR NAME: what an extraction that failed has left in DIR is missing or right, and never a name with other content.
no_wrong_content() {
    local wrong
    [ -d "$1/usr/share/fixture" ] || return 0
    wrong=$(tree_facts "$1/usr/share/fixture" | sed -n '/^\\\?[0-9a-f]\{64\}  /p' | grep -v '/\.tiu' | sort | comm -23 - <(sort "$DATA/$2.facts"))
    [ -z "$wrong" ] || die "wrong content was left in $1: $wrong"
}

# layout BUNDLE: sets IMAGE_SIZE, TREE_SIZE, CMS_SIZE and LEVELS (offset of each hash level, lowest level first) of a good bundle,
# from its trailer and the text of its manifest alone.
layout() {
    local size blocks offset counts=()
    size=$(stat -c %s "$1")
    CMS_SIZE=$((16#$(tail -c 8 "$1" | od -An -v -tx1 | tr -d ' \n')))
    TREE_SIZE=$(tail -c $((CMS_SIZE + 8)) "$1" | grep -a '^verity-size=' | tr -cd 0-9)
    IMAGE_SIZE=$((size - 8 - CMS_SIZE - TREE_SIZE))
    blocks=$((IMAGE_SIZE / 4096))
    while ((blocks > 1)); do
        blocks=$(((blocks + 127) / 128))
        counts+=("$blocks")
    done
    # The highest level comes first in the file.
    LEVELS=() offset=$((IMAGE_SIZE + TREE_SIZE))
    for blocks in "${counts[@]}"; do
        offset=$((offset - blocks * 4096))
        LEVELS+=("$offset")
    done
    equal "start of the highest hash level" "$offset" "$IMAGE_SIZE"
}
