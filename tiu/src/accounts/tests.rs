//! The merge on paper: each rule, and what holds for any files.

use super::three_tables::is_locked;
use super::*;
use super::{AccountFile, AccountFiles, AccountSides, NoteKind, UsedNumbers};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::{HashMap, HashSet};

/// Account files from texts: passwd, group, shadow, gshadow, subuid, subgid. An empty text stands
/// for a missing file.
fn files(texts: &[&str]) -> AccountFiles {
    let text =
        |(file, text): (AccountFile, &&str)| (!text.is_empty()).then(|| (file, text.as_bytes().to_vec()));
    AccountFile::ALL.into_iter().zip(texts).filter_map(text).collect()
}

fn used(uids: &[u32], gids: &[u32]) -> UsedNumbers {
    UsedNumbers { uids: uids.iter().copied().collect(), gids: gids.iter().copied().collect() }
}

fn merged(base: Option<&[&str]>, host: &[&str], image: &[&str], used: &UsedNumbers) -> Merged {
    let (base, host, image) = (base.map(files), files(host), files(image));
    let sides = AccountSides { base: base.as_ref(), host: &host, image: &image, closed: &[] };
    merge(&sides, used, &Limits::default()).unwrap()
}

impl Merged {
    fn text(&self, file: AccountFile) -> &str {
        self.files.get(&file).map_or("", |text| std::str::from_utf8(text).unwrap())
    }

    fn about(&self, what: NoteKind) -> Vec<&str> {
        self.notes.iter().filter(|note| note.what == what).map(|note| note.name.as_str()).collect()
    }
}

const ROOT: &str = "root:x:0:0:root:/root:/bin/sh\n";

#[test]
fn entries_of_the_host_win_and_new_ones_come_at_the_end() {
    let host = format!("{ROOT}ntp:x:38:38:old:/var/old:/bin/false\nada:x:1000:100:Ada:/home/ada:/bin/bash\n");
    let image =
        format!("{ROOT}ntp:x:38:38:new:/var/new:/bin/bash\nweb:x:30:8:Web:/srv/web:/usr/sbin/nologin\n");
    let result =
        merged(None, &[&host, "root:x:0:\n"], &[&image, "root:x:0:\nweb:x:8:\n"], &UsedNumbers::default());
    assert_eq!(
        result.text(AccountFile::Passwd),
        format!("{host}web:!*:30:8:Web:/srv/web:/usr/sbin/nologin\n")
    );
    assert_eq!(result.text(AccountFile::Group), "root:x:0:\nweb:!:8:\n");
    assert_eq!(result.uids, HashMap::new());
    assert_eq!(result.files.len(), 2);
}

#[test]
fn crossed_numbers_on_both_sides() {
    let host = format!("{ROOT}a:x:100:1::/:/bin/sh\nb:x:101:1::/:/bin/sh\nada:x:102:1::/:/bin/sh\n");
    let image = format!(
        "{ROOT}a:x:101:1::/:/bin/sh\nb:x:100:1::/:/bin/sh\nc:x:102:1::/:/bin/sh\nd:x:999:1::/:/bin/sh\n"
    );
    let result = merged(None, &[&host], &[&image], &used(&[100, 101, 102, 998], &[]));
    // 999 is d's, 998 has files without a name.
    assert_eq!(result.uids, HashMap::from([(101, 100), (100, 101), (102, 997)]));
    assert!(
        result.text(AccountFile::Passwd).contains("\nc:!*:997:1:"),
        "{}",
        result.text(AccountFile::Passwd)
    );
    assert!(result.text(AccountFile::Passwd).contains("\nd:!*:999:1:"));
    assert_eq!(result.about(NoteKind::Renumbered), ["c"]);
    assert_eq!(result.about(NoteKind::Mapped), ["a", "b"]);
}

#[test]
fn primary_groups_follow_their_group_s_name() {
    let host = ["root:x:0:0::/:/bin/sh\n", "root:x:0:\nweb:x:7:\nother:x:8:\n"];
    let image = [
        "root:x:0:0::/:/bin/sh\nweb:x:30:8::/:/bin/false\nnew:x:31:9::/:/bin/false\nodd:x:32:7::/:/bin/false\n",
        "root:x:0:\nweb:x:8:\nnew:x:9:\nodd:x:7:\n",
    ];
    let result = merged(None, &host, &image, &UsedNumbers::default());
    let passwd = result.text(AccountFile::Passwd);
    for line in ["web:!*:30:7:", "new:!*:31:9:", "odd:!*:32:999:"] {
        assert!(passwd.contains(line), "{line}: {passwd}");
    }
    assert!(
        result.text(AccountFile::Group).ends_with("new:!:9:\nodd:!:999:\n"),
        "{}",
        result.text(AccountFile::Group)
    );
}

