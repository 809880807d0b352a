//! Properties that hold for any files.

use super::*;

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
