//! `/etc/tiu/etc-kept`: conflicts that the administrator settled in favour of the host's version.
//!
//! Each line has the fingerprint of the image's version, a blank, and the path. When the image
//! changes the file again, the fingerprint no longer fits, and the path is a conflict again. The
//! file is the administrator's, like any other in `/etc`.

use super::escape::unescape;
use super::report::{Decided, EtcReport};
use super::state::{Inode, InodeFacts, States, same};
use std::collections::{BTreeMap, BTreeSet};
use tiu_extract::Shown;
use tiu_system::tree::{MAX_TEXT, Tree, TreeError};

/// The path of the file in a tree.
pub const KEPT_PATH: &str = "etc/tiu/etc-kept";

/// The earlier decisions of the administrator.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Conflicts of earlier updates, resolved or not.
    pub earlier: BTreeSet<Vec<u8>>,
    /// Paths that stay the host's although the image's version has this fingerprint.
    pub kept: BTreeMap<Vec<u8>, String>,
}
/// Returns whether the administrator said that the host's version stays as long as the image has
/// this version.
pub fn is_settled(path: &[u8], image: Option<&Inode>, settled: &Settled) -> bool {
    let fingerprint = || InodeFacts::fingerprint(image.map(InodeFacts::from).as_ref());
    settled.kept.get(path).is_some_and(|kept| *kept == fingerprint())
}
/// Reads the lines. Ignores other lines, so that nothing in the file can stop an update.
pub fn parse(text: &str) -> BTreeMap<Vec<u8>, String> {
    let line = |line: &str| {
        let (fingerprint, path) = line.trim_end().split_once(' ')?;
        let is_hex = fingerprint.len() == 64 && fingerprint.bytes().all(|c| c.is_ascii_hexdigit());
        is_hex.then(|| (unescape(path.trim_start_matches('/')), fingerprint.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// Returns the text of a file with these lines.
pub fn text(kept: &BTreeMap<Vec<u8>, String>) -> String {
    let line = |(path, fingerprint): (&Vec<u8>, &String)| format!("{fingerprint} /{}\n", Shown(path));
    let lines: String = kept.iter().map(line).collect();
    format!(
        "# Written by `tiu etc keep`: the host's versions of these files stay and are not conflicts.\n{lines}"
    )
}

/// Reads the decisions of the administrator of the system in `tree`, and the conflicts of its
/// `report`.
pub fn read(tree: &Tree, report: Option<&EtcReport>) -> Result<Settled, TreeError> {
    let text = tree.read_text(KEPT_PATH, MAX_TEXT)?.unwrap_or_default();
    let conflicts = report.iter().flat_map(|report| &report.paths).filter(|decided| decided.conflict);
    Ok(Settled { earlier: conflicts.map(|decided| decided.raw_path()).collect(), kept: parse(&text) })
}

impl Settled {
    /// Returns the unresolved conflicts of `report`: the host still differs from the image's
    /// version, and the administrator did not settle that.
    pub fn unresolved<'a>(
        &'a self,
        report: &'a EtcReport,
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
    fn lines_are_read_back_and_others_are_ignored() {
        let kept =
            BTreeMap::from([(b"etc/a b".to_vec(), "0".repeat(64)), (b"etc/\n".to_vec(), "f".repeat(64))]);
        assert_eq!(parse(&text(&kept)), kept);
        assert!(parse("etc/a\nzz etc/b\n\n# x\n").is_empty());
    }
}
