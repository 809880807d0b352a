//! `/etc/tiu/etc-kept`: conflicts of which the administrator said that the host's version stays.
//!
//! Per line: the fingerprint of the image's version, a blank, the path. When the image changes the file again, the fingerprint no
//! longer fits, and there is a conflict again. The file is the administrator's like any other in `/etc`.

use super::escape::unescape;
use super::report::{Decided, Report};
use super::state::{Inode, InodeFacts, States, same};
use std::collections::{BTreeMap, BTreeSet};
use tiu_extract::Shown;
use tiu_system::tree::{Tree, TreeError};

/// Where it lies, without the leading slash.
pub const KEPT_PATH: &str = "etc/tiu/etc-kept";
/// Largest file that is read, in bytes.
const MAX_SIZE: u64 = 16 << 20;

/// What the administrator decided before.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Conflicts of earlier updates, resolved or not.
    pub earlier: BTreeSet<Vec<u8>>,
    /// Paths that stay the host's although the image's version has this fingerprint.
    pub kept: BTreeMap<Vec<u8>, String>,
}
/// Whether the administrator said that the host's version stays, whatever just this version of the image is.
pub fn is_settled(path: &[u8], image: Option<&Inode>, settled: &Settled) -> bool {
    let fingerprint = || InodeFacts::fingerprint(image.map(InodeFacts::from).as_ref());
    settled.kept.get(path).is_some_and(|kept| *kept == fingerprint())
}
/// Reads the lines; what is none is passed over, so that nothing that somebody writes there can stop an update.
pub fn parse(text: &str) -> BTreeMap<Vec<u8>, String> {
    let line = |line: &str| {
        let (fingerprint, path) = line.trim_end().split_once(' ')?;
        let is_hex = fingerprint.len() == 64 && fingerprint.bytes().all(|c| c.is_ascii_hexdigit());
        is_hex.then(|| (unescape(path.trim_start_matches('/')), fingerprint.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// The file with these lines.
pub fn text(kept: &BTreeMap<Vec<u8>, String>) -> String {
    let line = |(path, fingerprint): (&Vec<u8>, &String)| format!("{fingerprint} /{}\n", Shown(path));
    let lines: String = kept.iter().map(line).collect();
    format!(
        "# Written by `tiu etc keep`: the host's versions of these files stay, and are no conflicts.\n{lines}"
    )
}

/// What the administrator of the system in `tree` decided, and what there was to decide.
pub fn read(tree: &Tree, report: Option<&Report>) -> Result<Settled, TreeError> {
    let text = tree.read_text(KEPT_PATH, MAX_SIZE)?.unwrap_or_default();
    let conflicts = report.iter().flat_map(|report| &report.paths).filter(|decided| decided.conflict);
    Ok(Settled { earlier: conflicts.map(|decided| decided.raw_path()).collect(), kept: parse(&text) })
}

impl Settled {
    /// Conflicts of `report` that are not resolved: the host still differs from the image's version, and the administrator did not say that
    /// this is meant.
    pub fn unresolved<'a>(
        &'a self,
        report: &'a Report,
        host: &'a States,
        image: &'a States,
    ) -> impl Iterator<Item = &'a Decided> {
        report.paths.iter().filter(move |decided| {
            let path = decided.raw_path();
            let (host, image) = (host.get(&path), image.get(&path));
            decided.conflict && !same(host, image) && !is_settled(&path, image, self)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_and_others_are_passed_over() {
        let kept =
            BTreeMap::from([(b"etc/a b".to_vec(), "0".repeat(64)), (b"etc/\n".to_vec(), "f".repeat(64))]);
        assert_eq!(parse(&text(&kept)), kept);
        assert!(parse("etc/a\nzz etc/b\n\n# x\n").is_empty());
    }
}
