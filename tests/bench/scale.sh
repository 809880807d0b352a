#!/usr/bin/env bash
# Benchmark: how `tiu apply` grows with the image and with the change, next to rsync.
#
#   sudo tests/bench/scale.sh [--names "N..."] [--changes "PERCENT..."] [--layout LAYOUT] [--reuse HOW] [--runs N] [--json FILE] [--svg FILE]
#
#   --names    sizes of the trees, in files of about 1.1 KB (default: "10000 100000"; the page in docs is made with 1000000 too)
#   --changes  percentages of the files that change, 0 too (default: "0 0.1 1 10 100")
#   --layout   read-only, nested-etc or read-write (default: nested-etc, as openSUSE MicroOS)
#   --reuse    hashed or proved: the hosts' key (default: hashed, as in tiu.yaml)
#   --runs     runs of each measurement; the median counts (default: 3)
#
# Each measurement starts from a copy of one host whose default snapshot was made by `tiu apply`. The page cache is dropped, then
# the bundle and the base tree are read once. The whole command is measured, until the filesystem has synced:
#   tiu apply             a new snapshot: verified, filled, /etc and accounts merged, checked, the default
#   engine                `tiu-extract extract` into a read-write snapshot: no seal, the whole tree is read
#   rsync                 by size and time, into a snapshot, from the mounted image: nothing is verified
#   rsync in place        the same with --inplace --no-whole-file, which shares blocks that did not change
# Where nothing changed, also:
#   tiu verify            the default snapshot: all metadata, and every byte of content
#   pack                  `tiu-create pack` of the tree, once
# Columns: seconds, seconds of processor, peak memory of the largest process, bytes by which the filesystem grew.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
cache=${TIU_CACHE:-${XDG_CACHE_HOME:-/var/cache}/tiu}
for part in "$top"/tests/scripts/{setup,host}.sh "$here"/{programs,host}.sh; do
    # shellcheck source=/dev/null
    . "$part"
done
sizes='10000 100000' changes='0 0.1 1 10 100' layout=nested-etc reuse=hashed runs=3 json='' svg=''
while [ $# -gt 0 ]; do
    case $1 in
        --names) sizes=$2; shift 2 ;;
        --changes) changes=$2; shift 2 ;;
        --layout) layout=$2; shift 2 ;;
        --reuse)
            # shellcheck disable=SC2034 # for bench_base
            reuse=$2
            shift 2
            ;;
        --runs) runs=$2; shift 2 ;;
        --json) json=$2; shift 2 ;;
        --svg) svg=$2; shift 2 ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
        *) echo "scale: unknown argument $1 (see --help)" >&2; exit 2 ;;
    esac
done
case $layout in read-only | nested-etc | read-write) ;; *) echo "scale: unknown layout $layout (see --help)" >&2; exit 2 ;; esac

bin=
bench_programs scale "$top" "$cache"

