#!/bin/bash
# Tests of the shell libraries in tests/scripts: package lists, package sources, the loopback host, commands that are shown.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for part in console setup kiwi host; do
    # shellcheck source=/dev/null
    . "$top/tests/scripts/$part.sh"
done
work=$(mktemp -d "${TMPDIR:-/tmp}/tiu-shell.XXXXXX")
cleanup() {
    host_cleanup
    rm -rf "$work"
}
trap cleanup EXIT
passed=0 failed=0

# is TITLE FOUND EXPECTED
is() {
    if [ "$2" = "$3" ]; then
        echo "ok      $1"
        passed=$((passed + 1))
    else
        printf 'FAILED  %s\n  found:    %q\n  expected: %q\n' "$1" "$2" "$3"
        failed=$((failed + 1))
    fi
}

# --- setup.sh: only what is missing is installed, with the distribution's own package manager --------------------------------
# package_manager FAMILY: stand-ins that know every package but two, and write down what they are told to install.
package_manager() {
    mkdir -p "$work/bin"
    cat >"$work/bin/dpkg-query" <<'END'
#!/bin/sh
case "$*" in *snapper* | *jq*) exit 1 ;; *) printf installed ;; esac
END
    cat >"$work/bin/rpm" <<'END'
#!/bin/sh
case "$*" in *snapper* | *jq*) exit 1 ;; esac
END
    # shellcheck disable=SC2016 # the stand-in's own arguments
    printf '#!/bin/sh\necho "$0 $*" | sed "s|.*/||" >>%s/said\n' "$work" | tee "$work/bin/apt-get" >"$work/bin/zypper"
    chmod +x "$work"/bin/*
}
package_manager
for family in debian opensuse; do
    case $family in
        debian) release='ID=debian' ;;
        opensuse) release='ID="opensuse-microos"
ID_LIKE="suse opensuse opensuse-tumbleweed"' ;;
    esac
    echo "$release" >"$work/os-release"
    rm -f "$work/said"
    PATH=$work/bin:$PATH SETUP_OS_RELEASE=$work/os-release bash -c '. "$1/tests/scripts/setup.sh"; setup_packages "$1"; echo "$SETUP_INSTALLED"' - "$top" >"$work/out"
    is "setup on $family says what it installed" "$(tr ' ' '\n' <"$work/out" | sort | paste -sd ' ')" "jq snapper"
    is "setup on $family calls the package manager" "$(grep -c ' install .*snapper.*' "$work/said")" 1
done
echo 'ID=plan9' >"$work/os-release"
code=0
SETUP_OS_RELEASE=$work/os-release bash -c '. "$1/tests/scripts/setup.sh"; setup_packages "$1"' - "$top" 2>"$work/err" || code=$?
is "setup on an unknown distribution fails" "$code" 1
is "setup on an unknown distribution says what to do" "$(grep -c packages.debian "$work/err")" 1
is "no package is listed twice" "$(grep -hv '^#' "$top/tests/scripts/packages.debian" | grep . | sort | uniq -d)" ""

# --- kiwi.sh: package sources in both of apt's forms give the same repositories ----------------------------------------------
repositories=()
kiwi_repositories 1
one=("${repositories[@]}")
kiwi_repositories 2
two=("${repositories[@]}")
is "version 1 has one archive" "${#one[@]} ${one[0]}" "2 --set-repo"
is "version 2 has the security archive too" "$(printf '%s\n' "${two[@]}" | grep -c -- -security,apt-deb,)" 1
is "version 2 has all of version 1" "$(printf '%s\n' "${two[@]}" | grep -cxF "${one[1]}")" 1
for form in list sources; do
    # The machine's own archives, written in one form; apt's downloaded lists stay where they are.
    rm -rf "$work/apt"
    mkdir -p "$work/apt/sources.list.d"
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u | while read -r uri release component; do
        case $form in
            list) echo "deb $uri $release $component" >>"$work/apt/sources.list" ;;
            sources) printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\n\n' "$uri" "$release" "$component" >>"$work/apt/sources.list.d/all.sources" ;;
        esac
    done
    printf 'Dir::Etc::sourcelist "%s/apt/sources.list";\nDir::Etc::sourceparts "%s/apt/sources.list.d";\n' "$work" "$work" >"$work/apt.conf"
    again=$(APT_CONFIG=$work/apt.conf bash -c '. "$1/tests/scripts/kiwi.sh"; kiwi_repositories 2; printf "%s\n" "${repositories[@]}"' - "$top")
    is "package sources as .$form are understood" "$again" "$(printf '%s\n' "${two[@]}")"
done

# --- host.sh -----------------------------------------------------------------------------------------------------------------
loops() { losetup --noheadings --output NAME --associated "$1" | wc -l; }
mkdir "$work/root"
host_make "$work/disk" 1G
is "a new host holds no loop device" "$(loops "$work/disk")" 0
host_attach "$work/disk" "$work/root"
is "the running system is the default snapshot" "$(host_default "$work/root")" 1
is "snapper knows snapshot 1" "$(snapper --no-dbus --root "$work/root" --csvout list --columns number,default | tail -n 1)" "1,yes"
is "snapshot 1 is read-only" "$(btrfs property get "$work/root" ro)" "ro=true"
mounted() { findmnt --raw --noheadings --output TARGET --submounts --target "$work/root" | sed "s|^$work/root/*|/|" | sort | paste -sd ' '; }
is "everything that fstab names is mounted" "$(mounted)" "$(awk '{ print $2 }' "$work/root/etc/fstab" | sort | paste -sd ' ')"
is "the root's line in fstab names no subvolume" "$(awk '$2 == "/" { print $4 }' "$work/root/etc/fstab")" ro
host_reboot "$work/disk" "$work/root"
is "after a reboot everything is mounted again" "$(mounted)" "$(awk '{ print $2 }' "$work/root/etc/fstab" | sort | paste -sd ' ')"
host_cleanup
is "after cleaning up nothing is mounted" "$(findmnt --raw --noheadings --output TARGET | grep -c "^$work" || true)" 0
is "after cleaning up there is no loop device" "$(loops "$work/disk")" 0
code=0
host_make "$work/small" 1M 2>/dev/null || code=$?
is "a host that cannot be made is an error" "$([ "$code" != 0 ] && echo error)" error
is "a host that cannot be made leaves no mount" "$(loops "$work/small")" 0

# --- console.sh --------------------------------------------------------------------------------------------------------------
code=0
said=$(run sh -c 'echo one; exit 3') || code=$?
is "a command that is shown keeps its code" "$code" 3
is "a command that is shown can be typed" "$(head -n 1 <<<"$said")" '    $ sh -c echo\ one\;\ exit\ 3'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
