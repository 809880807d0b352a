//! The origin and the place of a new snapshot's initrd. Decided from the index before anything is
//! touched.

use crate::config::{Config, Initrd};
use tiu_bundle::index::Index;
use tiu_system::hints;
use tiu_system::os_release::OsRelease;
use tiu_system::path::{TreePath, TreePathBuf};

/// The origin of the initrd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InitrdPlan {
    /// The image has one, at this path.
    Shipped(TreePathBuf),
    /// dracut makes one.
    Dracut(Dracut),
    /// There will be none, or somebody else makes it.
    Nothing,
}

/// The task for dracut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dracut {
    /// dracut's path in the image.
    pub program: &'static TreePath,
    /// Version of the kernel.
    pub kernel: String,
    /// The path of the new initrd.
    pub path: TreePathBuf,
    /// A symlink to it that the distribution's boot loader reads, and its target.
    pub link: Option<(TreePathBuf, String)>,
}

/// A reason why no initrd can be made as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InitrdError {
    /// `initrd: image`, and there is none.
    #[error("the image has no initrd: looked for {}", list(looked))]
    NotShipped {
        /// The paths that were searched.
        looked: Vec<TreePathBuf>,
    },
    /// `initrd-strict`, and there is something to say about the initrd.
    #[error("the initrd /{path} is refused (initrd-strict): {}", warnings.join("; "))]
    Refused {
        /// Its path.
        path: TreePathBuf,
        /// The warnings about it.
        warnings: Vec<String>,
    },
    /// `initrd: dracut`, and the image has no kernel.
    #[error("an initrd must be made, but the image's manifest names no kernel")]
    NoKernel,
    /// `initrd: dracut`, and the image has no dracut.
    #[error("an initrd must be made, but the image has no dracut: looked for {}", list(&PROGRAMS))]
    NoDracut,
    /// The kernel's version is not a file name.
    #[error("the manifest's kernel version {0:?} cannot be part of a file name")]
    BadKernel(String),
}

hints! { InitrdError {
    NotShipped { .. } => "set initrd in tiu.yaml to auto or dracut, or put an initrd into the image",
    Refused { .. } => "correct what it says, in dracut's configuration on the host (/etc/dracut.conf.d) or in the \
        image, and apply again; without initrd-strict in tiu.yaml these are warnings",
    NoKernel | NoDracut =>
        "set initrd in tiu.yaml to auto or none, or put a kernel and dracut into the image",
    BadKernel(_) => "the bundle was not made by tiu-create: build it again",
} }

const PROGRAMS: [&TreePath; 4] = [
    TreePath::literal("usr/bin/dracut"),
    TreePath::literal("usr/sbin/dracut"),
    TreePath::literal("sbin/dracut"),
    TreePath::literal("bin/dracut"),
];

fn list<P: ToString>(paths: &[P]) -> String {
    paths.iter().map(P::to_string).collect::<Vec<_>>().join(", ")
}

/// Decides where the initrd comes from. `os` is the image's os-release, `kernel` the manifest's
/// kernel version.
pub fn plan(
    index: &Index,
    kernel: Option<&str>,
    os: &OsRelease,
    config: &Config,
) -> Result<InitrdPlan, InitrdError> {
    if config.initrd == Initrd::None {
        return Ok(InitrdPlan::Nothing);
    }
    if let Some(bad) = kernel.filter(|k| k.is_empty() || k.starts_with(['.', '-']) || k.contains('/')) {
        return Err(InitrdError::BadKernel(bad.into()));
    }
    let own = kernel.and_then(|kernel| path(kernel, os, config));
    let looked = kernel.map(|kernel| places(kernel, os, config)).unwrap_or_default();
    let shipped = looked.iter().find(|path| index.find(path).is_some());
    let program = PROGRAMS.into_iter().find(|path| index.find(path).is_some());
    match (config.initrd, shipped, kernel.zip(own), program) {
        (Initrd::Auto | Initrd::Image, Some(path), _, _) => Ok(InitrdPlan::Shipped(path.clone())),
        (Initrd::Image, None, _, _) => Err(InitrdError::NotShipped { looked }),
        (_, _, Some((kernel, path)), Some(program)) => {
            let link = link(kernel, os, config);
            Ok(InitrdPlan::Dracut(Dracut { program, kernel: kernel.to_owned(), path, link }))
        }
        (Initrd::Dracut, _, None, _) => Err(InitrdError::NoKernel),
        (Initrd::Dracut, _, _, None) => Err(InitrdError::NoDracut),
        (Initrd::Auto | Initrd::None, ..) => Ok(InitrdPlan::Nothing),
    }
}

/// Returns the paths at which the initrd of a kernel can be, the distribution's first.
pub fn places(kernel: &str, os: &OsRelease, config: &Config) -> Vec<TreePathBuf> {
    let own = path(kernel, os, config);
    let usual = [
        format!("boot/initrd.img-{kernel}"),
        format!("boot/initrd-{kernel}"),
        format!("boot/initramfs-{kernel}.img"),
        format!("usr/lib/modules/{kernel}/initrd"),
        format!("usr/lib/modules/{kernel}/initramfs.img"),
    ];
    let usual = usual.into_iter().filter_map(|path| TreePathBuf::new(path).ok());
    let others: Vec<TreePathBuf> = usual.filter(|path| own.as_ref() != Some(path)).collect();
    own.into_iter().chain(others).collect()
}

