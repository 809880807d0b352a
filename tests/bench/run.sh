#!/usr/bin/env bash
# Benchmark: tiu beside its peers, on two real root trees and one loopback btrfs, in one run.
#
#   sudo tests/bench/run.sh [--runs N] [--json FILE] [--only PATTERN] [--reuse HOW] [JOB...]     JOB: apply same update empty pack verify (default: all)
#
# --only: the tools whose name matches the shell pattern alone, e.g. '@(tiu|rsync by mtime|unsquashfs)*'.
# --reuse: hashed or proved, the key of the hosts of job apply (default: hashed, as in tiu.yaml).
# The first job measures the command that users run, on hosts as they have them, until the filesystem has synced:
#   apply   version 1, and then version 2, over version 1: `tiu apply` on each layout of a host (host.sh), the engine alone, and rsync into
#           a snapshot by hand
# The others measure the engine (tiu-extract) and its peers, each into a fresh snapshot (or an empty subvolume):
#   same    version 1 over a snapshot of version 1
#   update  version 2 over a snapshot of version 1
#   empty   version 1 into an empty subvolume
#   pack    root tree -> image (mksquashfs, gensquashfs, tiu-create)
#   verify  version 1 at rest on a host, all in the page cache
# Each tool has its inputs in the same cache state: the page cache is dropped, then the image and the base tree are read once; what a tool
# stored for itself is read too. The tools take turns.
# Columns: seconds (median), peak memory of the largest process, bytes by which the filesystem grew.
# tiu hashes everything that it reuses and reads back everything that it wrote; the others do neither.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
cache=${TIU_CACHE:-${XDG_CACHE_HOME:-/var/cache}/tiu}
runs=3
json=
only='*'
reuse=hashed
for part in setup kiwi host; do
    # shellcheck source=/dev/null
    . "$top/tests/scripts/$part.sh"
done
for part in programs host; do
    # shellcheck source=/dev/null
    . "$here/$part.sh"
done
shopt -s extglob
jobs=()
while [ $# -gt 0 ]; do
    case $1 in
        --runs) runs=$2; shift 2 ;;
        --json) json=$2; shift 2 ;;
        --only) only=$2; shift 2 ;;
        --reuse)
            # shellcheck disable=SC2034 # for bench_base
            reuse=$2
            shift 2
            ;;
        -h | --help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 0 ;;
        apply | same | update | empty | pack | verify) jobs+=("$1"); shift ;;
        *) echo "bench: unknown argument $1 (see --help)" >&2; exit 2 ;;
    esac
