# shellcheck shell=bash
# A host that is small enough to boot in seconds and complete enough to update itself: bash as its init, tiu, snapper. Needs initramfs.sh,
# kernel.sh and firmware.sh.

SMALL_PROGRAMS=(
    bash btrfs cat cp cut date dirname env false find findmnt grep head id ln ls mkdir modprobe mount mountpoint mv od printf readlink rm sed
    sleep snapper sort stat switch_root sync tail tr true umount uname wc
)

# small_tree ROOT VERSION BIN: a system of VERSION, with the tiu in BIN.
small_tree() (
    set -e
    root=$1 version=$2
    mkdir -p "$root"/{.snapshots,boot/writable,dev,efi,etc,home,mnt,opt,proc,root,run,srv,sys,tmp,var} \
        "$root"/usr/{bin,lib,lib64,lib/kernel,lib/systemd/system-generators,local}
    for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done
    ln -s bin "$root/usr/sbin"
    printf 'NAME=Small\nID=debian\nVERSION_ID=1\nPRETTY_NAME="Small %s"\nIMAGE_ID=small\nIMAGE_VERSION=%s\n' "$version" "$version" \
        >"$root/usr/lib/os-release"
    ln -s ../usr/lib/os-release "$root/etc/os-release"
    printf 'root:x:0:0:root:/root:/bin/bash\n' >"$root/etc/passwd"
    printf 'root:x:0:\n' >"$root/etc/group"
    printf 'root:*:20000:0:99999:7:::\n' >"$root/etc/shadow"
    chmod 600 "$root/etc/shadow"
    echo 'ro console=ttyS0 quiet panic=1' >"$root/usr/lib/kernel/cmdline"
    for program in "${SMALL_PROGRAMS[@]}"; do
        initramfs_add "$root" "$(type -P "$program")" "$program"
    done
    ln -s bash "$root/usr/bin/sh"
    initramfs_add "$root" "$3/tiu" tiu
    strip "$root/usr/bin/tiu"
    initramfs_add "$root" "$FIRMWARE/lib/systemd/systemd-bless-boot" systemd-bless-boot
    mv "$root/usr/bin/systemd-bless-boot" "$root/usr/lib/systemd/"
    cp "$FIRMWARE/lib/systemd/system-generators/systemd-bless-boot-generator" "$root/usr/lib/systemd/system-generators/"
    install -m 755 "${BASH_SOURCE[0]%/*}/../guest/small-init" "$root/usr/bin/init"
    # shellcheck disable=SC2034 # for initramfs_modules
    INITRAMFS_MODULES=(virtio_pci virtio_blk virtio_rng btrfs vfat nls_ascii nls_cp437 efivarfs crc32c_intel)
    initramfs_modules "$root"
    cp "$KERNEL_IMAGE" "$root/boot/"
    small_initrd "$root" "$root/boot/initrd.img-$KERNEL_VERSION"
)

# small_initrd ROOT OUT: mounts the root that the command line names, and goes there.
small_initrd() (
    set -e
    initrd=$(mktemp -d "$2.XXXXXX")
    trap 'rm -rf "$initrd"' EXIT
    mkdir -p "$initrd"/{dev,proc,sys,sysroot,usr/{bin,lib,lib64}}
    for link in bin sbin lib lib64; do ln -s "usr/$link" "$initrd/$link"; done
    ln -s bin "$initrd/usr/sbin"
    for program in bash modprobe mount sleep switch_root; do
        initramfs_add "$initrd" "$(type -P "$program")" "$program"
    done
    cp -r "$1/usr/lib/modules" "$initrd/usr/lib/"
    install -m 755 "${BASH_SOURCE[0]%/*}/../guest/small-initrd-init" "$initrd/init"
    (cd "$initrd" && find . -print0 | cpio --null --create --format=newc --owner=+0:+0 --quiet) >"$2"
)
