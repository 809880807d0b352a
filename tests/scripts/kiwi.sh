# shellcheck shell=bash
# Root trees made by KIWI from kiwi/debian, kept in the cache.
#
# Two real versions of one system: version 1 from the distribution's release archive alone, version 2 with the security and
# update archives on top. The archives are those of the machine's own apt configuration, so no mirror is named anywhere.
# A tree is made anew when it is missing or when the description changed, and is complete when it is there (made under
# another name, then renamed).

# kiwi_install CACHE TOP
#
# KIWI, as pinned in kiwi/requirements.txt, in a virtual environment of its own. Sets KIWI to the program.
# pip's own configuration (index, proxy, certificates) applies.
kiwi_install() {
    local cache=$1 requirements=$2/kiwi/requirements.txt key venv
    key=$(sha256sum <"$requirements" | cut -c 1-16)
    venv=$cache/kiwi-$key
    KIWI=$venv/bin/kiwi-ng
    [ ! -e "$venv/complete" ] || return 0
    mkdir -p "$cache" || return 1
    rm -rf "$venv"
    # Debian's own interpreter where there is one: others on the PATH may lack the venv module.
    local python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    "$python" -m venv "$venv" || return 1
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" || return 1
    touch "$venv/complete"
}

# kiwi_trees CACHE TOP LOG
#
# Makes CACHE/trees/v1 and CACHE/trees/v2 unless they are there. KIWI's own words go to LOG.v1 and LOG.v2.
# KIWI_MADE names the versions that were made now, for messages.
kiwi_trees() {
    local cache=$1 top=$2 log=$3 key version
    KIWI_MADE=''
    key=$(kiwi_tree_key "$top") || return 1
    mkdir -p "$cache" || return 1
    # One at a time: the next one finds what this one made. The lock ends with this function's last process.
    local lock
    exec {lock}>"$cache/trees.lock" && flock "$lock" || return 1
    for version in 1 2; do
        if [ -d "$cache/trees/v$version" ] && [ "$(cat "$cache/trees/v$version.key" 2>/dev/null)" = "$key" ]; then
            continue
        fi
        kiwi_install "$cache" "$top" || return 1
        kiwi_tree "$cache" "$top" "$version" "$log.v$version" || return 1
        echo "$key" >"$cache/trees/v$version.key"
        KIWI_MADE+="${KIWI_MADE:+ }$version"
    done
    exec {lock}>&-
}

# What the trees are made of: a change to the description, to KIWI, or to how it is called makes new ones.
kiwi_tree_key() {
    (
        cd "$1" || exit 1
        sources=(kiwi/debian/{config.xml,config.sh,root} kiwi/requirements.txt)
        # Raised when kiwi_tree calls KIWI in another way.
        echo "call 1"
        find "${sources[@]}" -type f -printf '%m %p\n' | LC_ALL=C sort
        find "${sources[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
    ) | sha256sum | cut -c 1-64
}

# kiwi_tree CACHE TOP VERSION LOG
kiwi_tree() {
    local cache=$1 top=$2 version=$3 log=$4 code=0
    local tree=$cache/trees/v$version part=$cache/trees/v$version.part repositories=() key
    kiwi_repositories "$version" || return 1
    mkdir -p "$cache/trees"
    kiwi_remove "$part" && kiwi_remove "$tree" && rm -f "$tree.key" || return 1
    key=/usr/share/keyrings/debian-archive-keyring.gpg
    # INITRD=No: Debian's kernel hook for dracut then makes none; the host does, in the new snapshot.
    "$KIWI" --logfile "$log" --shared-cache-dir "$cache/kiwi-packages" --temp-dir "${TMPDIR:-/var/tmp}" \
        --setenv "TIU_IMAGE_VERSION=$version" --setenv INITRD=No \
        system prepare --description "$top/kiwi/debian" --root "$part" --signing-key "$key" "${repositories[@]}" \
        >"$log.out" 2>&1 </dev/null || code=$?
    if [ "$code" != 0 ]; then
        echo "KIWI could not make root tree $version (code $code); the end of $log.out:" >&2
        tail -n 30 "$log.out" >&2
        kiwi_remove "$part"
        return 1
    fi
    mv -T "$part" "$tree"
}

# KIWI options for the archives of VERSION, into `repositories`. apt itself reads its sources, of whatever form.
kiwi_repositories() {
    local version=$1 codename uri release component main='' option=--set-repo
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && [ "$ID" = debian ] && echo "${VERSION_CODENAME:-}")
    if [ "$codename" != bookworm ]; then
        echo "the description in kiwi/debian is for Debian 12; its root tree can only be made on a Debian 12 machine" >&2
        echo "(elsewhere: copy trees/ with its .key files from such a machine's cache)" >&2
        return 1
    fi
    repositories=()
    # shellcheck disable=SC2016 # apt's own variables
    while IFS='|' read -r release component uri; do
        [ "$component" = main ] || continue
        case $version:$release in
            *:"$codename") main=$release ;;
            2:"$codename-security" | 2:"$codename-updates") ;;
            *) continue ;;
        esac
        # source,type,alias,priority,imageinclude,package_gpgcheck,{signing keys},components,distribution
        repositories+=("$option" "${uri%/},apt-deb,$release,,,,,main,$release")
        option=--add-repo
        # Sorted: the same order on every machine.
    done < <(apt-get indextargets --format '$(RELEASE)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' | LC_ALL=C sort -u)
    if [ -z "$main" ] && [ -z "${KIWI_UPDATED:-}" ]; then
        # A machine that was just made has no package lists yet.
        apt-get update --quiet=2 >&2 && KIWI_UPDATED=1 && kiwi_repositories "$version"
        return
    fi
    if [ -z "$main" ]; then
        echo "apt knows no archive of $codename: check /etc/apt/sources.list and /etc/apt/sources.list.d, then run apt-get update" >&2
        return 1
    fi
    if [ "$version" = 2 ] && [ ${#repositories[@]} -lt 4 ]; then
        echo "apt knows no security archive of $codename: version 2 would be version 1" >&2
        return 1
    fi
}

# kiwi_remove TREE: removes a tree, also one whose maker was killed while parts of this machine were mounted in it.
kiwi_remove() {
    local mount
    [ -e "$1" ] || return 0
    while read -r mount; do
        umount "$mount" || return 1
    done < <(findmnt --raw --noheadings --output TARGET | grep -F "$(realpath "$1")/" | LC_ALL=C sort -r)
    rm -rf --one-file-system "$1"
}
