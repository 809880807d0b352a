//! Manifests that must not be accepted, each with one thing wrong, and the error that names it.

use tiu_bundle::manifest::{Manifest, ManifestError};
use tiu_system::Hint;

const GOOD: &str = "\
# made by a test
[update]
compatible=test-host
version=1.0~rc1-2
description=A test \\\\ image
build=17

[bundle]
format=verity
verity-hash=0000000000000000000000000000000000000000000000000000000000000001
verity-salt=000000000000000000000000000000000000000000000000000000000000000a
verity-size=8192

[meta.tiu]
format=1
arch=x86_64
os-id=debian
kernel=6.1.0-13-amd64
files=3
size=12345
index-digest=00000000000000000000000000000000000000000000000000000000000000ff
created=2026-01-31T12:00:00Z
min-version=0.9
";

/// The error of the good manifest after one replacement.
#[track_caller]
fn error(from: &str, to: &str) -> ManifestError {
    let bad = GOOD.replacen(from, to, 1);
    assert_ne!(bad, GOOD, "{from:?} is not in the manifest");
    let error = Manifest::parse(bad.as_bytes()).expect_err("a bad manifest");
    assert!(error.hint().is_some_and(|hint| hint.len() > 20), "{error}");
    error
}

fn line_of(text: &str) -> usize {
    1 + GOOD.lines().position(|line| line.starts_with(text)).expect("a line")
}

#[test]
fn good() {
    let manifest = Manifest::parse(GOOD.as_bytes()).expect("a good manifest");
    assert_eq!(manifest.description.as_deref(), Some("A test \\ image"));
    assert_eq!(manifest.verity_salt[31], 10);
    assert_eq!((manifest.tiu.files, manifest.tiu.size), (3, 12345));
    assert_eq!(Manifest::parse(manifest.to_text().as_bytes()), Ok(manifest));
}

#[test]
fn empty() {
    assert_eq!(Manifest::parse(b""), Err(ManifestError::MissingGroup("update")));
}

#[test]
fn missing_groups() {
    assert_eq!(error("[update]", "[meta.other]"), ManifestError::MissingGroup("update"));
    assert_eq!(error("[bundle]", "[meta.other]"), ManifestError::MissingGroup("bundle"));
    assert_eq!(error("[meta.tiu]", "[meta.other]"), ManifestError::MissingGroup("meta.tiu"));
}

#[test]
fn missing_keys() {
    for (group, key) in [
        ("update", "compatible"),
        ("update", "version"),
        ("bundle", "format"),
        ("bundle", "verity-hash"),
        ("bundle", "verity-salt"),
        ("bundle", "verity-size"),
        ("meta.tiu", "format"),
        ("meta.tiu", "arch"),
        ("meta.tiu", "os-id"),
        ("meta.tiu", "files"),
        ("meta.tiu", "size"),
        ("meta.tiu", "index-digest"),
        ("meta.tiu", "created"),
    ] {
        let (head, tail) = GOOD.split_once(&format!("[{group}]\n")).expect("the group");
        let tail = tail.replacen(&format!("{key}="), &format!("# {key}="), 1);
        let bad = format!("{head}[{group}]\n{tail}");
        match Manifest::parse(bad.as_bytes()) {
            Err(ManifestError::MissingKey(found)) => assert_eq!(found, format!("[{group}] {key}")),
            other => panic!("without {key}: {other:?}"),
        }
    }
}

#[test]
fn unknown_key() {
    let line = line_of("build=");
    assert_eq!(error("build=", "built="), ManifestError::UnknownKey { line, key: "[update] built".into() });
    let line = line_of("format=verity") + 1;
    let found = error("format=verity\n", "format=verity\ncrypt-key=1\n");
    assert_eq!(found, ManifestError::UnknownKey { line, key: "[bundle] crypt-key".into() });
}

#[test]
fn unknown_keys_of_meta_groups_are_no_error() {
    let more = format!("{GOOD}delta-from=17\n\n[meta.builder]\nurl=https://example.com/\n");
    assert_eq!(Manifest::parse(more.as_bytes()), Manifest::parse(GOOD.as_bytes()));
}

#[test]
fn unknown_group() {
    for group in ["hooks", "handler", "image.rootfs", "meta", "Update"] {
        let found = error("[bundle]", &format!("[{group}]\na=1\n[bundle]"));
        assert_eq!(found, ManifestError::UnknownGroup { line: line_of("[bundle]"), group: group.into() });
    }
}

