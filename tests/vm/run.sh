#!/bin/bash
# Runs the cases in cases/ (or those named), each in a virtual machine of its own: what needs device-mapper or fs-verity in the
# kernel, and what could leave devices behind. Needs root (for owners and xattrs in the fixture), QEMU, and the tools that it names when they are missing.
#
#   tests/vm/run.sh [--list] [--shell] [--verbose] [CASE...]
set -eEu -o pipefail

here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
top=$(realpath "$here/../..")
for part in qemu kernel initramfs tree fixture; do
    # shellcheck source=/dev/null
    . "$here/lib/$part.sh"
done

usage() {
    cat <<END
Usage: tests/vm/run.sh [OPTION]... [CASE]...
Runs test cases in virtual machines. Without names: all of them.
  --list     print the names of the cases
  --shell    no case: a shell in the guest, on this terminal
  --verbose  print what the guest prints, also of cases that succeed
Environment:
  TIU_VM_CACHE    where the kernel is kept (default: \${XDG_CACHE_HOME:-/var/cache}/tiu/vm)
  TIU_VM_KERNEL   an unpacked kernel package to use instead of Debian's cloud kernel
  TIU_VM_BIN      folder of tiu-extract and tiu-create (default: built with cargo)
  TIU_VM_TIMEOUT  seconds for one case (default 600: other work on the machine makes the guest slow)
END
}

shell='' verbose='' names=()
while [ $# -gt 0 ]; do
    case $1 in
        --list)
            for file in "$here"/cases/*.sh; do basename "$file" .sh; done
            exit
            ;;
        --shell) shell=1 ;;
        --verbose) verbose=1 ;;
        -h | --help)
            usage
            exit
            ;;
        -*)
            usage >&2
            exit 2
            ;;
        *) names+=("$1") ;;
    esac
    shift
done
if [ ${#names[@]} = 0 ]; then
    for file in "$here"/cases/*.sh; do names+=("$(basename "$file" .sh)"); done
fi
for name in "${names[@]}"; do
    [ -f "$here/cases/$name.sh" ] || {
        echo "tests/vm: no case '$name': see tests/vm/run.sh --list" >&2
        exit 2
    }
done
if [ "$(id -u)" != 0 ]; then
    echo "tests/vm: needs root, for owners, devices and xattrs of the fixture" >&2
    exit 1
fi
qemu_require
initramfs_require
fixture_require

work=$(mktemp -d "${TMPDIR:-/tmp}/tiu-vm.XXXXXX")
cleanup() {
    qemu_stop
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bin=${TIU_VM_BIN:-}
if [ -z "$bin" ]; then
    (cd "$top" && cargo build --quiet --locked -p tiu-create -p tiu-extract)
    bin=${CARGO_TARGET_DIR:-$top/target}/debug
fi
kernel_fetch "${TIU_VM_CACHE:-${XDG_CACHE_HOME:-/var/cache}/tiu/vm}"
initramfs_make "$work/initramfs" "$bin/tiu-extract"
fixture_make "$work/fixture" "$bin/tiu-create"
fixture_disk "$work/fixture" "$work/disk"
export QEMU_SNAPSHOT=on

if [ -n "$shell" ]; then
    qemu_run "$KERNEL_IMAGE" "$work/initramfs" "quiet tiu.shell" "$work/disk" 86400 -
    exit
fi

failed=()
for name in "${names[@]}"; do
    log=$work/$name.log result=$work/$name.result code=0
    : >"$log"
    : >"$result"
    began=$EPOCHREALTIME
    qemu_run "$KERNEL_IMAGE" "$work/initramfs" "quiet tiu.case=$name" "$work/disk" "${TIU_VM_TIMEOUT:-600}" "$log" \
        -serial "file:$result" || code=$?
    seconds=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    said=$(tr -d '\r' <"$result")
    if [ "$code" = 0 ] && [ "$said" = "start $name"$'\n'"exit $name 0" ]; then
        echo "ok      $name ($seconds s)"
        [ -z "$verbose" ] || sed 's/\r*$//; s/^/        | /' "$log"
        continue
    fi
    failed+=("$name")
    case $code:$said in
        124:*) why="stopped after $seconds s" ;;
        0:*exit*) why="code ${said##* }" ;;
        0:*) why="the machine ended before the case did" ;;
        *) why="QEMU ended with $code" ;;
    esac
    echo "FAILED  $name ($seconds s): $why; what the guest printed:"
    sed 's/\r*$//; s/^/        | /' "$log"
done

if [ ${#failed[@]} != 0 ]; then
    echo "tests/vm: ${#failed[@]} of ${#names[@]} cases failed: ${failed[*]}" >&2
    exit 1
fi
echo "tests/vm: ${#names[@]} cases, all good, on Linux $KERNEL_VERSION"
