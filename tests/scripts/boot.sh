# shellcheck shell=bash
# Boots a host in QEMU with the kernel and the initrd of the snapshot that it would boot, and reads what it says of itself.
# Needs tests/vm/lib/qemu.sh and host.sh.

# boot_files DIR OUT: copies kernel and initrd of the default snapshot of the host attached at DIR to OUT/{linux,initrd,uuid}.
boot_files() {
    local dir=$1 out=$2 boot kernels initrds
    boot=$dir/.snapshots/$(host_default "$dir")/snapshot/boot
    kernels=("$boot"/vmlinuz-*)
    if [ ! -f "${kernels[0]}" ]; then
        echo "no kernel in $boot" >&2
        return 1
    fi
    # dracut's names on Debian and on openSUSE.
    initrds=("$boot/initrd.img-${kernels[0]##*/vmlinuz-}" "$boot/initrd-${kernels[0]##*/vmlinuz-}")
    [ -f "${initrds[0]}" ] || initrds=("${initrds[1]}")
    if [ ! -f "${initrds[0]}" ]; then
        echo "no initrd for ${kernels[0]##*/} in $boot: $(ls "$boot")" >&2
        return 1
    fi
    mkdir -p "$out" && cp "${kernels[0]}" "$out/linux" && cp "${initrds[0]}" "$out/initrd" \
        && findmnt --noheadings --output UUID "$dir" >"$out/uuid"
}

# boot_host DISK FILES LOG [SECONDS]
#
# Starts the host in DISK (which must not be attached; it is not written) until its self-test has powered it off. The console goes
# to LOG. Returns 0 only when the self-test passed; boot_said reads its facts from LOG. It takes less than a minute on a machine
# with nothing else to do; the limit (default: 900 seconds) is for one that is busy. BOOT_ARGUMENTS are further arguments for the kernel.
boot_host() {
    local disk=$1 files=$2 log=$3 seconds=${4:-900} code=0
    : >"$log"
    QEMU_SNAPSHOT=on QEMU_MEMORY=2048 qemu_run "$files/linux" "$files/initrd" \
        "root=UUID=$(cat "$files/uuid") rootfstype=btrfs ro tiu.selftest systemd.show_status=1 ${BOOT_ARGUMENTS:-}" \
        "$disk" "$seconds" "$log" || code=$?
    if [ "$code" = 124 ]; then
        echo "the host did not finish its self-test in $seconds s" >&2
    elif [ "$code" != 0 ]; then
        echo "QEMU ended with $code" >&2
    elif [ "$(boot_said "$log" result)" = pass ]; then
        return 0
    else
        echo "the host's self-test said: $(boot_said "$log" result)" >&2
    fi
    echo "the end of what it said on its console ($log):" >&2
    tail -n 80 "$log" | tr -d '\r' >&2
    return 1
}

# boot_said LOG KEY: what the self-test said of KEY; nothing when it said nothing.
boot_said() {
    tr -d '\r' <"$1" | sed -n "s/^tiu-selftest: $2 //p" | tail -n 1
}
