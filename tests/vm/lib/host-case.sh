#!/bin/bash
# Runs a case of hosts/: host-case.sh CASE. run.sh exports what a case uses:
#   TIU_TOP     the checkout
#   TIU_CACHE   what takes long to make
#   TIU_WORK    a folder for this case
#   TIU_BIN     the programs, which are in the PATH too
set -eEu -o pipefail
trap 'echo "FAILED: line $LINENO of ${BASH_SOURCE[0]##*/}: $BASH_COMMAND" >&2' ERR

for part in tests/vm/lib/{checks,qemu,kernel,initramfs,firmware,small-host} tests/scripts/{kiwi,host,boot,selinux}; do
    # shellcheck source=/dev/null
    . "$TIU_TOP/$part.sh"
done
cleanup() {
    # What the host said, without what everything else did.
    if [ "$?" != 0 ] && [ -f "$TIU_WORK/console" ]; then
        echo "the host said:"
        tr -d '\r' <"$TIU_WORK/console" | grep -a '^tiu-' || true
    fi
    qemu_stop
    host_cleanup
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# shellcheck source=/dev/null
. "$TIU_TOP/tests/vm/hosts/$1.sh"
