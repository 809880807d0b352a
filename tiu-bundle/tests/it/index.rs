//! Indexes that must not be accepted, each with one thing wrong, and the error that names it.

use std::fmt::Write as _;
use tiu_bundle::content_digest::Digest;
use tiu_bundle::index::{Index, IndexError, Kind, LineError, MAX_ENTRIES, MAX_LINE_SIZE, write_zst};
use tiu_system::Hint;
use tiu_system::path::PathError;

const ROOT: &str = "/ 0 40755 1 0 0 0 0.0 - - -\n";

/// The line of a directory.
fn dir(path: &str) -> String {
    format!("{path} 0 40755 1 0 0 0 0.0 - - -\n")
}

/// The line of an empty regular file.
fn file(path: &str) -> String {
    format!("{path} 0 100644 1 0 0 0 0.0 - - -\n")
}

fn parse(text: impl AsRef<[u8]>) -> Result<Index, IndexError> {
    Index::parse(text.as_ref().to_vec())
}

/// Returns the problem of line `number` in the root and `lines`.
#[track_caller]
fn problem(number: u64, lines: &str) -> LineError {
    match parse(format!("{ROOT}{lines}")) {
        Err(IndexError::Line { line, problem, path }) => {
            assert_eq!(line, number, "{problem} ({path})");
            problem
        }
        other => panic!("expected a bad line, found {other:?}"),
    }
}

fn zst(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_zst(text.as_bytes(), 3, &mut out).expect("compression");
    out
}

fn read(zst: &[u8], text: &str) -> Result<Index, IndexError> {
    Index::read_zst(zst, &Digest::compute(text.as_bytes()), text.lines().count() as u64)
}

#[test]
fn empty() {
    assert!(matches!(parse(""), Err(IndexError::Empty)));
    assert!(matches!(read(&zst(""), ""), Err(IndexError::Empty)));
}

#[test]
fn cut_text() {
    let text = format!("{ROOT}{}", file("/a"));
    for end in ROOT.len() + 1..text.len() {
        assert!(matches!(parse(&text[..end]), Err(IndexError::CutText { line: 2 })), "cut at {end}");
    }
}

#[test]
fn cut_stream() {
    let text = format!("{ROOT}{}", file("/a"));
    let whole = zst(&text);
    assert_eq!(read(&whole, &text).expect("good").len(), 2);
    for end in 0..whole.len() {
        let result = read(&whole[..end], &text);
        assert!(matches!(result, Err(IndexError::CutStream { .. })), "cut at {end}: {result:?}");
    }
}

#[test]
fn not_zstd() {
    assert!(matches!(read(b"this is not zstd at all", ROOT), Err(IndexError::Zstd(_))));
}

#[test]
fn one_flipped_bit_in_the_stream() {
    let text: String =
        std::iter::once(ROOT.to_owned()).chain((0..50).map(|i| file(&format!("/{i:02}")))).collect();
    let good = zst(&text);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 4;
        assert!(read(&bad, &text).is_err(), "byte {at}");
    }
}

#[test]
fn bytes_after_the_stream() {
    let mut bytes = zst(ROOT);
    bytes.push(0);
    assert!(matches!(read(&bytes, ROOT), Err(IndexError::TrailingBytes)));
    let twice = [zst(ROOT), zst("")].concat();
    assert!(matches!(read(&twice, ROOT), Err(IndexError::TrailingBytes)));
}

