//! What of a tree goes into the image, by path alone.
//!
//! An image holds what a system is made of. What the running kernel provides (`/proc`), what belongs to the host
//! (`/home`), what the image builder leaves behind (`/image`), and what the client keeps in the image's own folder does
//! not; `/var` is the host's too, and its content becomes defaults under `/usr/share/factory/var`.

use tiu_bundle::index::STATE_DIR;
use tiu_system::glob::Glob;

/// Where `/var`'s content goes, without the leading slash.
pub const FACTORY_VAR: &str = "usr/share/factory/var";

/// Directories that stay as empty mount points: their content is another filesystem's when the system runs.
const RUNTIME: [&str; 5] = ["dev", "proc", "sys", "run", "tmp"];
/// Directories that are the host's: an image's content there would never be seen.
const HOST: [&str; 6] = ["home", "root", "srv", "opt", "usr/local", "boot/writable"];
/// What KIWI leaves in a root tree (`kiwi/defaults.py`: what it does not copy into images itself; and its package caches).
const KIWI: [&str; 11] = [
    "image",
    ".profile",
    ".kconfig",
    ".buildenv",
    "var/cache/kiwi",
    "etc/hosts.kiwi",
    "etc/hosts.sha",
    "etc/resolv.conf.kiwi",
    "etc/resolv.conf.sha",
    "etc/sysconfig/proxy.kiwi",
    "etc/sysconfig/proxy.sha",
];

/// Why something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Content of a directory that is another filesystem at run time.
    Runtime,
    /// The image builder's leftovers.
    Builder,
    /// `lost+found` of the filesystem that the tree is on.
    LostFound,
    /// The host's snapshots.
    Snapshots,
    /// What a client keeps beside an image's index.
    ClientState,
    /// Content of a directory that is the host's; the number is the one in the list of them.
    Host(usize),
    /// Content of persistent directory number N of the recipe.
    Persistent(usize),
    /// Matched by pattern number N of the recipe.
    Excluded(usize),
    /// `/var` with `factory-var: false`.
    Var,
}

/// What happens with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Goes into the image where it is.
    Keep,
    /// Goes under [`FACTORY_VAR`], with this much of the path taken away at its start.
    Factory,
    /// Does not go into the image.
    LeaveOut(Reason),
}

/// The rules of one run.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Patterns of the recipe.
    pub exclude: Vec<Glob>,
    /// Persistent directories of the recipe, without leading slashes: they are the host's, too.
    pub persistent: Vec<String>,
    /// Whether `/var` becomes defaults (or is left out).
    pub factory_var: bool,
}

impl Rules {
    /// What happens with `path` (without a leading slash; empty for the root).
    pub fn verdict(&self, path: &[u8]) -> Verdict {
        if RUNTIME.iter().any(|dir| below(path, dir)) {
            return Verdict::LeaveOut(Reason::Runtime);
        }
        if KIWI.iter().any(|name| at_or_below(path, name)) {
            return Verdict::LeaveOut(Reason::Builder);
        }
        if at_or_below(path, "lost+found") {
            return Verdict::LeaveOut(Reason::LostFound);
        }
        if below(path, ".snapshots") {
            return Verdict::LeaveOut(Reason::Snapshots);
        }
        if below(path, STATE_DIR) {
            return Verdict::LeaveOut(Reason::ClientState);
        }
        if let Some(i) = self.exclude.iter().position(|glob| !path.is_empty() && glob.covers(path)) {
            return Verdict::LeaveOut(Reason::Excluded(i));
        }
        if let Some(i) = HOST.iter().position(|dir| below(path, dir)) {
            return Verdict::LeaveOut(Reason::Host(i));
        }
        if let Some(i) = self.persistent.iter().position(|dir| below(path, dir)) {
            return Verdict::LeaveOut(Reason::Persistent(i));
        }
        // Temporary files of the build; /var/tmp itself is made by systemd.
        if below(path, "var/tmp") {
            return Verdict::LeaveOut(Reason::Runtime);
        }
        match (below(path, "var"), self.factory_var) {
            (false, _) => Verdict::Keep,
            (true, true) => Verdict::Factory,
            (true, false) => Verdict::LeaveOut(Reason::Var),
        }
    }

    /// Whether the directory at `path` has to be read: there is nothing to pack or to report below some.
    pub fn descends(&self, path: &[u8]) -> bool {
        let nothing_below =
            ["var/tmp", ".snapshots", STATE_DIR].iter().chain(&RUNTIME).any(|dir| path == dir.as_bytes());
        !nothing_below
            && !matches!(
                self.verdict(path),
                Verdict::LeaveOut(
                    Reason::Runtime | Reason::Builder | Reason::LostFound | Reason::Excluded(_) | Reason::Var
                )
            )
    }

