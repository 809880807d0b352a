# shellcheck shell=bash
# Hosts in files to measure `tiu apply` on, next to what an administrator would do with rsync.
#
# The caller has sourced tests/scripts/host.sh and set bin (programs), keys (keyring), work (a folder), mnt (a folder for mounts) and
# reuse (the key of tiu.yaml).

# Layouts of a host:
#   read-only    a read-only snapshot, /etc is part of it
#   nested-etc   the same, /etc is a subvolume of its own in each snapshot, as openSUSE MicroOS has it
#   read-write   a read-write snapshot, mounted with noatime

# bench_base FILE SIZE LAYOUT BUNDLE: a host in FILE whose default snapshot was made by `tiu apply BUNDLE`.
bench_base() {
    local file=$1 size=$2 layout=$3 bundle=$4 host=$mnt/host
    mkdir -p "$host"
    host_make "$file" "$size"
    host_attach "$file" "$host"
    btrfs property set "$host" ro false
    mkdir -p "$host/etc/tiu"
    # shellcheck disable=SC2154  # the caller's
    printf 'compatible: tiu-bench\nkeyring: /etc/tiu/keyring.pem\ninitrd: none\nreuse: %s\n' "$reuse" >"$host/etc/tiu/tiu.yaml"
    cp "$keys/ca.cert.pem" "$host/etc/tiu/keyring.pem"
    if [ "$layout" = nested-etc ]; then
        btrfs -q subvolume create "$host/etc.new"
        cp -a --reflink "$host/etc/." "$host/etc.new/"
        rm -rf "${host:?}/etc"
        mv "$host/etc.new" "$host/etc"
    fi
    [ "$layout" = read-write ] || btrfs property set "$host" ro true
    "$bin/tiu" apply --root "$host" --progress none "$bundle" >"$work/base.log" 2>&1 || {
        cat "$work/base.log" >&2
        return 1
    }
    host_detach "$host"
}

# bench_attach FILE LAYOUT COPY: a copy of the host in FILE, attached at $mnt/host.
bench_attach() {
    rm -f "$3"
    cp --sparse=always "$1" "$3"
    host_attach "$3" "$mnt/host"
    [ "$2" != read-write ] || mount -o remount,noatime "$mnt/host"
}

# bench_apply BUNDLE OPTION...: the command that users run, until the filesystem has synced.
bench_apply() {
    # shellcheck disable=SC2016 # expanded in there
    sh -ec 'tiu=$1 host=$2; shift 2; "$tiu" apply --root "$host" --progress none "$@"; btrfs filesystem sync "$host"' sh \
        "$bin/tiu" "$mnt/host" "$@"
}

# bench_verify: every byte of the default snapshot
bench_verify() {
    "$bin/tiu" verify --root "$mnt/host" --progress none "$(host_default "$mnt/host")"
}

# bench_engine BUNDLE: the engine alone, into a read-write snapshot.
bench_engine() {
    # shellcheck disable=SC2016 # expanded in there
    sh -ec '
        engine=$1 keyring=$2 host=$3 bundle=$4
        btrfs -q subvolume snapshot "$host" "$host/.snapshots/target"
        "$engine" extract --delete --progress none --keyring "$keyring" "$bundle" "$host/.snapshots/target"
        btrfs filesystem sync "$host"
    ' sh "$bin/tiu-extract" "$keys/ca.cert.pem" "$mnt/host" "$1"
}

# bench_rsync IMAGE OPTION...: the same by hand: a snapshot, rsync from the mounted IMAGE, read-only, the default.
bench_rsync() {
    local image=$1
    shift
    # shellcheck disable=SC2016 # expanded in there
    sh -ec '
        host=$1 image=$2
        shift 2
        target=$host/.snapshots/999/snapshot
        mkdir "$host/.snapshots/999"
        btrfs -q subvolume snapshot "$host" "$target"
        if [ "$(stat -c %i "$host/etc")" = 256 ]; then
            rmdir "$target/etc"
            btrfs -q subvolume snapshot "$host/etc" "$target/etc"
        fi
        # What is the host'\''s own stays: its /etc, and where something is mounted.
        rsync -aHAX --numeric-ids --delete --exclude=/etc/ --exclude=/.snapshots/ --exclude=/var/ --exclude=/home/ \
            --exclude=/root/ --exclude=/opt/ --exclude=/srv/ --exclude=/usr/local/ --exclude=/boot/writable/ \
            --exclude=/usr/lib/sysimage/tiu/ --exclude=/proc/ --exclude=/sys/ --exclude=/dev/ --exclude=/run/ --exclude=/tmp/ \
            "$@" "$image/" "$target/"
        btrfs property set "$target" ro true
        btrfs subvolume set-default "$target"
        btrfs filesystem sync "$host"
    ' sh "$mnt/host" "$image" "$@"
}

# bench_timed OUT COMMAND...: runs COMMAND (a function of this file too) and writes "seconds processor-seconds peak-KiB" to OUT.
# The peak is that of the largest process.
bench_timed() {
    local out=$1
    shift
    export -f bench_apply bench_verify bench_engine bench_rsync host_default
    export bin keys mnt work
    # shellcheck disable=SC2016 # expanded in there
    if ! /usr/bin/time -q -o "$out.raw" -f '%e %U %S %M' bash -c '"$@"' bash "$@" >"$work/last.log" 2>&1; then
        echo "bench: $* failed:" >&2
        tail -20 "$work/last.log" >&2
        return 1
    fi
    awk '{printf "%s %.2f %s\n", $1, $2 + $3, $4}' "$out.raw" >"$out"
    rm -f "$out.raw"
}
