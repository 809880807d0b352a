# shellcheck shell=bash
# Many images can be opened at once: the same bundle and others, each with devices of its own.

for count in 2 4; do
    step "$count at once"
    jobs=()
    for ((i = 0; i < count; i++)); do
        extract kernel "$DATA/$([ $((i % 2)) = 0 ] && echo system || echo large).tiu" "at-once-$i" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job"; done
    for ((i = 0; i < count; i++)); do
        good_tree "at-once-$i" "$([ $((i % 2)) = 0 ] && echo system || echo large)"
        rm -rf "at-once-$i"
    done
    nothing_held "$count extractions at once"
done

step "one that fails does not disturb the other"
layout "$DATA/large.tiu"
cp --reflink "$DATA/large.tiu" bad.tiu
flip bad.tiu $((IMAGE_SIZE / 2))
extract kernel bad.tiu bad 2>/dev/null &
bad=$!
extract kernel "$DATA/system.tiu" good
good_tree good system
! wait "$bad" || die "the damaged bundle was accepted"
nothing_held "one error and one success at once"
