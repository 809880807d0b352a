# shellcheck shell=bash
# Starting a machine in QEMU: one function, for the cases in this folder and for booting a whole host's disk.
#
# Software emulation, because test machines are often virtual machines without nested virtualisation.

# Fails with what to install when QEMU is missing.
qemu_require() {
    command -v qemu-system-x86_64 >/dev/null && return
    echo "tests/vm: qemu-system-x86_64 is missing: install qemu-system-x86 (Debian) or qemu-x86 (openSUSE)" >&2
    return 1
}

# qemu_run KERNEL INITRD CMDLINE DISK TIMEOUT LOG [QEMU-ARGUMENT...]
#
# Boots KERNEL (with INITRD unless it is empty) and waits until the guest powers off or reboots. DISK, unless it is empty, is a
# raw image that the guest sees as /dev/vda and writes to; QEMU_SNAPSHOT=on throws away what it wrote. The first serial port,
# which is the console, goes to the file LOG, or to this terminal when LOG is "-".
# QEMU_MEMORY (MiB, default 1024) and QEMU_CPUS (default 2) set the size of the machine.
# Returns 0 when the machine ended by itself, 124 when it was stopped after TIMEOUT seconds, QEMU's code otherwise: whether the
# guest did its work is to be read from what it printed.
#
# A script that is to end its machine when it is ended itself calls qemu_stop in its EXIT trap.
qemu_run() {
    local kernel=$1 initrd=$2 cmdline=$3 disk=$4 timeout=$5 log=$6
    shift 6
    local machine=(
        -accel "tcg,thread=multi" -cpu max -smp "${QEMU_CPUS:-2}" -m "${QEMU_MEMORY:-1024}"
        -nodefaults -no-user-config -no-reboot -nic none -device virtio-rng-pci
        -kernel "$kernel" -append "console=ttyS0 panic=-1 $cmdline"
    )
    [ -z "$initrd" ] || machine+=(-initrd "$initrd")
    # The image is a test's: nothing has to survive a crash of this machine.
    [ -z "$disk" ] || machine+=(-drive "file=$disk,format=raw,if=virtio,cache=unsafe,snapshot=${QEMU_SNAPSHOT:-off}")
    if [ "$log" = - ]; then
        timeout --foreground --kill-after=5 "$timeout" qemu-system-x86_64 "${machine[@]}" -nographic "$@"
    else
        timeout --foreground --kill-after=5 "$timeout" qemu-system-x86_64 "${machine[@]}" \
            -display none -monitor none -serial "file:$log" "$@" </dev/null &
        # Not in the foreground: a shell handles signals at once only while it waits.
        QEMU_PID=$!
        local code=0
        wait "$QEMU_PID" || code=$?
        QEMU_PID=''
        return "$code"
    fi
}

# Ends the machine that qemu_run waits for, if there is one.
qemu_stop() {
    [ -n "${QEMU_PID:-}" ] || return 0
    # timeout(1) passes it on to QEMU.
    kill "$QEMU_PID" 2>/dev/null || true
    QEMU_PID=''
}
