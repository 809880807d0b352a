#!/bin/bash
# Runs in the root tree after the packages are installed. OBS calls it through bash and drops the mode of files.
set -euo pipefail

# shellcheck source=/dev/null
test -f /.profile && . /.profile

# What the image calls itself; tiu-create takes its version from here.
sed -i -e '/^IMAGE_ID=/d' -e '/^IMAGE_VERSION=/d' /usr/lib/os-release
cat >>/usr/lib/os-release <<END
IMAGE_ID=tiu-microos-container-host
IMAGE_VERSION=${kiwi_iversion:-0}
END

# Mount points: every subvolume that a MicroOS host mounts over its snapshot needs its directory in the image.
for dir in .snapshots boot/efi boot/grub2/i386-pc boot/grub2/x86_64-efi boot/grub2/arm64-efi boot/writable home opt root srv usr/local var; do
    mkdir -p "/$dir"
done

# tiu updates this host; the timer that installs packages into snapshots would drift away from the image.
systemctl disable transactional-update.timer

# Made on the host, once: an image's would be everybody's.
rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id
: >/etc/machine-id
