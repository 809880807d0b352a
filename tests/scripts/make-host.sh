#!/bin/bash
# Makes a host in a file, as an installer leaves it: the btrfs layout of openSUSE MicroOS, and snapshot 1 with a system that is just
# enough to be updated by tiu. Called by host_make of host.sh, a program of its own so that any failing command ends it.
#
# The whole disk is one btrfs, without a partition table: QEMU is given kernel and initrd, so no ESP is needed, and loop devices
# of many test machines show no partitions.
#
#   make-host.sh FILE SIZE LABEL SUBVOLUME...
set -euo pipefail

file=$1 size=$2 label=$3
shift 3
subvolumes=("$@")

top=$(mktemp -d "${TMPDIR:-/tmp}/tiu-host.XXXXXX")
cleanup() {
    if mountpoint --quiet "$top"; then umount "$top"; fi
    rmdir "$top"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

rm -f "$file"
truncate -s "$size" "$file"
mkfs.btrfs --quiet --label "$label" "$file" >/dev/null
mount -o loop,subvolid=5 "$file" "$top"
uuid=$(findmnt --noheadings --output UUID "$top")

# --- subvolumes --------------------------------------------------------------------------------------------------------------
subvolume() { btrfs subvolume create "$top/$1" >/dev/null; }
subvolume @
subvolume @/.snapshots
mkdir -p "$top"/@/{boot,usr}
for name in "${subvolumes[@]}"; do subvolume "@/$name"; done
# As on MicroOS: no copy-on-write below /var.
chattr +C "$top/@/var"
chmod 700 "$top/@/root"
# The first units of a boot expect these before systemd-tmpfiles has run.
mkdir "$top"/@/var/{cache,lib,log,tmp}
chmod 1777 "$top/@/var/tmp"

# --- snapshot 1: what an installer leaves in / of a new host -----------------------------------------------------------------
chmod 0750 "$top/@/.snapshots" # as snapper makes it
mkdir "$top/@/.snapshots/1"
root=@/.snapshots/1/snapshot
subvolume "$root"
cat >"$top/@/.snapshots/1/info.xml" <<END
<?xml version="1.0"?>
<snapshot>
  <type>single</type>
  <num>1</num>
  <date>$(date --utc '+%F %T')</date>
  <description>first root filesystem</description>
</snapshot>
END
root=$top/$root
mkdir -p "$root"/{.snapshots,dev,etc/{default,snapper/configs,ssh},proc,run,sys,tmp,usr/lib}
for dir in "${subvolumes[@]}"; do mkdir -p "$root/$dir"; done
cat >"$root/usr/lib/os-release" <<END
NAME="Debian GNU/Linux"
PRETTY_NAME="Debian GNU/Linux (as installed)"
ID=debian
VERSION_ID=12
END
ln -s ../usr/lib/os-release "$root/etc/os-release"
# The root has no subvol=: the filesystem's default subvolume decides what boots.
{
    echo "UUID=$uuid / btrfs ro 0 0"
    echo "UUID=$uuid /.snapshots btrfs subvol=@/.snapshots 0 0"
    for dir in "${subvolumes[@]}"; do
        # /var and /root are wanted before the root is switched to; so has MicroOS.
        case $dir in
            var | root) echo "UUID=$uuid /$dir btrfs subvol=@/$dir,x-initrd.mount 0 0" ;;
            *) echo "UUID=$uuid /$dir btrfs subvol=@/$dir 0 0" ;;
        esac
    done
} >"$root/etc/fstab"
tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
echo "tiu-host" >"$root/etc/hostname"
ssh-keygen -q -t ed25519 -N '' -C root@tiu-host -f "$root/etc/ssh/ssh_host_ed25519_key"
# snapper's configuration; Debian's reads the first, SUSE's the second list of configurations.
echo 'SNAPPER_CONFIGS="root"' >"$root/etc/default/snapper"
mkdir "$root/etc/sysconfig"
cp "$root/etc/default/snapper" "$root/etc/sysconfig/snapper"
cat >"$root/etc/snapper/configs/root" <<'END'
SUBVOLUME="/"
FSTYPE="btrfs"
QGROUP=""
SPACE_LIMIT="0.5"
FREE_LIMIT="0.2"
ALLOW_USERS=""
ALLOW_GROUPS=""
SYNC_ACL="no"
BACKGROUND_COMPARISON="no"
NUMBER_CLEANUP="yes"
NUMBER_MIN_AGE="1800"
NUMBER_LIMIT="2-10"
NUMBER_LIMIT_IMPORTANT="4-10"
TIMELINE_CREATE="no"
EMPTY_PRE_POST_CLEANUP="yes"
EMPTY_PRE_POST_MIN_AGE="1800"
END

btrfs property set "$root" ro true
btrfs subvolume set-default "$root"