#[test]
fn nobody_gets_a_password_or_a_shell() {
    let image_passwd = "root:x:0:0::/:/bin/bash\ndb:x:26:26::/:/bin/bash\nhash:x:27:27::/:/bin/bash\nempty::28:28::/:\n\
        inline:$6$x$y:29:29::/:/bin/zsh\nada:x:1000:1000::/home/ada:/bin/bash\nquiet:x:31:31::/:/bin/false\nlost:x:32:32::/:/bin/sh\n";
    let image_shadow = "root:$6$image$hash:1::::::\ndb:!:19000:0:99999:7:::\nhash:$6$a$b:19000::::::\nempty::1::::::\n\
        ada:!$6$hidden$x:1::::::\nquiet:$6$c$d:1::::::\n";
    let host = ["root:x:0:0::/:/bin/sh\n", "root:x:0:\n", "root:*:19000::::::\n"];
    let result = merged(None, &host, &[image_passwd, "root:x:0:\n", image_shadow], &UsedNumbers::default());
    assert_eq!(
        result.text(AccountFile::Passwd),
        "root:x:0:0::/:/bin/sh\ndb:x:26:26::/:/usr/sbin/nologin\nhash:x:27:27::/:/usr/sbin/nologin\nempty:x:28:28::/:/usr/sbin/nologin\n\
         inline:x:29:29::/:/usr/sbin/nologin\nada:x:1000:1000::/home/ada:/usr/sbin/nologin\nquiet:x:31:31::/:/bin/false\nlost:x:32:32::/:/usr/sbin/nologin\n"
    );
    assert_eq!(
        result.text(AccountFile::Shadow),
        "root:*:19000::::::\ndb:!:19000:0:99999:7:::\nhash:!*:19000::::::\nempty:!*:1::::::\ninline:!*:::::::\n\
         ada:!*:1::::::\nquiet:!*:1::::::\nlost:!*:::::::\n"
    );
    assert_eq!(result.about(NoteKind::Disarmed), ["db", "hash", "empty", "inline", "ada", "quiet", "lost"]);
}

#[test]
fn another_name_for_root_never_comes() {
    let image =
        format!("{ROOT}toor:$6$x$y:0:0::/root:/bin/bash\nalias:x:30:0::/:/bin/sh\nzero:x:000:0::/:/bin/sh\n");
    let result = merged(None, &[ROOT], &[&image, "", "toor:$6$x$y:1::::::\n"], &used(&[0], &[]));
    assert!(
        !result.text(AccountFile::Passwd).contains("toor")
            && !result.text(AccountFile::Shadow).contains("toor")
    );
    assert_eq!(result.about(NoteKind::Refused), ["toor", "zero"]);
    assert_eq!(result.uids, HashMap::new());
    // Nor through somebody who is root on the host.
    let host = format!("{ROOT}a:x:0:0::/:/bin/sh\n");
    let image = "a:x:30:0::/:/bin/sh\nb:x:30:0::/:/bin/sh\n";
    let result = merged(None, &[&host], &[image], &UsedNumbers::default());
    assert_eq!(result.uids, HashMap::new());
    let names: Vec<&str> = result.text(AccountFile::Passwd).lines().collect();
    assert_eq!(names, [ROOT.trim_end(), "a:x:0:0::/:/bin/sh", "b:!*:30:0::/:/usr/sbin/nologin"]);
}

#[test]
fn files_never_become_root_s() {
    let (host, image) = (files(&["web:x:0:0::/:/bin/sh\n"]), files(&["web:x:30:0::/:/bin/sh\n"]));
    let sides = AccountSides { base: None, host: &host, image: &image, closed: &[] };
    let problems = merge(&sides, &used(&[30], &[]), &Limits::default()).unwrap_err();
    assert_eq!(problems, [Problem::ToRoot { file: AccountFile::Passwd, name: "web".into(), number: 30 }]);
    assert!(merge(&sides, &UsedNumbers::default(), &Limits::default()).unwrap().uids.is_empty());
}

#[test]
fn a_system_without_accounts_gets_root_without_a_password() {
    let image = [ROOT, "root:x:0:\n", "root:$6$x$y:1::::::\n"];
    let result = merged(None, &[], &image, &UsedNumbers::default());
    assert_eq!(
        (result.text(AccountFile::Passwd), result.text(AccountFile::Shadow)),
        (ROOT, "root:!*:1::::::\n")
    );
}

