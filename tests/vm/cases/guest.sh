# shellcheck shell=bash
# The guest itself: device-mapper, dm-verity, squashfs and fs-verity work here, and the helpers see what is left behind. Without
# this, a case that expects an error might be content with the wrong one.

step "nothing is held at first, and a loop device is seen"
nothing_held "the boot"
truncate -s 1M empty
loop=$(losetup --find --show empty)
held | grep "loop device" >/dev/null
losetup --detach "$loop"
nothing_held "detaching the loop device"

step "dm-verity gives good blocks and refuses bad ones"
dd if=/dev/urandom of=image bs=4096 count=300 status=none
root=$(veritysetup format image image.tree | sed -n 's/^Root hash:[[:space:]]*//p')
flip image $((200 * 4096 + 17))
veritysetup open image tiu-guest image.tree "$root"
held | grep "device-mapper device: tiu-guest" >/dev/null
cmp -n $((200 * 4096)) image /dev/mapper/tiu-guest
fails 1 "input/output error" dd if=/dev/mapper/tiu-guest of=/dev/null bs=4096 skip=200 count=1 iflag=direct
veritysetup close tiu-guest
nothing_held "closing the dm-verity device"

step "btrfs has fs-verity"
fsverity enable image.tree
equal "measured digest" "$(fsverity measure image.tree)" "$(fsverity digest image.tree)"
fails 1 "operation not permitted|permission denied|text file busy" dd if=/dev/zero of=image.tree bs=1 count=1

step "squashfs can be mounted"
grep -q squashfs /proc/filesystems || modprobe squashfs
grep -q squashfs /proc/filesystems
