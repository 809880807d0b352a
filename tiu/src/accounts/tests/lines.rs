//! Lines, files and ranges as they are written.

use super::*;

#[test]
fn comments_nis_lines_and_broken_lines_stay_where_they_are() {
    let host = "# people\n\nroot:x:0:0::/:/bin/sh\nbroken:x:77\n  odd line\nhalf:x:12a:1::/:/bin/sh\n-bob\n+@team::::::/bin/sh\n+::::::\n# end";
    let image = "root:x:0:0::/:/bin/sh\nweb:x:30:8::/:/bin/false\nbroken:x:40:8::/:/bin/false\nnews:x:77:8::/:/bin/false\nhalf:x:12:1::/:/bin/sh\n\
        +evil::0:0:::\nalso broken\n";
    let result = merged(None, &[host], &[image], &used(&[40, 12], &[]));
    let expected = host.replace("-bob\n", "web:!*:30:8::/:/bin/false\nnews:!*:999:8::/:/bin/false\n-bob\n");
    assert_eq!(result.text(AccountFile::Passwd), expected);
    assert_eq!(result.about(NoteKind::Broken), ["line 4", "line 5", "line 6", "line 7"]);
    // A broken line still has its name and its number, for programs that read it less strictly.
    assert_eq!(result.uids, HashMap::from([(40, 77), (77, 999)]));
}

#[test]
fn a_last_line_without_an_end_gets_one_only_when_something_follows() {
    let same = merged(None, &["root:x:0:0::/:/bin/sh"], &[ROOT], &UsedNumbers::default());
    assert_eq!(same.text(AccountFile::Passwd), "root:x:0:0::/:/bin/sh");
    let more =
        merged(None, &["root:x:0:0::/:/bin/sh"], &["a:x:1:1::/:/bin/false\n"], &UsedNumbers::default());
    assert_eq!(more.text(AccountFile::Passwd), "root:x:0:0::/:/bin/sh\na:!*:1:1::/:/bin/false\n");
}

#[test]
fn names_and_fields_that_programs_misread_do_not_come() {
    let image = "-x:x:1:1::/:/bin/sh\na b:x:2:1::/:/bin/sh\na/b:x:3:1::/:/bin/sh\nok:x:4:1:a\x1b[31m:/:/bin/sh\n1:x:5:1::/:/bin/sh\ngood$:x:6:1::/:/bin/false\n\
        café:x:7:1::/:/bin/sh\ncr:x:8:1::/:/bin/sh\r\n";
    let result = merged(None, &[ROOT], &[image], &UsedNumbers::default());
    assert_eq!(result.text(AccountFile::Passwd), format!("{ROOT}good$:!*:6:1::/:/bin/false\n"));
}

#[test]
fn a_shadow_file_that_the_host_lacks_locks_everybody() {
    let host = ["root:x:0:0::/:/bin/sh\nada:$6$a$b:1000:1::/:/bin/sh\n", "root:x:0:ada\n"];
    let image = [
        "root:x:0:0::/:/bin/sh\nweb:x:30:8::/:/bin/false\n",
        "root:x:0:\nweb:x:8:\n",
        "root:$6$x$y:1::::::\n",
        "root:*::\n",
    ];
    let result = merged(None, &host, &image, &UsedNumbers::default());
    assert_eq!(result.text(AccountFile::Shadow), "root:!*:::::::\nweb:!*:::::::\n");
    assert_eq!(result.text(AccountFile::Gshadow), "root:!::ada\nweb:!::\n");
}

#[test]
fn ranges_never_overlap_and_owners_that_are_numbers_follow_their_names() {
    let people = "ada:x:1000:1::/:/bin/sh\nbob:x:1001:1::/:/bin/sh\n";
    let image_people = "ada:x:1001:1::/:/bin/sh\nweb:x:30:1::/:/bin/false\nnew:x:31:1::/:/bin/false\nbig:x:32:1::/:/bin/false\n";
    let host = [people, "", "", "", "ada:100000:65536\nbob:165536:65536\nold:150000:10\n"];
    let image = [
        image_people,
        "",
        "",
        "",
        "1001:300000:65536\nweb:100000:65536\n31:600000:1000\nstranger:700000:10\nbig:100000:4000000000\n",
    ];
    let result = merged(None, &host, &image, &UsedNumbers::default());
    assert_eq!(
        result.text(AccountFile::Subuid),
        "ada:100000:65536\nbob:165536:65536\nold:150000:10\nweb:231072:65536\n31:600000:1000\n"
    );
    assert_eq!(result.about(NoteKind::Moved), ["web"]);
    assert_eq!(result.about(NoteKind::Overlap), ["old"]);
    assert!(result.about(NoteKind::Refused).contains(&"big"));
}

#[test]
fn numbers_run_out() {
    let limits = Limits { uids: 998..=999, ..Limits::default() };
    let (host, image) = (
        files(&["a:x:998:1::/:/bin/sh\nb:x:999:1::/:/bin/sh\n"]),
        files(&["c:x:998:1::/:/bin/sh\nd:x:999:1::/:/bin/sh\n"]),
    );
    let sides = AccountSides { base: None, host: &host, image: &image, closed: &[] };
    let problems = merge(&sides, &UsedNumbers::default(), &limits).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn nothing_is_added_to_a_closed_file() {
    let host = files(&["ada:x:1000:1::/:/bin/sh\nodd:x:30:1::/:/bin/sh\n", "users:x:100:\n"]);
    let image = files(&["web:x:30:8::/:/bin/false\n", "users:x:100:web\nweb:x:8:\n"]);
    let sides = AccountSides {
        base: None,
        host: &host,
        image: &image,
        closed: &[AccountFile::Passwd, AccountFile::Group],
    };
    let result = merge(&sides, &used(&[30], &[8]), &Limits::default()).unwrap();
    assert_eq!((result.files, result.uids), (host.clone(), HashMap::from([(30, 999)])));
}
