# shellcheck shell=bash
# The guest's kernel: Debian's cloud kernel, unpacked from its package and kept for the next run.
#
# The kernel of the machine that runs the tests may lack device-mapper or fs-verity, and one that has them would be put at risk;
# this one is the same wherever the tests run.

# kernel_fetch CACHE
#
# Sets KERNEL_IMAGE, KERNEL_VERSION and KERNEL_MODULES (a folder with lib/modules/VERSION in it). TIU_VM_KERNEL, an unpacked kernel
# package (boot/ and lib/modules/), takes the place of Debian's where there is no apt.
# shellcheck disable=SC2034 # the variables are the result
kernel_fetch() {
    local cache=$1 tree=${TIU_VM_KERNEL:-}
    if [ -z "$tree" ]; then
        tree=$(kernel_unpack "$cache") || return 1
    fi
    local images=("$tree"/boot/vmlinuz-*)
    if [ ! -f "${images[0]}" ]; then
        echo "tests/vm: there is no boot/vmlinuz-* in $tree" >&2
        return 1
    fi
    KERNEL_IMAGE=${images[0]}
    KERNEL_VERSION=${KERNEL_IMAGE##*/vmlinuz-}
    KERNEL_MODULES=$tree
}

# Prints the folder of the newest kernel, downloading it unless it is in CACHE. Without a network, the newest in CACHE will do.
kernel_unpack() {
    local cache=$1 package version tree
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        echo "tests/vm: no apt here to fetch a kernel: unpack a kernel package (boot/ and lib/modules/) and set TIU_VM_KERNEL" >&2
        return 1
    fi
    mkdir -p "$cache" || return 1
    package=$(kernel_package)
    if [ -z "$package" ]; then
        # A machine that was just made has no package lists yet.
        apt-get update -qq >&2 || true
        package=$(kernel_package)
    fi
    if [ -z "$package" ]; then
        tree=$(find "$cache" -mindepth 1 -maxdepth 1 -type d -name 'linux-image-*' | sort -V | tail -n 1)
        [ -n "$tree" ] && echo "$tree" && return
        echo "tests/vm: apt knows no linux-image-cloud-amd64: check the package sources" >&2
        return 1
    fi
    version=$(apt-cache show --no-all-versions "$package" | sed -n 's/^Version: //p' | head -n 1)
    tree=$cache/${package}_$version
    if [ ! -d "$tree" ]; then
        kernel_download "$tree" "$package=$version" >&2 || return 1
    fi
    echo "$tree"
}

# The real package behind the name that always means the newest kernel.
kernel_package() {
    apt-cache depends --important linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1
}

# kernel_download TREE PACKAGE=VERSION...: unpacked packages. TREE appears whole or not at all.
kernel_download() (
    set -e
    tree=$1
    shift
    part=$(mktemp -d "$tree.XXXXXX")
    trap 'rm -rf "$part"' EXIT
    # apt fetches as its own user where it can.
    chmod 755 "$part"
    mkdir "$part/deb" "$part/tree"
    chown _apt "$part/deb" 2>/dev/null || true
    echo "tests/vm: fetching $*" >&2
    (cd "$part/deb" && apt-get download -qq "$@")
    for deb in "$part"/deb/*.deb; do dpkg-deb --extract "$deb" "$part/tree"; done
    # Several runs may have fetched it at once.
    mv -T "$part/tree" "$tree" 2>/dev/null || [ -d "$tree" ]
)