work=$cache/bench/scale
mkdir -p "$work"
mnt=$(mktemp -d "${TMPDIR:-/tmp}/tiu-scale.XXXXXX")
mkdir "$mnt/host" "$mnt/image"
disk=$work/disk.img results=$mnt/results
cleanup() {
    set +e
    host_cleanup
    mountpoint -q "$mnt/image" && umount "$mnt/image"
    rm -f "$disk" "$work/base.img" "$results" "$mnt/time"
    rm -rf "$work/tree"
    rmdir "$mnt/host" "$mnt/image" "$mnt"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
say() { printf '%s\n' "$*" >&2; }

keys=$work/keys
[ -e "$keys/signer.key.pem" ] || { rm -rf "$keys"; "$bin/tiu-create" keygen "$keys" >&2; }

# bundle NAMES PERCENT: the bundle in which PERCENT of the files of NAMES differ from the first version; kept from run to run.
bundle() {
    local names=$1 percent=$2 out=$work/$1-$2.tiu
    [ ! -e "$out" ] || return 0
    say "packing $names files, $percent % changed"
    rm -rf "$work/tree"
    python3 "$here/scale-tree.py" "$work/tree" "$names" "$percent"
    SOURCE_DATE_EPOCH=$((1700000000 + ${percent/./})) "$bin/tiu-create" pack --recipe "$here/bench.yaml" --image-version "$percent" \
        --cert "$keys/signer.cert.pem" --key "$keys/signer.key.pem" --progress none "$work/tree" "$out.new" >&2
    mv "$out.new" "$out"
    rm -rf "$work/tree"
}

# pack NAMES: one line of results, of one run
pack() {
    rm -rf "$work/tree"
    python3 "$here/scale-tree.py" "$work/tree" "$1" 0
    bench_timed "$mnt/time" "$bin/tiu-create" pack --recipe "$here/bench.yaml" --image-version 0 --cert "$keys/signer.cert.pem" \
        --key "$keys/signer.key.pem" --progress none "$work/tree" "$work/packed"
    rm -rf "$work/tree" "$work/packed"
    say "$(printf '%8s %5s %%  %-15s %s' "$1" 0 pack "$(<"$mnt/time")")"
    printf '%s|0|pack|%s|0\n' "$1" "$(tr ' ' '|' <"$mnt/time")" >>"$results"
}

# measure NAMES PERCENT TOOL COMMAND...: one line of results, the medians of the runs
measure() {
    local names=$1 percent=$2 tool=$3 run before rows=''
    shift 3
    for ((run = 0; run < runs; run++)); do
        bench_attach "$work/base.img" "$layout" "$disk"
        sync
        echo 3 >/proc/sys/vm/drop_caches
        cat "$work/$names-$percent.tiu" >/dev/null
        tar -C "$mnt/host" --one-file-system -cf - . | cat >/dev/null
        before=$(host_used "$mnt/host")
        bench_timed "$mnt/time" "$@"
        rows+="$(<"$mnt/time") $(($(host_used "$mnt/host") - before))"$'\n'
        host_detach "$mnt/host"
    done
    # The run in the middle, by seconds.
    row=$(sort -n <<<"${rows%$'\n'}" | sed -n "$(((runs + 1) / 2))p")
    say "$(printf '%8s %5s %%  %-15s %s' "$names" "$percent" "$tool" "$row")"
    printf '%s|%s|%s|%s\n' "$names" "$percent" "$tool" "${row// /|}" >>"$results"
}

for names in $sizes; do
    # The first version is the one in which nothing changed.
    for percent in 0 $changes; do bundle "$names" "$percent"; done
    bench_base "$work/base.img" "$((names / 100 + 2048))M" "$layout" "$work/$names-0.tiu"
    for percent in $changes; do
        mount -o loop,ro "$work/$names-$percent.tiu" "$mnt/image"
        force=()
        # The same image is taken anew on purpose.
        [ "$percent" != 0 ] || force=(--force)
        measure "$names" "$percent" "tiu apply" bench_apply "$work/$names-$percent.tiu" "${force[@]}"
        [ "$percent" != 0 ] || measure "$names" 0 "tiu verify" bench_verify
        measure "$names" "$percent" engine bench_engine "$work/$names-$percent.tiu"
        measure "$names" "$percent" rsync bench_rsync "$mnt/image"
        measure "$names" "$percent" "rsync in place" bench_rsync "$mnt/image" --inplace --no-whole-file
        umount "$mnt/image"
    done
    pack "$names"
done

printf '%8s %9s %-15s %9s %8s %10s %9s %14s\n' names "changed %" tool seconds 'x rsync' processor 'peak MiB' 'grew by bytes'
table=$(<"$results")
while IFS='|' read -r names percent tool seconds processor peak grew; do
    rsync=$(awk -F'|' -v n="$names" -v p="$percent" '$1 == n && $2 == p && $3 == "rsync" {print $4}' <<<"$table")
    case $tool in
        "tiu verify" | pack) ratio=- ;;
        *) ratio=$(awk -v a="$seconds" -v b="$rsync" 'BEGIN {printf "%.2f", a / b}') ;;
    esac
    printf '%8s %9s %-15s %9s %8s %10s %9s %14s\n' "$names" "$percent" "$tool" "$seconds" "$ratio" "$processor" "$((peak / 1024))" "$grew"
done <<<"$table"
if [ -n "$json" ]; then
    jq -R -s --arg layout "$layout" '{version: 1, layout: $layout, rows: [split("\n")[] | select(. != "") | split("|") |
        {names: .[0] | tonumber, percent: .[1] | tonumber, tool: .[2], seconds: .[3] | tonumber, processor: .[4] | tonumber,
         peak_kib: .[5] | tonumber, bytes: .[6] | tonumber}]}' <"$results" >"$json"
fi
[ -z "$svg" ] || python3 "$here/scale-plot.py" "$svg" <"$results"
