# shellcheck shell=bash
# What a script says to the person who runs it: numbered steps, the commands it runs, and what each step took.

# A command's own code counts, not that of the filter behind it.
set -o pipefail

STEP_NUMBER=0
STEP_COUNT=0

# steps N: how many there will be.
steps() { STEP_COUNT=$1; }

# step TITLE: ends the step before and begins the next one.
step() {
    step_end
    STEP_NUMBER=$((STEP_NUMBER + 1))
    STEP_BEGAN=$EPOCHREALTIME
    printf '\n[%s/%s] %s\n' "$STEP_NUMBER" "$STEP_COUNT" "$1"
}

# Ends a step with the time that it took.
step_end() {
    [ -n "${STEP_BEGAN:-}" ] || return 0
    say "($(seconds_since "$STEP_BEGAN") s)"
    STEP_BEGAN=''
}

# say TEXT: one line of explanation.
say() { printf '      %s\n' "$*"; }

# run COMMAND...: shows the command as one would type it, runs it and shows what it says.
run() { run_through '' "$@"; }

# run_through FUNCTION COMMAND...: the same, but FUNCTION runs the command, for example somewhere else.
run_through() {
    local through=$1 code=0 shown=$2 word
    shift
    shown=${shown##*/}
    for word in "${@:2}"; do shown+=" $(shown_word "$word")"; done
    printf '    $ %s\n' "$shown"
    ${through:+"$through"} "$@" 2>&1 | sed 's/^/      /' || code=${PIPESTATUS[0]}
    return "$code"
}

shown_word() {
    case $1 in
        *[!A-Za-z0-9_./:=,@%+-]* | '') printf '%q' "$1" ;;
        *) printf '%s' "$1" ;;
    esac
}

# seconds_since EPOCHREALTIME
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# human BYTES
human() { numfmt --to=iec-i --suffix=B --format='%.1f' "$1"; }
