# shellcheck shell=bash
# The machine's own firmware and systemd-boot start what tiu selected, from a FAT partition: an update is tried and found good; one that
# does not start is tried three times, and then the machine comes back by itself.

firmware_require
kernel_fetch "$TIU_CACHE/vm"
firmware_fetch "$TIU_CACHE/vm"
disk=$TIU_WORK/host.img esp=$TIU_WORK/esp.img root=$TIU_WORK/root keys=$TIU_WORK/keys log=$TIU_WORK/console
mkdir "$root"

step "three versions, of which the last one does not start"
tiu-create keygen "$keys" >/dev/null
printf 'compatible: small\narch: %s\ndescription: A small host\ncompression:\n  compressor: lz4\n' "$(uname -m)" >"$TIU_WORK/recipe.yaml"
for version in 1 2 3; do
    small_tree "$TIU_WORK/tree$version" "$version" "$TIU_BIN"
    [ "$version" != 3 ] || touch "$TIU_WORK/tree3/usr/lib/broken"
    tiu-create pack --progress none --recipe "$TIU_WORK/recipe.yaml" --cert "$keys/signer.cert.pem" --key "$keys/signer.key.pem" \
        "$TIU_WORK/tree$version" "$TIU_WORK/v$version.tiu"
done

step "a host with version 1, and the entry of an installer, which names no snapshot"
host_make "$disk" 3G
host_attach "$disk" "$root"
btrfs property set "$root" ro false
mkdir -p "$root/etc/tiu"
cp "$keys/ca.cert.pem" "$root/etc/tiu/keyring.pem"
printf 'compatible: small\nkeyring: /etc/tiu/keyring.pem\n' >"$root/etc/tiu/tiu.yaml"
echo 'LABEL=TIU-ESP /efi vfat umask=0077 0 0' >>"$root/etc/fstab"
btrfs property set "$root" ro true
tiu apply --root "$root" --progress none "$TIU_WORK/v1.tiu"
cp "$TIU_WORK"/v[23].tiu "$root/var/"
mkdir "$root/var/steps"
cat >"$root/var/steps/1-first-update" <<'END'
say "loader $(tiu status | sed -n 's/^Boot loader: //p')"
tiu apply --progress none /var/v2.tiu
say "after-first $(entries)"
END
cat >"$root/var/steps/2-good" <<'END'
say "on-trial $(entries)"
tiu status
/usr/lib/systemd/systemd-bless-boot good
say "blessed $(entries)"
tiu apply --progress none /var/v3.tiu
say "after-second $(entries)"
END
cat >"$root/var/steps/3-back" <<'END'
say "came-back $(entries)"
tiu status
# It has nothing to remove, and follows the boot loader.
code=0
tiu cleanup || code=$?
say "cleanup $code"
tiu status
say "boots $(tiu status --json | sed -n 's/^ *"boots": //p' | tr -d ',\n')"
code=0
tiu apply --progress none /var/v3.tiu || code=$?
say "again $code"
say "default $(btrfs subvolume get-default /)"
say "after-cleanup $(entries)"
END
uuid=$(findmnt --noheadings --output UUID "$root")
firmware_esp "$esp" 256
fat=$esp@@$FIRMWARE_START
mmd -i "$fat" ::/installed
mcopy -i "$fat" "$TIU_WORK"/tree1/boot/vmlinuz-* ::/installed/linux
mcopy -i "$fat" "$TIU_WORK"/tree1/boot/initrd.img-* ::/installed/initrd
mcopy -i "$fat" - ::/loader/entries/installed.conf <<END
title Small 1
sort-key small
version 1
linux /installed/linux
initrd /installed/initrd
options root=UUID=$uuid ro console=ttyS0 quiet panic=1
END
host_detach "$root"
rm -rf "$TIU_WORK"/tree?

step "the life of the machine"
firmware_run "$esp" "$disk" "${TIU_VM_TIMEOUT:-900}" "$log"

# facts KEY: everything that was said of KEY.
facts() { tr -d '\r' <"$log" | sed -n "s/^tiu-host: $1 //p"; }
equal "versions that were started" "$(facts version | paste -sd ' ')" "1 2 3 3 3 2"
equal "codes of the steps" "$(facts code | paste -sd ' ')" "0 0 0"
grep -q '^bls' <<<"$(facts loader)" || die "tiu found the boot loader '$(facts loader)'"

step "entries"
matches() { grep -Eqx "$2 ?" <<<"$(facts "$1")" || die "entries $1: found '$(facts "$1")', expected $2"; }
# The installer's entry is out of the menu; what booted then has one of tiu's, and version 2 is on trial.
matches after-first 'tiu-1-2\.conf tiu-2-3\+3\.conf'
matches on-trial 'tiu-1-2\.conf tiu-2-3\+2-1\.conf'
matches blessed 'tiu-1-2\.conf tiu-2-3\.conf'
matches after-second 'tiu-1-2\.conf tiu-2-3\.conf tiu-3-4\+3\.conf'
matches came-back 'tiu-1-2\.conf tiu-2-3\.conf tiu-3-4\+0-3\.conf'
matches after-cleanup 'tiu-1-2\.conf tiu-2-3\.conf( tiu-3-4\+0-3\.conf)?'

step "what failed is known, and is not taken again"
equal "code of cleanup" "$(facts cleanup)" 77
equal "boots of the image that failed" "$(facts boots)" 3
equal "code of the same update" "$(facts again)" 1
grep -q '@/.snapshots/3/snapshot$' <<<"$(facts default)" || die "the default subvolume is '$(facts default)'"