/// Returns the symlink to the initrd that the distribution's boot loader reads, and its target.
pub fn link(kernel: &str, os: &OsRelease, config: &Config) -> Option<(TreePathBuf, String)> {
    let link = os.is_like("suse") && config.initrd_path.is_none();
    link.then(|| (TreePath::literal("boot/initrd").to_owned(), format!("initrd-{kernel}")))
}

/// Returns the path at which the distribution's kernels look for their initrd; `None` for a version
/// that cannot be part of a path.
pub fn path(kernel: &str, os: &OsRelease, config: &Config) -> Option<TreePathBuf> {
    let path = match &config.initrd_path {
        Some(path) => path.replace("{kernel}", kernel),
        None if os.is_like("debian") => format!("boot/initrd.img-{kernel}"),
        None if os.is_like("suse") => format!("boot/initrd-{kernel}"),
        None => format!("boot/initramfs-{kernel}.img"),
    };
    TreePathBuf::new(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_bundle::index::{EntryBuf, Kind};
    use tiu_testing::bundles::{entry, file_entry, index_of};

    fn index(files: &[&str]) -> Index {
        let mut dirs: Vec<&str> =
            files.iter().flat_map(|file| file.match_indices('/').map(|(at, _)| &file[..at])).collect();
        dirs.sort_unstable();
        dirs.dedup();
        let dirs = dirs.into_iter().map(|dir| entry(dir, Kind::Dir, 0o755));
        let files = files.iter().map(|file| EntryBuf { mode: 0o755, ..file_entry(file, b"") });
        Index::parse(index_of(dirs.chain(files))).unwrap()
    }

    fn decide(files: &[&str], os: &str, initrd: Initrd) -> Result<InitrdPlan, InitrdError> {
        let config = Config { initrd, ..Config::default() };
        plan(&index(files), Some("6.1"), &OsRelease::parse(os), &config)
    }

    const WITH: [&str; 1] = ["usr/bin/dracut"];

    #[test]
    fn the_image_s_own_is_taken_unless_configured_otherwise() {
        let files = ["boot/initrd.img-6.1", "usr/bin/dracut"];
        let shipped = InitrdPlan::Shipped(TreePath::literal("boot/initrd.img-6.1").to_owned());
        assert_eq!(decide(&files, "ID=debian\n", Initrd::Auto), Ok(shipped.clone()));
        assert_eq!(decide(&files, "ID=debian\n", Initrd::Image), Ok(shipped));
        assert!(matches!(decide(&files, "ID=debian\n", Initrd::Dracut), Ok(InitrdPlan::Dracut(_))));
        assert_eq!(decide(&files, "ID=debian\n", Initrd::None), Ok(InitrdPlan::Nothing));
    }

    #[test]
    fn dracut_writes_where_the_distribution_looks() {
        let of = |os| match decide(&WITH, os, Initrd::Auto) {
            Ok(InitrdPlan::Dracut(dracut)) => {
                (dracut.path.to_string(), dracut.link.map(|(link, target)| format!("{link} {target}")))
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(of("ID=ubuntu\nID_LIKE=debian\n"), ("boot/initrd.img-6.1".into(), None));
        let suse = of("ID=opensuse-microos\nID_LIKE=\"suse opensuse\"\n");
        assert_eq!(suse, ("boot/initrd-6.1".into(), Some("boot/initrd initrd-6.1".into())));
        assert_eq!(of("ID=fedora\n"), ("boot/initramfs-6.1.img".into(), None));
    }

    #[test]
    fn a_configured_path_wins() {
        let config = Config { initrd_path: Some("boot/x-{kernel}".into()), ..Config::default() };
        let os = OsRelease::parse("ID=opensuse\nID_LIKE=suse\n");
        match plan(&index(&WITH), Some("6.1"), &os, &config).unwrap() {
            InitrdPlan::Dracut(dracut) => {
                assert_eq!((dracut.path.to_string(), dracut.link), ("boot/x-6.1".into(), None))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        assert!(matches!(decide(&WITH, "", Initrd::Image), Err(InitrdError::NotShipped { .. })));
        assert_eq!(decide(&[], "", Initrd::Dracut), Err(InitrdError::NoDracut));
        assert_eq!(decide(&[], "", Initrd::Auto), Ok(InitrdPlan::Nothing));
        let config = Config { initrd: Initrd::Dracut, ..Config::default() };
        let none = plan(&index(&WITH), None, &OsRelease::default(), &config);
        assert_eq!(none, Err(InitrdError::NoKernel));
    }

    #[test]
    fn a_kernel_version_that_climbs_is_refused() {
        for kernel in ["../x", "", "-v", "a/b", "."] {
            let found = plan(&index(&WITH), Some(kernel), &OsRelease::default(), &Config::default());
            assert_eq!(found, Err(InitrdError::BadKernel(kernel.into())));
        }
    }
}
