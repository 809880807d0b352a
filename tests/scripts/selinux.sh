# shellcheck shell=bash
# A root tree with SELinux: version 1 of kiwi.sh's trees with Debian's policy, labelled, kept in the cache.
# Also the labels of a host that has that policy. Needs kiwi.sh and host.sh.

# What docs/building/selinux.md asks for; apt adds what they need.
SELINUX_PACKAGES=(policycoreutils selinux-policy-default selinux-utils)
# Debian's name for the policy.
SELINUX_TYPE=default
SELINUX_CONTEXTS=etc/selinux/$SELINUX_TYPE/contexts/files/file_contexts

# selinux_tree CACHE TOP LOG
#
# Makes CACHE/trees/selinux unless it is there. What the programs say goes to LOG and, for KIWI, LOG.v1 and LOG.v2.
selinux_tree() {
    local cache=$1 top=$2 log=$3 tree=$1/trees/selinux key lock
    kiwi_trees "$cache" "$top" "$log" || return 1
    # Raised when the tree is made in another way.
    key="$(cat "$cache/trees/v1.key") call 1 ${SELINUX_PACKAGES[*]}"
    exec {lock}>"$cache/trees.lock" && flock "$lock" || return 1
    if [ ! -d "$tree" ] || [ "$(cat "$tree.key" 2>/dev/null)" != "$key" ]; then
        kiwi_remove "$tree.part" && kiwi_remove "$tree" && rm -f "$tree.key" || return 1
        if ! selinux_make_tree "$cache/trees/v1" "$tree.part" >"$log" 2>&1; then
            echo "the tree with SELinux could not be made; the end of $log:" >&2
            tail -n 30 "$log" >&2
            kiwi_remove "$tree.part"
            return 1
        fi
        mv -T "$tree.part" "$tree" && echo "$key" >"$tree.key" || return 1
    fi
    exec {lock}>&-
}

# selinux_make_tree FROM TREE
selinux_make_tree() {
    local tree=$2
    cp --archive --reflink=auto "$1" "$tree" && mkdir "$tree.debs" || return 1
    selinux_download "$tree" "$tree.debs" || {
        # A machine that was just made has no package lists yet, and an old one has those of packages that are gone.
        apt-get update --quiet=2 && selinux_download "$tree" "$tree.debs"
    } || return 1
    # The glob is for the shell in the tree. The policy is built on installation.
    host_inside "$tree" "$tree.debs" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg --install /mnt/*.deb' || return 1
    rm -rf "$tree.debs" "$tree"/var/log/dpkg.log "$tree"/usr/lib/sysimage/dpkg/*-old
    printf 'SELINUX=enforcing\nSELINUXTYPE=%s\n' "$SELINUX_TYPE" >"$tree/etc/selinux/config" || return 1
    selinux_label "$tree"
}

# selinux_download TREE DIR: the packages for what is installed in TREE, from this machine's package sources.
selinux_download() {
    apt-get --quiet=2 --yes --no-install-recommends --download-only \
        -o "Dir::State::status=$1/usr/lib/sysimage/dpkg/status" -o "Dir::Cache::archives=$2" install "${SELINUX_PACKAGES[@]}"
}

# selinux_label TREE [PATH]: labels all of a tree, or one path in it, as docs/building/selinux.md says, with the tree's own setfiles.
selinux_label() {
    # shellcheck disable=SC2016 # expanded in there
    unshare --mount --propagation private bash -euc '
        mount -t proc proc "$1/proc"
        exec env -i PATH=/usr/sbin:/usr/bin chroot "$1" setfiles -F -m -e /proc "/$2" "$3"
    ' selinux_label "$1" "$SELINUX_CONTEXTS" "${2:-/}"
}

# selinux_host DIR TREE: gives the host attached at DIR, which an installer has left, the policy of TREE, and labels what the policy has labels
# for: the snapshot that runs and the directories that are mounted over it.
selinux_host() {
    local dir=$1 tree=$2 subvolume others=()
    cp --archive --no-preserve=xattr "$tree/etc/selinux" "$dir/etc/" || return 1
    for subvolume in .snapshots "${HOST_SUBVOLUMES[@]}"; do others+=(-e "$dir/$subvolume"); done
    setfiles -F -m "${others[@]}" -r "$dir" "$dir/$SELINUX_CONTEXTS" "$dir" || return 1
    # Each subvolume by itself: setfiles takes their roots, which all have one inode number, for names of one file.
    for subvolume in "${HOST_SUBVOLUMES[@]}"; do
        setfiles -F -m -r "$dir" "$dir/$SELINUX_CONTEXTS" "$dir/$subvolume" || return 1
    done
    # The snapshots have labels by the paths in them. .snapshots itself is a directory that the policy does not name.
    setfattr -n security.selinux -v system_u:object_r:default_t:s0 "$dir/.snapshots"
}