#[test]
fn same_key_twice() {
    let found = error("version=", "version=2\nversion=");
    assert_eq!(
        found,
        ManifestError::KeyTwice { line: line_of("version=") + 1, key: "[update] version".into() }
    );
    // Also the same value, also where unknown keys are let through.
    let found = error("arch=x86_64", "arch=x86_64\narch=x86_64");
    assert_eq!(found, ManifestError::KeyTwice { line: line_of("arch=") + 1, key: "[meta.tiu] arch".into() });
}

#[test]
fn same_group_twice() {
    let found = error("[meta.tiu]", "[update]\n[meta.tiu]");
    assert_eq!(found, ManifestError::GroupTwice { line: line_of("[meta.tiu]"), group: "update".into() });
}

#[test]
fn future_format() {
    assert_eq!(error("format=1", "format=2"), ManifestError::FutureFormat { found: 2 });
    // It is the first thing to be said, whatever else a future format may change.
    let found = Manifest::parse(b"[new]\nkey=1\n[meta.tiu]\nformat=7\n").expect_err("a future format");
    assert_eq!(found, ManifestError::FutureFormat { found: 7 });
    assert_eq!(found.hint().as_deref(), Some("update tiu on this host first"));
}

#[test]
fn bad_format() {
    for bad in ["0", "", "x", "-1", "01", "1.0", "4294967296"] {
        let found = error("format=1", &format!("format={bad}"));
        let (min, max) = (1, u32::MAX.into());
        assert_eq!(found, ManifestError::BadNumber { key: "[meta.tiu] format", found: bad.into(), min, max });
    }
}

#[test]
fn not_a_verity_bundle() {
    assert_eq!(error("format=verity", "format=plain"), ManifestError::NotVerity("plain".into()));
    assert_eq!(error("format=verity", "format=crypt"), ManifestError::NotVerity("crypt".into()));
}

#[test]
fn root_hash_and_salt_are_not_64_hex_digits() {
    for key in ["[bundle] verity-hash", "[bundle] verity-salt", "[meta.tiu] index-digest"] {
        let name = key.split(' ').nth(1).expect("a key");
        for bad in
            ["", "0", &"0".repeat(63), &"0".repeat(65), &"A".repeat(64), &"g".repeat(64), &"ä".repeat(32)]
        {
            let found = error(&format!("{name}=00000000"), &format!("{name}={bad}\n#"));
            assert_eq!(found, ManifestError::BadHex { key, found: bad.to_owned() });
        }
    }
}

#[test]
fn verity_size_0_or_4097() {
    assert_eq!(error("verity-size=8192", "verity-size=0"), ManifestError::BadVeritySize(0));
    assert_eq!(error("verity-size=8192", "verity-size=4097"), ManifestError::BadVeritySize(4097));
}

#[test]
fn bad_numbers() {
    for bad in ["", "-1", "+1", "0x10", "1 0", "18446744073709551616", "01", "1e3"] {
        for key in ["[bundle] verity-size", "[meta.tiu] files", "[meta.tiu] size"] {
            let name = key.split(' ').nth(1).expect("a key");
            let found = error(&format!("\n{name}="), &format!("\n{name}={bad}\n#"));
            assert!(
                matches!(&found, ManifestError::BadNumber { key: k, found, .. } if *k == key && found == bad),
                "{name}={bad}: {found}"
            );
        }
    }
    assert!(matches!(error("files=3", "files=0"), ManifestError::BadNumber { .. }));
    assert!(matches!(error("files=3", "files=3000000000"), ManifestError::BadNumber { max: 4_000_000, .. }));
}

#[test]
fn empty_values() {
    for key in
        ["[update] compatible", "[update] version", "[update] build", "[meta.tiu] arch", "[meta.tiu] kernel"]
    {
        let name = key.split(' ').nth(1).expect("a key");
        assert_eq!(error(&format!("\n{name}="), &format!("\n{name}=\n#")), ManifestError::Empty(key));
    }
}

#[test]
fn long_values() {
    let key = "[update] version";
    let found = error("version=1.0", &format!("version={}", "9".repeat(200)));
    assert_eq!(found, ManifestError::TooLong { key, found: 206, max: 128 });
    let found = error("A test", &"A test".repeat(1000));
    assert!(
        matches!(found, ManifestError::TooLong { key: "[update] description", max: 4096, .. }),
        "{found}"
    );
}

