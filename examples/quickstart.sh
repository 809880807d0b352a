#!/bin/bash
# The whole story of tiu on one machine: two versions of a Debian host are built, signed, applied one after the other to a
# loopback host with the layout of openSUSE MicroOS, verified, and rolled back.
#
#   sudo examples/quickstart.sh [--boot] [--keep]
#     --boot   also starts the host in QEMU: version 2 after the update, version 1 after the rollback (about a minute each)
#     --keep   keeps the host, attached, for exploring; says how to remove it
#
# Installs missing packages (tests/scripts/packages.*); needs a Rust toolchain. What takes long (root trees, bundles, builds) is kept in
# TIU_CACHE (default: ${XDG_CACHE_HOME:-/var/cache}/tiu) and used again; everything else is removed at the end. TIU_BIN, a folder with
# the programs, is used instead of building them.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for part in console setup kiwi host boot; do
    # shellcheck source=/dev/null
    . "$top/tests/scripts/$part.sh"
done
# shellcheck source=../tests/vm/lib/qemu.sh
. "$top/tests/vm/lib/qemu.sh"

boot='' keep=''
while [ $# -gt 0 ]; do
    case $1 in
        --boot) boot=1 ;;
        --keep) keep=1 ;;
        -h | --help)
            sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
            exit
            ;;
        *)
            echo "quickstart: unknown option $1 (see --help)" >&2
            exit 2
            ;;
    esac
    shift
done
setup_root quickstart

cache=${TIU_CACHE:-${XDG_CACHE_HOME:-/var/cache}/tiu}
work=$cache/quickstart
mkdir -p "$work"
exec {lock}>"$work/lock"
flock --nonblock "$lock" || {
    echo "quickstart: another one is running with $cache" >&2
    exit 1
}
disk=$work/host.img
tree=$work/tree
files=$work/boot
root=$(mktemp -d "${TMPDIR:-/tmp}/tiu-quickstart.XXXXXX")
kept=''
cleanup() {
    local code=$?
    qemu_stop
    rm -rf "$tree" "$files"
    if [ -n "$kept" ]; then return "$code"; fi
    host_cleanup
    rmdir "$root"
    rm -f "$disk"
    [ "$code" = 0 ] || printf '\nquickstart: failed%s; mounts and the host are removed\n' "${STEP_BEGAN:+ in step $STEP_NUMBER}" >&2
    return "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
began=$EPOCHREALTIME
# What a run with --keep, or one that was killed with no time to clean up, left.
if [ -e "$disk" ]; then
    echo "quickstart: removing the host of an earlier run, $disk"
    while read -r device; do
        findmnt --noheadings --raw --output TARGET --source "$device" | LC_ALL=C sort -r | xargs --no-run-if-empty --delimiter='\n' umount || true
    done < <(losetup --noheadings --output NAME --associated "$disk")
    rm -f "$disk"
fi
rm -rf "$tree"
if [ -n "$boot" ]; then steps 12; else steps 10; fi

# --- machine -----------------------------------------------------------------------------------------------------------------
step "Packages and a Rust toolchain"
setup_packages "$top"
say "installed now: ${SETUP_INSTALLED:-nothing is missing}"
setup_rust "$top" "$cache"
say "$(cargo --version)"
[ -z "$boot" ] || qemu_require

step "Build tiu, tiu-create and tiu-extract"
bin=${TIU_BIN:-$CARGO_TARGET_DIR/release}
if [ -n "${TIU_BIN:-}" ]; then
    say "using those in $bin"
elif [ ! -e "$bin/tiu" ]; then
    say "the first build takes some minutes"
fi
[ -n "${TIU_BIN:-}" ] || cargo build --release --locked --quiet --manifest-path "$top/Cargo.toml" -p tiu -p tiu-create -p tiu-extract
for program in tiu tiu-create tiu-extract; do
    say "$program $(human "$(stat -c %s "$bin/$program")")"
done
export PATH=$bin:$PATH

# --- builder -----------------------------------------------------------------------------------------------------------------
step "Two versions of a Debian host's root tree, by KIWI"
say "version 1 from Debian's release archive; version 2 with the security and update archives on top"
[ -d "$cache/trees/v2" ] || say "takes some minutes the first time; KIWI's output: $work/kiwi.log.v1 and .v2"
kiwi_trees "$cache" "$top" "$work/kiwi.log"
case $KIWI_MADE in
    '') say "both are already in $cache/trees" ;;
    *) say "made now in $cache/trees: version ${KIWI_MADE// / and }" ;;
