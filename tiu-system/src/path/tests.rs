use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const fn path(text: &'static str) -> &'static TreePath {
    TreePath::literal(text)
}

#[test]
fn illegal_paths_cannot_be_built() {
    use PathError::*;
    let cases: [(&[u8], PathError); 13] = [
        (b"/", Absolute),
        (b"/etc", Absolute),
        (b"etc/", EmptyComponent),
        (b"etc//passwd", EmptyComponent),
        (b".", Dot),
        (b"./etc", Dot),
        (b"etc/./passwd", Dot),
        (b"etc/.", Dot),
        (b"..", DotDot),
        (b"../etc", DotDot),
        (b"etc/..", DotDot),
        (b"etc/../passwd", DotDot),
        (b"a\0b", Nul),
    ];
    for (bytes, error) in cases {
        assert_eq!(TreePath::new(bytes), Err(error), "{bytes:?}");
        assert_eq!(TreePathBuf::new(bytes), Err(error), "{bytes:?}");
    }
}

#[test]
fn names_that_look_like_dots_are_names() {
    for good in ["", "...", ".a", "a.", "..a", "a..", "a/...", " ", "\n", "a/ /b", "-"] {
        assert_eq!(TreePath::new(good).unwrap().as_bytes(), good.as_bytes());
    }
    assert!(TreePath::new(b"\xff\xfe/\x01").is_ok());
}

#[test]
fn absolute_paths_start_with_one_slash() {
    assert_eq!(TreePath::parse_absolute("/"), Ok(TreePath::ROOT));
    assert_eq!(TreePath::parse_absolute("/etc/passwd"), Ok(path("etc/passwd")));
    assert_eq!(TreePathBuf::parse_absolute("/etc").unwrap(), path("etc").to_owned());
    for (bytes, error) in [
        ("", PathError::NotAbsolute),
        ("etc", PathError::NotAbsolute),
        ("//", PathError::EmptyComponent),
        ("//etc", PathError::EmptyComponent),
        ("/etc/", PathError::EmptyComponent),
        ("/.", PathError::Dot),
        ("/etc/..", PathError::DotDot),
    ] {
        assert_eq!(TreePath::parse_absolute(bytes), Err(error), "{bytes:?}");
    }
}

#[test]
fn within_counts_whole_components() {
    let etc = path("etc");
    for inside in ["etc", "etc/passwd", "etc/a/b"] {
        assert!(path(inside).starts_with(etc), "{inside}");
    }
    for outside in ["", "etc2", "etc2/passwd", "et", "usr/etc", "etc-/a"] {
        assert!(!path(outside).starts_with(etc), "{outside}");
    }
    assert!(path("etc").starts_with(TreePath::ROOT) && TreePath::ROOT.starts_with(TreePath::ROOT));
    assert_eq!(path("etc/a/b").strip_prefix(etc), Some(path("a/b")));
    assert_eq!(path("etc").strip_prefix(etc), Some(TreePath::ROOT));
    assert_eq!(path("etc/a").strip_prefix(TreePath::ROOT), Some(path("etc/a")));
}

#[test]
fn parents_and_names() {
    assert_eq!(TreePath::ROOT.parent(), None);
    assert_eq!(TreePath::ROOT.file_name(), None);
    assert_eq!(path("etc").parent(), Some(TreePath::ROOT));
    assert_eq!(path("etc").file_name(), Some(&b"etc"[..]));
    assert_eq!(path("a/b/c").parent(), Some(path("a/b")));
    assert_eq!(path("a/b/c").file_name(), Some(&b"c"[..]));
    let all: Vec<_> = path("a/b/c").ancestors().collect();
    assert_eq!(all, [path("a/b/c"), path("a/b"), path("a"), TreePath::ROOT]);
    let mut owned = path("a/b").to_owned();
    assert!(owned.pop() && owned.pop() && !owned.pop());
    assert!(owned.is_root());
}

#[test]
fn a_child_has_one_name() {
    assert_eq!(path("etc").child("passwd").unwrap(), path("etc/passwd").to_owned());
    assert_eq!(TreePath::ROOT.child("etc").unwrap(), path("etc").to_owned());
    for (name, error) in [
        ("", PathError::NotAName),
        ("a/b", PathError::NotAName),
        ("/", PathError::NotAName),
        (".", PathError::Dot),
        ("..", PathError::DotDot),
        ("\0", PathError::Nul),
    ] {
        assert_eq!(path("etc").child(name), Err(error), "{name:?}");
    }
}

#[test]
fn text_is_escaped() {
    let odd = TreePath::new(b"a b\n\\\t\x1b\xc2\x85\xff/\xc3\xa9").unwrap();
    assert_eq!(odd.to_string(), r"a b\n\\\x09\x1b\xc2\x85\xff/é");
    assert_eq!(odd.absolute().to_string(), r"/a b\n\\\x09\x1b\xc2\x85\xff/é");
    let hidden = TreePath::new("a\u{202e}b").unwrap();
    assert_eq!(hidden.to_string(), r"a\xe2\x80\xaeb");
    assert_eq!(hidden.to_string().parse(), Ok(hidden.to_owned()));
    assert_eq!("a\u{202e}b".parse(), Ok(hidden.to_owned()), "as it was written before");
    assert_eq!(TreePath::ROOT.to_string(), ".");
    assert_eq!(TreePath::ROOT.absolute().to_string(), "/");
    assert_eq!(format!("{:?}", path("etc")), "\"etc\"");
}

#[test]
fn text_without_escapes_stands_for_itself() {
    assert_eq!(r"a\xzzb\".parse::<TreePathBuf>().unwrap().as_bytes(), br"a\xzzb\");
    assert_eq!(r"a\x+1".parse::<TreePathBuf>().unwrap().as_bytes(), br"a\x+1");
    assert_eq!(".".parse(), Ok(TreePathBuf::default()));
    assert_eq!(r"\x2e\x2e/a".parse::<TreePathBuf>(), Err(PathError::DotDot));
    assert_eq!(r"a\x00".parse::<TreePathBuf>(), Err(PathError::Nul));
}

#[test]
fn maps_of_owned_paths_are_searched_with_borrowed_ones() {
    let map = BTreeMap::from([(path("etc").to_owned(), 1)]);
    assert_eq!(map.get(path("etc")), Some(&1));
}

#[test]
fn json_is_the_text() {
    let odd = TreePathBuf::new(b"a\xff".to_vec()).unwrap();
    let json = serde_json::to_string(&(&odd, TreePath::ROOT)).unwrap();
    assert_eq!(json, r#"["a\\xff","."]"#);
    let read: (TreePathBuf, TreePathBuf) = serde_json::from_str(&json).unwrap();
    assert_eq!(read, (odd, TreePathBuf::default()));
    let error = serde_json::from_str::<TreePathBuf>("\"/etc\"").unwrap_err();
    assert!(error.to_string().starts_with("\"/etc\": the path starts with `/`"), "{error}");
}

fn any_path() -> impl Strategy<Value = TreePathBuf> {
    let name = prop::collection::vec(1u8..=255, 1..5)
        .prop_filter("a name", |name| !name.contains(&b'/') && name != b"." && name != b"..");
    prop::collection::vec(name, 0..5).prop_map(|names| TreePathBuf::new(names.join(&b'/')).unwrap())
}

proptest! {
    #[test]
    fn a_path_is_accepted_as_the_standard_library_reads_it(bytes in "[./a\0]{0,8}") {
        use std::path::Component;
        // `Path` drops empty components and `.` (but not in front), so joining what is left
        // must give the same bytes.
        let read = Path::new(&bytes);
        let normal = read.components().all(|c| matches!(c, Component::Normal(_)));
        let joined = read.components().collect::<std::path::PathBuf>();
        let good = normal && joined.as_os_str().as_bytes() == bytes.as_bytes() && !bytes.contains('\0');
        prop_assert_eq!(TreePath::new(&bytes).is_ok(), good);
    }

    #[test]
    fn any_bytes_are_refused_or_kept(bytes: Vec<u8>) {
        if let Ok(path) = TreePath::new(&bytes) {
            prop_assert_eq!(path.as_bytes(), &bytes);
            let absolute = [b"/", &bytes[..]].concat();
            prop_assert_eq!(TreePath::parse_absolute(&absolute), Ok(path));
            prop_assert_eq!(TreePathBuf::new(bytes.clone()).unwrap().into_bytes(), bytes);
        }
    }

    #[test]
    fn reading_inverts_writing(path in any_path()) {
        prop_assert_eq!(path.to_string().parse::<TreePathBuf>(), Ok(path.clone()));
        prop_assert_eq!(path.absolute().to_string()[1..].to_owned(),
            if path.is_root() { String::new() } else { path.to_string() });
    }

    #[test]
    fn text_is_one_line_without_unprintable_characters(path in any_path()) {
        prop_assert!(!path.to_string().chars().any(crate::text::is_unprintable));
    }

    #[test]
    fn what_is_taken_apart_can_be_put_together(path in any_path()) {
        match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => prop_assert_eq!(parent.child(name), Ok(path.clone())),
            (parent, name) => prop_assert!(path.is_root() && parent.is_none() && name.is_none()),
        }
        let names: Vec<_> = path.components().collect();
        prop_assert_eq!(names.join(&b'/'), path.as_bytes());
        prop_assert_eq!(path.ancestors().count(), names.len() + 1);
    }

    #[test]
    fn stripping_inverts_joining(base in any_path(), below in any_path()) {
        let joined = base.join(&below);
        prop_assert_eq!(TreePath::new(joined.as_bytes()), Ok(&*joined));
        prop_assert_eq!(joined.strip_prefix(&base), Some(&*below));
        prop_assert!(joined.starts_with(&base));
    }

    #[test]
    fn within_is_what_the_standard_library_says(a in any_path(), b in any_path()) {
        prop_assert_eq!(a.starts_with(&b), a.as_path().starts_with(b.as_path()));
        prop_assert_eq!(a.strip_prefix(&b).map(TreePath::as_path), a.as_path().strip_prefix(b.as_path()).ok());
    }

    #[test]
    fn order_is_that_of_the_bytes(a in any_path(), b in any_path()) {
        prop_assert_eq!(a.cmp(&b), a.as_bytes().cmp(b.as_bytes()));
        prop_assert_eq!((*a).cmp(&*b), a.cmp(&b));
    }
}