#[test]
fn control_characters() {
    for (text, character) in
        [("\\n", '\n'), ("\\t", '\t'), ("\\r", '\r'), ("\u{1b}[31m", '\u{1b}'), ("\0", '\0')]
    {
        let found = error("compatible=", &format!("compatible=a{text}b"));
        let allowed = "no control characters and no invisible ones";
        assert_eq!(
            found,
            ManifestError::BadCharacter { key: "[update] compatible", found: character, allowed }
        );
    }
}

#[test]
fn characters_that_are_not_displayed() {
    for hidden in
        ['\u{202e}', '\u{200b}', '\u{2066}', '\u{feff}', '\u{ad}', '\u{2028}', '\u{e0041}', '\u{fe0f}']
    {
        for key in ["compatible", "description", "build"] {
            let found = error(&format!("\n{key}="), &format!("\n{key}=a{hidden}b"));
            let bad = matches!(&found, ManifestError::BadCharacter { found, .. } if *found == hidden);
            assert!(bad, "{key} with {hidden:?}: {found}");
            // The message does not show it either.
            assert!(!found.to_string().contains(hidden), "{found:?}");
        }
    }
}

#[test]
fn text_of_all_languages_is_text() {
    for text in ["Größe 日本語\u{3000}テスト", "état\u{a0}: prêt", "e\u{301}", "نظام", "שלום", "😀"]
    {
        let good = GOOD.replacen("A test", text, 1);
        let manifest = Manifest::parse(good.as_bytes()).expect("a good manifest");
        assert!(manifest.description.is_some_and(|found| found.starts_with(text)));
    }
}

#[test]
fn characters_that_a_value_cannot_have() {
    let cases = [
        ("version=1", "version=1/2", '/'),
        ("version=1", "version=1 2", ' '),
        ("version=1", "version=1,2", ','),
        ("arch=x86_64", "arch=x86-64", '-'),
        ("arch=x86_64", "arch=../..", '.'),
        ("os-id=debian", "os-id=Debian", 'D'),
        ("kernel=6", "kernel=../6", '/'),
        ("min-version=0.9", "min-version=0.9 beta", ' '),
    ];
    for (from, to, character) in cases {
        let found = error(from, to);
        assert!(
            matches!(&found, ManifestError::BadCharacter { found, .. } if *found == character),
            "{to}: {found}"
        );
    }
}

#[test]
fn kernel_is_a_directory_above() {
    for bad in [".", ".."] {
        let found = error("kernel=6.1.0-13-amd64", &format!("kernel={bad}"));
        assert_eq!(found, ManifestError::BadName { key: "[meta.tiu] kernel", found: bad.into() });
    }
}

#[test]
fn bad_times() {
    for bad in [
        "",
        "now",
        "2026-01-31",
        "2026-01-31 12:00:00Z",
        "2026-01-31T12:00:00+01:00",
        "2026-02-30T12:00:00Z",
        "2026-01-31T12:00:00",
    ] {
        let found = error("created=2026-01-31T12:00:00Z", &format!("created={bad}"));
        assert_eq!(found, ManifestError::BadTime { key: "[meta.tiu] created", found: bad.into() });
    }
}

#[test]
fn bad_lines() {
    for bad in [
        "garbage",
        "=1",
        " a=1",
        "a =1",
        "a= 1",
        "a=1 ",
        "[g",
        "[]",
        "[a b]",
        "a[de]=1",
        "a=1\r",
        " ",
        "\u{feff}",
        "; comment",
    ] {
        let found = error("[bundle]\n", &format!("[bundle]\n{bad}\n"));
        let line = line_of("[bundle]") + 1;
        assert_eq!(found, ManifestError::BadLine { line, text: bad.into() }, "{bad:?}");
    }
}

#[test]
fn key_before_the_first_group() {
    let found = error("# made by a test", "a=1");
    assert_eq!(found, ManifestError::NoGroup { line: 1, text: "a=1".into() });
}

#[test]
fn bad_escape() {
    for bad in ["a\\", "a\\x", "\\\\\\"] {
        let found = error("build=17", &format!("build={bad}"));
        assert_eq!(found, ManifestError::BadEscape { line: line_of("build="), value: bad.into() });
    }
}

#[test]
fn not_text() {
    let mut bad = GOOD.as_bytes().to_vec();
    bad[20] = 0xff;
    assert_eq!(Manifest::parse(&bad), Err(ManifestError::NotText { offset: 20 }));
}

#[test]
fn builders_cannot_sign_what_readers_refuse() {
    let mut manifest = Manifest::parse(GOOD.as_bytes()).expect("a good manifest");
    manifest.version = "1 2".into();
    assert!(matches!(manifest.to_checked_text(), Err(ManifestError::BadCharacter { .. })));
}