#[test]
fn what_the_administrator_removed_stays_away_and_what_the_image_dropped_stays() {
    let both = |more: &str| format!("{ROOT}{more}");
    let base = both("games:x:5:60::/:/bin/false\nuucp:x:10:10::/:/bin/false\n");
    let host = both("uucp:x:10:10::/:/bin/false\nada:x:5:5::/:/bin/sh\n");
    let image = both("games:x:5:60::/:/bin/false\n");
    let sides = [&host[..], "root:x:0:\n"];
    let result = merged(
        Some(&[&base, "root:x:0:\ngames:x:60:\n"]),
        &sides,
        &[&image, "root:x:0:\ngames:x:60:\n"],
        &used(&[5], &[60]),
    );
    assert_eq!(result.text(AccountFile::Passwd), host);
    assert_eq!(result.text(AccountFile::Group), "root:x:0:\n");
    assert_eq!(result.about(NoteKind::StaysAway), ["games", "games"]);
    assert_eq!(result.about(NoteKind::Dropped), ["uucp"]);
    // Its files do not become ada's: they get a number that nobody has. Nobody has its group's
    // number.
    assert_eq!((result.uids, result.gids), (HashMap::from([(5, 999)]), HashMap::new()));
}

#[test]
fn a_removed_group_comes_back_for_a_new_user_who_must_have_it() {
    let group = ["root:x:0:\nweb:x:8:\n", "root:x:0:\n"];
    let image = format!("{ROOT}web:x:30:8::/:/bin/false\n");
    let result =
        merged(Some(&[ROOT, group[0]]), &[ROOT, group[1]], &[&image, group[0]], &UsedNumbers::default());
    assert_eq!(result.text(AccountFile::Group), "root:x:0:\nweb:!:8:\n");
}

#[test]
fn memberships_unite_but_not_those_that_were_taken_away_or_of_strangers() {
    let people =
        format!("{ROOT}ada:x:1000:100::/:/bin/sh\nbob:x:1001:100::/:/bin/sh\ncyd:x:1002:100::/:/bin/sh\n");
    let base = [&people[..], "wheel:x:10:cyd\nempty:x:11:\n"];
    let host = [&people[..], "wheel:x:10:ada\nempty:x:11:\n", "", "wheel:!:ada:ada\nempty:!::\n"];
    let image = [
        &people[..],
        "wheel:x:10:bob,cyd,stranger,bob\nempty:x:11:bob\n",
        "",
        "wheel:$6$x$y:bob:bob,cyd\nempty:!::bob\n",
    ];
    let result = merged(Some(&base), &host, &image, &UsedNumbers::default());
    assert_eq!(result.text(AccountFile::Group), "wheel:x:10:ada,bob\nempty:x:11:bob\n");
    assert_eq!(
        result.text(AccountFile::Gshadow),
        "wheel:!:ada:ada,bob,cyd\nempty:!::bob\n".replace(",cyd", "")
    );
    assert_eq!(result.about(NoteKind::Member), ["wheel", "empty"]);
}

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

#[test]
fn ten_thousand_users_are_merged_fast() {
    let passwd = |from: u32| -> String {
        (from..from + 10_000)
            .map(|i| format!("u{i}:x:{}:{}::/home/u{i}:/bin/sh\n", 2000 + i, 2000 + i))
            .collect()
    };
    let group = |from: u32| -> String {
        let members: Vec<String> = (from..from + 10_000).map(|i| format!("u{i}")).collect();
        (from..from + 10_000).map(|i| format!("u{i}:x:{}:\n", 2000 + i)).collect::<String>()
            + &format!("all:x:1500:{}\n", members.join(","))
    };
    let sub = |from: u32| -> String {
        (from..from + 10_000).map(|i| format!("u{i}:{}:65536\n", 100_000 + 7 * i)).collect()
    };
    let side = |from| [passwd(from), group(from), String::new(), String::new(), sub(from), sub(from)];
    let (host, image) = (side(0), side(5000));
    let texts = |side: &[String; 6]| side.each_ref().map(|text| files(&[text])).len();
    assert_eq!(texts(&host), 6);
    let view = |side: &[String; 6]| files(&side.each_ref().map(String::as_str));
    let (host, image) = (view(&host), view(&image));
    let began = std::time::Instant::now();
    let sides = AccountSides { base: None, host: &host, image: &image, closed: &[] };
    let result = merge(&sides, &used(&(0..20_000).collect::<Vec<_>>(), &[]), &Limits::default()).unwrap();
    assert!(began.elapsed() < std::time::Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(result.text(AccountFile::Passwd).lines().count(), 15_000);
    let all = result.text(AccountFile::Group).lines().find(|line| line.starts_with("all:")).unwrap();
    assert_eq!(all.split(',').count(), 15_000);
}

/// Texts that look like passwd files, some lines of them broken.
fn passwd() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        8 => ("[a-e]", 0..8u32, 0..4u32, "(x|\\*||\\$6\\$a\\$b)", "(/bin/sh|/bin/false|)")
            .prop_map(|(name, uid, gid, password, shell)| format!("{name}:{password}:{uid}:{gid}::/:{shell}")),
        1 => "(#.{0,5}|\\+|-a|a:x:3|[a-z:]{0,9}|)".prop_map(|line| line),
    ];
    proptest::collection::vec(line, 0..8)
        .prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
}

