//! From any tree to any other.

use super::model::{MTIME, Model, NodeKind};
use super::run::{Options, apply, apply_with};
use proptest::prelude::*;
use tiu_bundle::index::Mtime;
use tiu_testing::btrfs::LoopBtrfs;
use tiu_testing::tree::noise;

/// Content from a small set, so that equal content appears under many paths; sizes around blocks
/// and inline extents.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let sizes = prop::sample::select(vec![0usize, 1, 100, 2048, 2049, 4096, 5000, 20_000, 70_000]);
    (0u64..4, sizes, any::<bool>()).prop_map(|(seed, size, flip)| {
        let mut content = noise(seed, size);
        if flip && size > 0 {
            content[size / 3] ^= 1;
        }
        content
    })
}

fn any_node() -> impl Strategy<Value = NodeKind> {
    prop_oneof![
        8 => content().prop_map(NodeKind::File),
        3 => Just(NodeKind::Dir),
        2 => prop::sample::select(vec!["a", "../b", "/etc", "b/c"]).prop_map(|to| NodeKind::Symlink(to.into())),
        1 => prop::sample::select(vec![3u32, 5]).prop_map(|n| NodeKind::CharDev(rustix::fs::makedev(1, n))),
        1 => Just(NodeKind::Fifo),
        1 => Just(NodeKind::Socket),
        4 => prop::sample::select(paths()).prop_map(|to| NodeKind::Link(to.into_bytes())),
    ]
}

fn paths() -> Vec<String> {
    let names = ["a", "b", "c"];
    let mut all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    for depth in 0..2 {
        let parents: Vec<String> = all.iter().filter(|p| p.matches('/').count() == depth).cloned().collect();
        all.extend(parents.iter().flat_map(|p| names.iter().map(move |name| format!("{p}/{name}"))));
    }
    all
}

fn model() -> impl Strategy<Value = Model> {
    let inode = (
        prop::sample::select(paths()),
        any_node(),
        prop::sample::select(vec![0o644u32, 0o4755, 0o600]),
        prop::sample::select(vec![0u32, 1000]),
        0u32..2,
        prop::option::weighted(0.2, 0u8..2),
    );
    prop::collection::vec(inode, 0..25).prop_map(|inodes| {
        let mut model = Model::new();
        for (path, what, mode, uid, nsec, xattr) in inodes {
            // A path below something that is no directory, or a link to nothing or to a directory,
            // is left out.
            let usable = path.match_indices('/').all(|(i, _)| {
                model.0.get(&path.as_bytes()[..i]).is_none_or(|inode| inode.what == NodeKind::Dir)
            });
            let target_is_fine = match &what {
                NodeKind::Link(to) => {
                    model
                        .0
                        .get(to)
                        .is_some_and(|inode| !matches!(inode.what, NodeKind::Dir | NodeKind::Link(_)))
                        && *to != path.as_bytes()
                }
                _ => true,
            };
            if !usable || !target_is_fine || model.0.contains_key(path.as_bytes()) {
                continue;
            }
            let is_symlink = matches!(what, NodeKind::Symlink(_));
            let inode = model.add(&path, what);
            inode.mode = if is_symlink { 0o777 } else { mode };
            (inode.uid, inode.gid) = (uid, uid / 2);
            inode.mtime = Mtime { sec: MTIME.sec, nsec };
            if let Some(value) = xattr {
                inode.xattrs.insert(b"trusted.x".to_vec(), vec![value]);
            }
        }
        model
    })
}

#[test]
fn any_tree_becomes_any_other() {
    let fs = LoopBtrfs::new(1024);
    let number = std::cell::Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&(model(), model(), any::<bool>()), |(a, b, use_seed)| {
        number.set(number.get() + 1);
        let base = fs.subvolume(&format!("a{}", number.get()));
        apply(&a, &base);
        a.assert_is(&base);
        let target = fs.snapshot(&base, &format!("b{}", number.get()));
        let seeds = if use_seed { vec![base.clone()] } else { Vec::new() };
        apply_with(&b, &target, &Options { seeds, ..Options::default() }).unwrap();
        b.assert_is(&target);
        a.assert_is(&base);
        assert_eq!(apply(&b, &target).described, "");
        Ok(())
    });
    result.unwrap();
}
