# shellcheck shell=bash
# tiu-extract mount shows the verified system, read-only and without devices, setuid or programs; umount leaves nothing.

mkdir mnt
step "mount"
tiu-extract mount --keyring "$KEYRING" "$DATA/system.tiu" mnt
# The image itself carries mtimes in whole seconds and no POSIX ACLs: content is what a mount has to show.
diff <(tree_facts mnt/usr/share/fixture | grep -aE '^\\?[0-9a-f]{64}  ') <(grep -aE '^\\?[0-9a-f]{64}  ' "$DATA/system.facts")
equal "filesystem" "$(findmnt -no FSTYPE mnt)" squashfs
for option in ro nodev nosuid noexec; do
    findmnt -no OPTIONS mnt | tr , '\n' | grep -x "$option" >/dev/null || die "the mount is not $option: $(findmnt -no OPTIONS mnt)"
done
fails 1 "read-only" touch mnt/new
fails 1 "permission denied" dd if=mnt/usr/share/fixture/char of=/dev/null count=1
device=$(findmnt -no SOURCE mnt)
equal "writable device" "$(blockdev --getro "$device")" 1

step "the bundle can be mounted twice, and extracted meanwhile"
mkdir mnt2
tiu-extract mount --keyring "$KEYRING" "$DATA/system.tiu" mnt2
extract kernel "$DATA/system.tiu" meanwhile
good_tree meanwhile system
tiu-extract umount mnt2
mountpoint -q mnt

step "umount"
tiu-extract umount mnt
! mountpoint -q mnt
nothing_held "umount"

step "a plain umount leaves nothing either"
tiu-extract mount --keyring "$KEYRING" "$DATA/system.tiu" mnt
umount mnt
nothing_held "a plain umount"

step "umount of what is no mount of ours is refused"
fails 1 "no bundle is mounted there" tiu-extract umount mnt
mount -t tmpfs other mnt
fails 1 "no bundle is mounted there" tiu-extract umount mnt
mountpoint -q mnt
umount mnt

step "a block that is damaged after the mount is not given out"
cp --reflink "$DATA/large.tiu" later.tiu
layout later.tiu
tiu-extract mount --keyring "$KEYRING" later.tiu mnt
# Some block in the middle of the one large file.
flip later.tiu $((IMAGE_SIZE / 2))
sync
echo 3 >/proc/sys/vm/drop_caches
fails 1 "input/output error" dd if=mnt/usr/share/fixture/large of=/dev/null bs=64K
# Every other file is still there.
head -c 4096 mnt/usr/share/fixture/noise | cmp - <(head -c 4096 meanwhile/usr/share/fixture/noise)
tiu-extract umount mnt
nothing_held "a damaged block"

step "nothing is mounted from an untrusted bundle"
cp --reflink "$DATA/system.tiu" bad.tiu
layout bad.tiu
flip bad.tiu $((IMAGE_SIZE + TREE_SIZE + CMS_SIZE / 2))
fails 1 "CMS|signature|manifest|certificate" tiu-extract mount --keyring "$KEYRING" bad.tiu mnt
! mountpoint -q mnt
nothing_held "a refused mount"

step "a mount point that is missing is an error that leaves nothing"
fails 1 "missing: no such file" tiu-extract mount --keyring "$KEYRING" "$DATA/system.tiu" missing
nothing_held "a missing mount point"