fn group() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        8 => ("[a-e]", 0..8u32, "([a-e](,[a-e])?)?").prop_map(|(name, gid, members)| format!("{name}:x:{gid}:{members}")),
        1 => "(#.{0,5}|\\+|-a|a:x|[a-z:]{0,9}|)".prop_map(|line| line),
    ];
    proptest::collection::vec(line, 0..6)
        .prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
}

fn sub() -> impl Strategy<Value = String> {
    let line = ("([a-e]|[0-7])", 1..40u32, 0..20u32)
        .prop_map(|(name, start, count)| format!("{name}:{start}:{count}\n"));
    proptest::collection::vec(line, 0..5).prop_map(|lines| lines.concat())
}

fn any_files() -> impl Strategy<Value = AccountFiles> {
    let shadow =
        proptest::collection::vec("[a-e]:(\\$6\\$a|!|\\*|):1::::::", 0..4).prop_map(|lines| lines.join("\n"));
    (passwd(), group(), shadow, sub())
        .prop_map(|(passwd, group, shadow, sub)| files(&[&passwd, &group, &shadow, "", &sub, &sub]))
}

/// Any three sides, and the numbers that have files on the host.
#[derive(Clone, Debug)]
struct Case {
    base: Option<AccountFiles>,
    host: AccountFiles,
    image: AccountFiles,
    used: UsedNumbers,
}

fn any_case() -> impl Strategy<Value = Case> {
    let numbers = proptest::collection::btree_set(0..10u32, 0..6);
    (proptest::option::of(any_files()), any_files(), any_files(), numbers).prop_map(
        |(base, host, image, numbers)| Case {
            base,
            host,
            image,
            used: UsedNumbers { uids: numbers.clone(), gids: numbers },
        },
    )
}

/// Checks what holds for any sides that can be merged.
fn always(property: impl Fn(&Case, &Merged)) {
    let config = ProptestConfig { source_file: Some(file!()), ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&any_case(), |case| {
        let sides =
            AccountSides { base: case.base.as_ref(), host: &case.host, image: &case.image, closed: &[] };
        if let Ok(merged) = merge(&sides, &case.used, &Limits::default()) {
            property(&case, &merged);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}\n{runner}");
    }
}

fn text(files: &AccountFiles, file: AccountFile) -> &[u8] {
    files.get(&file).map_or(&b""[..], Vec::as_slice)
}

fn has(files: &AccountFiles, file: AccountFile, name: &[u8]) -> bool {
    Table::parse(file, text(files, file)).find(name).is_some()
}

/// Name and number of the users; the first of several entries of one name counts.
fn users(files: &AccountFiles) -> Vec<(Vec<u8>, u32)> {
    let table = Table::parse(AccountFile::Passwd, text(files, AccountFile::Passwd));
    let mut seen = HashSet::new();
    let entries = table.entries().filter(|(_, line)| seen.insert(line.name().to_vec()));
    entries.map(|(_, line)| (line.name().to_vec(), line.number(2).unwrap())).collect()
}

/// Users that the host did not have.
fn newcomers(case: &Case, merged: &Merged) -> Vec<(Vec<u8>, u32)> {
    let mut users = users(&merged.files);
    users.retain(|(name, _)| !has(&case.host, AccountFile::Passwd, name));
    users
}

proptest! {
    #[test]
    fn any_text_comes_out_as_it_went_in(text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b':'), Just(b'a'), Just(b'0'), any::<u8>()], 0..60)) {
        for file in AccountFile::ALL {
            prop_assert_eq!(Table::parse(file, &text).to_bytes(), text.clone());
        }
    }
}

