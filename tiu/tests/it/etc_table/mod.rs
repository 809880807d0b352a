//! The table of docs/internals/etc-merge.md, cell by cell: what is decided, and what a real update
//! makes of it.

mod cells;
mod paper;

use cells::{COLUMNS, Cell, ROWS, cells};
use paper::Paper;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tiu::config::Config;
use tiu::etc::Lists;
use tiu::etc::Settled;
use tiu::etc::States;
use tiu::etc::merge;
use tiu::etc::{EtcSides, Merge};
use tiu_system::path::TreePath;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::json;
use tiu_testing::system::nest_etc;

/// The three sides of these cells.
fn sides(cells: &[Cell]) -> [States; 3] {
    let mut sides = [States::new(), States::new(), States::new()];
    for (i, side) in sides.iter_mut().enumerate() {
        let mut above = Paper::default();
        for path in ["etc", "etc/t"] {
            above.dir(path);
        }
        for cell in cells {
            above.dir(&cell.prefix().to_string());
            [&cell.base, &cell.host, &cell.image][i].states(&cell.prefix(), side);
        }
        above.states(TreePath::ROOT, side);
    }
    sides
}

fn decided(cells: &[Cell]) -> Merge {
    let [base, host, image] = sides(cells);
    let sides = EtcSides { base: Some(&base), host: &host, image: &image };
    merge(&sides, &[Lists::from_config(&Config::default())], &Settled::default())
}

fn conflicts(merge: &Merge, cell: &Cell) -> BTreeSet<String> {
    let below = format!("{}/", cell.prefix());
    let paths = merge.conflicts().map(|decision| decision.path.to_string());
    paths.filter(|path| path.starts_with(&below)).collect()
}

/// The result in the words of the table.
fn in_words(cell: &Cell) -> String {
    let merge = decided(std::slice::from_ref(cell));
    if !merge.clashes.is_empty() {
        return "refused".into();
    }
    let result = Paper::merged(&merge, &cell.prefix(), &cell.host, &cell.image);
    let whose = match () {
        () if result == cell.image => "image's",
        () if result == cell.host => "admin's",
        () => "both",
    };
    let conflict = if conflicts(&merge, cell).is_empty() { "" } else { ", conflict" };
    format!("{whose}{conflict}")
}

/// Rows of the first table of docs/internals/etc-merge.md whose heading begins with
/// "administrator": titles and cells.
fn documented() -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/internals/etc-merge.md");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let cut = |line: &str| -> Vec<String> {
        line.trim().trim_matches('|').split('|').map(|cell| cell.trim().replace('*', "")).collect()
    };
    let mut lines = text.lines().skip_while(|line| !line.starts_with("| administrator"));
    let heading = cut(lines.next().expect("docs/internals/etc-merge.md has the table"));
    let columns: Vec<&str> = COLUMNS.iter().map(|column| column.title).collect();
    assert_eq!(heading[1..], columns, "the columns of the table in docs/internals/etc-merge.md");
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(cut);
    rows.map(|mut row| (row.remove(0), row)).collect()
}

