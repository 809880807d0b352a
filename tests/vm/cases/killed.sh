# shellcheck shell=bash
# A process that is killed leaves nothing in the kernel, whenever it happens: devices and mounts end with their process.

# The tree is not part of this: an interrupted extraction is completed by the next.

step "killed after some time"
began=$EPOCHREALTIME
extract kernel "$DATA/large.tiu" whole
took=$(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
rm -rf whole
for part in 0.05 0.1 0.2 0.3 0.5 0.7 0.9; do
    rm -rf target
    extract kernel "$DATA/large.tiu" target &
    job=$!
    sleep "$(awk -v t="$took" -v p="$part" 'BEGIN { print t * p }')"
    kill -KILL "$job" 2>/dev/null || true
    wait "$job" 2>/dev/null || true
    nothing_held "a kill after $part of the time"
done

step "the next run completes what the last kill left"
extract kernel "$DATA/large.tiu" target
good_tree target large

# Time hits the short moments between two steps of the set-up hardly ever, so here each of these system calls has its turn.
for call in ioctl fsopen fsconfig fsmount open_tree move_mount; do
    for ((turn = 1; turn < 40; turn++)); do
        rm -rf target
        code=0
        strace -f -qq -e trace="$call" -e inject="$call:signal=SIGKILL:when=$turn" -o trace \
            tiu-extract extract --progress none --keyring "$KEYRING" --verity kernel "$DATA/system.tiu" target >said 2>&1 || code=$?
        # Its turn never came: all calls had theirs.
        [ "$code" != 0 ] || break
        equal "code of strace" "$code" 137
        nothing_held "a kill at $call number $turn: $(tail -n 2 trace)"
    done
    step "killed at each $call: $((turn - 1)) moments"
done