#[test]
fn every_line_of_the_host_stays_in_its_order() {
    always(|case, merged| {
        for file in AccountFile::ALL {
            let mut after = text(&merged.files, file).split(|c| *c == b'\n');
            for line in text(&case.host, file).split(|c| *c == b'\n').filter(|line| !line.is_empty()) {
                // Members of a group may have come.
                let stays =
                    after.any(|new| new == line || file == AccountFile::Group && new.starts_with(line));
                assert!(stays, "{file:?}: {}", String::from_utf8_lossy(line));
            }
        }
    });
}

#[test]
fn users_of_the_host_keep_their_numbers() {
    always(|case, merged| {
        let host = users(&case.host);
        for user in users(&merged.files).iter().filter(|(name, _)| has(&case.host, AccountFile::Passwd, name))
        {
            assert!(host.contains(user), "{user:?}");
        }
    });
}

#[test]
fn new_users_get_neither_root_s_number_nor_somebody_s() {
    always(|case, merged| {
        let (host, image) = (users(&case.host), users(&case.image));
        for (name, number) in newcomers(case, merged) {
            assert_ne!(number, 0);
            // Two names of one number in the image, of which the host has one, share the host's
            // number.
            let original = image.iter().find(|(n, _)| *n == name).unwrap().1;
            let alias = image.iter().any(|(n, i)| *i == original && has(&case.host, AccountFile::Passwd, n));
            assert!(alias || !host.iter().any(|(_, n)| *n == number), "{number} is somebody's");
        }
    });
}

#[test]
fn new_users_have_neither_a_shell_nor_a_password() {
    always(|case, merged| {
        let passwd = Table::parse(AccountFile::Passwd, text(&merged.files, AccountFile::Passwd));
        let shadow = Table::parse(AccountFile::Shadow, text(&merged.files, AccountFile::Shadow));
        for (name, _) in newcomers(case, merged) {
            let line = passwd.find(&name).unwrap().1;
            let shell = line.field(6);
            assert!([&b"/usr/sbin/nologin"[..], b"/bin/false"].contains(&shell), "{name:?}");
            let password = match line.field(1) {
                b"x" => shadow.find(&name).unwrap().1.field(1),
                password => password,
            };
            // A line that the host had in its shadow stays.
            assert!(has(&case.host, AccountFile::Shadow, &name) || is_locked(password), "{name:?}");
        }
    });
}

#[test]
fn files_of_the_image_go_to_the_first_name_of_their_number_or_to_nobody() {
    always(|case, merged| {
        let (host, names) = (users(&case.host), users(&merged.files));
        let mut seen = HashSet::new();
        for (name, number) in users(&case.image).iter().filter(|(_, number)| seen.insert(*number)) {
            let there = merged.uids.get(number).copied().unwrap_or(*number);
            match names.iter().find(|(n, _)| n == name) {
                _ if *number == 0 => assert_eq!(there, 0),
                Some((_, 0)) => {}
                Some((_, mine)) => assert_eq!(there, *mine),
                None if case.used.uids.contains(number) && !has(&case.host, AccountFile::Passwd, name) => {
                    assert!(!host.iter().any(|(_, n)| *n == there), "{there} is somebody's");
                }
                None => {}
            }
        }
    });
}

#[test]
fn no_files_of_the_image_become_root_s() {
    always(|_, merged| assert!(merged.uids.values().all(|number| *number != 0)));
}

#[test]
fn ranges_that_come_overlap_nothing() {
    always(|case, merged| {
        let table = Table::parse(AccountFile::Subuid, text(&merged.files, AccountFile::Subuid));
        let range = |line: &Line| (u64::from(line.number(1).unwrap()), u64::from(line.number(2).unwrap()));
        let ranges: Vec<(u64, u64)> = table.entries().map(|(_, line)| range(line)).collect();
        let old = Table::parse(AccountFile::Subuid, text(&case.host, AccountFile::Subuid)).entries().count();
        for (i, a) in ranges.iter().enumerate().skip(old) {
            for b in ranges.iter().take(i).filter(|b| b.1 > 0) {
                assert!(a.0 + a.1 <= b.0 || b.0 + b.1 <= a.0, "{a:?} {b:?}");
            }
        }
    });
}

#[test]
fn the_same_image_once_more_changes_nothing() {
    always(|case, merged| {
        let (host, image) = (&merged.files, &case.image);
        let again = AccountSides { base: Some(image), host, image, closed: &[] };
        assert_eq!(merge(&again, &case.used, &Limits::default()).unwrap().files, merged.files);
    });
}