done
[ ${#jobs[@]} -gt 0 ] || jobs=(apply same update empty pack verify)

bin=
bench_programs bench "$top" "$cache"

work=$cache/bench
mkdir -p "$work"
kiwi_trees "$cache" "$top" "$work/kiwi.log"

mnt=$(mktemp -d /tmp/tiu-bench.XXXXXX)
disk=$work/disk.img
cleanup() {
    set +e
    host_cleanup
    for m in "$mnt"/img1 "$mnt"/img2 "$mnt"/fs; do mountpoint -q "$m" && umount "$m"; done
    rmdir "$mnt"/* "$mnt"
    rm -f "$disk" "$work"/host-*.img "$work/time"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { printf '%s\n' "$*" >&2; }

# wanted TOOL...: whether one of them is to be measured
wanted() {
    local tool
    for tool in "$@"; do
        # shellcheck disable=SC2053  # a pattern
        [[ $tool == $only ]] && return
    done
    return 1
}

# --- inputs, kept from run to run -------------------------------------------------------------------------------------------
keys=$work/keys
[ -e "$keys/signer.key.pem" ] || { rm -rf "$keys"; "$bin/tiu-create" keygen "$keys" >&2; }
for v in 1 2; do
    if [ ! -e "$work/v$v.tiu" ] || [ "$bin/tiu-create" -nt "$work/v$v.tiu" ] || [ "$cache/trees/v$v" -nt "$work/v$v.tiu" ]; then
        say "packing version $v"
        rm -rf "$work/v$v.caidx" "$work/ostree-remote" "$work/casync-store"
        "$bin/tiu-create" pack --recipe "$here/bench.yaml" --cert "$keys/signer.cert.pem" --key "$keys/signer.key.pem" \
            --progress none "$cache/trees/v$v" "$work/v$v.tiu" >&2
    fi
done
mkdir "$mnt"/fs "$mnt"/img1 "$mnt"/img2
for v in 1 2; do mount -o loop,ro "$work/v$v.tiu" "$mnt/img$v"; done
[ "${jobs[*]}" = apply ] || stores=1
if [ -n "${stores:-}" ] && wanted casync "casync with seed" && [ ! -e "$work/v2.caidx" ]; then
    say "making the casync store"
    for v in 1 2; do casync make --store="$work/casync-store" "$work/v$v.caidx" "$mnt/img$v" >/dev/null; done
fi
if [ -n "${stores:-}" ] && wanted "ostree pull + checkout" "ostree fsck" && [ ! -e "$work/ostree-remote/refs/heads/v2" ]; then
    say "making the ostree repository"
    rm -rf "$work/ostree-remote"
    ostree init --repo="$work/ostree-remote" --mode=archive
    for v in 1 2; do ostree commit --repo="$work/ostree-remote" -b "v$v" --tree=dir="$mnt/img$v" >/dev/null; done
fi

# --- measuring ---------------------------------------------------------------------------------------------------------------
# A new filesystem for every measurement, so that no tool meets what another left.
fresh_fs() {
    mountpoint -q "$mnt/fs" && umount "$mnt/fs"
    rm -f "$disk"
    truncate -s 6G "$disk"
    mkfs.btrfs -q "$disk" 2>/dev/null
    mount -o loop "$disk" "$mnt/fs"
}
used() { btrfs filesystem usage -b "$mnt/fs" | awk '/^ *Used:/ {print $2; exit}'; }
warm() {
    sync
    echo 3 >/proc/sys/vm/drop_caches
    cat "$work"/v1.tiu "$work"/v2.tiu >/dev/null
    for d in "$@"; do tar -C "$d" -cf - . | cat >/dev/null; done
}

results=()
median() { tr ' ' '\n' <<<"$1" | sort -n | awk 'NF {a[++n] = $1} END {print a[int((n + 1) / 2)]}'; }

# The tools of the current job: each a function for one run, a name, and the function's arguments. They take turns, and each round begins
# with another one, because what a tool leaves in memory and on the machine's disk makes the next one faster or slower.
turns=()
declare -A seconds peak bytes
tool() { # FUNCTION NAME ARGUMENT...
    wanted "$2" || return 0
    turns+=("$(printf '%q ' "$@")")
}

# timed NAME COMMAND...: runs it, and keeps its seconds and the memory of its largest process
timed() {
    local name=$1 out s m
    shift
    out=$(mktemp)
    if ! /usr/bin/time -q -o "$out" -f '%e %M' "$@" >"$work/last.log" 2>&1; then
        say "bench: $name failed:"
        tail -20 "$work/last.log" >&2
        exit 1
    fi
    read -r s m <"$out"
    rm -f "$out"
    seconds[$name]+=" $s"
    peak[$name]+=" $m"
}

# rounds JOB [UNCOUNTED]: all rounds, and a row for each tool; UNCOUNTED rounds come before
rounds() {
    local job=$1 uncounted=${2:-0} round turn count=${#turns[@]} name s m b
    for ((round = -uncounted; round < runs; round++)); do
        [ "$round" != 0 ] || { seconds=() peak=() bytes=(); }
        for ((turn = 0; turn < count; turn++)); do
            # shellcheck disable=SC2294  # quoted by tool
            eval "${turns[(turn + round + uncounted) % count]}"
        done
    done
    for ((turn = 0; turn < count; turn++)); do
        eval "set -- ${turns[turn]}"
        name=$2 s=$(median "${seconds[$2]}") m=$(median "${peak[$2]}") b=$(median "${bytes[$2]}")
        results+=("$job|$name|$s|$m|$b")
        say "$(printf '%-7s %-22s %6s s  %6s MiB  %s  (seconds:%s)' "$job" "$name" "$s" "$((m / 1024))" "$b" "${seconds[$name]}")"
    done
    turns=() seconds=() peak=() bytes=()
}

# tree NAME BASE(v1|none) COMMAND...: one run of what makes a tree, in a new filesystem
tree() {
    local name=$1 base=$2 before
    shift 2
    fresh_fs
    prepare_"$base" "$name"
    warm "${warm_dirs[@]}"
    sync
    before=$(used)
    timed "$name" "$@"
    sync
    btrfs filesystem sync "$mnt/fs"
    bytes[$name]+=" $(($(used) - before))"
}

fill_v1() { rsync -aHAX --numeric-ids "$mnt/img1/" "$mnt/fs/v1/"; }
prepare_v1() {
    warm_dirs=("$mnt/fs/v1")
    case $1 in
        ostree*)
            ostree init --repo="$mnt/fs/repo" --mode=bare
            ostree pull-local --repo="$mnt/fs/repo" "$work/ostree-remote" v1 >/dev/null
            ostree checkout --repo="$mnt/fs/repo" -H v1 "$mnt/fs/v1"
            cat "$work"/ostree-remote/objects/*/* >/dev/null
            ;;
        casync*)
            # casync makes its target itself, as a subvolume, and refuses one that is there.
            btrfs -q subvolume create "$mnt/fs/v1"
            fill_v1
            cat "$work"/casync-store/*/* >/dev/null
            ;;
        tiu*)
            # What tiu itself leaves on a host: the tree of version 1 from its own hand.
            btrfs -q subvolume create "$mnt/fs/v1"
            "$bin/tiu-extract" extract --progress none --keyring "$keys/ca.cert.pem" "$work/v1.tiu" "$mnt/fs/v1" >/dev/null
            btrfs -q subvolume snapshot "$mnt/fs/v1" "$mnt/fs/target" >/dev/null
            ;;
        *)
            btrfs -q subvolume create "$mnt/fs/v1"
            fill_v1
            btrfs -q subvolume snapshot "$mnt/fs/v1" "$mnt/fs/target" >/dev/null
            ;;
    esac
}
prepare_none() {
    warm_dirs=()
    case $1 in
        ostree*) ostree init --repo="$mnt/fs/repo" --mode=bare ;;
        casync*) cat "$work"/casync-store/*/* >/dev/null ;;
        *) btrfs -q subvolume create "$mnt/fs/target" ;;
    esac
}

