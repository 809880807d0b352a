//! Judges whether an initrd contains what a kernel needs to mount the root filesystem.

use super::contents::{contents, module_name};
use super::input::Stop;
use std::io::BufRead;
use tiu_system::progress::{Cancel, Cancelled};

/// The module of the root filesystem of every host.
const ROOT_MODULE: &str = "btrfs";

/// The purpose of an initrd.
#[derive(Clone, Copy, Debug)]
pub struct Needs<'a> {
    /// Version of the kernel.
    pub kernel: &'a str,
    /// True if the system has modules of this kernel.
    pub has_modules: bool,
    /// `modules.builtin` of the kernel, if the system has one.
    pub builtin: Option<&'a str>,
}

/// The result of looking into an initrd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It contains modules of the kernel, and the root filesystem's module unless that is built in.
    Complete,
    /// The kernel will not find the root filesystem with it, for these reasons.
    Incomplete(Vec<String>),
    /// It was not possible to say, for this reason.
    Unjudged(String),
}

/// Looks into an initrd.
pub fn judge(reader: impl BufRead, needs: &Needs, cancel: &Cancel) -> Result<Judgement, Cancelled> {
    let Needs { kernel, has_modules, builtin } = *needs;
    let found = match contents(reader, kernel, ROOT_MODULE, cancel) {
        Ok(found) => found,
        Err(Stop::Cancelled) => return Err(cancel.check().err().unwrap_or(Cancelled)),
        Err(Stop::Damaged(what)) => {
            return Ok(Judgement::Incomplete(vec![format!("no kernel can read it: {what}")]));
        }
        Err(Stop::Unreadable(what)) => return Ok(Judgement::Unjudged(what)),
    };
    let is_builtin = builtin.is_some_and(|list| {
        list.lines().any(|line| module_name(line.trim()).as_deref() == Some(ROOT_MODULE))
    });
    if found.has_image && !found.has_module {
        return Ok(Judgement::Unjudged("its files are in a filesystem image inside it".into()));
    }
    let mut missing = Vec::new();
    if has_modules && !found.versions.contains(kernel) {
        let others: Vec<_> = found.versions.iter().map(String::as_str).collect();
        missing.push(match others.as_slice() {
            [] => format!("it has no kernel modules; expected some of {kernel}"),
            others => format!("it has kernel modules of {}; expected {kernel}", others.join(", ")),
        });
    }
    if !found.has_module && !is_builtin {
        if !has_modules && builtin.is_none() {
            let what = format!("the system has neither modules nor a modules.builtin of kernel {kernel}");
            return Ok(Judgement::Unjudged(what));
        }
        missing.push(format!(
            "it has no module {ROOT_MODULE} for kernel {kernel}, which does not have it built in: the root filesystem \
             cannot be mounted"
        ));
    }
    Ok(if missing.is_empty() { Judgement::Complete } else { Judgement::Incomplete(missing) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_testing::system::cpio;

    const BUILTIN: &str = "kernel/fs/ext4/ext4.ko\nkernel/fs/btrfs/btrfs.ko\n";

    fn judgement(paths: &[&str], has_modules: bool, builtin: Option<&str>) -> Judgement {
        let files: Vec<_> = paths.iter().map(|path| (*path, &b""[..])).collect();
        let needs = Needs { kernel: "6.1", has_modules, builtin };
        judge(&cpio(&files)[..], &needs, &Cancel::new()).unwrap()
    }

    fn missing(judgement: Judgement) -> String {
        match judgement {
            Judgement::Incomplete(missing) => missing.join("\n"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn modules_of_the_kernel_with_the_root_filesystem_s_are_complete() {
        let btrfs = "usr/lib/modules/6.1/kernel/fs/btrfs/btrfs.ko.zst";
        assert_eq!(judgement(&[btrfs], true, Some("")), Judgement::Complete);
        let other = "usr/lib/modules/6.1/kernel/drivers/nvme.ko";
        assert_eq!(judgement(&[other], true, Some(BUILTIN)), Judgement::Complete);
        // A kernel with everything built in needs no module.
        assert_eq!(judgement(&["init"], false, Some(BUILTIN)), Judgement::Complete);
    }

    #[test]
    fn modules_of_another_kernel_are_not() {
        let found = missing(judgement(&["lib/modules/6.0/kernel/fs/btrfs/btrfs.ko"], true, Some(BUILTIN)));
        assert_eq!(found, "it has kernel modules of 6.0; expected 6.1");
        let found = missing(judgement(&["init"], true, Some("")));
        assert!(found.starts_with("it has no kernel modules; expected some of 6.1\nit has no module btrfs"));
    }

    #[test]
    fn an_initrd_without_the_root_filesystem_s_module_is_not() {
        let found = missing(judgement(
            &["lib/modules/6.1/kernel/fs/ext4/ext4.ko"],
            true,
            Some("kernel/fs/fuse.ko\n"),
        ));
        assert!(found.starts_with("it has no module btrfs for kernel 6.1"), "{found}");
    }

    #[test]
    fn what_cannot_be_judged_is_not_called_complete() {
        let unjudged = |judgement| assert!(matches!(judgement, Judgement::Unjudged(_)), "{judgement:?}");
        unjudged(judgement(&["squash-root.img", "lib/modules/6.1/kernel/fs/squashfs.ko"], true, Some("")));
        unjudged(judgement(&["init"], false, None));
        let needs = Needs { kernel: "6.1", has_modules: true, builtin: None };
        unjudged(judge(&b"BZh9"[..], &needs, &Cancel::new()).unwrap());
        assert!(
            missing(judge(&b"text"[..], &needs, &Cancel::new()).unwrap())
                .starts_with("no kernel can read it")
        );
    }
}
