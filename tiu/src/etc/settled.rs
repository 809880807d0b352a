//! `/etc/tiu/etc-kept`: conflicts that the administrator settled in favour of the host's version.
//!
//! Each line has the fingerprint of the image's version, a blank, and the path. If the image
//! changes the file again, the fingerprint no longer matches, and the path is a conflict again. The
//! file is the administrator's, like any other in `/etc`.

use super::report::{Decided, EtcReport};
use super::state::{Inode, InodeFacts, States, same};
use std::collections::{BTreeMap, BTreeSet};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{MAX_TEXT, Tree, TreeError};

/// The path of the file in a tree.
pub const KEPT_PATH: &str = "etc/tiu/etc-kept";

/// The earlier decisions of the administrator.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Conflicts of earlier updates, resolved or not.
    pub earlier: BTreeSet<TreePathBuf>,
    /// Paths that stay the host's although the image's version has this fingerprint.
    pub kept: BTreeMap<TreePathBuf, String>,
}
/// Returns whether the administrator said that the host's version stays as long as the image has
/// this version.
pub fn is_settled(path: &TreePath, image: Option<&Inode>, settled: &Settled) -> bool {
    let fingerprint = || InodeFacts::fingerprint(image.map(InodeFacts::from).as_ref());
    settled.kept.get(path).is_some_and(|kept| *kept == fingerprint())
}
/// Reads the lines. Ignores other lines, so that nothing in the file can stop an update.
pub fn parse(text: &str) -> BTreeMap<TreePathBuf, String> {
    let line = |line: &str| {
        let (fingerprint, path) = line.split_once(' ')?;
        let is_hex = fingerprint.len() == 64 && fingerprint.bytes().all(|c| c.is_ascii_hexdigit());
        let path = path.trim_start_matches('/').parse().ok().filter(|_| is_hex)?;
        Some((path, fingerprint.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// Returns the text of a file with these lines.
pub fn text(kept: &BTreeMap<TreePathBuf, String>) -> String {
    let line = |(path, fingerprint): (&TreePathBuf, &String)| format!("{fingerprint} /{path}\n");
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
    Ok(Settled { earlier: conflicts.map(|decided| decided.path.clone()).collect(), kept: parse(&text) })
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
            let path = &*decided.path;
            let (host, image) = (host.get(path), image.get(path));
            decided.conflict && !same(host, image) && !is_settled(path, image, self)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back_and_others_are_ignored() {
        let path = |bytes: &[u8]| TreePathBuf::new(bytes).unwrap();
        let kept =
            BTreeMap::from([(path(b"etc/a b"), "0".repeat(64)), (path(b"etc/\n\xff"), "f".repeat(64))]);
        assert_eq!(parse(&text(&kept)), kept);
        assert!(parse("etc/a\nzz etc/b\n\n# x\n").is_empty());
    }

    #[test]
    fn lines_of_paths_that_cannot_be_are_ignored() {
        let good = format!("{} /etc/a\n", "1".repeat(64));
        let bad = ["etc/../a", "etc//a", "etc/a/", "etc/./a", r"etc/a\x00", r"\x2e\x2e/a"];
        let bad: String = bad.iter().map(|path| format!("{} /{path}\n", "0".repeat(64))).collect();
        let kept = parse(&(bad + &good));
        assert_eq!(kept, BTreeMap::from([(TreePathBuf::new("etc/a").unwrap(), "1".repeat(64))]));
    }

    #[test]
    fn blanks_at_the_end_of_a_path_are_part_of_it() {
        for odd in ["etc/a ", "etc/a\u{a0}", "etc/a\t", "etc/a\r", "etc/\u{2028}"] {
            let kept = BTreeMap::from([(TreePathBuf::new(odd).unwrap(), "0".repeat(64))]);
            assert_eq!(parse(&text(&kept)), kept, "{odd:?}");
        }
    }
}
