//! Plans of small trees that exist in memory only.

use super::*;
use crate::rules::{LeftOutReason, PackRules};
use crate::tree::{SourceNode, SourceTree};
use tiu_bundle::index::{MAX_PATH, Mtime};
use tiu_system::Hint;
use tiu_system::glob::Glob;
use tiu_system::path::TreePath;

#[derive(Default)]
struct Build(SourceTree);

impl Build {
    fn add(mut self, path: &str, kind: Kind) -> Self {
        let path = self.0.names.add(path.as_bytes()).expect("room");
        let size = if kind == Kind::File { 10 } else { 0 };
        self.0.nodes.push(SourceNode {
            path,
            kind,
            mode: 0o755,
            uid: 0,
            gid: 0,
            rdev: 0,
            size,
            mtime: Mtime { sec: 100, nsec: 5 },
            xattrs: 0,
            target: None,
            inode: None,
        });
        self
    }

    fn dirs(self, paths: &[&str]) -> Self {
        paths.iter().fold(self, |build, path| build.add(path, Kind::Dir))
    }

    fn files(self, paths: &[&str]) -> Self {
        paths.iter().fold(self, |build, path| build.add(path, Kind::File))
    }

    fn inode(mut self, number: u32) -> Self {
        self.0.nodes.last_mut().expect("a node").inode = Some(number);
        self
    }

    fn plan_with(self, exclude: &[&str]) -> Result<ImagePlan, PlanError> {
        let exclude = exclude.iter().map(|pattern| Glob::new(pattern).expect("a good pattern")).collect();
        self.plan_by(&PackRules { exclude, factory_var: true, ..PackRules::default() })
    }

    fn plan_by(self, rules: &PackRules) -> Result<ImagePlan, PlanError> {
        plan(
            self.0,
            &PlanInput {
                rules,
                newest: 50,
                owners: Default::default(),
                mount_points: vec![b"boot/x".to_vec()],
                selinux: true,
                policy: None,
            },
        )
    }

    fn plan(self) -> ImagePlan {
        self.plan_with(&[]).expect("a plan")
    }
}

fn system() -> Build {
    Build::default().dirs(&["", "var", "usr", "usr/lib"])
}

fn paths(plan: &ImagePlan) -> Vec<String> {
    plan.items.iter().map(|item| crate::shown(plan.path(item))).collect()
}

#[test]
fn the_order_is_that_of_bytes_and_parents_come_first() {
    let plan = system().files(&["usr/a-b"]).dirs(&["usr/a"]).files(&["usr/a/x", "usr/A"]).plan();
    assert_eq!(
        paths(&plan),
        [
            "",
            "usr",
            "usr/A",
            "usr/a",
            "usr/a-b",
            "usr/a/x",
            "usr/lib",
            "usr/lib/sysimage",
            "usr/lib/sysimage/tiu",
            "var"
        ]
    );
}

#[test]
fn var_becomes_defaults_with_a_tmpfiles_file() {
    let plan = system().dirs(&["var/lib"]).files(&["var/lib/x"]).plan();
    let found = paths(&plan);
    for path in
        ["usr/share/factory/var/lib/x", "usr/share/factory", "usr/lib/tmpfiles.d/zz-tiu-var.conf", "var"]
    {
        assert!(found.iter().any(|p| p == path), "{path} is missing in {found:?}");
    }
    assert!(!found.iter().any(|p| p.starts_with("var/")), "{found:?}");
    let text = String::from_utf8(plan.generated.first().expect("one file").clone()).expect("text");
    assert!(text.contains("C \"/var/lib/x\""), "{text}");
    let moved = plan.items.iter().find(|item| plan.path(item).ends_with(b"/x")).expect("the file");
    let ItemContent::Tree(source) = moved.content else { panic!("{:?}", moved.content) };
    assert_eq!(plan.tree.names.get(source), b"var/lib/x");
    assert_eq!(plan.size, 10 + text.len() as u64);
}

#[test]
fn defaults_that_the_tree_has_already_are_kept_and_var_wins() {
    let plan = system()
        .dirs(&["usr/share", "usr/share/factory", "usr/share/factory/var"])
        .files(&["usr/share/factory/var/a", "usr/share/factory/var/b", "var/a"])
        .plan();
    let a = plan.find(b"usr/share/factory/var/a").and_then(|i| plan.items.get(i)).expect("a");
    assert!(matches!(a.content, ItemContent::Tree(source) if plan.tree.names.get(source) == b"var/a"));
    let text = String::from_utf8_lossy(plan.generated.first().expect("one file"));
    assert!(text.contains("\"/var/a\"") && text.contains("\"/var/b\""), "{text}");
}

