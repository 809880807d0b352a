# shellcheck shell=bash
# --verity auto takes the kernel where the kernel can do it, also before any of the modules is loaded; and the user way where it cannot.

# What a traced extraction loads into device-mapper.
tables() {
    strace -f -qq -e trace=ioctl -o trace tiu-extract extract --progress none --keyring "$KEYRING" "$@" >/dev/null
    grep -c DM_TABLE_LOAD trace || true
}

step "no module is loaded at first"
equal "modules of the kernel way" "$(lsmod | grep -cE '^(loop|dm_mod|dm_verity|squashfs) ' || true)" 0

step "auto takes the kernel way"
equal "dm-verity tables loaded" "$(tables --verity auto "$DATA/system.tiu" auto)" 1
good_tree auto system
nothing_held "auto"

step "so does the default"
equal "dm-verity tables loaded" "$(tables "$DATA/system.tiu" default)" 1
good_tree default system

step "user does not touch device-mapper"
equal "dm-verity tables loaded" "$(tables --verity user "$DATA/system.tiu" user)" 0

step "without dm-verity, auto takes the user way and kernel says what is missing"
echo /bin/false >/proc/sys/kernel/modprobe
modprobe -r dm_verity
extract auto "$DATA/system.tiu" without
good_tree without system
fails 1 "verity" extract kernel "$DATA/system.tiu" refused
nothing_held "a kernel without dm-verity"

step "without device-mapper at all, the same"
modprobe -r dm_mod
rm -r /dev/mapper
extract auto "$DATA/system.tiu" without-dm
good_tree without-dm system
fails 1 "device-mapper" extract kernel "$DATA/system.tiu" refused-dm
nothing_held "a kernel without device-mapper"
