//! Groups and memberships.

use super::*;

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
