# shellcheck shell=bash
# Content digests are fs-verity's: the kernel's own measurement is what the index says. It does not prove that blocks can be read: files are
# read all the same.

extract kernel "$DATA/system.tiu" tree
# All but some hundred small ones that would show nothing new, and a name that has a case of its own elsewhere.
find tree/usr/share/fixture tree/etc -name many -prune -o -name 'odd*' -prune -o -type f -print >files
while read -r file; do
    # The second name of an inode finds it done.
    fsverity measure "$file" >/dev/null 2>&1 || fsverity enable "$file"
done <files

step "the digest in the index is what the kernel measures"
xargs fsverity measure <files | sed -n 's|^sha256:\([0-9a-f]\{64\}\) tree/|\1 |p' | sort >measured
equal "files measured" "$(wc -l <measured)" "$(wc -l <files)"
tiu-extract list --json --keyring "$KEYRING" "$DATA/system.tiu" | awk -F '"' '$2 == "digest" { digest = $4 } $2 == "path" { print digest, $4 }' | sort >indexed
equal "files that the kernel measures otherwise" "$(comm -23 measured indexed)" ""

# traced OUT: extracts once more; what it did with usr/share/fixture/noise goes to OUT.
traced() {
    strace -f -qq -y -e trace=ioctl,read,pread64,mmap,write,pwrite64 -o trace \
        tiu-extract extract --progress none --keyring "$KEYRING" "$DATA/system.tiu" tree
    grep 'fixture/noise>' trace >"$1" || true
}

step "what has fs-verity is read"
traced kept
grep -qE '(read|pread64)\(' kept || die "noise was not read: $(head kept)"
equal "writes of noise" "$(grep -cE 'p?write(64)?\(' kept || true)" 0
good_tree tree system

step "what has fs-verity and other content is replaced"
rm tree/usr/share/fixture/noise
head -c 3M /dev/urandom >tree/usr/share/fixture/noise
fsverity enable tree/usr/share/fixture/noise
extract kernel "$DATA/system.tiu" tree
good_tree tree system

step "what has fs-verity and a block that cannot be read is written again"
truncate -s 96M disk
mkfs.btrfs -q --mixed disk
mkdir mnt
mount -o loop disk mnt
extract kernel "$DATA/system.tiu" mnt/tree
noise=mnt/tree/usr/share/fixture/noise
fsverity enable "$noise"
before=$(fsverity measure "$noise" | cut -d ' ' -f 1)
bytes=$(od -An -v -tx1 -j 1000000 -N 16 "$noise" | tr -d '\n' | sed 's/ /\\x/g')
umount mnt
at=$(LC_ALL=C grep -obUaP "$bytes" disk | head -n 1 | cut -d : -f 1)
[ -n "$at" ] || die "the content of noise is not on the disk"
flip disk "$at"
mount -o loop disk mnt
equal "digest that the kernel still has" "$(fsverity measure "$noise" | cut -d ' ' -f 1)" "$before"
! cat "$noise" >/dev/null 2>&1 || die "the flipped byte can be read"
extract kernel "$DATA/system.tiu" mnt/tree
cat "$noise" >/dev/null
good_tree mnt/tree system
umount mnt
