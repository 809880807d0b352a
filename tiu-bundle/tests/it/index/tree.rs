//! Paths and the tree that they make: order, parents, hard links.

use super::*;

#[test]
fn no_root() {
    assert!(matches!(parse(file("/a")), Err(IndexError::NoRoot { found }) if found == "/a"));
    assert!(matches!(parse("\n"), Err(IndexError::Line { problem: LineError::MissingField("size"), .. })));
}

#[test]
fn root_is_a_file() {
    match parse(file("/")) {
        Err(IndexError::Line { line: 1, problem, .. }) => {
            assert_eq!(problem, LineError::RootNotDir(Kind::File))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn not_sorted() {
    let previous = "b".to_owned();
    assert_eq!(problem(3, &[file("/b"), file("/a")].concat()), LineError::NotSorted { previous });
    // By bytes of the path, not of its escaped form: 0x01 comes before a letter, and a backslash
    // after `A`.
    assert!(parse([ROOT, &file(r"/\x01"), &file("/a"), &file(r"/\x7f"), &file(r"/\xc3")].concat()).is_ok());
    assert!(matches!(problem(3, &[file("/A"), file(r"/\x01")].concat()), LineError::NotSorted { .. }));
}

#[test]
fn names_of_a_directory_are_its_children_alone() {
    // Names that sort between a directory and what is in it, and right after that.
    let lines = [
        ROOT,
        &dir("/a"),
        &dir("/a!"),
        &file("/a!/x"),
        &file("/a-b"),
        &dir("/a/b"),
        &file("/a/b-c"),
        &dir("/a/b/c"),
        &file("/a/b/c/d"),
        &file("/a/b0"),
        &file(r"/a/\xff"),
        &file("/a0"),
    ];
    let index = parse(lines.concat()).expect("an index");
    let names = |path: &'static str| index.names(TreePath::literal(path));
    assert_eq!(names(""), [&b"a"[..], b"a!", b"a-b", b"a0"]);
    assert_eq!(names("a"), [&b"b"[..], b"b-c", b"b0", b"\xff"]);
    assert_eq!(names("a/b"), [b"c"]);
    for none in ["a/b/c/d", "a-b", "none", "a/b/c/d/e"] {
        assert!(names(none).is_empty(), "{none}");
    }
}

#[test]
fn same_path_twice() {
    assert_eq!(problem(3, &[file("/a"), file("/a")].concat()), LineError::Twice);
    assert_eq!(problem(2, &dir("/")), LineError::Twice);
}

#[test]
fn names_dot_dot() {
    for path in ["/..", "/../etc", "/a/..", "/a/../b"] {
        assert_eq!(problem(2, &file(path)), LineError::Path(PathError::DotDot), "{path}");
    }
    let hidden = LineError::BadEscape { field: "path", found: r"/\x2e.".into() };
    assert_eq!(problem(2, &file(r"/\x2e.")), hidden);
}

#[test]
fn names_dot() {
    for path in ["/.", "/./a", "/a/."] {
        assert_eq!(problem(2, &file(path)), LineError::Path(PathError::Dot), "{path}");
    }
}

#[test]
fn absolute_or_empty_inside() {
    for path in ["//", "//etc/passwd", "/a//b", "/a/"] {
        assert_eq!(problem(2, &file(path)), LineError::Path(PathError::EmptyComponent), "{path}");
    }
}

#[test]
fn relative_or_empty_path() {
    for path in ["a", "", "./a", "../a", r"\x2fa"] {
        assert_eq!(problem(2, &file(path)), LineError::Path(PathError::NotAbsolute), "{path}");
    }
}

#[test]
fn nul_in_the_path() {
    assert_eq!(problem(2, &file(r"/a\x00b")), LineError::Path(PathError::Nul));
    assert!(matches!(problem(2, &file("/a\0b")), LineError::BadEscape { field: "path", .. }));
}

#[test]
fn name_too_long() {
    let name = "n".repeat(256);
    let found = problem(2, &file(&format!("/{name}")));
    assert_eq!(found, LineError::TooLong { field: "path component", found: 256, max: 255 });
    assert!(parse([ROOT, &file(&format!("/{}", &name[1..]))].concat()).is_ok());
}

#[test]
fn path_too_long() {
    let name = "n".repeat(255);
    let lines: String = (1..=16).map(|depth| dir(&format!("/{name}").repeat(depth))).collect();
    assert_eq!(parse([ROOT, &lines].concat()).expect("16 levels of 256 bytes").len(), 17);
    let path = format!("/{name}").repeat(16) + "/a";
    assert_eq!(
        problem(18, &(lines + &file(&path))),
        LineError::TooLong { field: "path", found: 4098, max: 4096 }
    );
}

#[test]
fn parent_is_missing() {
    let missing = |parent: &str| LineError::ParentMissing { parent: parent.to_owned() };
    assert_eq!(problem(2, &file("/a/b")), missing("a"));
    // `/a-` and `/aa` begin with the same bytes but are other directories.
    assert_eq!(problem(3, &[dir("/a-"), file("/a/b")].concat()), missing("a"));
    assert_eq!(problem(3, &[dir("/a"), file("/aa/b")].concat()), missing("aa"));
}

#[test]
fn parent_is_a_file() {
    let found = problem(3, &[file("/a"), file("/a/b")].concat());
    assert_eq!(found, LineError::ParentNotDir { parent: "a".into(), kind: Kind::File });
}

#[test]
fn through_a_symlink() {
    let through = |parent: &str| LineError::ThroughSymlink { parent: parent.to_owned() };
    let link = "/a 4 120777 1 0 0 0 0.0 /etc - -\n";
    assert_eq!(problem(3, &[link, &file("/a/b")].concat()), through("a"));
    // Also when something sorts between them,
    assert_eq!(problem(4, &[link, &file("/a-"), &file("/a/b")].concat()), through("a"));
    // and when the symbolic link is reached by its second name.
    let linked = "/a 4 120777 2 0 0 0 0.0 /etc - -\n/b 4 @120777 2 0 0 0 0.0 /a - -\n";
    assert!(parse([ROOT, linked].concat()).is_ok());
    assert_eq!(problem(4, &[linked, &file("/b/c")].concat()), through("b"));
}

#[test]
fn hard_link_to_what_is_missing() {
    let found = problem(3, &[&file("/a"), "/c 0 @100644 2 0 0 0 0.0 /b - -\n"].concat());
    assert_eq!(found, LineError::LinkTargetMissing("b".into()));
}

#[test]
fn hard_link_to_a_later_entry() {
    let lines = "/a 0 @100644 2 0 0 0 0.0 /b - -\n/b 0 100644 2 0 0 0 0.0 - - -\n";
    assert_eq!(problem(2, lines), LineError::LinkTargetLater("b".into()));
    assert_eq!(problem(2, "/a 0 @100644 1 0 0 0 0.0 /a - -\n"), LineError::LinkTargetLater("a".into()));
}

#[test]
fn hard_link_to_a_directory() {
    let found = problem(3, &[&dir("/a"), "/b 0 @40755 1 0 0 0 0.0 /a - -\n"].concat());
    assert_eq!(found, LineError::LinkTargetDir("a".into()));
}

#[test]
fn hard_link_to_a_hard_link() {
    let lines =
        "/a 0 100644 3 0 0 0 0.0 - - -\n/b 0 @100644 3 0 0 0 0.0 /a - -\n/c 0 @100644 3 0 0 0 0.0 /b - -\n";
    assert_eq!(problem(4, lines), LineError::LinkTargetLink("b".into()));
}

#[test]
fn hard_link_with_other_metadata() {
    let inode = "/a 0 100644 2 0 0 0 0.0 - - - user.a=1\n";
    assert!(parse([ROOT, inode, "/b 0 @100644 2 0 0 0 0.0 /a - - user.a=1\n"].concat()).is_ok());
    let others = [
        "0 @100645 2 0 0 0 0.0 /a - - user.a=1",
        "0 @100644 2 1 0 0 0.0 /a - - user.a=1",
        "0 @100644 2 0 0 0 0.0 /a - -",
    ];
    for other in others {
        let found = problem(3, &format!("{inode}/b {other}\n"));
        assert_eq!(found, LineError::LinkDiffers("a".into()), "{other}");
    }
}

#[test]
fn number_of_links_is_not_the_number_of_names() {
    let inode = |nlink: u32| format!("/a 0 100644 {nlink} 0 0 0 0.0 - - -\n");
    let link = |path: &str, nlink: u32| format!("{path} 0 @100644 {nlink} 0 0 0 0.0 /a - -\n");
    assert_eq!(problem(2, &inode(0)), LineError::LinkCount { names: 1, nlink: 0 });
    assert_eq!(problem(2, &inode(2)), LineError::LinkCount { names: 1, nlink: 2 });
    assert_eq!(problem(3, &(inode(1) + &link("/b", 1))), LineError::LinkCount { names: 2, nlink: 1 });
    let three = inode(2) + &link("/b", 2) + &link("/c", 2);
    assert_eq!(problem(4, &three), LineError::LinkCount { names: 3, nlink: 2 });
}