esac
for version in 1 2; do
    say "v$version: $(find "$cache/trees/v$version" -xdev | wc -l) files, $(human "$(du -sxB1 "$cache/trees/v$version" | cut -f 1)"), kernel $(basename "$cache/trees/v$version"/boot/vmlinuz-* | sed 's/vmlinuz-//')"
done

step "Keys for development: a CA that the host will trust, and a signer"
keys=$work/keys
if [ -e "$keys/signer.key.pem" ] && openssl x509 -in "$keys/signer.cert.pem" -noout -checkend 86400 >/dev/null; then
    say "reusing $keys"
else
    rm -rf "$keys"
    run tiu-create keygen "$keys"
fi

step "Pack each tree into one signed file, the bundle"
say "a squashfs of the tree with an index of all its files, dm-verity's hash tree over it, and a signed manifest"
say "the tiu programs go into the tree too, so that the host can update itself"
for version in 1 2; do
    bundle=$work/v$version.tiu
    stamp=$(cat "$cache/trees/v$version.key" "$top/kiwi/debian/bundle.yaml" "$bin/tiu" "$bin/tiu-create" "$bin/tiu-extract" "$keys/signer.cert.pem" | sha256sum)
    if [ -e "$bundle" ] && [ "$(cat "$bundle.stamp" 2>/dev/null)" = "$stamp" ]; then
        say "reusing $bundle"
        continue
    fi
    rm -rf "$tree" "$bundle"
    cp --archive --reflink=auto "$cache/trees/v$version" "$tree"
    install -m 755 --strip "$bin/tiu" "$bin/tiu-extract" "$tree/usr/bin/"
    run tiu-create pack --recipe "$top/kiwi/debian/bundle.yaml" --cert "$keys/signer.cert.pem" --key "$keys/signer.key.pem" \
        --progress none "$tree" "$bundle"
    rm -rf "$tree"
    echo "$stamp" >"$bundle.stamp"
done
run tiu-extract info --keyring "$keys/ca.cert.pem" "$work/v2.tiu"

# --- host --------------------------------------------------------------------------------------------------------------------
step "A host in a file, as an installer leaves it"
host_make "$disk" 8G
host_attach "$disk" "$root"
# The installer sets which certificates the host trusts, and what it is. Snapshot 1 is read-only; nobody writes to it after this.
btrfs property set "$root" ro false
mkdir -p "$root/etc/tiu"
cp "$keys/ca.cert.pem" "$root/etc/tiu/keyring.pem"
cat >"$root/etc/tiu/tiu.yaml" <<'END'
compatible: tiu-debian-host
keyring: /etc/tiu/keyring.pem
END
btrfs property set "$root" ro true
say "$disk: btrfs with the subvolumes of MicroOS and snapper, attached at $root"
say "snapshot 1 has an /etc and nothing else: this host cannot boot yet"
run snapper --no-dbus --root "$root" list --columns number,default,date,description

# release KEY: a value of the running system's os-release.
release() { sed -n "s/^$1=//p" "$root/usr/lib/os-release" | tr -d '"'; }

