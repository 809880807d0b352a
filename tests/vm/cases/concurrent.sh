# shellcheck shell=bash
# Many images can be opened at once: the same bundle and others, each with devices of its own.

bundles=(system large system system)
step "${#bundles[@]} at once"
jobs=()
for i in "${!bundles[@]}"; do
    extract kernel "$DATA/${bundles[i]}.tiu" "at-once-$i" &
    jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job"; done
for i in "${!bundles[@]}"; do
    good_tree "at-once-$i" "${bundles[i]}"
done
nothing_held "${#bundles[@]} extractions at once"

step "one that fails does not disturb the other"
layout "$DATA/system.tiu"
cp --reflink "$DATA/system.tiu" bad.tiu
flip bad.tiu $((IMAGE_SIZE / 2))
extract kernel bad.tiu bad 2>/dev/null &
bad=$!
extract kernel "$DATA/system.tiu" good
good_tree good system
! wait "$bad" || die "the damaged bundle was accepted"
nothing_held "one error and one success at once"
