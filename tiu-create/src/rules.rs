//! The rules for what goes into an image, by path alone.
//!
//! An image holds the files of a system. It does not hold files that the running kernel provides
//! (`/proc`), that belong to the host (`/home`), that the image builder leaves behind (`/image`),
//! or that the client keeps in its own directory of the image. `/var` is the host's too; its
//! content becomes defaults under `/usr/share/factory/var`.

use tiu_bundle::places::{self, Owner, STATE_DIR};
use tiu_system::glob::Glob;
use tiu_system::path::{TreePath, TreePathBuf};

/// The leftovers of KIWI in a root tree (`kiwi/defaults.py`: the paths that it does not copy into
/// images itself, and its package caches).
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

/// The reason why something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeftOutReason {
    /// Content of a directory that is another filesystem at run time.
    Runtime,
    /// The image builder's leftovers.
    Builder,
    /// `lost+found` of the filesystem that the tree is on.
    LostFound,
    /// The host's snapshots.
    Snapshots,
    /// Files that a client keeps in addition to an image's index.
    ClientState,
    /// Content of this directory of the host.
    Host(&'static TreePath),
    /// Content of persistent directory number N of the recipe.
    Persistent(usize),
    /// Matched by pattern number N of the recipe.
    Excluded(usize),
    /// A file that distinguishes one host from another, or a secret of a host.
    Identity,
    /// `/var` with `factory-var: false`.
    Var,
}

/// The treatment of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes into the image where it is.
    Keep,
    /// It goes to [`factory_path`].
    Factory,
    /// It does not go into the image.
    LeaveOut(LeftOutReason),
}

/// The rules of one run.
#[derive(Default, Clone, Debug)]
pub struct PackRules {
    /// Patterns of the recipe.
    pub exclude: Vec<Glob>,
    /// Persistent directories of the recipe, which are the host's too.
    pub persistent: Vec<TreePathBuf>,
    /// True if `/var` becomes defaults. Otherwise it is left out.
    pub factory_var: bool,
    /// Patterns of files that belong to one host.
    pub identity: Vec<Glob>,
    /// Patterns of the recipe that are the image's in any case.
    pub images: Vec<Glob>,
    /// Machine IDs of the tree that are those of no machine.
    pub blank_machine_ids: Vec<&'static str>,
}

const SNAPSHOTS: &TreePath = TreePath::literal(".snapshots");
const VAR: &TreePath = TreePath::literal("var");

impl PackRules {
    /// Returns what happens with `path`.
    pub fn verdict(&self, path: &TreePath) -> Verdict {
        // A directory that holds `path`, not `path` itself: the directory is packed, as a mount
        // point.
        let place = places::innermost(path).filter(|place| place.path != path);
        let owner = place.map(|place| place.owner);
        // Temporary files of the build. systemd makes /var/tmp itself.
        if owner == Some(Owner::System) || is_below(path, places::VAR_TMP) {
            return Verdict::LeaveOut(LeftOutReason::Runtime);
        }
        if KIWI.iter().any(|leftover| path.starts_with(TreePath::literal(leftover))) {
            return Verdict::LeaveOut(LeftOutReason::Builder);
        }
        if places::innermost(path).is_some_and(|place| place.owner == Owner::Filesystem) {
            return Verdict::LeaveOut(LeftOutReason::LostFound);
        }
        if is_below(path, SNAPSHOTS) {
            return Verdict::LeaveOut(LeftOutReason::Snapshots);
        }
        if is_below(path, STATE_DIR) {
            return Verdict::LeaveOut(LeftOutReason::ClientState);
        }
        let excludes = |glob: &Glob| !path.is_root() && glob.covers(path.as_bytes());
        if let Some(i) = self.exclude.iter().position(excludes) {
            return Verdict::LeaveOut(LeftOutReason::Excluded(i));
        }
        if let Some(i) = self.persistent.iter().position(|directory| is_below(path, directory)) {
            return Verdict::LeaveOut(LeftOutReason::Persistent(i));
        }
        match place.filter(|place| place.owner == Owner::Host).map(|place| place.path) {
            Some(directory) if directory == VAR && self.factory_var => Verdict::Factory,
            Some(directory) if directory == VAR => Verdict::LeaveOut(LeftOutReason::Var),
            Some(directory) => Verdict::LeaveOut(LeftOutReason::Host(directory)),
            None => Verdict::Keep,
        }
    }

    /// Returns whether a regular file at `path`, which is not empty, belongs to one host.
    pub fn is_identity(&self, path: &TreePath) -> bool {
        let covers = |patterns: &[Glob]| patterns.iter().any(|pattern| pattern.covers(path.as_bytes()));
        let blank = self.blank_machine_ids.iter().any(|blank| path.as_bytes() == blank.as_bytes());
        covers(&self.identity) && !covers(&self.images) && !blank
    }

