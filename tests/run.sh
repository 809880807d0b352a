#!/bin/bash
# All tests, with all set-up that they need, on a fresh Debian 12 with a Rust toolchain.
#
#   sudo tests/run.sh [--long] [--list] [TEST...]
#     --long   also the benchmark, more cases of each property test, and full sizes of the crash tests
#     --list   the names of the tests
#
# Each test says what it did and how long it took; the last line counts those that passed and failed. None is skipped: what cannot
# run has failed. What takes long to make (root trees, kernels, KIWI) is kept in TIU_CACHE (default: ${XDG_CACHE_HOME:-/var/cache}/tiu).
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for part in console setup; do
    # shellcheck source=/dev/null
    . "$top/tests/scripts/$part.sh"
done
cd "$top"

all=(shellcheck shell format structure clippy documentation deny rust fuzz clean-check docs readme crash kiwi vm quickstart)
# By name only.
named=(benchmark scale)
names=()
long=''
while [ $# -gt 0 ]; do
    case $1 in
        --long) long=1 ;;
        --list)
            printf '%s\n' "${all[@]}" "${named[@]}"
            exit
            ;;
        -h | --help)
            sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
            exit
            ;;
        -*)
            echo "tests/run.sh: unknown option $1 (see --help)" >&2
            exit 2
            ;;
        *) names+=("$1") ;;
    esac
    shift
done
if [ ${#names[@]} = 0 ]; then
    names=("${all[@]}")
    [ -z "$long" ] || names+=(benchmark)
fi
for name in "${names[@]}"; do
    case " ${all[*]} ${named[*]} " in
        *" $name "*) ;;
        *)
            echo "tests/run.sh: no test '$name' (see --list)" >&2
            exit 2
            ;;
    esac
done
setup_root tests/run.sh

cache=${TIU_CACHE:-${XDG_CACHE_HOME:-/var/cache}/tiu}
# A folder for temporary files of these tests alone: whatever is in it afterwards was forgotten.
temporary=$(mktemp -d "${TMPDIR:-/tmp}/tiu-tests.XXXXXX")
# Some tests become another user.
chmod 755 "$temporary"
state=$(mktemp)
trap 'rm -rf "$state" "$temporary"' EXIT
export TMPDIR=$temporary
# Whole outputs are compared, and never written: tests/README.md.
export INSTA_UPDATE=no
trap 'exit 130' INT
trap 'exit 143' TERM
began=$EPOCHREALTIME

# --- the tests ---------------------------------------------------------------------------------------------------------------
test_shellcheck() {
    local scripts
    mapfile -t scripts < <(git ls-files -z | xargs -0 grep -lE '^#!(/bin/|/usr/bin/env )(ba)?sh|^# shellcheck shell=' --)
    shellcheck "${scripts[@]}"
    echo "${#scripts[@]} scripts"
}

test_shell() { tests/scripts/test-shell.sh; }

test_format() { cargo fmt --all --check; }

test_clippy() { cargo clippy --workspace --all-targets --locked --quiet -- -D warnings; }

test_documentation() { RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet; }

# Circles of imports, and who may import whom: tests/structure.
test_structure() { cargo run --quiet --package tiu-structure --locked; }

# Licences, sources and versions of the crates that others wrote: deny.toml.
test_deny() {
    local version=0.20.2 root
    if ! cargo deny --version >/dev/null 2>&1; then
        root=$cache/cargo-deny-$version
        # It runs for a second: what compiles fast is good enough.
        [ -x "$root/bin/cargo-deny" ] || env -u CARGO_TARGET_DIR \
            CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
            cargo install --quiet --locked --root "$root" "cargo-deny@$version"
        PATH=$root/bin:$PATH
    fi
    cargo deny --locked check licenses bans sources
    # The database of advisories is not on crates.io: only a machine that has a copy (`cargo deny fetch`) checks it.
    if compgen -G "${CARGO_HOME:-$HOME/.cargo}/advisory-dbs/*/" >/dev/null; then
        cargo deny --locked --offline check advisories
    else
        echo "advisories not checked: no database in ${CARGO_HOME:-$HOME/.cargo}/advisory-dbs"
    fi
}

test_rust() {
    [ -z "$long" ] || export PROPTEST_CASES=4096 TIU_TEST_LONG=1
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --workspace --all-targets --locked --no-fail-fast
        # nextest runs no examples in documentation.
        cargo test --workspace --doc --locked
    else
        cargo test --workspace --all-targets --locked --no-fail-fast
        cargo test --workspace --doc --locked
    fi
}

# Damaged inputs for everything that reads some: tests/fuzz.
test_fuzz() { cargo run --quiet --package tiu-fuzzing --locked -- --seconds "$([ -n "$long" ] && echo 60 || echo 2)"; }

test_clean-check() { tests/scripts/check-clean.sh self-test; }

# Kills, power cuts, full disks (docs/internals/crash-safety.md).
test_crash() {
    cargo build --package tiu --package tiu-create --package tiu-crash --locked
    "${CARGO_TARGET_DIR:-target}/debug/crash" ${long:+--long}
}

# First that each of its checks can fail.
test_docs() { tests/scripts/test-docs.sh self-test && tests/scripts/test-docs.sh; }

test_readme() { tests/scripts/test-readme.sh; }

test_kiwi() { tests/scripts/test-kiwi.sh; }

test_vm() { tests/vm/run.sh; }

test_quickstart() { examples/quickstart.sh --boot; }

test_benchmark() { tests/bench/run.sh; }

test_scale() { tests/bench/scale.sh; }

# --- running them ------------------------------------------------------------------------------------------------------------
printf 'Set-up\n'
setup_packages "$top"
say "installed now: ${SETUP_INSTALLED:-nothing, all is there}"
setup_rust "$top" "$cache"
say "$(cargo --version), $(nproc) processors, cache $cache"
git config --global --get-all safe.directory 2>/dev/null | grep -qxF "$top" || export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$top

passed=() failed=()
for name in "${names[@]}"; do
    printf '\n=== %s\n' "$name"
    started=$EPOCHREALTIME
    tests/scripts/check-clean.sh before "$state"
    # Not in a condition: bash would go on after a command that failed.
    set +e
    (
        trap - EXIT
        set -e
        "test_$name" </dev/null
    )
    code=$?
    set -e
    [ "$code" != 0 ] || tests/scripts/check-clean.sh after "$state" || code=clean
    if [ "$code" = 0 ]; then
        passed+=("$name")
        printf '=== %s passed (%s s)\n' "$name" "$(seconds_since "$started")"
    else
        failed+=("$name")
        [ "$code" = clean ] || tests/scripts/check-clean.sh after "$state" || true
        printf '=== %s FAILED (%s) (%s s)\n' "$name" "$code" "$(seconds_since "$started")"
    fi
done

printf '\n%s s\n' "$(seconds_since "$began")"
[ ${#failed[@]} = 0 ] || printf 'failed: %s\n' "${failed[*]}"
printf '%s passed, %s failed\n' "${#passed[@]}" "${#failed[@]}"
[ ${#failed[@]} = 0 ]
