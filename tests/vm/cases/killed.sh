# shellcheck shell=bash
# A process that is killed leaves nothing in the kernel, whenever it happens: devices and mounts end with their process.

# The tree is not part of this: an interrupted extraction is completed by the next.

step "killed after some time"
began=$EPOCHREALTIME
extract kernel "$DATA/system.tiu" whole
took=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
for part in 0.05 0.2 0.4 0.6 0.8 0.95; do
    rm -rf target
    # Not a function: the kill must meet the program itself.
    tiu-extract extract --progress none --keyring "$KEYRING" --verity kernel "$DATA/system.tiu" target >/dev/null &
    job=$!
    sleep "$(awk -v t="$took" -v p="$part" 'BEGIN { print t * p }')"
    kill -KILL "$job" 2>/dev/null || true
    wait "$job" 2>/dev/null || true
    nothing_held "a kill after $part of the time"
done

step "the next run completes what the last kill left"
extract kernel "$DATA/system.tiu" target
good_tree target system

# One short moment cannot be helped: between the making of the device and the mark that lets it go with its last user. What a kill
# leaves then nobody uses, and the next run removes it.
REMOVED_LATER=0

# killed_at CALL COMMAND...: time hits the short moments between two steps of the set-up hardly ever, so here each CALL of COMMAND has its turn.
killed_at() {
    local call=$1 turn code
    shift
    for ((turn = 1; turn < 60; turn++)); do
        code=0
        # The shell would tell of each kill.
        { strace -f -qq -e trace="$call" -e inject="$call:signal=SIGKILL:when=$turn" -o trace "$@" >said 2>&1; } 2>/dev/null || code=$?
        # Its turn never came: all calls had theirs.
        [ "$code" != 0 ] || break
        equal "code of strace" "$code" 137
        if grep -q 'DM_DEV_REMOVE\|DM_TABLE_LOAD' trace && grep -q '^device-mapper device: tiu-' <(held); then
            REMOVED_LATER=$((REMOVED_LATER + 1))
            tiu-extract extract --progress none --keyring "$KEYRING" --verity kernel "$DATA/system.tiu" few usr/share/fixture/empty >/dev/null
        fi
        nothing_held "a kill at $call number $turn: $(tail -n 2 trace)"
    done
    [ "$turn" -gt 1 ] || die "$1 $2 makes no system call $call"
    equal "code of the run that nobody killed" "$code" 0
    step "killed at each $call of $1 $2: $((turn - 1)) moments"
}

for call in ioctl fsopen fsconfig fsmount; do
    killed_at "$call" tiu-extract extract --progress none --keyring "$KEYRING" --verity kernel "$DATA/system.tiu" few usr/share/fixture/text
    rm -rf few
done
[ "$REMOVED_LATER" -le 3 ] || die "the next run had to clean up after $REMOVED_LATER moments, expected at most 3"
mkdir mnt
killed_at move_mount tiu-extract mount --keyring "$KEYRING" "$DATA/system.tiu" mnt
tiu-extract umount mnt
nothing_held "umount"