# hosted NAME LAYOUT COMMAND...: one run on a host of that layout, whose default snapshot is version 1
hosted() {
    local name=$1 layout=$2 before s m
    shift 2
    bench_attach "$work/host-$layout.img" "$layout" "$disk"
    warm "$mnt/host"
    before=$(host_used "$mnt/host")
    bench_timed "$work/time" "$@"
    read -r s _ m <"$work/time"
    seconds[$name]+=" $s"
    peak[$name]+=" $m"
    bytes[$name]+=" $(($(host_used "$mnt/host") - before))"
    host_detach "$mnt/host"
}
apply() {
    local layout v force
    for layout in read-only nested-etc read-write; do
        bench_base "$work/host-$layout.img" 6G "$layout" "$work/v1.tiu"
    done
    for v in 1 2; do
        # The same image again is taken on purpose.
        force=()
        [ "$v" != 1 ] || force=(--force)
        for layout in nested-etc read-only read-write; do
            tool hosted "tiu apply, $layout" "$layout" bench_apply "$work/v$v.tiu" "${force[@]}"
        done
        tool hosted "tiu, engine alone" nested-etc bench_engine "$work/v$v.tiu"
        tool hosted "rsync by mtime" nested-etc bench_rsync "$mnt/img$v"
        tool hosted "rsync in place" nested-etc bench_rsync "$mnt/img$v" --inplace --no-whole-file
        rounds "1 -> $v"
    done
    rm -f "$work"/host-*.img
}

tiu() { echo "$bin/tiu-extract extract --delete --progress none --keyring $keys/ca.cert.pem $work/v$1.tiu $mnt/fs/target"; }
peers() { # JOB VERSION BASE
    local job=$1 v=$2 base=$3
    # shellcheck disable=SC2046  # the words of the command
    tool tree tiu "$base" $(tiu "$v")
    tool tree "rsync by mtime" "$base" rsync -aHAX --numeric-ids --delete "$mnt/img$v/" "$mnt/fs/target/"
    if [ "$base" = none ]; then
        tool tree unsquashfs "$base" unsquashfs -q -n -f -d "$mnt/fs/target" "$work/v$v.tiu"
        tool tree casync "$base" casync extract --store="$work/casync-store" "$work/v$v.caidx" "$mnt/fs/target"
    else
        tool tree "rsync by checksum" "$base" rsync -aHAX --numeric-ids --delete --checksum "$mnt/img$v/" "$mnt/fs/target/"
        tool tree "casync with seed" "$base" casync extract --store="$work/casync-store" --seed="$mnt/fs/v1" "$work/v$v.caidx" "$mnt/fs/target"
    fi
    tool tree "ostree pull + checkout" "$base" sh -c "ostree pull-local --repo=$mnt/fs/repo $work/ostree-remote v$v && ostree checkout --repo=$mnt/fs/repo -H v$v $mnt/fs/target"
    rounds "$job"
}

