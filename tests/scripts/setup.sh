# shellcheck shell=bash
# What a fresh machine needs before anything of this project can be built or run: packages and a Rust toolchain.
# Shared by examples/quickstart.sh and tests/run.sh.

# setup_root PROGRAM: fails unless run by root.
setup_root() {
    [ "$(id -u)" = 0 ] && return
    echo "$1: needs root (it mounts a loopback btrfs): sudo $0" >&2
    return 1
}

# setup_packages TOP
#
# Installs what is missing of tests/scripts/packages.DISTRIBUTION with the machine's own package manager and sources.
# SETUP_INSTALLED says what was installed.
setup_packages() {
    local top=$1 family missing=() package
    SETUP_INSTALLED=''
    # shellcheck source=/dev/null
    family=$(. "${SETUP_OS_RELEASE:-/etc/os-release}" && echo " $ID ${ID_LIKE:-} ")
    case $family in
        *" debian "*) family=debian ;;
        *suse*) family=opensuse ;;
        *)
            echo "this machine is neither Debian nor openSUSE: install what tests/scripts/packages.debian lists, by the names of your distribution" >&2
            return 1
            ;;
    esac
    while read -r package; do
        case $package in '' | '#'*) continue ;; esac
        "setup_has_$family" "$package" || missing+=("$package")
    done <"$top/tests/scripts/packages.$family"
    [ ${#missing[@]} != 0 ] || return 0
    "setup_install_$family" "${missing[@]}" || {
        echo "could not install: ${missing[*]}" >&2
        return 1
    }
    # shellcheck disable=SC2034 # the result
    SETUP_INSTALLED=${missing[*]}
}

setup_has_debian() {
    [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

setup_install_debian() {
    apt-get update --quiet=2 >&2 || return 1
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "$@" </dev/null >&2
}

setup_has_opensuse() {
    rpm --quiet --query "$1" || rpm --quiet --query --whatprovides "$1"
}

setup_install_opensuse() {
    zypper --non-interactive --quiet install --no-recommends "$@" </dev/null >&2
}

# setup_rust TOP CACHE
#
# A cargo on the PATH, also under sudo, which hides the caller's. What root builds goes to the cache unless the checkout is root's
# own, so that its owner can still build there. Exports CARGO_TARGET_DIR.
setup_rust() {
    local top=$1 cache=$2 home
    if ! command -v cargo >/dev/null; then
        home=$(getent passwd "${SUDO_USER:-root}" | cut -d : -f 6)
        if [ -x "$home/.cargo/bin/cargo" ]; then
            export PATH=$home/.cargo/bin:$PATH CARGO_HOME=${CARGO_HOME:-$home/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$home/.rustup}
        fi
    fi
    if ! cargo --version >/dev/null 2>&1; then
        echo "no Rust toolchain: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$top/Cargo.toml") or later, for example with rustup (https://rustup.rs), and run this again" >&2
        return 1
    fi
    if [ -z "${CARGO_TARGET_DIR:-}" ]; then
        CARGO_TARGET_DIR=$top/target
        [ "$(stat -c %u "$top")" = 0 ] || CARGO_TARGET_DIR=$cache/target
    fi
    export CARGO_TARGET_DIR
}
