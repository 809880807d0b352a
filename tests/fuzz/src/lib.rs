//! Fuzz targets for everything that tiu reads from outside: bundles, images, keys, account files,
//! and the files that a host may have damaged.
//!
//! A target is a function of bytes that panics when a property does not hold. The properties:
//! nothing panics, time and memory stay bounded, and what is accepted means the same when it is
//! written and read again.
//!
//! Two programs call the targets: `fuzz` of this crate, which mutates the [corpus](seeds) with a
//! stable compiler, and cargo-fuzz with a nightly one (`fuzz/` in the project's root).
#![forbid(unsafe_code)]

mod mutate;
mod targets;

pub use mutate::Mutator;
pub use targets::{TARGETS, Target};

use std::io;
use std::path::PathBuf;

/// Returns the directory with the seeds of a target: small real inputs.
pub fn corpus(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", name].iter().collect()
}

/// Reads the seeds of a target, in the order of their names.
pub fn seeds(name: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<_> =
        std::fs::read_dir(corpus(name))?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.sort();
    paths.iter().map(std::fs::read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_accepts_its_seeds() {
        for target in TARGETS {
            let seeds = seeds(target.name).unwrap();
            assert!(!seeds.is_empty(), "{} has no seeds", target.name);
            for seed in seeds {
                assert!((target.check)(&seed), "{}: a seed is refused", target.name);
            }
        }
    }

    #[test]
    fn every_target_refuses_noise() {
        for target in TARGETS.iter().filter(|target| !target.total) {
            assert!(!(target.check)(b"\xff\xfe noise \0\x01"), "{} accepts noise", target.name);
        }
    }
}
