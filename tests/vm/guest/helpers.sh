# shellcheck shell=bash
# What cases are written with. A case is a bash script that runs as root in a machine of its own, in /scratch (btrfs, with the
# shared data in /scratch/data), and fails with its first failing command.
set -eEu -o pipefail
trap 'echo "FAILED: line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND" >&2' ERR

# shellcheck disable=SC2034 # for the cases
DATA=/scratch/data
# shellcheck disable=SC2034
KEYRING=/scratch/data/keys/ca.cert.pem

# A headline in the log.
step() { echo "== $*"; }

# Ends the case.
die() {
    echo "FAILED: $*" >&2
    trap - ERR
    exit 1
}

# equal WHAT FOUND EXPECTED
equal() { [ "$2" = "$3" ] || die "$1 is '$2', expected '$3'"; }

# fails CODE PATTERN COMMAND...: the command must end with CODE and say PATTERN (extended regular expression, any case) on its
# standard error or output; a crash never counts as an error that was meant.
fails() {
    local code=$1 pattern=$2 found=0 said
    shift 2
    said=$("$@" 2>&1) || found=$?
    [ "$found" = "$code" ] || die "'$*' ended with $found, expected $code: $said"
    ! grep -q 'panicked at' <<<"$said" || die "'$*' panicked: $said"
    grep -Eiq "$pattern" <<<"$said" || die "'$*' did not say /$pattern/ but: $said"
}

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
