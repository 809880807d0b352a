#!/bin/bash
# Runs the cases in cases/ and hosts/ (or those named), each in a virtual machine of its own: what needs device-mapper or fs-verity in the
# kernel, what could leave devices behind, and whole hosts that boot. Needs root (for owners and xattrs in the fixture), QEMU, and the tools
# that it names when they are missing.
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
  TIU_CACHE       where root trees are kept (default: \${XDG_CACHE_HOME:-/var/cache}/tiu)
  TIU_VM_CACHE    where the kernel is kept (default: TIU_CACHE/vm)
  TIU_VM_KERNEL   an unpacked kernel package to use instead of Debian's cloud kernel
  TIU_VM_BIN      folder of tiu, tiu-extract and tiu-create (default: built with cargo)
  TIU_VM_TIMEOUT  seconds for one machine (default 600: other work here makes the guest slow)
END
}

shell='' verbose='' names=()
while [ $# -gt 0 ]; do
    case $1 in
        --list)
            for file in "$here"/{cases,hosts}/*.sh; do basename "$file" .sh; done
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
    for file in "$here"/{cases,hosts}/*.sh; do names+=("$(basename "$file" .sh)"); done
fi
guests=$shell
for name in "${names[@]}"; do
    if [ -f "$here/cases/$name.sh" ]; then
        guests=1
    elif [ ! -f "$here/hosts/$name.sh" ]; then
        echo "tests/vm: no case '$name': see tests/vm/run.sh --list" >&2
        exit 2
    fi
done
if [ "$(id -u)" != 0 ]; then
    echo "tests/vm: needs root, for owners, devices and xattrs of the fixture" >&2
    exit 1
fi
qemu_require
initramfs_require
fixture_require

work=$(mktemp -d "${TMPDIR:-/tmp}/tiu-vm.XXXXXX")
host_pid=''
cleanup() {
    qemu_stop
    # It has mounts to take down.
    if [ -n "$host_pid" ]; then
        kill "$host_pid" 2>/dev/null || true
        wait "$host_pid" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bin=${TIU_VM_BIN:-}
if [ -z "$bin" ]; then
    (cd "$top" && cargo build --quiet --locked -p tiu -p tiu-create -p tiu-extract)
    bin=${CARGO_TARGET_DIR:-$top/target}/debug
fi
cache=${TIU_CACHE:-${XDG_CACHE_HOME:-/var/cache}/tiu}
if [ -n "$guests" ]; then
    kernel_fetch "${TIU_VM_CACHE:-$cache/vm}"
    initramfs_make "$work/initramfs" "$bin/tiu-extract"
    fixture_make "$work/fixture" "$bin/tiu-create"
    fixture_disk "$work/fixture" "$work/disk"
fi
export QEMU_SNAPSHOT=on

if [ -n "$shell" ]; then
    qemu_run "$KERNEL_IMAGE" "$work/initramfs" "quiet tiu.shell" "$work/disk" 86400 -
    exit
fi

# guest_case NAME LOG: runs a case of cases/ in a machine. Says why it failed.
guest_case() {
    local name=$1 log=$2 result=$work/$1.result code=0 said
    : >"$result"
    qemu_run "$KERNEL_IMAGE" "$work/initramfs" "quiet tiu.case=$name" "$work/disk" "${TIU_VM_TIMEOUT:-600}" "$log" \
        -serial "file:$result" || code=$?
    said=$(tr -d '\r' <"$result")
    case $code:$said in
        0:"start $name"$'\n'"exit $name 0") return 0 ;;
        124:*) why="stopped after ${TIU_VM_TIMEOUT:-600} s" ;;
        0:*exit*) why="code ${said##* }" ;;
        0:*) why="the machine ended before the case did" ;;
        *) why="QEMU ended with $code" ;;
    esac
    return 1
}

# host_case NAME LOG: runs a case of hosts/ on this machine. Says why it failed.
host_case() {
    local code=0
    mkdir "$work/$1"
    env PATH="$bin:$PATH" TIU_TOP="$top" TIU_CACHE="$cache" TIU_WORK="$work/$1" TIU_BIN="$(realpath "$bin")" bash "$here/lib/host-case.sh" "$1" >"$2" 2>&1 </dev/null &
    # Not in the foreground, as QEMU: a shell handles signals at once only while it waits.
    host_pid=$!
    wait "$host_pid" || code=$?
    host_pid=''
    rm -rf "${work:?}/$1"
    why="code $code"
    [ "$code" = 0 ]
}

failed=()
for name in "${names[@]}"; do
    log=$work/$name.log why=''
    : >"$log"
    kind=guest_case
    [ -f "$here/cases/$name.sh" ] || kind=host_case
    began=$EPOCHREALTIME
    good=1
    "$kind" "$name" "$log" || good=''
    seconds=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    if [ -n "$good" ]; then
        echo "ok      $name ($seconds s)"
        [ -z "$verbose" ] || sed 's/\r*$//; s/^/        | /' "$log"
        continue
    fi
    failed+=("$name")
    echo "FAILED  $name ($seconds s): $why; what it printed:"
    sed 's/\r*$//; s/^/        | /' "$log"
done

if [ ${#failed[@]} != 0 ]; then
    echo "tests/vm: ${#failed[@]} of ${#names[@]} cases failed: ${failed[*]}" >&2
    exit 1
fi
echo "tests/vm: ${#names[@]} cases, all good${KERNEL_VERSION:+, on Linux $KERNEL_VERSION}"
