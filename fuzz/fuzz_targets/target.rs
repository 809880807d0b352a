//! The target that `TIU_FUZZ_TARGET` names, for libFuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;
use tiu_fuzzing::{TARGETS, Target};

static CHOSEN: OnceLock<&'static Target> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let target = CHOSEN.get_or_init(|| {
        let name = std::env::var("TIU_FUZZ_TARGET").unwrap_or_default();
        TARGETS.iter().find(|target| target.name == name).expect("TIU_FUZZ_TARGET names a target")
    });
    (target.check)(data);
});
