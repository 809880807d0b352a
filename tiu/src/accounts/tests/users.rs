//! Users: numbers, passwords, and accounts that stay away.

use super::*;

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
