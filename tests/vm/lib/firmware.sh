# shellcheck shell=bash
# Machines that start by their own firmware: OVMF and systemd-boot from Debian's packages, an EFI system partition made without mounting it.
# Needs kernel.sh and qemu.sh.

# Unpacked packages: those on the machine itself need not be installed, and one of them would look for an ESP here.
FIRMWARE_PACKAGES=(ovmf systemd-boot systemd-boot-efi)
# Where the FAT begins in a disk of firmware_esp.
FIRMWARE_START=1M

# Fails with what to install when a program is missing.
firmware_require() {
    local program missing=()
    for program in mcopy mkfs.vfat sfdisk; do
        command -v "$program" >/dev/null || missing+=("$program")
    done
    [ ${#missing[@]} = 0 ] && return
    echo "tests/vm: missing: ${missing[*]}: install dosfstools, fdisk and mtools" >&2
    return 1
}

# firmware_fetch CACHE: sets FIRMWARE, a folder with the unpacked packages.
firmware_fetch() {
    local package version versions=''
    for package in "${FIRMWARE_PACKAGES[@]}"; do
        version=$(apt-cache show --no-all-versions "$package" | sed -n 's/^Version: //p' | head -n 1)
        if [ -z "$version" ]; then
            echo "tests/vm: apt knows no $package: run apt-get update" >&2
            return 1
        fi
        versions+=" $package=$version"
    done
    FIRMWARE=$1/firmware-$(cksum <<<"$versions" | cut -d ' ' -f 1)
    [ ! -d "$FIRMWARE" ] || return 0
    mkdir -p "$1" || return 1
    # shellcheck disable=SC2086 # a list
    kernel_download "$FIRMWARE" $versions
}

# firmware_esp FILE MIB: a disk with one partition, the EFI system partition, with systemd-boot.
firmware_esp() {
    local file=$1 mib=$2 fat=$1@@$FIRMWARE_START loader
    loader=$FIRMWARE/usr/lib/systemd/boot/efi/systemd-bootx64.efi
    truncate -s "${mib}M" "$file"
    printf 'label: gpt\nstart=2048, size=%s, type=uefi\n' $(((mib - 2) * 2048)) | sfdisk --quiet "$file"
    mkfs.vfat -F 32 -n TIU-ESP --offset 2048 "$file" $(((mib - 2) * 1024)) >/dev/null 2>&1
    mmd -i "$fat" ::/EFI ::/EFI/BOOT ::/EFI/systemd ::/loader ::/loader/entries
    mcopy -i "$fat" "$loader" ::/EFI/BOOT/BOOTX64.EFI
    mcopy -i "$fat" "$loader" ::/EFI/systemd/
    printf 'timeout 0\neditor no\n' | mcopy -i "$fat" - ::/loader/loader.conf
}

# firmware_run ESP DISK TIMEOUT LOG: starts the machine by its firmware, which finds the loader on ESP. DISK is /dev/vdb. Both are written.
# It can reboot. Returns as qemu_run does.
firmware_run() {
    local esp=$1 disk=$2 timeout=$3 log=$4 code=0
    cp "$FIRMWARE/usr/share/OVMF/OVMF_VARS_4M.fd" "$log.vars"
    timeout --foreground --kill-after=5 "$timeout" qemu-system-x86_64 \
        -machine q35 -accel "tcg,thread=multi" -cpu max -smp "${QEMU_CPUS:-2}" -m "${QEMU_MEMORY:-1024}" \
        -nodefaults -no-user-config -nic none -device virtio-rng-pci \
        -drive "if=pflash,format=raw,unit=0,readonly=on,file=$FIRMWARE/usr/share/OVMF/OVMF_CODE_4M.fd" \
        -drive "if=pflash,format=raw,unit=1,file=$log.vars" \
        -drive "file=$esp,format=raw,if=none,id=esp,cache=unsafe" -device virtio-blk-pci,drive=esp,bootindex=0 \
        -drive "file=$disk,format=raw,if=none,id=disk,cache=unsafe" -device virtio-blk-pci,drive=disk \
        -display none -monitor none -serial "file:$log" </dev/null &
    QEMU_PID=$!
    wait "$QEMU_PID" || code=$?
    QEMU_PID=''
    return "$code"
}