# packed NAME COMMAND...: one run of what makes an image
packed() {
    local name=$1
    rm -f "$work/packed"
    warm "$cache/trees/v1"
    timed "$@"
    bytes[$name]+=" $(stat -c %s "$work/packed")"
}
pack() {
    tool packed "tiu-create pack" "$bin/tiu-create" pack --recipe "$here/bench.yaml" --cert "$keys/signer.cert.pem" \
        --key "$keys/signer.key.pem" --progress none "$cache/trees/v1" "$work/packed"
    tool packed "mksquashfs -comp zstd" mksquashfs "$cache/trees/v1" "$work/packed" -comp zstd -Xcompression-level 15 -b 128K -noappend -quiet -no-progress
    tool packed "gensquashfs -c zstd" gensquashfs -D "$cache/trees/v1" -c zstd -X level=15 -b 131072 -q -f "$work/packed"
    rounds pack
    rm -f "$work/packed"
}

# checked NAME BYTES COMMAND...: one run of what reads BYTES of content, from the page cache
checked() {
    local name=$1 size=$2
    shift 2
    timed "$name" "$@"
    bytes[$name]+=" $size"
}
verify() {
    local host=$mnt/fs tree size
    ! mountpoint -q "$host" || umount "$host"
    host_make "$disk" 6G
    host_attach "$disk" "$host"
    btrfs property set "$host" ro false
    mkdir -p "$host/etc/tiu"
    printf 'compatible: tiu-bench\nkeyring: /etc/tiu/keyring.pem\ninitrd: none\n' >"$host/etc/tiu/tiu.yaml"
    cp "$keys/ca.cert.pem" "$host/etc/tiu/keyring.pem"
    btrfs property set "$host" ro true
    "$bin/tiu" apply --root "$host" --progress none "$work/v1.tiu" >&2
    tree=$host/.snapshots/$(host_default "$host")/snapshot
    # A file of several names counts once.
    size=$(find "$tree" -xdev -type f -printf '%i %s\n' | sort -u | awk '{n += $2} END {print n}')
    tool checked tiu "$size" "$bin/tiu" verify --root "$host" --progress none "$(host_default "$host")"
    tool checked sha256sum "$size" sh -c "find '$tree' -xdev -type f -print0 | xargs -0 -n 64 -P $(nproc) sha256sum"
    if wanted "ostree fsck"; then
        ostree init --repo="$host/var/repo" --mode=bare
        ostree pull-local --repo="$host/var/repo" "$work/ostree-remote" v1 >/dev/null
        tool checked "ostree fsck" "$size" ostree fsck --quiet --repo="$host/var/repo"
    fi
    # The first round only brings everything into the cache.
    rounds verify 1
    host_detach "$host"
    rm -f "$disk"
}

for job in "${jobs[@]}"; do
    case $job in
        apply) apply ;;
        same) peers same 1 v1 ;;
        update) peers update 2 v1 ;;
        empty) peers empty 1 none ;;
        pack) pack ;;
        verify) verify ;;
    esac
done

[ ${#results[@]} -gt 0 ] || { echo "bench: no tool matches '$only'" >&2; exit 2; }

# --- the table ---------------------------------------------------------------------------------------------------------------
printf '\n%-8s %-24s %9s %8s %10s %14s\n' job tool seconds 'x rsync' 'peak MiB' 'grew by bytes'
for r in "${results[@]}"; do
    IFS='|' read -r job tool s m g <<<"$r"
    ref=
    for q in "${results[@]}"; do
        IFS='|' read -r qj qt qs _ _ <<<"$q"
        [ "$qj" = "$job" ] && case $qt in "rsync by mtime" | "mksquashfs -comp zstd" | sha256sum) ref=$qs ;; esac
    done
    [ "$job" != verify ] || g="$(awk -v b="$g" -v s="$s" 'BEGIN {printf "%.2f", b / s / 1e9}') GB/s"
    printf '%-8s %-24s %9s %8s %10s %14s\n' "$job" "$tool" "$s" "$(awk -v a="$s" -v b="${ref:-0}" 'BEGIN {if (b > 0) printf "%.2f", a / b; else print "-"}')" "$((m / 1024))" "$g"
done
printf 'pack: "x rsync" is relative to mksquashfs, "grew by" is the size of the image; verify: to sha256sum on all cores, and the content checked in a second\n'
if [ -n "$json" ]; then
    for r in "${results[@]}"; do
        IFS='|' read -r job tool s m g <<<"$r"
        jq -n --arg job "$job" --arg tool "$tool" --argjson s "$s" --argjson m "$m" --argjson g "$g" \
            '{version: 1, job: $job, tool: $tool, seconds: $s, peak_kib: $m, bytes: $g}'
    done | jq -s . >"$json"
fi
