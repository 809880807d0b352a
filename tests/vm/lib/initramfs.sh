# shellcheck shell=bash
# The guest's root: an initramfs of this machine's own programs, the libraries they need, and the kernel modules.
#
# No distribution is installed in the guest. There is no udev either: device nodes are devtmpfs's, as early in a real boot.

# Commands that the guest's init, the helpers and the cases use.
INITRAMFS_PROGRAMS=(
    awk basename bash cat chmod chown cmp comm cp cut date dd diff dirname du env false find grep head id kill ln ls mkdir mkfifo mknod mktemp
    mv nproc od printf ps readlink realpath rm rmdir sed seq setsid sha256sum sleep sort stat stty sync tail tee timeout touch tr true truncate
    uname uniq wc xargs
    blockdev findmnt flock losetup mount mountpoint nsenter setpriv umount unshare
    insmod lsmod modinfo modprobe rmmod
    btrfs dmsetup fsverity getfattr mkfs.btrfs setfattr strace veritysetup
)

# Debian packages of what is not on every machine.
declare -A INITRAMFS_PACKAGES=(
    [awk]=mawk [btrfs]=btrfs-progs [cpio]=cpio [depmod]=kmod [dmsetup]=dmsetup [find]=findutils [fsverity]=fsverity [getfattr]=attr
    [mkfs.btrfs]=btrfs-progs [modprobe]=kmod [ps]=procps [strace]=strace [strip]=binutils [veritysetup]=cryptsetup-bin
)

# Modules, with all that they depend on. Only those of the disk are loaded by the guest's init: the rest the kernel loads by
# itself when it is used, as on a real host.
INITRAMFS_MODULES=(virtio_pci virtio_blk virtio_rng loop dm_mod dm_verity squashfs btrfs overlay sha256_ssse3 crc32c_intel)

# Fails with what to install when a program is missing on this machine.
initramfs_require() {
    local program missing=()
    for program in "${INITRAMFS_PROGRAMS[@]}" cpio depmod strip ldd; do
        command -v "$program" >/dev/null || missing+=("$program (package ${INITRAMFS_PACKAGES[$program]:-unknown})")
    done
    [ ${#missing[@]} = 0 ] && return
    printf 'tests/vm: missing here, needed in the guest: %s\n' "${missing[@]}" >&2
    return 1
}

# initramfs_make OUT PROGRAM...: the whole archive, with further PROGRAMs (paths) in /usr/bin. Uses kernel_fetch's variables.
initramfs_make() (
    set -e
    out=$1
    shift
    root=$(mktemp -d "$out.XXXXXX")
    trap 'rm -rf "$root"' EXIT
    # As everywhere today: one /usr, the old names are links.
    mkdir -p "$root"/{dev,proc,sys,run,tmp,root,scratch,etc,usr/{bin,lib,lib64,share/tiu-vm}}
    for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done
    ln -s bin "$root/usr/sbin"
    printf 'root:x:0:0:root:/root:/bin/bash\n' >"$root/etc/passwd"
    printf 'root:x:0:\n' >"$root/etc/group"

    for program in "${INITRAMFS_PROGRAMS[@]}"; do
        initramfs_add "$root" "$(type -P "$program")" "$program"
    done
    ln -s bash "$root/usr/bin/sh"
    for program in "$@"; do
        initramfs_add "$root" "$program" "${program##*/}"
        # Debug information is most of a development build.
        strip --strip-debug "$root/usr/bin/${program##*/}"
    done
    initramfs_modules "$root"
    here=${BASH_SOURCE[0]%/*}/..
    install -m 755 "$here/guest/init" "$root/init"
    install -m 644 "$here"/guest/helpers.sh "$here"/lib/{checks,tree}.sh "$root/usr/share/tiu-vm/"
    cp -r "$here/cases" "$root/usr/share/tiu-vm/"
    (cd "$root" && find . -print0 | cpio --null --create --format=newc --owner=+0:+0 --quiet) >"$out"
)

# initramfs_add ROOT FILE NAME: a program and its libraries, these where the loader looks for them.
initramfs_add() {
    local root=$1 file=$2 name=$3 library
    cp -L "$file" "$root/usr/bin/$name"
    chmod 755 "$root/usr/bin/$name"
    # "NAME => PATH (ADDRESS)", and "PATH (ADDRESS)" for the loader itself. Scripts and static programs have none.
    { ldd "$file" 2>/dev/null || true; } | sed -n 's/^\t\(.* => \)\?\(\/[^ ]*\) (0x.*$/\2/p' | while read -r library; do
        case $library in
            /lib*) library=/usr$library ;;
        esac
        [ -e "$root$library" ] || install -D -m 755 "$library" "$root$library"
    done
}

# initramfs_modules ROOT: INITRAMFS_MODULES, what they need, and depmod's tables of just these.
initramfs_modules() {
    local root=$1 base=lib/modules/$KERNEL_VERSION file index
    index=$(mktemp -d "$root.modules.XXXXXX")
    # The package has no tables, and depmod must not write into the cache.
    mkdir -p "$index/$base"
    ln -s "$(realpath "$KERNEL_MODULES")/$base/kernel" "$index/$base/kernel"
    cp "$KERNEL_MODULES/$base"/modules.{order,builtin,builtin.modinfo} "$index/$base/"
    depmod -b "$index" "$KERNEL_VERSION"
    modprobe -d "$index" -S "$KERNEL_VERSION" --show-depends --all "${INITRAMFS_MODULES[@]}" |
        sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
        install -D -m 644 "$file" "$root/usr/${file#"$index"/}"
    done
    cp "$KERNEL_MODULES/$base"/modules.{order,builtin,builtin.modinfo} "$root/usr/$base/"
    depmod -b "$root" "$KERNEL_VERSION"
    rm -rf "$index"
}
