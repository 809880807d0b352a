//! The fields of a line.

use super::*;

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
        (4, "owner", u64::from(u32::MAX - 1)),
        (5, "group", u64::from(u32::MAX - 1)),
        (6, "device number", u32::MAX.into()),
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
    for good in ["-2147483648.999999999", "15032385535.999999999", "-1.1"] {
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
fn owners_devices_and_times_that_no_filesystem_holds() {
    let line = |uid: &str, gid: &str, time: &str| format!("/a 0 100644 1 {uid} {gid} 0 {time} - - -\n");
    for (uid, gid, field) in [("4294967295", "0", "owner"), ("0", "4294967295", "group")] {
        let max = u64::from(u32::MAX - 1);
        let found = problem(2, &line(uid, gid, "0.0"));
        assert_eq!(found, LineError::BadNumber { field, found: "4294967295".into(), max });
    }
    for sec in [-2_147_483_649, 15_032_385_536, i64::MIN, i64::MAX] {
        assert_eq!(
            problem(2, &line("0", "0", &format!("{sec}.0"))),
            LineError::TimeRange { found: sec, first: -2_147_483_648, last: 15_032_385_535 }
        );
    }
    let device = "/a 0 20644 1 0 0 4294967296 0.0 - - -\n";
    assert!(matches!(problem(2, device), LineError::BadNumber { field: "device number", .. }));
    for (uid, gid, time) in
        [("4294967294", "0", "-2147483648.0"), ("0", "4294967294", "15032385535.999999999")]
    {
        parse(format!("{ROOT}{}", line(uid, gid, time))).expect("a good index");
    }
}

#[test]
fn a_path_with_characters_that_are_not_seen_is_named_without_them() {
    let error =
        parse(format!("{ROOT}/a\u{1b}[2J\u{202e} 0 40755 1 0 0 0 0.0 - - -\n")).expect_err("a bad path");
    assert!(
        error.to_string().starts_with("line 2 of the index (/a\\u{1b}[2J\\u{202e}): path is "),
        "{error}"
    );
    assert!(!error.to_string().contains(['\u{1b}', '\u{202e}']), "{error:?}");
}

#[test]
fn an_acl_that_names_nobody_or_that_the_kernel_refuses() {
    let line = |name: &str, value: &str| format!("/a 0 100644 1 0 0 0 0.0 - - - {name}={value}\n");
    let with = |user: &str| {
        let entry = |tag: &str, id: &str| format!(r"\x{tag}\x00\x04\x00{id}");
        let none = r"\xff\xff\xff\xff";
        [r"\x02\x00\x00\x00".to_owned(), entry("01", none), entry("02", user), entry("04", none)].concat()
            + &entry("10", none)
            + &entry("20", none)
    };
    for name in ["system.posix_acl_access", "system.posix_acl_default"] {
        let number = AclError::Number { what: "user", found: u32::MAX };
        let found = problem(2, &line(name, &with(r"\xff\xff\xff\xff")));
        assert_eq!(found, LineError::Acl { name: name.into(), problem: number });
        parse(format!("{ROOT}{}", line(name, &with(r"\xfe\xff\xff\xff")))).expect("a good index");
        let problem = problem(2, &line(name, "x"));
        assert_eq!(problem, LineError::Acl { name: name.into(), problem: AclError::Format { size: 1 } });
    }
    parse(format!("{ROOT}{}", line("user.acl", "x"))).expect("a good index");
}