#[test]
fn the_table_in_the_documentation_is_what_is_decided() {
    let documented = documented();
    let titles: BTreeSet<&str> = ROWS.iter().map(|row| row.title).collect();
    assert_eq!(documented.keys().map(String::as_str).collect::<BTreeSet<_>>(), titles);
    let wrong: Vec<String> = cells("/outside")
        .iter()
        .filter_map(|cell| {
            let said = &documented[ROWS[cell.row].title][cell.column];
            let found = in_words(cell);
            (found != *said).then(|| format!("{}: decided {found:?}, documented {said:?}", cell.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_cell_depends_on_its_neighbours() {
    let cells = cells("/outside");
    let all = decided(&cells);
    for cell in &cells {
        let alone = decided(std::slice::from_ref(cell));
        let of = |merge: &Merge| -> Vec<_> {
            let below =
                |path: &TreePath| path.strip_prefix(&cell.prefix()).is_some_and(|rest| !rest.is_root());
            merge.decisions.iter().filter(|d| below(&d.path)).cloned().collect()
        };
        assert_eq!(of(&alone), of(&all), "{}", cell.name);
    }
}

/// The facts that must not change where the merge leaves a path alone: inode, mode, times.
fn identity(path: &Path) -> Option<(u64, u32, i64, i64, i64, i64)> {
    let found = path.symlink_metadata().ok()?;
    let times = (found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec());
    Some((found.ino(), found.mode(), times.0, times.1, times.2, times.3))
}

fn write_all(root: &Path, cells: &[Cell], side: impl Fn(&Cell) -> &Paper) {
    for cell in cells {
        fs::create_dir_all(root.join(cell.prefix())).unwrap();
        side(cell).write(&root.join(cell.prefix()));
    }
}

#[test]
fn every_cell_on_a_real_host() {
    let kit = Kit::new();
    let outside = kit.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("s"), "not yours\n").unwrap();
    let cells = cells(outside.to_str().unwrap());
    let (refused, merged): (Vec<Cell>, Vec<Cell>) =
        cells.iter().cloned().partition(|cell| in_words(cell) == "refused");
    let bundles = [
        kit.bundle(1, |root| write_all(root, &cells, |cell| &cell.base)),
        kit.bundle(2, |root| write_all(root, &cells, |cell| &cell.image)),
        kit.bundle(3, |root| {
            write_all(root, &merged, |cell| &cell.image);
            write_all(root, &refused, |cell| &cell.base);
        }),
    ];
    for nested in [false, true] {
        println!("/etc is {}", if nested { "a nested subvolume" } else { "a directory" });
        let host = kit.host_with(512, |root| {
            if nested {
                nest_etc(root)
            }
        });
        update(host, &bundles, &refused, &merged);
    }
    // Nothing followed a symlink out of the host.
    assert_eq!(Paper::read(&outside).0.len(), 1);
    assert_eq!(fs::read_to_string(outside.join("s")).unwrap(), "not yours\n");
}

fn update(mut host: LoopHost, [first, all, others]: &[PathBuf; 3], refused: &[Cell], merged: &[Cell]) {
    let cells: Vec<Cell> = [refused, merged].concat();
    host.tiu("apply", [first]).succeeded();
    host.reboot();
    host.edit(2, |root| write_all(root, &cells, |cell| &cell.host));

    // Clashes are found before anything is touched: all of them, with both sides.
    for arguments in [vec!["--dry-run".as_ref(), all.as_os_str()], vec![all.as_os_str()]] {
        let outcome = host.tiu("apply", arguments).refused(&["/etc cannot be merged", "always-image"]);
        for cell in refused {
            let line = outcome.stderr.lines().find(|line| line.contains(&format!("/{}/", cell.prefix())));
            let line = line.unwrap_or_else(|| panic!("{} is not refused:\n{}", cell.name, outcome.stderr));
            assert!(line.contains("d/s: the image has a "), "{line}");
            assert!(line.contains("the host a directory in which /etc/t/"), "{line}");
        }
        assert_eq!(outcome.stderr.matches("the image has a ").count(), refused.len());
    }
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 2));

    let dry = host.tiu("apply", ["--dry-run".as_ref(), others.as_os_str()]).succeeded().stdout;
    let applied = json(&host.tiu("apply", ["--json".as_ref(), others.as_os_str()]).succeeded());
    let told: BTreeSet<&str> =
        applied["etc_conflicts"].as_array().unwrap().iter().filter_map(|path| path.as_str()).collect();
    let (before, after) = (host.snapshot(2), host.snapshot(3));
    let mut wrong = Vec::new();
    for cell in merged {
        let problems = faults(cell, &before, &after, &told, &dry);
        wrong.extend(problems.into_iter().map(|problem| format!("{}: {problem}", cell.name)));
    }
    for cell in refused {
        let found = Paper::read(&after.join(cell.prefix()));
        if found != cell.host {
            wrong.push(format!("{}: found {found:#?}, expected {:#?}", cell.name, cell.host));
        }
    }
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
    let verified = host.tiu("verify", ["3"]).succeeded();
    assert!(!verified.stdout.contains("DIFFERS"), "{}", verified.stdout);
}

/// Returns the faults of a cell after the update. `told`: conflicts that `apply` told, `dry`: what
/// `--dry-run` printed before.
fn faults(cell: &Cell, before: &Path, after: &Path, told: &BTreeSet<&str>, dry: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let merge = decided(std::slice::from_ref(cell));
    let expected = Paper::merged(&merge, &cell.prefix(), &cell.host, &cell.image);
    let found = Paper::read(&after.join(cell.prefix()));
    if found != expected {
        wrong.push(format!("found {found:#?}, expected {expected:#?}"));
    }
    let conflicts = conflicts(&merge, cell);
    let below = format!("{}/", cell.prefix());
    let found: BTreeSet<String> =
        told.iter().filter(|path| path.starts_with(&below)).map(|path| (*path).to_owned()).collect();
    if found != conflicts {
        wrong.push(format!("conflicts {found:?}, expected {conflicts:?}"));
    }
    for path in conflicts.iter().filter(|path| !dry.contains(&format!("conflict  {path} ("))) {
        wrong.push(format!("--dry-run does not show the conflict {path}"));
    }
    let beside = Paper::read(&after.join("usr/lib/sysimage/tiu").join(cell.prefix()));
    if beside != cell.image {
        wrong.push(format!("beside lies {beside:#?}, expected {:#?}", cell.image));
    }
    // Files that stay are not touched at all.
    let stays = |path: &String, node: &paper::Node| {
        node.what != paper::NodeKind::Dir && cell.host.0.get(path) == Some(node)
    };
    for (path, _) in expected.0.iter().filter(|(path, node)| stays(path, node)) {
        let at = |root: &Path| identity(&root.join(cell.prefix()).join(path));
        if at(before) != at(after) {
            wrong.push(format!("{path} was touched: {:?} before, {:?} after", at(before), at(after)));
        }
    }
    wrong
}
