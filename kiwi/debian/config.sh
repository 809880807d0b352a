#!/bin/bash
# Runs in the root tree after the packages are installed: makes of a Debian installation an image that is updated as a whole.
set -euo pipefail

# --- what the image calls itself ---------------------------------------------------------------------------------------------
# Two builds of one description differ in TIU_IMAGE_VERSION (kiwi-ng --setenv); without it the description's version counts.
# kiwi_iversion comes from KIWI's profile.
if [ -z "${TIU_IMAGE_VERSION:-}" ] && [ -r /.profile ]; then
    # shellcheck source=/dev/null
    . /.profile
fi
sed -i -e '/^IMAGE_ID=/d' -e '/^IMAGE_VERSION=/d' /usr/lib/os-release
cat >>/usr/lib/os-release <<END
IMAGE_ID=tiu-debian-host
IMAGE_VERSION=${TIU_IMAGE_VERSION:-${kiwi_iversion:-0}}
END

# --- the package database belongs to the image -------------------------------------------------------------------------------
# /var is the host's and never rolled back; what is installed is a property of the image, as on openSUSE (/usr/lib/sysimage/rpm).
if [ ! -L /var/lib/dpkg ]; then
    mkdir -p /usr/lib/sysimage
    mv /var/lib/dpkg /usr/lib/sysimage/dpkg
    ln -s ../../usr/lib/sysimage/dpkg /var/lib/dpkg
fi
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /usr/lib/sysimage/dpkg/*-old /var/log/*.log /var/log/apt

# --- boot --------------------------------------------------------------------------------------------------------------------
# The initrd is made on the host (tiu apply runs dracut in the new snapshot), so none is shipped; nor are links to one.
rm -f /boot/initrd.img* /initrd.img /initrd.img.old /vmlinuz /vmlinuz.old
systemctl set-default multi-user.target

# --- mount points: every subvolume that the host mounts over its snapshot needs its directory in the image ------------------
for dir in .snapshots boot/writable home opt root srv usr/local var; do
    mkdir -p "/$dir"
done
# What packages and the bootstrap leave there would be hidden under the host's own.
find /root /usr/local -mindepth 1 -delete

# --- units -------------------------------------------------------------------------------------------------------------------
# The root is read-only at run time: /tmp is a tmpfs. Debian ships the unit beside the others.
cp /usr/share/systemd/tmp.mount /usr/lib/systemd/system/tmp.mount
systemctl enable tmp.mount systemd-networkd.service systemd-resolved.service systemd-timesyncd.service tiu-selftest.service
# "ro" in fstab's line for / means this mount. Remounting makes the whole filesystem read-only, /var with it, until the next
# subvolume is mounted; the initrd has mounted / as it should be.
systemctl mask systemd-remount-fs.service
# Jobs that would write where the image is read-only, or do what an update by images does.
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer systemd-firstboot.service
systemctl disable e2scrub_reap.service e2scrub_all.timer
# Debian enables what a package brings. Snapshots by the hour and at boot are not wanted where each is a whole image, and a host
# without a network must not wait for one.
systemctl disable snapper-boot.timer snapper-timeline.timer systemd-networkd-wait-online.service \
    podman.service podman-restart.service podman-auto-update.service podman-auto-update.timer

# --- what must not be the same on every host ---------------------------------------------------------------------------------
# Host keys are made once, on the host, in its /etc: a key in an image would be everybody's key. The same goes for the machine's id.
rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id
: >/etc/machine-id
chmod 444 /etc/machine-id
# Nobody logs in as root before an administrator has said how (a password, a key) on the host.
passwd --lock root >/dev/null
rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-