#[test]
fn the_first_name_of_an_inode_is_its_entry_even_when_it_was_moved() {
    // var/a becomes usr/share/factory/var/a, which comes after usr/b.
    let plan = system().files(&["var/a"]).inode(0).files(&["usr/b"]).inode(0).plan();
    let b = plan.find(b"usr/b").expect("usr/b");
    let a = plan.find(b"usr/share/factory/var/a").expect("a");
    let (a, b_item) = (&plan.items[a], &plan.items[b]);
    assert_eq!((b_item.link_to, b_item.nlink), (None, 2));
    assert_eq!((a.link_to, a.nlink, a.content), (Some(b as u32), 2, ItemContent::None));
    // On hosts, /var/a becomes a file of its own.
    let lost = factory::LossCount { entries: 1, first: b"a".to_vec() };
    assert_eq!(plan.var_losses, [(factory::Loss::HardLink, lost)].into());
}

#[test]
fn a_name_that_is_left_out_does_not_count() {
    let plan = system().files(&["usr/a"]).inode(3).files(&["home/a"]).inode(3).plan();
    let a = plan.find(b"usr/a").and_then(|i| plan.items.get(i)).expect("a");
    assert_eq!((a.link_to, a.nlink), (None, 1));
    assert_eq!(
        plan.left_out.get(&LeftOutReason::Host(TreePath::literal("home"))).map(|left| left.files),
        Some(1)
    );
}

#[test]
fn times_after_the_newest_are_clamped() {
    let plan = system().plan();
    assert!(plan.items.iter().all(|item| item.node.mtime == Mtime { sec: 50, nsec: 0 }));
}

#[test]
fn excluded_directories_go_with_what_is_in_them() {
    let build = system().dirs(&["usr/doc"]).files(&["usr/doc/a"]);
    let plan = build.plan_with(&["/usr/doc", "/nothing"]).expect("a plan");
    assert!(!paths(&plan).iter().any(|path| path.starts_with("usr/doc")));
    assert_eq!(plan.unused_patterns, [1]);
}

fn with_data(build: Build) -> Result<ImagePlan, PlanError> {
    build.plan_by(&PackRules {
        exclude: vec![],
        persistent: vec![TreePath::literal("data/app").to_owned()],
        factory_var: true,
        ..PackRules::default()
    })
}

#[test]
fn files_at_mount_points_of_the_images_own_fstab_are_told() {
    let build = system().dirs(&["boot", "boot/x", "boot/x/y"]);
    let plan = build.files(&["boot/x/y/b", "boot/x/a", "boot/xx", "boot/z"]).plan();
    let told: Vec<_> =
        plan.at_mount_points.iter().map(|(path, left)| (path.as_slice(), left.files)).collect();
    assert_eq!(told, [(&b"boot/x"[..], 2)]);
    assert!(plan.find(b"boot/x/a").is_some(), "a host that mounts nothing there gets them");
}

#[test]
fn persistent_directories_are_there_and_empty() {
    let plan = with_data(system()).expect("a plan");
    assert!(paths(&plan).ends_with(&["var".to_owned()]) && paths(&plan).contains(&"data/app".to_owned()));
    let build = system().dirs(&["data", "data/app", "data/app/x"]);
    let plan =
        with_data(build.files(&["data/app/4", "data/app/1", "data/app/3", "data/app/2"])).expect("a plan");
    assert_eq!(paths(&plan).iter().filter(|path| path.starts_with("data/")).count(), 1);
    let left = plan.left_out.get(&LeftOutReason::Persistent(0)).expect("what is left out");
    assert_eq!((left.files, left.bytes), (4, 40));
    assert!(left.first.iter().eq(&[b"data/app/1", b"data/app/2", b"data/app/3"]), "{left:?}");
}

#[test]
fn a_persistent_path_that_is_no_directory() {
    for (kind, path) in [(Kind::Symlink, "data/app"), (Kind::File, "data/app")] {
        match with_data(system().dirs(&["data"]).add(path, kind)) {
            Err(PlanError::NotPersistent { path, found }) => {
                assert_eq!((path.as_slice(), found), (&b"data/app"[..], kind))
            }
            other => panic!("{:?}", other.map(|plan| paths(&plan))),
        }
    }
    let error = with_data(system().add("data", Kind::Symlink)).map(|plan| paths(&plan));
    assert!(matches!(error, Err(PlanError::NotADirectory { found: Kind::Symlink, .. })), "{error:?}");
}

#[test]
fn a_file_where_a_directory_must_be() {
    let build = Build::default().dirs(&["", "usr"]).files(&["usr/lib"]);
    match build.plan_with(&[]) {
        Err(PlanError::NotADirectory { path, found: Kind::File, .. }) => assert_eq!(path, b"usr/lib"),
        other => panic!("{:?}", other.map(|plan| paths(&plan))),
    }
}

#[test]
fn a_directory_where_our_file_must_be() {
    let build =
        system().files(&["var/x"]).dirs(&["usr/lib/tmpfiles.d", "usr/lib/tmpfiles.d/zz-tiu-var.conf"]);
    assert!(matches!(build.plan_with(&[]), Err(PlanError::Taken { found: Kind::Dir, .. })));
}

