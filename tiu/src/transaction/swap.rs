//! Swap files in the snapshot. btrfs makes no snapshot of a subvolume in which one is active, and
//! the new snapshot would not have the file that fstab names.

use super::error::ApplyError;
use std::path::Path;
use tiu_system::fstab;
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{MAX_TEXT, Node, Tree, destination, resolve};

/// The kernel's table of active swap, see proc(5).
pub const ACTIVE: &str = "/proc/swaps";

/// The swap files that are active on this machine.
pub struct ActiveSwap<'a> {
    /// The text of [`ACTIVE`]. Its paths are those of this machine.
    pub table: &'a str,
    /// The root of the host.
    pub root: &'a Path,
    /// The number of the snapshot that the update starts from.
    pub snapshot: u32,
}

impl ActiveSwap<'_> {
    /// Returns the paths in the snapshot: a file can also be in use by its path in `.snapshots`.
    fn paths(&self) -> impl Iterator<Item = String> {
        let own = format!(".snapshots/{}/snapshot", self.snapshot);
        self.table.lines().skip(1).filter_map(move |line| {
            let mut fields = line.split_whitespace();
            let (path, kind) = (fields.next()?, fields.next()?);
            let path = fstab::unescape(path);
            let path = Path::new(&path).strip_prefix(self.root).ok().filter(|_| kind == "file")?;
            path.strip_prefix(&own).unwrap_or(path).to_str().map(str::to_owned)
        })
    }
}

/// Refuses a swap file in `tree` that is `active`, or that its fstab names and is not at one of
/// `host_paths`.
pub fn check(tree: &Tree, host_paths: &[TreePathBuf], active: &ActiveSwap) -> Result<(), ApplyError> {
    let in_tree = |path: &str| {
        let path = TreePathBuf::new(path.trim_matches('/').as_bytes().to_vec()).ok()?;
        let is_file = matches!(resolve(tree, &path), Some((_, Node::File { size: 1.., .. })));
        is_file.then_some(path)
    };
    if let Some(path) = active.paths().find_map(|path| in_tree(&path)) {
        return Err(ApplyError::ActiveSwap { path: path.absolute().to_string() });
    }
    let text = tree.read_text("etc/fstab", MAX_TEXT)?.unwrap_or_default();
    let of_host = |path: &TreePath| {
        let at = destination(tree, path);
        host_paths.iter().any(|host| path.starts_with(host) || at.starts_with(host))
    };
    match fstab::swap_files(&text).iter().filter_map(|path| in_tree(path)).find(|path| !of_host(path)) {
        Some(path) => Err(ApplyError::Swap { path: path.absolute().to_string() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn checked(fstab: &str, host_paths: &[&str], active: Option<&str>) -> Result<(), ApplyError> {
        checked_at("/", fstab, host_paths, active)
    }

    fn checked_at(
        root: &str,
        fstab: &str,
        host_paths: &[&str],
        active: Option<&str>,
    ) -> Result<(), ApplyError> {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::create_dir(dir.path().join("swap")).unwrap();
        fs::write(dir.path().join("etc/fstab"), fstab).unwrap();
        fs::write(dir.path().join("swapfile"), "swap").unwrap();
        fs::write(dir.path().join("swap/file"), "swap").unwrap();
        let host_paths: Vec<_> = host_paths.iter().map(|path| TreePathBuf::new(*path).unwrap()).collect();
        let active = ActiveSwap { table: active.unwrap_or_default(), root: Path::new(root), snapshot: 7 };
        check(&Tree::open(dir.path()).unwrap(), &host_paths, &active)
    }

    const HEADING: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

    #[test]
    fn a_swap_file_of_fstab_must_be_the_host_s() {
        let line = "/swapfile none swap sw 0 0\n/swap/file none swap sw\n";
        assert!(
            matches!(checked(line, &["swap"], None), Err(ApplyError::Swap { path }) if path == "/swapfile")
        );
        assert!(
            matches!(checked(line, &["swapfile"], None), Err(ApplyError::Swap { path }) if path == "/swap/file")
        );
        checked(line, &["swapfile", "swap"], None).unwrap();
        // Devices, comments, and what does not exist.
        checked("UUID=1 none swap\n/dev/sda2 none swap\n#/swapfile none swap\n/none none swap\n", &[], None)
            .unwrap();
    }

    #[test]
    fn an_active_swap_file_of_the_snapshot_is_refused_anyway() {
        let active = format!("{HEADING}/dev/sda2 partition 1 0 -2\n/swapfile file 1 0 -3\n");
        let found = checked("", &["swapfile"], Some(&active));
        assert!(matches!(found, Err(ApplyError::ActiveSwap { path }) if path == "/swapfile"));
        let elsewhere = format!("{HEADING}/var/swapfile file 1 0 -3\n/dev/zram0 partition 1 0 -2\n");
        checked("", &[], Some(&elsewhere)).unwrap();
    }

    #[test]
    fn an_active_swap_file_is_found_by_each_path_that_leads_to_it() {
        let is_active = |root: &str, path: &str| {
            let table = format!("{HEADING}{path} file 1 0 -2\n");
            match checked_at(root, "", &[], Some(&table)) {
                Err(ApplyError::ActiveSwap { path }) => path == "/swapfile",
                other => other.map(|()| false).unwrap(),
            }
        };
        assert!(is_active("/", "/.snapshots/7/snapshot/swapfile"));
        assert!(is_active("/mnt", "/mnt/swapfile"));
        assert!(is_active("/mnt", "/mnt/.snapshots/7/snapshot/swapfile"));
        assert!(!is_active("/", "/.snapshots/6/snapshot/swapfile"));
        assert!(!is_active("/mnt", "/swapfile"), "this machine's");
    }
}