# apply VERSION COMMAND...: COMMAND applies it.
apply() {
    local version=$1 before after
    shift
    before=$(host_used "$root")
    "$@"
    after=$(host_used "$root")
    say "the host's disk: $(human "$before") -> $(human "$after") used"
    host_reboot "$disk" "$root"
    say "rebooted: the running system is now $(release IMAGE_ID) version $(release IMAGE_VERSION)"
    [ "$(release IMAGE_VERSION)" = "$version" ] || {
        echo "quickstart: that is not version $version" >&2
        exit 1
    }
}
# inside COMMAND...: in the running host, with the bundles on a stick at /mnt.
inside() { host_inside "$root" "$work" "$@"; }

step "Apply version 1"
say "from outside: the host has no system yet"
apply 1 run tiu apply --root "$root" --progress none "$work/v1.tiu"

step "An administrator changes /etc; then the host updates itself to version 2, from a stick"
# On a running host /etc is edited in place; this one is read-only like its image, so the edit is made as an update tool would.
btrfs property set "$root" ro false
echo "This host is looked after by Ada." >"$root/etc/motd"
btrfs property set "$root" ro true
say "/etc/motd: $(cat "$root/etc/motd")"
apply 2 run_through inside tiu apply --progress none /mnt/v2.tiu
say "/etc/motd: $(cat "$root/etc/motd")"
[ "$(cat "$root/etc/motd")" = "This host is looked after by Ada." ] || {
    echo "quickstart: the administrator's /etc/motd is lost" >&2
    exit 1
}

step "What runs, what boots next, what to go back to; and whether all of it is what was signed"
run tiu status --root "$root"
say "verify reads every file again, and names what in /etc is this host's own"
version2=$(host_default "$root")
for snapshot in $(find "$root/.snapshots" -mindepth 1 -maxdepth 1 -name '[0-9]*' -printf '%f\n' | sort -n); do
    # Snapshot 1 came from the installer: nobody signed it.
    [ "$snapshot" != 1 ] || continue
    run tiu verify --root "$root" --progress none "$snapshot"
done

# boot_proof VERSION: the host must say that it runs VERSION and that all is well.
boot_proof() {
    local version=$1 said log=$work/boot-v$1.log
    boot_files "$root" "$files"
    host_detach "$root"
    say "kernel and initrd are those of the default snapshot; the console's log: $log"
    boot_host "$disk" "$files" "$log"
    said=$(boot_said "$log" image-version)
    say "the host says: version $said, kernel $(boot_said "$log" kernel), root $(boot_said "$log" root)"
    say "failed units: $(boot_said "$log" failed-units); tiu verify: $(boot_said "$log" verify); self-test: $(boot_said "$log" result)"
    if [ "$said" != "$version" ]; then
        echo "quickstart: the host runs version '$said', expected '$version'" >&2
        return 1
    fi
    host_attach "$disk" "$root"
}

if [ -n "$boot" ]; then
    step "Proof: start the host in a virtual machine"
    boot_proof 2
fi

step "Roll back to version 1"
run tiu rollback --root "$root"
host_reboot "$disk" "$root"
run tiu status --root "$root"
if [ "$(host_default "$root")" = "$version2" ]; then
    echo "quickstart: the default is still version 2" >&2
    exit 1
fi

if [ -n "$boot" ]; then
    step "Proof: start the host again"
    boot_proof 1
fi
step_end

# --- end ---------------------------------------------------------------------------------------------------------------------
printf '\nDone in %s s. Version 1, version 2 and /etc of both: %s on the disk; the bundles: %s and %s.\n' "$(seconds_since "$began")" \
    "$(human "$(host_used "$root")")" "$(human "$(stat -c %s "$work/v1.tiu")")" "$(human "$(stat -c %s "$work/v2.tiu")")"
if [ -n "$keep" ]; then
    kept=1
    cat <<END

The host is attached at $root. Try:
  export PATH=$bin:\$PATH
  tiu status --root $root
  tiu apply --root $root $work/v2.tiu
  tiu-extract list --keyring $keys/ca.cert.pem $work/v2.tiu | less
Remove it:
  umount --recursive $root && rmdir $root && rm $disk
END
fi
