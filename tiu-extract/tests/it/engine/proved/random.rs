//! Random trees.

use crate::engine::model::{Model, NodeKind};
use tiu_testing::random::Random;
use tiu_testing::tree::noise;

/// Content with much in common from one file to the next.
pub fn content(random: &mut Random) -> Vec<u8> {
    let sizes = [0, 1, 100, 2049, 4096, 5000, 20_000, 70_000];
    let (seed, size) = (random.number() % 6, sizes[random.below(sizes.len())]);
    noise(seed, size)
}

pub fn paths() -> Vec<String> {
    let names = ["a", "b", "c"];
    let mut all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    for depth in 0..3 {
        let parents: Vec<String> = all.iter().filter(|p| p.matches('/').count() == depth).cloned().collect();
        all.extend(parents.iter().flat_map(|p| names.iter().map(move |name| format!("{p}/{name}"))));
    }
    all
}

/// Adds or replaces about `count` inodes of a model.
pub fn grow(model: &mut Model, random: &mut Random, count: usize) {
    let paths = paths();
    for _ in 0..count {
        let path = random.pick(&paths).unwrap().clone();
        let is_dir =
            |model: &Model, path: &[u8]| model.0.get(path).is_none_or(|inode| inode.what == NodeKind::Dir);
        if !path.match_indices('/').all(|(i, _)| is_dir(model, &path.as_bytes()[..i])) {
            continue;
        }
        let what = match random.below(10) {
            0..4 => NodeKind::File(content(random)),
            4..7 => NodeKind::Dir,
            7 => NodeKind::Symlink(b"../b".to_vec()),
            8 => NodeKind::Fifo,
            _ => {
                let files: Vec<Vec<u8>> = model
                    .0
                    .iter()
                    .filter(|(to, inode)| {
                        matches!(inode.what, NodeKind::File(_)) && to.as_slice() != path.as_bytes()
                    })
                    .map(|(to, _)| to.clone())
                    .collect();
                match random.pick(&files) {
                    Some(to) => NodeKind::Link(to.clone()),
                    None => continue,
                }
            }
        };
        take(model, &path);
        if what == NodeKind::Dir && model.0.contains_key(path.as_bytes()) {
            continue;
        }
        if let NodeKind::Link(to) = &what
            && !model.0.contains_key(to)
        {
            continue;
        }
        let is_symlink = matches!(what, NodeKind::Symlink(_));
        let inode = model.add(&path, what);
        inode.mode = if is_symlink { 0o777 } else { [0o644, 0o755, 0o600][random.below(3)] };
        inode.uid = [0, 1000][random.below(2)];
        if random.below(6) == 0 {
            inode.xattrs.insert(b"trusted.x".to_vec(), vec![random.below(2) as u8]);
        }
    }
}

/// Removes a path, what is below, and links to it.
pub fn take(model: &mut Model, path: &str) {
    model.remove(path);
    loop {
        let dangling: Vec<String> = model
            .0
            .iter()
            .filter(|(_, inode)| matches!(&inode.what, NodeKind::Link(to) if !model.0.contains_key(to)))
            .map(|(path, _)| String::from_utf8(path.clone()).unwrap())
            .collect();
        if dangling.is_empty() {
            return;
        }
        dangling.iter().for_each(|path| model.remove(path));
    }
}
