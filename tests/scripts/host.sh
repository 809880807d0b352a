# shellcheck shell=bash
# A host in a file: the btrfs layout of openSUSE MicroOS with snapper, on a loop device.
#
#   host_make FILE SIZE        a new host (make-host.sh)
#   host_attach FILE DIR       "boots" it: the default snapshot at DIR, everything else where its fstab says
#   host_inside DIR STICK ...  runs a command in it, as if it were up
#   host_detach DIR            the reverse; nothing is left
#   host_cleanup               detaches whatever is attached: for EXIT traps

# Subvolumes of @ that are mounted over the snapshot, as MicroOS has them (the bootloader's own are left out: see above).
HOST_SUBVOLUMES=(boot/writable home opt root srv usr/local var)
# Filesystem label of a host's disk: also how check-clean finds mounts that were left behind.
HOST_LABEL=tiu-host

# Directories at which hosts are attached.
host_attached=()

# host_make FILE SIZE: SIZE with suffixes as truncate has them.
host_make() {
    "$(dirname "${BASH_SOURCE[0]}")/make-host.sh" "$1" "$2" "$HOST_LABEL" "${HOST_SUBVOLUMES[@]}"
}

# host_attach FILE DIR
#
# Mounts the host in FILE at the existing directory DIR as a boot would: the default subvolume, and over it what fstab names.
host_attach() {
    local file=$1 dir=$2 device subvolume
    device=$(losetup --find --show --nooverlap "$file") || return 1
    if ! mount "$device" "$dir"; then
        losetup --detach "$device"
        return 1
    fi
    host_attached+=("$dir")
    # From now on the device goes away with its last mount, whatever happens to us.
    losetup --detach "$device" || return 1
    for subvolume in .snapshots "${HOST_SUBVOLUMES[@]}"; do
        mount -o "subvol=@/$subvolume" "$device" "$dir/$subvolume" || return 1
    done
}

# host_detach DIR
host_detach() {
    local dir=$1 attached still=()
    if mountpoint --quiet "$dir"; then
        umount --recursive "$dir" || return 1
    fi
    for attached in "${host_attached[@]}"; do
        [ "$attached" = "$dir" ] || still+=("$attached")
    done
    host_attached=("${still[@]}")
}

host_cleanup() {
    local dir
    for dir in "${host_attached[@]}"; do
        # A program that was killed a moment ago may still hold it.
        host_detach "$dir" || { sleep 1 && host_detach "$dir"; } || umount --recursive --lazy "$dir" || true
    done
}

# host_reboot FILE DIR: what a reboot does to mounts: the default snapshot of now is the running system.
host_reboot() {
    host_detach "$2" && host_attach "$1" "$2"
}

# host_inside DIR STICK COMMAND...
#
# Runs COMMAND as the host at DIR would when it is up: / is its default snapshot, with what a boot mounts, and /mnt is the directory STICK,
# read-only. In namespaces of its own, so that nothing of it is left, and with the host's own programs.
host_inside() {
    # shellcheck disable=SC2016 # expanded in there
    unshare --mount --propagation private --pid --fork --kill-child bash -euc '
        root=$1 stick=$2
        shift 2
        mount -t proc proc "$root/proc"
        for dir in sys dev; do mount --rbind "/$dir" "$root/$dir"; done
        for dir in run tmp; do mount -t tmpfs tmpfs "$root/$dir"; done
        mount --bind -o ro "$stick" "$root/mnt"
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"
    ' host_inside "$@"
}

# host_default DIR: number of the default snapshot of the host at DIR.
host_default() {
    btrfs subvolume get-default "$1" | sed -n 's|.*@/\.snapshots/\([0-9]*\)/snapshot$|\1|p'
}

# host_used DIR: bytes that the host's filesystem uses, data and metadata.
host_used() {
    btrfs filesystem sync "$1"
    btrfs filesystem usage --raw "$1" 2>/dev/null | awk '$1 == "Used:" { print $2; exit }'
}
