//! The kernel modules that an initrd contains.

use super::archive::entries;
use super::input::{Budget, Stop};
use std::collections::BTreeSet;
use std::io::BufRead;
use tiu_system::progress::Cancel;

/// Number of versions of kernels that are noted.
const MAX_VERSIONS: usize = 16;
/// Ends of the names of modules.
const SUFFIXES: [&str; 4] = [".ko", ".ko.xz", ".ko.zst", ".ko.gz"];
/// Filesystems inside an initrd, in which dracut's module `squash` puts nearly everything.
const IMAGES: [&str; 4] = ["squash-root.img", "squash/root.img", "squashfs-root.img", "erofs-root.img"];

/// The kernel modules that an initrd contains.
#[derive(Debug, Default)]
pub struct Contents {
    /// Versions of kernels of which it has modules.
    pub versions: BTreeSet<String>,
    /// True if it has the module that was asked for.
    pub has_module: bool,
    /// True if most of it lies in a filesystem that is a file in it.
    pub has_image: bool,
}

/// Reads an initrd and looks for `module` of `kernel`.
pub fn contents(reader: impl BufRead, kernel: &str, module: &str, cancel: &Cancel) -> Result<Contents, Stop> {
    let mut found = Contents::default();
    entries(reader, &mut Budget::new(cancel), &mut |path, _| found.note(path, kernel, module))?;
    Ok(found)
}

impl Contents {
    fn note(&mut self, path: &[u8], kernel: &str, module: &str) {
        let Ok(path) = std::str::from_utf8(path) else { return };
        let path = path.trim_start_matches("./").trim_start_matches('/');
        self.has_image |= IMAGES.iter().any(|image| path.ends_with(image));
        let path = path.strip_prefix("usr/").unwrap_or(path);
        let Some((version, file)) = path.strip_prefix("lib/modules/").and_then(|path| path.split_once('/'))
        else {
            return;
        };
        let Some(name) = module_name(file) else { return };
        if self.versions.len() < MAX_VERSIONS || version == kernel {
            self.versions.insert(version.to_owned());
        }
        self.has_module |= version == kernel && name == module;
    }
}

/// Returns the name of the module in the file `path`, as the kernel writes it.
pub fn module_name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let name = SUFFIXES.iter().find_map(|suffix| file.strip_suffix(suffix))?;
    Some(name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_testing::system::cpio;

    fn read(paths: &[&str]) -> Contents {
        let files: Vec<_> = paths.iter().map(|path| (*path, &b""[..])).collect();
        contents(&cpio(&files)[..], "6.1", "btrfs", &Cancel::new()).unwrap()
    }

    #[test]
    fn modules_are_found_by_version_and_name_however_they_are_compressed() {
        for suffix in SUFFIXES {
            for prefix in ["usr/lib/modules/6.1", "lib/modules/6.1", "./usr/lib/modules/6.1"] {
                let found = read(&[&format!("{prefix}/kernel/fs/btrfs/btrfs{suffix}")]);
                assert!(found.has_module && found.versions.contains("6.1"), "{prefix} {suffix}");
            }
        }
        let other =
            read(&["usr/lib/modules/6.0/kernel/fs/btrfs/btrfs.ko", "usr/lib/modules/6.1/modules.dep"]);
        assert!(!other.has_module && !other.versions.contains("6.1"));
        assert!(!read(&["usr/lib/modules/6.1/kernel/fs/not-btrfs.ko"]).has_module);
        assert!(read(&["squash-root.img"]).has_image);
    }
}