#[test]
fn a_path_that_becomes_too_long() {
    let long = format!("var{}", format!("/{}", "x".repeat(200)).repeat(20));
    let path = format!("{long}/{}", "y".repeat(60));
    assert!(
        (MAX_PATH - 20..MAX_PATH).contains(&path.len()),
        "the test is about what is put in front: {}",
        path.len()
    );
    let result = system().files(&[&path]).plan_with(&[]);
    assert!(matches!(result, Err(PlanError::PathTooLong { .. })), "{:?}", result.map(|plan| paths(&plan)));
}

/// Gives every inode of the tree a label of the type `kind`.
fn labelled(mut build: Build, kind: &str) -> Build {
    let label = format!("system_u:object_r:{kind}:s0\0").into_bytes();
    let xattrs = build.0.xattrs.add(vec![(b"security.selinux".to_vec(), label)]);
    build.0.nodes.iter_mut().for_each(|node| node.xattrs = xattrs);
    build
}

#[test]
fn entries_without_a_label_are_counted_where_there_is_a_policy() {
    let build = || system().files(&["usr/a", "var/x"]).dirs(&["home", "proc"]);
    let plan = build().plan();
    let needs = |path: &[u8]| !path.starts_with(b"home") && !path.starts_with(b"proc") && path != b"var";
    let expected = plan.items.iter().filter(|item| needs(plan.path(item))).count() as u64;
    let found = plan.unlabelled.expect("some");
    assert_eq!((found.entries, found.first.as_bytes()), (expected, &b""[..]));
    // What SELinux shows where nothing is.
    assert_eq!(labelled(build(), "unlabeled_t").plan().unlabelled, Some(found));
    let plan = labelled(build(), "usr_t").plan();
    assert_eq!(plan.unlabelled, None);
    assert!(plan.var_losses.is_empty(), "a label is not lost: {:?}", plan.var_losses);
}

#[test]
fn what_is_added_has_the_label_of_its_directory() {
    let plan = labelled(system().files(&["usr/a", "var/x"]), "usr_t").plan();
    for path in ["usr/share/factory", "usr/lib/tmpfiles.d/zz-tiu-var.conf", "usr/lib/sysimage/tiu"] {
        let item = &plan.items[plan.find(path.as_bytes()).unwrap_or_else(|| panic!("{path}"))];
        assert_eq!(plan.label(item), Some(&b"system_u:object_r:usr_t:s0\0"[..]), "{path}");
    }
    let plan = system().files(&["usr/a", "var/x"]).plan();
    assert!(plan.items.iter().all(|item| plan.tree.xattrs.get(item.node.xattrs).is_empty()));
}

#[test]
fn owners_and_times_that_no_filesystem_holds_are_refused_by_name() {
    let with = |change: fn(&mut SourceNode)| {
        let mut build = system().files(&["usr/odd"]);
        change(build.0.nodes.last_mut().expect("a node"));
        build.plan_with(&[])
    };
    let refused = |change: fn(&mut SourceNode), needle: &str| {
        let error = with(change).err().expect("an error");
        assert!(error.to_string().starts_with("/usr/odd: ") && error.to_string().contains(needle), "{error}");
        assert!(error.hint().is_some());
    };
    refused(|node| node.uid = u32::MAX, "its owner is 4294967295, expected at most 4294967294");
    refused(|node| node.gid = u32::MAX, "its group is 4294967295");
    refused(
        |node| node.mtime.sec = -2_147_483_649,
        "-2147483649 seconds since 1970, expected at least -2147483648",
    );
    // An entry of an ACL that a namespace shows for a user whom it does not know.
    let mut build = system().files(&["usr/odd"]);
    let mut acl = 2u32.to_le_bytes().to_vec();
    for (tag, id) in [(1u32, 0), (2, u32::MAX), (4, 0), (16, 0), (32, 0)] {
        acl.extend((tag | 4 << 16).to_le_bytes());
        acl.extend(u32::to_le_bytes(id));
    }
    let xattrs = build.0.xattrs.add(vec![(b"system.posix_acl_access".to_vec(), acl)]);
    build.0.nodes.last_mut().expect("a node").xattrs = xattrs;
    let error = build.plan_with(&[]).err().expect("an error");
    assert_eq!(error.to_string(), "/usr/odd: its ACL names the user 4294967295, expected at most 4294967294");
    // A time later than the build becomes that of the build.
    let plan = with(|node| node.mtime.sec = 16_725_225_600).expect("a plan");
    let odd = plan.items.iter().find(|item| plan.path(item) == b"usr/odd").expect("the file");
    assert_eq!(odd.node.mtime, Mtime { sec: 50, nsec: 0 });
    // What is left out does not matter.
    let mut build = system().files(&["usr/odd"]);
    build.0.nodes.last_mut().expect("a node").uid = u32::MAX;
    assert!(build.plan_with(&["/usr/odd"]).is_ok());
}
