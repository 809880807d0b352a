//! Files that were made on the host: which ones the signed manifest and index imply, and whether
//! they are as they were made.

use crate::boot::initrd;
use crate::config::{Config, Initrd};
use crate::state::{Generated, GeneratedContent, RECORD_PATH, Record};
use tiu_bundle::index::Index;
use tiu_bundle::manifest::Manifest;
use tiu_extract::Difference;
use tiu_system::os_release::{self, OsRelease};
use tiu_system::path::{TreePath, TreePathBuf};
use tiu_system::tree::{MAX_TEXT, Tree, TreeError};

/// The files of a record, by what is signed about them.
#[derive(Default)]
pub(super) struct GeneratedFiles<'a> {
    /// Those that the client makes for this image.
    pub implied: Vec<&'a Generated>,
    /// Those of them that took the place of a file of the image, because the caller's configuration
    /// says so.
    pub replaced: Vec<TreePathBuf>,
    /// Names of others: their files are compared as if the record did not have them.
    pub differences: Vec<Difference>,
}

/// The statements about the initrd in a configuration that the caller trusts.
#[derive(Clone, Copy, Debug, Default)]
pub struct InitrdSettings<'a> {
    /// `initrd-path`.
    pub path: Option<&'a str>,
    /// True if dracut replaces an initrd of the image: `initrd: dracut`.
    pub replaces: bool,
}

impl<'a> InitrdSettings<'a> {
    /// Takes them from an auditor's configuration.
    pub fn from_auditor(config: &'a Config) -> Self {
        InitrdSettings { path: config.initrd_path.as_deref(), replaces: config.initrd == Initrd::Dracut }
    }

    /// Takes them from the running system's own configuration. It can name files that only a boot
    /// loader reads.
    pub fn from_running_system(config: &'a Config) -> Self {
        let is_boot = |path: &&str| path.starts_with("boot/") || path.starts_with("usr/lib/modules/");
        let InitrdSettings { path, replaces } = Self::from_auditor(config);
        InitrdSettings { path: path.filter(is_boot), replaces }
    }
}

/// Sorts the files of `record`.
pub(super) fn sort<'a>(
    tree: &Tree,
    manifest: &Manifest,
    index: &Index,
    settings: InitrdSettings,
    accepted: &[TreePathBuf],
    record: Option<&'a Record>,
) -> GeneratedFiles<'a> {
    let mut sorted = GeneratedFiles::default();
    let (implied, usual) = implied(tree, manifest, index, settings.path);
    for file in record.map_or(&[][..], |record| &record.files) {
        let is_accepted = accepted.contains(&file.path);
        let fits = implied.iter().any(|(path, target)| {
            let same_target = match (&file.what, target) {
                (GeneratedContent::Target(found), Some(target)) => found == target,
                (GeneratedContent::Digest(_), None) => true,
                _ => false,
            };
            *path == file.path && same_target
        });
        // A file of the image was signed: only the caller can say that another one may be there.
        let is_signed = index.find(&file.path).is_some();
        let is_replaced = is_signed && settings.replaces && usual.contains(&file.path);
        if is_accepted || (fits && (!is_signed || is_replaced)) {
            sorted.implied.push(file);
            if is_replaced && !is_accepted {
                sorted.replaced.push(file.path.clone());
            }
            continue;
        }
        let expected = match &implied[..] {
            [] => "nothing: the image needs nothing from the host".to_owned(),
            list => list.iter().map(|(path, _)| format!("/{path}")).collect::<Vec<_>>().join(", "),
        };
        sorted.differences.push(Difference {
            path: RECORD_PATH.to_owned(),
            what: "generated",
            found: format!("/{}", file.path),
            expected,
        });
    }
    sorted
}

/// Returns the paths at which the client makes an initrd for this image, with the target if it is a
/// symlink; and the paths at which such files usually are, wherever the configuration has them.
fn implied(
    tree: &Tree,
    manifest: &Manifest,
    index: &Index,
    initrd_path: Option<&str>,
) -> (Vec<(TreePathBuf, Option<String>)>, Vec<TreePathBuf>) {
    let Some(kernel) = manifest.tiu.kernel.as_deref() else { return Default::default() };
    let modules = ["usr/lib/modules", "lib/modules"].map(|place| TreePath::literal(place).child(kernel));
    if !modules.iter().flatten().any(|path| index.find(path).is_some()) {
        return Default::default();
    }
    // The file of /usr, which is the image's. A changed one is a difference by itself.
    let [own, vendor] = os_release::PATHS;
    let text = [vendor, own].iter().find_map(|path| tree.read_text(path, MAX_TEXT).ok().flatten());
    let os = OsRelease::parse(&text.unwrap_or_default());
    let link = |config: &Config| initrd::link(kernel, &os, config);
    let mut usual = initrd::places(kernel, &os, &Config::default());
    usual.extend(link(&Config::default()).map(|(path, _)| path));
    let config = Config { initrd_path: initrd_path.map(str::to_owned), ..Config::default() };
    let mut implied: Vec<_> =
        initrd::path(kernel, &os, &config).into_iter().map(|path| (path, None)).collect();
    implied.extend(link(&config).map(|(path, target)| (path, Some(target))));
    (implied, usual)
}

/// Returns the differences of a file that was made on the host from what the client left.
pub(super) fn differences(
    tree: &Tree,
    file: &Generated,
    content: bool,
) -> Result<Vec<Difference>, TreeError> {
    let difference =
        |what, found: String, expected: String| Difference { path: file.path.clone(), what, found, expected };
    let Some(stat) = tree.stat(&file.path) else {
        return Ok(vec![difference("content", "nothing".into(), file.what.to_string())]);
    };
    let mut found = Vec::new();
    if (stat.st_uid, stat.st_gid) != (0, 0) {
        found.push(difference("owner", format!("{}:{}", stat.st_uid, stat.st_gid), "0:0".into()));
    }
    let mode = stat.st_mode & 0o7777;
    if matches!(file.what, GeneratedContent::Digest(_)) {
        // dracut makes it with 0600; a builder's dracut.conf may say 0644.
        if mode & !0o755 != 0 {
            found.push(difference("mode", format!("{mode:04o}"), "at most 0755".into()));
        }
        if stat.st_nlink != 1 {
            found.push(difference("hardlink", format!("{} names", stat.st_nlink), "1 name".into()));
        }
    }
    if content && let Some(now) = file.difference(tree)? {
        found.push(difference("content", now, file.what.to_string()));
    }
    Ok(found)
}