    /// The directory that a [`Reason::Host`] speaks of, with its leading slash.
    pub fn host_directory(i: usize) -> String {
        format!("/{}", HOST.get(i).copied().unwrap_or_default())
    }
}

/// Where a path of `/var` goes.
pub fn factory_path(path: &[u8]) -> Vec<u8> {
    [b"usr/share/factory/", path].concat()
}

fn below(path: &[u8], dir: &str) -> bool {
    path.strip_prefix(dir.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
}

fn at_or_below(path: &[u8], name: &str) -> bool {
    path == name.as_bytes() || below(path, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(path: &str) -> Verdict {
        let exclude = vec![Glob::new("/usr/share/doc/*").expect("a good pattern")];
        Rules { exclude, persistent: vec!["data/x".into()], factory_var: true }.verdict(path.as_bytes())
    }

    #[test]
    fn mount_points_stay_and_their_content_goes() {
        for dir in [
            "dev",
            "proc",
            "sys",
            "run",
            "tmp",
            "home",
            "root",
            "opt",
            "srv",
            "usr/local",
            ".snapshots",
            "var",
        ] {
            assert_eq!(verdict(dir), Verdict::Keep, "{dir}");
            assert_ne!(verdict(&format!("{dir}/x")), Verdict::Keep, "{dir}/x");
            assert_eq!(verdict(&format!("{dir}-other/x")), Verdict::Keep, "{dir}-other/x");
        }
    }

    #[test]
    fn the_builders_leftovers_go_with_their_directory() {
        for path in [
            "image",
            "image/config.xml",
            ".profile",
            ".kconfig",
            "var/cache/kiwi",
            "var/cache/kiwi/x",
            "etc/hosts.kiwi",
        ] {
            assert_eq!(verdict(path), Verdict::LeaveOut(Reason::Builder), "{path}");
        }
        for path in ["images", "usr/image", "etc/.profile", "etc/hosts"] {
            assert_eq!(verdict(path), Verdict::Keep, "{path}");
        }
    }

    #[test]
    fn var_becomes_defaults() {
        assert_eq!(verdict("var/lib/x"), Verdict::Factory);
        assert_eq!(factory_path(b"var/lib/x"), b"usr/share/factory/var/lib/x");
        assert!(factory_path(b"var/x").starts_with(FACTORY_VAR.as_bytes()));
        assert_eq!(verdict("var/tmp/x"), Verdict::LeaveOut(Reason::Runtime));
        let off = Rules { exclude: vec![], persistent: vec![], factory_var: false };
        assert_eq!(off.verdict(b"var/lib"), Verdict::LeaveOut(Reason::Var));
        assert_eq!(off.verdict(b"var"), Verdict::Keep);
    }

    #[test]
    fn persistent_directories_come_empty() {
        assert_eq!(verdict("data/x"), Verdict::Keep);
        assert_eq!(verdict("data/x/y"), Verdict::LeaveOut(Reason::Persistent(0)));
        assert_eq!(verdict("data/xy"), Verdict::Keep);
    }

    #[test]
    fn the_clients_folder_stays_empty() {
        assert_eq!(verdict("usr/lib/sysimage/tiu"), Verdict::Keep);
        assert_eq!(verdict("usr/lib/sysimage/tiu/bundle.cms"), Verdict::LeaveOut(Reason::ClientState));
    }

    #[test]
    fn the_recipe_excludes() {
        assert_eq!(verdict("usr/share/doc"), Verdict::Keep);
        assert_eq!(verdict("usr/share/doc/a/b"), Verdict::LeaveOut(Reason::Excluded(0)));
        assert_eq!(verdict(""), Verdict::Keep);
    }

    #[test]
    fn what_is_left_out_as_a_whole_is_not_read() {
        let exclude = vec![Glob::new("/big").expect("a good pattern")];
        let rules = Rules { exclude, persistent: vec!["data".into()], factory_var: true };
        for dir in ["proc", "tmp", "image", "big", "usr/lib/sysimage/tiu"] {
            assert!(!rules.descends(dir.as_bytes()), "{dir}");
        }
        for dir in ["", "usr", "var", "home", "var/lib", "data", "data/x"] {
            assert!(rules.descends(dir.as_bytes()), "{dir}");
        }
    }
}
