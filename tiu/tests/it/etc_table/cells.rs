//! Every combination of what an administrator does to something in `/etc` with what the next image
//! does to it.
//!
//! Each cell has a directory of its own with a directory `d`, in which both change `s`, and a
//! file that nobody touches. Where the image makes something else of a directory, `s` is
//! that directory, with a file in it.

use super::paper::Paper;
use tiu_system::path::TreePathBuf;

/// A row of the table in the documentation, and the ways in which an administrator can do that.
pub struct Row {
    pub title: &'static str,
    pub ways: &'static [&'static str],
}

/// A column, and the ways in which an image can do that.
pub struct Column {
    pub title: &'static str,
    pub ways: &'static [&'static str],
    /// True if `s` is a directory at first.
    pub of_directory: bool,
}

pub const ROWS: [Row; 10] = [
    Row { title: "untouched", ways: &["untouched"] },
    Row { title: "content changed", ways: &["content"] },
    Row { title: "mode or owner changed", ways: &["mode", "owner"] },
    Row { title: "xattr or ACL changed", ways: &["xattr", "acl"] },
    Row { title: "removed", ways: &["removed"] },
    Row { title: "added", ways: &["added"] },
    Row { title: "type changed", ways: &["to-symlink", "to-fifo"] },
    Row { title: "type changed to a directory", ways: &["to-directory"] },
    Row { title: "directory removed", ways: &["directory-removed"] },
    Row {
        title: "directory replaced by a symlink",
        ways: &["directory-to-absolute", "directory-to-relative"],
    },
];

pub const COLUMNS: [Column; 10] = [
    Column { title: "unchanged", ways: &["unchanged"], of_directory: false },
    Column { title: "content changed", ways: &["content"], of_directory: false },
    Column { title: "metadata changed", ways: &["mode", "owner", "xattr"], of_directory: false },
    Column { title: "removed", ways: &["removed"], of_directory: false },
    Column { title: "added", ways: &["added"], of_directory: false },
    Column { title: "file → directory", ways: &["to-directory"], of_directory: false },
    Column { title: "directory → file", ways: &["to-file"], of_directory: true },
    Column { title: "directory → symlink, relative", ways: &["to-relative"], of_directory: true },
    Column { title: "… absolute", ways: &["to-absolute"], of_directory: true },
    Column { title: "… dangling", ways: &["to-dangling"], of_directory: true },
];

/// A combination.
#[derive(Clone, Debug)]
pub struct Cell {
    pub row: usize,
    pub column: usize,
    /// `ADMIN+IMAGE`, as the cell's directory is named.
    pub name: String,
    pub base: Paper,
    pub host: Paper,
    pub image: Paper,
}

impl Cell {
    /// Its directory.
    pub fn prefix(&self) -> TreePathBuf {
        TreePathBuf::new(format!("etc/t/{}", self.name)).unwrap()
    }
}

/// All cells. `outside` is a directory outside of the host, into which symlinks lead.
pub fn cells(outside: &str) -> Vec<Cell> {
    let mut cells = Vec::new();
    for (r, row) in ROWS.iter().enumerate() {
        for (c, column) in COLUMNS.iter().enumerate() {
            for admin in row.ways {
                for way in column.ways {
                    let base = base(column, way);
                    let host = admin_does(admin, way, &base, column.of_directory, outside);
                    let image = image_does(way, &base, outside);
                    let name = format!("{admin}+{way}");
                    cells.push(Cell { row: r, column: c, name, base, host, image });
                }
            }
        }
    }
    cells
}

fn base(column: &Column, way: &str) -> Paper {
    let mut base = Paper::default();
    base.dir("d");
    base.file("d/untouched", "default\n");
    if column.of_directory {
        base.dir("d/s");
        base.file("d/s/inner", "default\n");
    } else if way != "added" {
        base.file("d/s", "default\n");
    }
    base
}

fn image_does(way: &str, base: &Paper, outside: &str) -> Paper {
    let mut image = base.clone();
    match way {
        "unchanged" => {}
        "content" | "added" => image.file("d/s", "the image's\n"),
        "mode" => image.node("d/s").mode = 0o640,
        "owner" => image.node("d/s").uid = 3,
        "xattr" => image.set_xattr("d/s", "the image's"),
        "removed" => image.remove("d/s"),
        "to-directory" => {
            image.remove("d/s");
            image.dir("d/s");
            image.file("d/s/inner", "the image's\n");
        }
        "to-file" => {
            image.remove("d/s");
            image.file("d/s", "the image's\n");
        }
        "to-relative" | "to-absolute" | "to-dangling" => {
            image.remove("d/s");
            let target = match way {
                "to-relative" => "untouched",
                "to-absolute" => outside,
                _ => "nowhere",
            };
            image.link("d/s", target);
        }
        other => panic!("{other}"),
    }
    image
}

fn admin_does(admin: &str, way: &str, base: &Paper, of_directory: bool, outside: &str) -> Paper {
    let mut host = base.clone();
    if way == "added" {
        // There is no default: the administrator has it already, with a difference to what the
        // image brings.
        let same = image_does(way, base, outside);
        match admin {
            "untouched"
            | "removed"
            | "directory-removed"
            | "directory-to-absolute"
            | "directory-to-relative" => {}
            "to-symlink" | "to-fifo" | "to-directory" => {}
            _ => host = same,
        }
    }
    let content = if of_directory { "d/s/inner" } else { "d/s" };
    let directory = if of_directory { "d/s" } else { "d" };
    match admin {
        "untouched" => {}
        "content" => host.file(content, "the administrator's\n"),
        "mode" => host.node("d/s").mode = if of_directory { 0o700 } else { 0o600 },
        "owner" => host.node("d/s").uid = 7,
        "xattr" => host.set_xattr("d/s", "the administrator's"),
        "acl" => host.set_acl("d/s"),
        "removed" => host.remove(content),
        "added" if way == "added" => {}
        "added" => host.file(&format!("{directory}/mine"), "the administrator's\n"),
        "to-symlink" | "to-fifo" => {
            host.remove("d/s");
            if admin == "to-symlink" { host.link("d/s", "elsewhere") } else { host.fifo("d/s") }
        }
        "to-directory" => {
            host.remove(content);
            host.dir(content);
            host.file(&format!("{content}/mine"), "the administrator's\n");
        }
        "directory-removed" => host.remove(directory),
        "directory-to-absolute" | "directory-to-relative" => {
            host.remove(directory);
            let target = match admin {
                // Not spelt as the image's, which leads there, too.
                "directory-to-absolute" => format!("{outside}/."),
                _ => "../../..".to_owned(),
            };
            host.link(directory, &target);
        }
        other => panic!("{other}"),
    }
    host
}
