# shellcheck shell=bash
# A host with SELinux and Debian's policy is updated, and the new snapshot boots in enforcing mode: the labels of what was made on the
# host are those of the policy, nothing is refused for them, and tiu verify finds what was signed.

disk=$TIU_WORK/host.img root=$TIU_WORK/root tree=$TIU_WORK/tree keys=$TIU_WORK/keys bundle=$TIU_WORK/selinux.tiu
mkdir "$root"

step "a labelled tree with Debian's policy"
selinux_tree "$TIU_CACHE" "$TIU_TOP" "$TIU_WORK/tree.log"
cp --archive --reflink=auto "$TIU_CACHE/trees/selinux" "$tree"
for program in tiu tiu-extract; do
    install -m 755 --strip "$(type -P "$program")" "$tree/usr/bin/"
    selinux_label "$tree" "/usr/bin/$program"
done

step "its bundle"
tiu-create keygen "$keys" >/dev/null
# Little compression: it is packed once and read once.
{ cat "$TIU_TOP/kiwi/debian/bundle.yaml" && printf 'compression:\n  level: 1\n'; } >"$TIU_WORK/recipe.yaml"
tiu-create pack --progress none --recipe "$TIU_WORK/recipe.yaml" --cert "$keys/signer.cert.pem" --key "$keys/signer.key.pem" \
    "$tree" "$bundle" 2>&1 | tee "$TIU_WORK/packed"
! grep -i 'without a label' "$TIU_WORK/packed" || die "pack found something without a label"

step "a host that uses SELinux"
host_make "$disk" 6G
host_attach "$disk" "$root"
btrfs property set "$root" ro false
mkdir -p "$root/etc/tiu"
cp "$keys/ca.cert.pem" "$root/etc/tiu/keyring.pem"
printf 'compatible: tiu-debian-host\nkeyring: /etc/tiu/keyring.pem\n' >"$root/etc/tiu/tiu.yaml"
# The report is the host's own: the script in /usr/local, and lines for its service in /etc. Other work here makes the guest slow.
install -D -m 755 "$TIU_TOP/tests/vm/guest/selinux-report" "$root/usr/local/sbin/selinux-report"
mkdir -p "$root/etc/systemd/system/tiu-selftest.service.d"
printf '[Service]\nExecStartPre=/usr/local/sbin/selinux-report\nTimeoutStartSec=1h\n' >"$root/etc/systemd/system/tiu-selftest.service.d/selinux.conf"
selinux_host "$root" "$tree"
# What the host keeps can have a wrong label, or none.
echo "This host is looked after by Ada." >"$root/etc/motd"
setfattr -n security.selinux -v system_u:object_r:tmp_t:s0 "$root/etc/fstab"
btrfs property set "$root" ro true
rm -rf "$tree"

step "the update"
tiu apply --root "$root" --progress none "$bundle" 2>&1 | tee "$TIU_WORK/applied"
equal "snapshot that boots next" "$(host_default "$root")" 2
! grep -i 'selinux' "$TIU_WORK/applied" || die "apply has something to say about SELinux"

step "labels of the whole snapshot"
snapshot=$root/.snapshots/2/snapshot
# setfiles would change nothing except the copies of the image's /etc and /var, which have the labels of the originals: it has looked.
setfiles -F -m -n -v -r "$snapshot" "$snapshot/$SELINUX_CONTEXTS" "$snapshot" >"$TIU_WORK/relabel" 2>&1
copies="^Would relabel $snapshot/usr/(lib/sysimage/tiu/etc|share/factory)[/ ]"
grep -Eq "$copies" "$TIU_WORK/relabel" || die "setfiles did not look at the copies"
! grep -Ev "$copies" "$TIU_WORK/relabel" || die "labels are not those of the policy"

step "it boots in enforcing mode"
boot_files "$root" "$TIU_WORK/boot"
host_detach "$root"
log=$TIU_WORK/console
export BOOT_ARGUMENTS='security=selinux selinux=1 enforcing=1'
boot_host "$disk" "$TIU_WORK/boot" "$log" "${TIU_VM_TIMEOUT:-900}"

# facts KEY: everything that was said of KEY.
facts() { tr -d '\r' <"$log" | sed -n "s/^tiu-selftest: selinux-$1 //p"; }
# is KEY EXPECTED
is() { equal "selinux-$1" "$(facts "$1")" "$2"; }
is enforce 1
is mode Enforcing
is policy default
equal "tiu verify" "$(boot_said "$log" verify)" 0

step "labels"
verified=$(facts verified)
for path in /boot/initrd.img- /etc/fstab /etc/motd /etc/passwd /etc/shadow /etc/tiu/keyring.pem /usr/lib/sysimage/tiu/etc.json /usr/lib/os-release; do
    grep "^$path" <<<"$verified" || die "nothing was said of the label of $path"
done
! grep -v ' verified\.$' <<<"$verified" || die "labels are not those of the policy"
facts label
label() { grep -qxF "$1 system_u:object_r:$2:s0" <(facts label) || die "the label of $1 is '$(facts label | grep "^$1 ")', expected type $2"; }
label / root_t
label /etc/shadow shadow_t
label /etc/passwd etc_t
label /etc/motd etc_t
label /etc/fstab etc_t
label /etc/ssh/ssh_host_ed25519_key sshd_key_t
label /boot/initrd.img boot_t
label /usr/bin/tiu bin_t

step "denials"
# Nothing on the disk is refused, except that the policy does not let systemd-tmpfiles make all that the image has in /var.
others=$(facts denied | grep -v 'comm="systemd-tmpfile"' || true)
! grep 'dev="vda"' <<<"$others" || die "files of the host are refused"
echo "$others"
# One on purpose shows that they would be seen.
grep 'Permission denied' <<<"$(facts refused)" || die "SELinux does not enforce: $(facts refused)"
counts=$(facts denied-count)
[ "${counts##* }" -gt "${counts%% *}" ] || die "a denial is not seen: $counts"
