# shellcheck shell=bash
# The programs that are measured.

# bench_programs NAME TOP CACHE: all that benchmark NAME needs on a fresh machine. Sets bin to the folder of the programs: TIU_BIN, or what
# is built now.
bench_programs() {
    local name=$1 top=$2 cache=$3
    setup_root "$name"
    setup_packages "$top"
    setup_rust "$top" "$cache"
    # shellcheck disable=SC2034 # the result
    bin=${TIU_BIN:-$CARGO_TARGET_DIR/release}
    if [ -z "${TIU_BIN:-}" ]; then
        cargo build --release --locked --quiet --manifest-path "$top/Cargo.toml" -p tiu -p tiu-create -p tiu-extract
    fi
}
