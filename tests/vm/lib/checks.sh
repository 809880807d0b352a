# shellcheck shell=bash
# What cases say and assert, in the guest and on this machine.

# A headline in the log.
step() { echo "== $*"; }

# Ends the case.
die() {
    echo "FAILED: $*" >&2
    trap - ERR
    exit 1
}

# equal WHAT FOUND EXPECTED
equal() { [ "$2" = "$3" ] || die "$1 is '$2', expected '$3'"; }

# fails CODE PATTERN COMMAND...: the command must end with CODE and say PATTERN (extended regular expression, any case) on its
# standard error or output; a crash never counts as an error that was meant.
fails() {
    local code=$1 pattern=$2 found=0 said
    shift 2
    said=$("$@" 2>&1) || found=$?
    [ "$found" = "$code" ] || die "'$*' ended with $found, expected $code: $said"
    ! grep -q 'panicked at' <<<"$said" || die "'$*' panicked: $said"
    grep -Eiq "$pattern" <<<"$said" || die "'$*' did not say /$pattern/ but: $said"
}