#[test]
fn reading_fails() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is broken"))
        }
    }
    match Index::read_zst(Broken, &Digest::compute(b""), 1) {
        Err(IndexError::Io(e)) => assert_eq!(e.to_string(), "the disk is broken"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn digest_does_not_match() {
    let expected = Digest::compute(b"something else");
    match Index::read_zst(zst(ROOT).as_slice(), &expected, 1) {
        Err(e @ IndexError::DigestMismatch { .. }) => {
            assert!(e.to_string().contains(&expected.to_string()), "{e}");
            assert!(e.to_string().contains(&Digest::compute(ROOT.as_bytes()).to_string()), "{e}");
            assert!(e.hint().is_some());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn fewer_entries_than_the_manifest_says() {
    let result = Index::read_zst(zst(ROOT).as_slice(), &Digest::compute(ROOT.as_bytes()), 2);
    assert!(matches!(result, Err(IndexError::EntryCount { found: 1, expected: 2 })), "{result:?}");
}

#[test]
fn more_entries_than_the_manifest_says() {
    let text = format!("{ROOT}{}", file("/a"));
    let result = Index::read_zst(zst(&text).as_slice(), &Digest::compute(text.as_bytes()), 1);
    assert!(matches!(result, Err(IndexError::TooManyEntries { found: 2, limit: 1 })), "{result:?}");
}

#[test]
fn billions_of_entries() {
    let result = Index::read_zst(std::io::empty(), &Digest::compute(b""), 3_000_000_000);
    assert!(matches!(result, Err(IndexError::TooManyEntries { found: 3_000_000_000, limit: MAX_ENTRIES })));
}

/// Reads a stream of a few KiB that unpacks to 256 MiB of `unit`.
fn bomb(unit: &[u8], entries: u64) -> IndexError {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
    for _ in 0..(256 << 20) / unit.len() {
        std::io::Write::write_all(&mut encoder, unit).expect("compression");
    }
    let bytes = encoder.finish().expect("compression");
    Index::read_zst(bytes.as_slice(), &Digest::compute(b""), entries).expect_err("a bomb")
}

#[test]
fn zstd_bomb_of_one_line() {
    let error = bomb(&[b'a'; 1 << 16], 10);
    assert!(matches!(error, IndexError::LineTooLong { line: 1, limit: MAX_LINE_SIZE }), "{error}");
}

#[test]
fn zstd_bomb_of_short_lines() {
    let error = bomb(&[b'\n'; 1 << 16], 10);
    // Stopped early, not after 256 million lines.
    assert!(matches!(error, IndexError::TooManyEntries { limit: 10, found: 11..300_000 }), "{error}");
}

#[test]
fn zstd_bomb_of_long_lines() {
    let mut line = vec![b'a'; 100_000];
    line.push(b'\n');
    let error = bomb(&line, 100);
    assert!(matches!(error, IndexError::TooLarge { limit: 1_458_176 }), "{error}");
}

#[test]
fn zstd_window_too_large() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
    encoder.window_log(27).expect("window");
    std::io::Write::write_all(&mut encoder, &vec![b'a'; 1 << 20]).expect("compression");
    let bytes = encoder.finish().expect("compression");
    let result = Index::read_zst(bytes.as_slice(), &Digest::compute(b""), 1);
    assert!(matches!(result, Err(IndexError::Zstd(_))), "{result:?}");
}

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

/// A good line with one field replaced.
fn with_field(at: usize, value: &str) -> String {
    let line = format!("/a 5 100644 1 0 0 0 0.0 aa/{0} - aa{0}", "b".repeat(62));
    let mut fields: Vec<_> = line.split(' ').collect();
    fields[at] = value;
    fields.join(" ") + "\n"
}

#[test]
fn bad_numbers() {
    assert!(parse(format!("{ROOT}{}", with_field(1, "5"))).is_ok());
    let cases = [
        (1, "size", i64::MAX as u64),
        (3, "number of links", u32::MAX.into()),
        (4, "owner", u32::MAX.into()),
        (5, "group", u32::MAX.into()),
        (6, "device number", u64::MAX),
    ];
    for (at, field, max) in cases {
        for bad in ["", "-1", "+1", "01", "0x1", "1.0", "18446744073709551616", "9999999999999999999999"] {
            let found = problem(2, &with_field(at, bad));
            assert_eq!(found, LineError::BadNumber { field, found: bad.into(), max });
        }
    }
    assert!(matches!(problem(2, &with_field(4, "4294967296")), LineError::BadNumber { field: "owner", .. }));
    assert!(matches!(
        problem(2, &with_field(1, "9223372036854775808")),
        LineError::BadNumber { field: "size", .. }
    ));
}

#[test]
fn bad_modes() {
    for bad in ["", "@", "0100644", "100648", "1777777", "@@100644", "-1", "99999999999"] {
        let text = bad.strip_prefix('@').unwrap_or(bad);
        assert_eq!(problem(2, &with_field(2, bad)), LineError::BadMode(text.into()), "{bad}");
    }
    for bad in ["644", "170644", "30644"] {
        let mode = u32::from_str_radix(bad, 8).expect("octal");
        assert_eq!(problem(2, &with_field(2, bad)), LineError::BadKind(mode), "{bad}");
    }
}

#[test]
fn bad_times() {
    let bad = [
        "",
        "0",
        "0.",
        ".0",
        "0.1000000000",
        "0.01",
        "00.0",
        "-0.0",
        "1.-1",
        "9223372036854775808.0",
        "1.0.0",
        "+1.0",
    ];
    for bad in bad {
        assert_eq!(problem(2, &with_field(7, bad)), LineError::BadTime(bad.into()), "{bad}");
    }
    for good in ["-9223372036854775808.999999999", "9223372036854775807.0", "-1.1"] {
        assert!(parse(format!("{ROOT}{}", with_field(7, good))).is_ok(), "{good}");
    }
}

#[test]
fn bad_digests() {
    assert_eq!(problem(2, &with_field(10, "-")), LineError::DigestMissing { size: 5 });
    for bad in ["", "aa", &"A".repeat(64), &"g".repeat(64), &"a".repeat(65)] {
        assert_eq!(problem(2, &with_field(10, bad)), LineError::BadDigest(bad.to_owned()));
    }
}

#[test]
fn payload_does_not_follow_from_the_digest() {
    let expected = format!("aa/{}", "b".repeat(62));
    for bad in ["-", "aa/bb", "", "../../etc/passwd"] {
        let found = problem(2, &with_field(8, bad));
        assert_eq!(found, LineError::BadPayload { found: bad.into(), expected: expected.clone() });
    }
}

#[test]
fn values_that_a_kind_cannot_have() {
    let unexpected = |line: &str| match problem(2, line) {
        LineError::Unexpected { field, kind, .. } => (field, kind),
        other => panic!("{line}: {other}"),
    };
    let digest = "a".repeat(64);
    assert_eq!(unexpected(&with_field(9, "inline")), ("content", Kind::File));
    assert_eq!(unexpected(&with_field(6, "1")), ("device number", Kind::File));
    assert_eq!(unexpected(&format!("/a 0 100644 1 0 0 0 0.0 - - {digest}\n")), ("digest", Kind::File));
    assert_eq!(unexpected(&format!("/a 0 40755 1 0 0 0 0.0 - - {digest}\n")), ("digest", Kind::Dir));
    assert_eq!(unexpected("/a 1 40755 1 0 0 0 0.0 - - -\n"), ("size", Kind::Dir));
    assert_eq!(unexpected("/a 1 10644 1 0 0 0 0.0 - - -\n"), ("size", Kind::Fifo));
    assert_eq!(unexpected("/a 5 120777 1 0 0 0 0.0 /etc - -\n"), ("size", Kind::Symlink));
    let bad = LineError::BadPayload { found: "x".into(), expected: "-".into() };
    assert_eq!(problem(2, "/a 0 20644 1 0 0 1 0.0 x - -\n"), bad);
}

#[test]
fn bad_symlink_targets() {
    let line = |target: &str, size: usize| format!("/a {size} 120777 1 0 0 0 0.0 {target} - -\n");
    let field = "symbolic link's target";
    assert_eq!(problem(2, &line("-", 0)), LineError::NoTarget);
    assert_eq!(problem(2, &line("", 0)), LineError::NoTarget);
    assert_eq!(problem(2, &line(r"a\x00b", 3)), LineError::Nul(field));
    assert_eq!(problem(2, &line(r"a\qb", 3)), LineError::BadEscape { field, found: r"a\qb".into() });
    assert_eq!(problem(2, &line(r"\x2e", 1)), LineError::BadEscape { field, found: r"\x2e".into() });
    let found = problem(2, &line(&"t".repeat(4096), 4096));
    assert_eq!(found, LineError::TooLong { field, found: 4096, max: 4095 });
    assert!(parse([ROOT, &line(r"../\x20//.", 7)].concat()).is_ok());
}

#[test]
fn missing_fields() {
    let line = "/a 0 100644 1 0 0 0 0.0 - - -";
    assert!(parse(format!("{ROOT}{line}\n")).is_ok());
    let names = [
        "size",
        "mode",
        "number of links",
        "owner",
        "group",
        "device number",
        "time",
        "payload",
        "content",
        "digest",
    ];
    let fields: Vec<_> = line.split(' ').collect();
    for (count, name) in (1..).zip(names) {
        let cut = fields[..count].join(" ") + "\n";
        assert_eq!(problem(2, &cut), LineError::MissingField(name), "{cut:?}");
    }
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

#[test]
fn bad_extended_attributes() {
    let line = |xattrs: &str| format!("/a 0 100644 1 0 0 0 0.0 - - -{xattrs}\n");
    assert!(parse([ROOT, &line(r" a= b=-\x00 c.d=x")].concat()).is_ok());
    assert_eq!(problem(2, &line(" user.a")), LineError::XattrNoEquals("user.a".into()));
    assert_eq!(problem(2, &line(" ")), LineError::XattrNoEquals("".into()));
    assert_eq!(problem(2, &line(" a=1  b=1")), LineError::XattrNoEquals("".into()));
    assert_eq!(problem(2, &line(" =1")), LineError::XattrNoName);
    assert_eq!(problem(2, &line(r" a\x00=1")), LineError::Nul("extended attribute's name"));
    assert_eq!(problem(2, &line(" a=1 a=2")), LineError::XattrTwice("a".into()));
    let not_sorted = LineError::XattrNotSorted { name: "a".into(), previous: "b".into() };
    assert_eq!(problem(2, &line(" b=1 a=2")), not_sorted);
    let field = "extended attribute's value";
    assert_eq!(problem(2, &line(" a=b=c")), LineError::BadEscape { field, found: "a=b=c".into() });
    let found = problem(2, &line(&format!(" {}=1", "n".repeat(256))));
    assert_eq!(found, LineError::TooLong { field: "extended attribute's name", found: 256, max: 255 });
    let found = problem(2, &line(&format!(" a={}", "v".repeat(65537))));
    assert_eq!(found, LineError::TooLong { field, found: 65537, max: 65536 });
    assert!(parse([ROOT, &line(&format!(" a={}", "v".repeat(65536)))].concat()).is_ok());
    let many = (0..300).fold(String::new(), |mut all, i| {
        let _ = write!(all, " {}{i:03}=", "n".repeat(250));
        all
    });
    assert!(matches!(
        problem(2, &line(&many)),
        LineError::TooLong { field: "list of extended attributes", .. }
    ));
}

#[test]
fn line_too_long() {
    let long = format!("/{}", "a".repeat(MAX_LINE_SIZE));
    assert!(matches!(parse([ROOT, &file(&long)].concat()), Err(IndexError::LineTooLong { line: 2, .. })));
}

#[test]
fn a_hundred_thousand_nested_prefixes_take_linear_time() {
    // Every name is a prefix of the next: the worst case for finding parents.
    let mut text = ROOT.to_owned();
    for top in 0..400 {
        for len in 1..=250 {
            text += &dir(&format!("/{top:04}{}", "a".repeat(len)));
        }
    }
    let start = std::time::Instant::now();
    assert_eq!(parse(text).expect("good").len(), 100_001);
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}
