//! Users and groups: merged entry by entry in every update, and files of the image that belong to
//! names.

mod commands;
mod refused;
mod sysusers;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::{json, tool};
use tiu_testing::system::nest_etc;
use tiu_testing::tree::file;

const ROOT: &str = "root:x:0:0:root:/root:/bin/sh\n";
const ROOT_GROUP: &str = "root:x:0:\n";

fn text(host: &LoopHost, number: u32, path: &str) -> String {
    fs::read_to_string(host.snapshot(number).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Writes `content` with `mode` and a group.
fn secret(root: &Path, path: &str, content: &str, mode: u32, gid: u32) {
    file(root, path, content);
    chown(root.join(path), None, Some(gid)).unwrap();
    fs::set_permissions(root.join(path), PermissionsExt::from_mode(mode)).unwrap();
}

/// A file of the image that belongs to somebody.
fn owned(root: &Path, path: &str, uid: u32, gid: u32) {
    file(root, path, path);
    chown(root.join(path), Some(uid), Some(gid)).unwrap();
}

fn owner(host: &LoopHost, number: u32, path: &str) -> (u32, u32) {
    let metadata = host.snapshot(number).join(path).metadata().unwrap_or_else(|e| panic!("{path}: {e}"));
    (metadata.uid(), metadata.gid())
}

/// pwck(8) and grpck(8) of this machine, chrooted into the snapshot, find nothing wrong. Homes are
/// in other subvolumes: pwck is not asked.
#[track_caller]
fn well_formed(host: &LoopHost, number: u32) {
    for (program, options) in [("pwck", "-rq"), ("grpck", "-r")] {
        let root = host.snapshot(number);
        let checked = tool(program, "passwd", &[options.as_ref(), "-R".as_ref(), root.as_os_str()]);
        assert_eq!(checked.code, Some(0), "{program}: {}{}", checked.stdout, checked.stderr);
    }
}

/// The notes of the report about `what`: file and name.
fn notes(host: &LoopHost, what: &str) -> Vec<String> {
    let report = json(&host.tiu("etc", ["report", "--json"]).succeeded());
    let notes = report["accounts"].as_array().unwrap().iter().filter(|note| note["what"] == what);
    notes
        .map(|note| format!("{} {}", note["file"].as_str().unwrap(), note["name"].as_str().unwrap()))
        .collect()
}

/// A host with people of its own, as an installer leaves it.
fn host_with_people(kit: &Kit) -> LoopHost {
    kit.host_with(512, |root| {
        file(
            root,
            "etc/passwd",
            format!("{ROOT}ntp:x:101:101::/:/usr/sbin/nologin\nweb:x:100:100::/:/usr/sbin/nologin\nada:x:1000:1000:Ada:/home/ada:/bin/bash\n"),
        );
        file(root, "etc/group", format!("{ROOT_GROUP}shadow:x:42:\nntp:x:101:\nweb:x:100:ada\nada:x:1000:\nwheel:x:10:ada\n"));
        secret(
            root,
            "etc/shadow",
            "root:$6$root$hash:19000:0:99999:7:::\nntp:!*:19000::::::\nweb:!*:19000::::::\nada:$6$ada$hash:19000:0:99999:7:::\n",
            0o640,
            42,
        );
        secret(root, "etc/gshadow", "root:*::\nshadow:*::\nntp:!::\nweb:!::ada\nada:!::\nwheel:!::ada\n", 0o640, 42);
        file(root, "etc/subuid", "ada:100000:65536\n");
        file(root, "etc/subgid", "ada:100000:65536\n");
    })
}

/// The image's side: numbers crossed with the host's, one that is ada's, and what would be ways in.
fn other_people(root: &Path) {
    let passwd = "ntp:x:100:100::/:/usr/sbin/nologin\nweb:x:101:101::/:/usr/sbin/nologin\nnews:x:1000:1000:News:/var/news:/bin/bash\n\
        mail:x:8:12:Mail:/var/mail:/usr/sbin/nologin\ntoor:x:0:0::/root:/bin/bash\nback::999:12::/usr/share/back:/bin/bash\n";
    file(root, "etc/passwd", format!("{ROOT}{passwd}"));
    let group =
        "shadow:x:15:\nntp:x:100:\nweb:x:101:news\nnews:x:1000:\nmail:x:12:ntp\nwheel:x:10:mail,back\n";
    file(root, "etc/group", format!("{ROOT_GROUP}{group}"));
    let shadow = "root:$6$image$root:1::::::\nntp:$6$image$ntp:1::::::\nnews:$6$image$news:1::::::\nmail:!:1::::::\ntoor:$6$image$toor:1::::::\n\
        back::1::::::\nada:$6$image$ada:1::::::\n";
    secret(root, "etc/shadow", shadow, 0o600, 0);
    secret(
        root,
        "etc/gshadow",
        "root:$6$image$g::\nshadow:*::\nntp:!::\nweb:!::news\nnews:$6$image$g::\nmail:!::ntp\nwheel:!::mail,back\n",
        0o600,
        15,
    );
    file(root, "etc/subuid", "news:100000:65536\n");
    file(root, "etc/subgid", "news:100000:65536\n");
    owned(root, "usr/share/ntp", 100, 100);
    owned(root, "usr/share/web", 101, 101);
    owned(root, "usr/share/news", 1000, 1000);
    owned(root, "usr/share/mail", 8, 12);
    owned(root, "usr/share/secret", 0, 15);
    for (who, path) in [("u:100:r--,g:1000:r--", "usr/share/acl"), ("u:1000:r--,g:15:r--", "etc/acl")] {
        file(root, path, "acl");
        tool("setfacl", "acl", &["-m".as_ref(), who.as_ref(), root.join(path).as_os_str()]).succeeded();
    }
}

#[test]
fn crossed_numbers_a_taken_number_and_ways_in() {
    let kit = Kit::new();
    let mut host = host_with_people(&kit);
    let (passwd, shadow) = (text(&host, 1, "etc/passwd"), text(&host, 1, "etc/shadow"));
    host.tiu("apply", [kit.bundle(1, other_people)]).succeeded();

    // The host's lines stay to the byte, new ones come without a way in.
    let new = text(&host, 2, "etc/passwd");
    let added = new.strip_prefix(&passwd).unwrap_or_else(|| panic!("the host's lines changed: {new}"));
    assert_eq!(
        added,
        "news:x:998:998:News:/var/news:/usr/sbin/nologin\nmail:x:8:12:Mail:/var/mail:/usr/sbin/nologin\n\
         back:x:999:12::/usr/share/back:/usr/sbin/nologin\n"
            .replace(":998:998:", &format!(":998:{}:", owner(&host, 2, "usr/share/news").1))
    );
    let secrets = text(&host, 2, "etc/shadow");
    assert_eq!(secrets.strip_prefix(&shadow), Some("news:!*:1::::::\nmail:!:1::::::\nback:!*:1::::::\n"));
    assert!(!secrets.contains("image") && !text(&host, 2, "etc/gshadow").contains("image"));
    assert!(!new.contains("toor"));

    // Files belong to names.
    let group = text(&host, 2, "etc/group");
    let news =
        group.lines().find_map(|line| line.strip_prefix("news:x:")?.strip_suffix(':')?.parse().ok()).unwrap();
    assert_ne!(news, 1000);
    assert_eq!(owner(&host, 2, "usr/share/ntp"), (101, 101));
    assert_eq!(owner(&host, 2, "usr/share/web"), (100, 100));
    assert_eq!(owner(&host, 2, "usr/share/news"), (998, news));
    assert_eq!(owner(&host, 2, "usr/share/mail"), (8, 12));
    assert_eq!(owner(&host, 2, "usr/share/secret"), (0, 42));
    for (path, lines) in [
        ("usr/share/acl", ["user:101:r--".to_owned(), format!("group:{news}:r--")]),
        ("etc/acl", ["user:998:r--".to_owned(), "group:42:r--".to_owned()]),
    ] {
        let acl = tool("getfacl", "acl", &["-n".as_ref(), host.snapshot(2).join(path).as_os_str()])
            .succeeded()
            .stdout;
        assert!(lines.iter().all(|line| acl.contains(line)), "{path}: {lines:?} in {acl}");
    }

    // Members unite, ranges do not overlap, permissions stay.
    assert!(
        group.contains("\nweb:x:100:ada,news\n") && group.contains("\nwheel:x:10:ada,mail,back\n"),
        "{group}"
    );
    assert_eq!(text(&host, 2, "etc/subuid"), "ada:100000:65536\nnews:165536:65536\n");
    assert_eq!(text(&host, 2, "etc/subgid"), "ada:100000:65536\nnews:165536:65536\n");
    for name in ["etc/shadow", "etc/gshadow"] {
        assert_eq!(host.snapshot(2).join(name).metadata().unwrap().mode() & 0o7777, 0o640, "{name}");
        assert_eq!(owner(&host, 2, name), (0, 42), "{name}");
    }
    well_formed(&host, 2);
    assert_eq!(notes(&host, "renumbered"), ["etc/passwd news", "etc/group news"]);
    assert_eq!(
        notes(&host, "mapped"),
        ["etc/passwd ntp", "etc/passwd web", "etc/group shadow", "etc/group ntp", "etc/group web"]
    );
    assert_eq!(notes(&host, "refused"), ["etc/passwd toor"]);
    assert_eq!(notes(&host, "disarmed"), ["etc/passwd news", "etc/passwd back"]);
    assert_eq!(notes(&host, "moved"), ["etc/subuid news", "etc/subgid news"]);

    let verified = host.tiu("verify", ["2"]).succeeded().stdout;
    assert!(verified.contains("merged by entry: /etc/passwd (content"), "{verified}");
    assert!(!verified.contains("modified by admin: /etc/passwd"), "{verified}");

    // A second update changes nothing of it.
    host.reboot();
    host.tiu("apply", [kit.bundle(2, other_people)]).succeeded();
    for name in ["passwd", "group", "shadow", "gshadow", "subuid", "subgid"] {
        let path = format!("etc/{name}");
        assert_eq!(text(&host, 3, &path), text(&host, 2, &path), "{name}");
        let inode =
            |number| host.snapshot(number).join(&path).metadata().map(|m| (m.ino(), m.mtime_nsec())).unwrap();
        assert_eq!(inode(3), inode(2), "{name} was written although nothing changed");
    }
    assert_eq!(owner(&host, 3, "usr/share/news"), (998, news));
    assert_eq!(notes(&host, "added"), [""; 0]);
    host.tiu("verify", ["3"]).succeeded();
}

#[test]
fn comments_nis_lines_and_broken_lines_stay_in_their_places() {
    let kit = Kit::new();
    let head = format!("# people\n\n{ROOT}broken:x:77\nhalf:x:12a:1::/:/bin/sh\n");
    let tail = "-bob\n+@team::::::/bin/sh\n+::::::\n# no end";
    let host = kit.host_with(512, |root| {
        file(root, "etc/passwd", format!("{head}{tail}"));
        file(root, "etc/group", format!("{ROOT_GROUP}+:::\n"));
    });
    let bundle = kit.bundle(1, |root| {
        let passwd = "web:x:30:30::/:/usr/sbin/nologin\nnews:x:77:30::/:/usr/sbin/nologin\n+evil::0:0:::\nbroken:x:40:30::/:/bin/false\nalso broken\n";
        file(root, "etc/passwd", format!("{ROOT}{passwd}"));
        file(root, "etc/group", format!("{ROOT_GROUP}web:x:30:\n"));
        owned(root, "usr/share/broken", 40, 30);
    });
    let shown = host.tiu("apply", [bundle]).succeeded().stdout;
    let new = "web:x:30:30::/:/usr/sbin/nologin\nnews:x:999:30::/:/usr/sbin/nologin\n";
    assert_eq!(text(&host, 2, "etc/passwd"), format!("{head}{new}{tail}"));
    assert_eq!(text(&host, 2, "etc/group"), format!("{ROOT_GROUP}web:x:30:\n+:::\n"));
    // Who reads less strictly sees a name and a number there.
    assert_eq!(owner(&host, 2, "usr/share/broken"), (77, 30));
    assert_eq!(notes(&host, "broken"), ["etc/passwd line 4", "etc/passwd line 5", "etc/passwd line 6"]);
    assert!(
        shown.contains("/etc/passwd: line 4: the host's line is not an entry and stays as it is"),
        "{shown}"
    );
    assert!(
        shown.contains("/etc/passwd: line 6: the image's line is not an entry and is not added"),
        "{shown}"
    );
}

#[test]
fn ten_thousand_users_on_each_side() {
    let kit = Kit::new();
    // Half of them on both sides, with other numbers.
    let side = |root: &Path, range: std::ops::Range<u32>, base: u32| {
        let number = |i: u32| base + i;
        let lines = |line: &dyn Fn(u32) -> String| range.clone().map(line).collect::<String>();
        file(
            root,
            "etc/passwd",
            ROOT.to_owned() + &lines(&|i| format!("u{i}:x:{0}:{0}::/home/u{i}:/bin/sh\n", number(i))),
        );
        file(root, "etc/group", ROOT_GROUP.to_owned() + &lines(&|i| format!("u{i}:x:{}:\n", number(i))));
        file(
            root,
            "etc/shadow",
            "root:*:1::::::\n".to_owned() + &lines(&|i| format!("u{i}:$6$u{i}$x:1::::::\n")),
        );
        file(root, "etc/subuid", lines(&|i| format!("u{i}:{}:65536\n", 1_000_000 + i * 65536)));
    };
    let host = kit.host_with(512, |root| {
        side(root, 0..10_000, 10_000);
        file(
            root,
            "etc/login.defs",
            "SYS_UID_MIN 101\nSYS_UID_MAX 9999\nSYS_GID_MIN 101\nSYS_GID_MAX 9999\n",
        );
    });
    let bundle = kit.bundle(1, |root| {
        side(root, 5000..15_000, 11_000);
        owned(root, "usr/share/of-u5000", 16_000, 16_000);
    });
    host.tiu("apply", [&bundle]).succeeded();
    assert_eq!(text(&host, 2, "etc/passwd").lines().count(), 15_001);
    assert_eq!(owner(&host, 2, "usr/share/of-u5000"), (15_000, 15_000));
    well_formed(&host, 2);
}

#[test]
fn what_the_administrator_removed_stays_away_and_what_the_image_drops_stays() {
    let with = |lines: &'static str| {
        move |root: &Path| {
            file(root, "etc/passwd", format!("{ROOT}{lines}"));
            file(root, "etc/group", format!("{ROOT_GROUP}games:x:60:\nuucp:x:10:\n"));
            owned(root, "usr/share/games", 5, 60);
        }
    };
    let kit = Kit::new();
    let mut host = kit.host();
    let (games, uucp) = ("games:x:5:60::/:/bin/false\n", "uucp:x:10:10::/:/bin/false\n");
    host.tiu("apply", [kit.bundle(1, with("games:x:5:60::/:/bin/false\nuucp:x:10:10::/:/bin/false\n"))])
        .succeeded();
    assert_eq!(text(&host, 2, "etc/passwd"), format!("{ROOT}{games}{uucp}"));
    host.reboot();
    host.edit(2, |root| file(root, "etc/passwd", format!("{ROOT}{uucp}ada:x:5:60::/home/ada:/bin/bash\n")));
    host.tiu("apply", [kit.bundle(2, with("games:x:5:60::/:/bin/false\n"))]).succeeded();
    assert_eq!(text(&host, 3, "etc/passwd"), format!("{ROOT}{uucp}ada:x:5:60::/home/ada:/bin/bash\n"));
    assert_eq!(
        (notes(&host, "stays-away"), notes(&host, "dropped")),
        (vec!["etc/passwd games".into()], vec!["etc/passwd uucp".into()])
    );
    // Its files do not become ada's.
    assert_eq!(owner(&host, 3, "usr/share/games"), (999, 60));
    host.tiu("verify", ["3"]).succeeded();
}

#[test]
fn a_nested_etc_is_merged_with_what_was_added_while_running() {
    let kit = Kit::new();
    let mut host = kit.host_with(512, nest_etc);
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    let passwd = text(&host, 2, "etc/passwd") + "ada:x:30:30::/home/ada:/bin/bash\n";
    file(&host.root(), "etc/passwd", &passwd);
    let second = kit.bundle(2, |root| {
        file(root, "etc/passwd", format!("{ROOT}web:x:30:0::/:/bin/false\n"));
        owned(root, "usr/share/web", 30, 0);
    });
    host.tiu("apply", [second]).succeeded();
    assert_eq!(text(&host, 3, "etc/passwd"), passwd + "web:x:999:0::/:/bin/false\n");
    assert_eq!(owner(&host, 3, "usr/share/web"), (999, 0));
    host.tiu("verify", ["3"]).succeeded();
}

#[test]
fn account_files_that_are_one_file_in_the_image() {
    let kit = Kit::new();
    for people in [false, true] {
        let mut host = if people { host_with_people(&kit) } else { kit.host() };
        let linked = |more: &'static str| {
            move |root: &Path| {
                file(root, "etc/passwd", format!("{ROOT}web:x:30:0::/:/bin/false\n"));
                file(root, "etc/subgid", format!("web:100000:65536\n{more}"));
                for name in ["etc/subuid", "etc/zz-copy"] {
                    fs::hard_link(root.join("etc/subgid"), root.join(name)).unwrap();
                }
            }
        };
        host.tiu("apply", [kit.bundle(1, linked(""))]).succeeded();
        host.tiu("verify", ["2"]).succeeded();
        assert_eq!(text(&host, 2, "etc/subuid"), text(&host, 2, "etc/subgid"));
        assert_eq!(text(&host, 2, "etc/subuid").lines().count(), 1 + usize::from(people));
        assert_eq!(text(&host, 2, "etc/zz-copy"), "web:100000:65536\n");
        host.reboot();
        host.tiu("apply", [kit.bundle(2, linked("root:1000000:1\n"))]).succeeded();
        host.tiu("verify", ["3"]).succeeded();
        assert!(text(&host, 3, "etc/subuid").ends_with("root:1000000:1\n"));
        assert_eq!(text(&host, 3, "etc/zz-copy"), "web:100000:65536\nroot:1000000:1\n");
    }
}