    /// Returns whether the directory at `path` must be read. Below some there is nothing to pack or
    /// to report.
    pub fn descends(&self, path: &TreePath) -> bool {
        let system = places::innermost(path).is_some_and(|place| place.owner == Owner::System);
        let skipped = system || [places::VAR_TMP, SNAPSHOTS, STATE_DIR].contains(&path);
        let unread = |reason| {
            matches!(
                reason,
                LeftOutReason::Runtime
                    | LeftOutReason::Builder
                    | LeftOutReason::LostFound
                    | LeftOutReason::Excluded(_)
                    | LeftOutReason::Var
            )
        };
        !skipped && !matches!(self.verdict(path), Verdict::LeaveOut(reason) if unread(reason))
    }
}

/// Returns where a path of `/var` goes.
pub fn factory_path(path: &TreePath) -> TreePathBuf {
    TreePath::literal("usr/share/factory").join(path)
}

fn is_below(path: &TreePath, directory: &TreePath) -> bool {
    path != directory && path.starts_with(directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_bundle::places::FACTORY_VAR;

    fn path_of(path: &str) -> &TreePath {
        TreePath::new(path).expect("a good path")
    }

    fn rules(exclude: &str, persistent: &str) -> PackRules {
        PackRules {
            exclude: vec![Glob::new(exclude).expect("a good pattern")],
            persistent: vec![path_of(persistent).to_owned()],
            factory_var: true,
            identity: Vec::new(),
            images: Vec::new(),
            blank_machine_ids: Vec::new(),
        }
    }

    fn verdict(path: &str) -> Verdict {
        rules("/usr/share/doc/*", "data/x").verdict(path_of(path))
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
            "media",
            "mnt",
            "efi",
            "boot/efi",
            "boot/writable",
        ] {
            assert_eq!(verdict(dir), Verdict::Keep, "{dir}");
            assert_ne!(verdict(&format!("{dir}/x")), Verdict::Keep, "{dir}/x");
            assert_eq!(verdict(&format!("{dir}-other/x")), Verdict::Keep, "{dir}-other/x");
        }
    }

    #[test]
    fn what_no_client_installs_is_not_packed() {
        for directory in places::never_installed() {
            assert_eq!(verdict(directory.to_str().expect("text")), Verdict::Keep, "{directory}");
            let below = directory.child("x").expect("a good name");
            let packed = matches!(verdict(below.to_str().expect("text")), Verdict::Keep);
            assert!(!packed, "{below}");
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
            assert_eq!(verdict(path), Verdict::LeaveOut(LeftOutReason::Builder), "{path}");
        }
        for path in ["images", "usr/image", "etc/.profile", "etc/hosts"] {
            assert_eq!(verdict(path), Verdict::Keep, "{path}");
        }
    }

    #[test]
    fn var_becomes_defaults() {
        assert_eq!(verdict("var/lib/x"), Verdict::Factory);
        assert_eq!(&*factory_path(path_of("var/lib/x")), path_of("usr/share/factory/var/lib/x"));
        assert!(factory_path(path_of("var/x")).starts_with(FACTORY_VAR));
        assert_eq!(verdict("var/tmp/x"), Verdict::LeaveOut(LeftOutReason::Runtime));
        let off = PackRules { factory_var: false, ..rules("/none", "none") };
        assert_eq!(off.verdict(path_of("var/lib")), Verdict::LeaveOut(LeftOutReason::Var));
        assert_eq!(off.verdict(path_of("var")), Verdict::Keep);
    }

    #[test]
    fn persistent_directories_come_empty() {
        assert_eq!(verdict("data/x"), Verdict::Keep);
        assert_eq!(verdict("data/x/y"), Verdict::LeaveOut(LeftOutReason::Persistent(0)));
        assert_eq!(verdict("data/xy"), Verdict::Keep);
    }

    #[test]
    fn the_clients_folder_stays_empty() {
        assert_eq!(verdict("usr/lib/sysimage/tiu"), Verdict::Keep);
        assert_eq!(verdict("usr/lib/sysimage/tiu/bundle.cms"), Verdict::LeaveOut(LeftOutReason::ClientState));
    }

    #[test]
    fn the_recipe_excludes() {
        assert_eq!(verdict("usr/share/doc"), Verdict::Keep);
        assert_eq!(verdict("usr/share/doc/a/b"), Verdict::LeaveOut(LeftOutReason::Excluded(0)));
        assert_eq!(verdict(""), Verdict::Keep);
    }

    #[test]
    fn what_is_left_out_as_a_whole_is_not_read() {
        let rules = rules("/big", "data");
        for dir in ["proc", "tmp", "image", "big", "usr/lib/sysimage/tiu"] {
            assert!(!rules.descends(path_of(dir)), "{dir}");
        }
        for dir in ["", "usr", "var", "home", "var/lib", "data", "data/x", "media"] {
            assert!(rules.descends(path_of(dir)), "{dir}");
        }
    }
}
