#!/bin/bash
# Is anything left behind? Mounts, loop devices, device-mapper devices, processes and temporary folders, before and after.
#
#   tests/scripts/check-clean.sh before FILE    writes down what there is
#   tests/scripts/check-clean.sh after FILE     fails with a list of what is there now and was not then
#   tests/scripts/check-clean.sh self-test      proves that a forgotten mount, loop device, folder and process would be found
set -euo pipefail

# One line per thing. Processes: our programs and virtual machines, from wherever they run, and what belongs to a host in a file.
list() {
    findmnt --noheadings --raw --output TARGET,SOURCE,FSTYPE | sed 's/^/mount /'
    losetup --noheadings --raw --output NAME,BACK-FILE | sed 's/^/loop device /'
    # A kernel without device-mapper has no such folder.
    find /sys/block -maxdepth 1 -name 'dm-*' -printf '%f\n' | while read -r dm; do
        echo "device-mapper device $(cat "/sys/block/$dm/dm/name")"
    done
    find /proc -mindepth 1 -maxdepth 1 -name '[0-9]*' -printf '%f\n' | while read -r pid; do
        # A process may end while it is looked at.
        name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
        # One that has ended holds nothing; when process 1 takes note of it is process 1's affair.
        state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null) || continue
        case $state in Z* | X*) continue ;; esac
        case $name in
            tiu | tiu-* | qemu-system-* | snapperd | dracut) echo "process $pid $name" ;;
        esac
    done
    find /tmp /var/tmp -mindepth 1 -maxdepth 1 -name '*tiu*' -printf 'folder or file %p\n'
    # tests/run.sh gives its tests a folder of their own.
    case ${TMPDIR:-} in */tiu-tests.*) find "$TMPDIR" -mindepth 1 -maxdepth 1 -printf 'folder or file %p\n' ;; esac
}

after() {
    local left
    left=$(list | LC_ALL=C sort -u | LC_ALL=C comm -13 "$1" -)
    [ -n "$left" ] || return 0
    echo "left behind:" >&2
    printf '%s\n' "$left" | sed 's/^/  /' >&2
    return 1
}

self_test() {
    local state dir image found=0 pid parent
    state=$(mktemp)
    list | LC_ALL=C sort -u >"$state"
    dir=$(mktemp -d "${TMPDIR:-/tmp}/tiu-clean.XXXXXX")
    image=$dir/image
    truncate -s 1M "$image"
    mkdir "$dir/mnt"
    mount -t tmpfs tiu-clean "$dir/mnt"
    losetup --find "$image"
    # Bash's exec -a does not change the name that the kernel keeps; a copy under another name does.
    cp "$(command -v sleep)" "$dir/tiu-sleep"
    "$dir/tiu-sleep" 60 &
    pid=$!
    # One that has ended, but whose parent does not ask.
    cp "$dir/tiu-sleep" "$dir/tiu-ended"
    (
        "$dir/tiu-ended" 0 &
        exec sleep 60
    ) &
    parent=$!
    sleep 0.2
    local said thing
    said=$(after "$state" 2>&1) || true
    for thing in "mount $dir/mnt" "loop device .* $image" "process $pid tiu-sleep" "folder or file $dir"; do
        if grep -q "^  $thing" <<<"$said"; then found=$((found + 1)); else echo "not found: $thing" >&2; fi
    done
    grep -sqx tiu-ended /proc/[0-9]*/comm || { echo "no ended process to look at" >&2 && found=0; }
    if grep -q "tiu-ended$" <<<"$said"; then echo "an ended process is listed" >&2 && found=0; fi
    kill "$pid" "$parent"
    wait "$pid" "$parent" 2>/dev/null || true
    umount "$dir/mnt"
    losetup --noheadings --output NAME --associated "$image" | xargs losetup --detach
    rm -rf "$dir"
    after "$state"
    rm -f "$state"
    [ "$found" = 4 ]
}

case ${1:-} in
    before) list | LC_ALL=C sort -u >"$2" ;;
    after) after "$2" ;;
    self-test) self_test ;;
    *)
        sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
        exit 2
        ;;
esac
