//! Users and groups in other commands and in the configuration.

use super::{host_with_people, other_people, owned, secret, text};
use std::fs;
use std::path::Path;
use tiu_testing::kit::{Kit, Recipe};
use tiu_testing::program::json;
use tiu_testing::tree::file;

#[test]
fn the_plan_and_the_json_tell_and_nothing_is_touched_before() {
    let kit = Kit::new();
    let host = host_with_people(&kit);
    let bundle = kit.bundle(1, other_people);
    let before = host.state();
    let plan = host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()]).succeeded().stdout;
    for line in [
        "merge     etc/passwd (accounts are merged by entry)",
        "account   /etc/passwd: news: added with number 998, because its own, 1000, is ada's on the host",
        "account   /etc/passwd: toor: is not added from the image: it would be another name for number 0, which is root's",
        "account   /etc/passwd: ntp: files of the image that belong to 100 get the host's number 101",
        "account   /etc/group: wheel: mail became a member, as in the image",
    ] {
        assert!(plan.contains(line), "{line:?} is not in\n{plan}");
    }
    assert_eq!(host.state(), before);
    let applied = json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded());
    let report = json(&host.tiu("etc", ["report", "--json"]).succeeded());
    assert_eq!(applied["accounts"], report["accounts"]);
    let note = &applied["accounts"][0];
    assert!(["what", "file", "name", "text"].iter().all(|field| note[field].is_string()), "{note}");
    let kept = applied["etc_kept"].to_string();
    assert!(
        !kept.contains("etc/passwd") && !applied["etc_conflicts"].to_string().contains("etc/passwd"),
        "{kept}"
    );
    let passwd =
        report["paths"].as_array().unwrap().iter().find(|path| path["path"] == "etc/passwd").unwrap();
    assert_ne!(passwd["result"]["digest"], passwd["host"]["digest"]);
    assert_eq!(passwd["result"]["mode"], "0644");
}

#[test]
fn verify_tells_later_changes_also_those_back_to_the_image_s() {
    let kit = Kit::new();
    let host = host_with_people(&kit);
    host.tiu("apply", [kit.bundle(1, other_people)]).succeeded();
    let since = |change: &dyn Fn(&Path)| {
        host.edit(2, change);
        let verified = host.tiu("verify", ["2"]).succeeded().stdout;
        let lines =
            verified.lines().filter_map(|line| line.trim().strip_prefix("changed since the update: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(since(&|_| {}), [""; 0]);
    let shadow = text(&host, 2, "etc/shadow");
    assert_eq!(
        since(&|root| secret(root, "etc/shadow", &format!("{shadow}eve:$6$eve$x:1::::::\n"), 0o640, 42)),
        ["/etc/shadow (content, mode, owner)"]
    );
    // The image's passwords, as they were signed.
    let put_back = |root: &Path| {
        let mut copy = std::process::Command::new("cp");
        let from = root.join("usr/lib/sysimage/tiu/etc/shadow");
        assert!(copy.arg("-a").arg(from).arg(root.join("etc/shadow")).status().unwrap().success());
    };
    assert_eq!(since(&put_back), ["/etc/shadow (merged)"]);
}

#[test]
fn reset_leaves_accounts_alone_and_refuses_them_by_name() {
    let kit = Kit::new();
    let mut host = host_with_people(&kit);
    host.tiu("apply", [kit.bundle(1, other_people)]).succeeded();
    host.reboot();
    let passwd = text(&host, 2, "etc/passwd");
    host.tiu("etc", ["reset", "/etc/passwd"]).refused(&["/etc/passwd is merged by entry"]);
    host.edit(2, |root| file(root, "etc/app.conf", "changed"));
    let reset = host.tiu("etc", ["reset", "--in", "snapshot", "/etc/app.conf", "/etc/passwd"]);
    reset.refused(&["/etc/passwd is merged by entry"]);
    host.tiu("etc", ["reset", "--in", "snapshot", "/etc"]).succeeded();
    assert_eq!(text(&host, 3, "etc/passwd"), passwd);
    assert_eq!(text(&host, 3, "etc/app.conf"), "colour=blue\n");
}

#[test]
fn lists_of_the_image_do_not_hold_and_those_of_the_host_may_close_a_file() {
    let kit = Kit::new();
    let mut host = host_with_people(&kit);
    let lists = "etc:\n  always-image: [/etc/shadow, /etc/passwd]\n";
    let recipe = |more| Recipe { compatible: "testos", version: "1", more };
    let first = host.tiu("apply", [kit.bundle_of(1, recipe(lists), other_people)]).succeeded();
    assert!(!first.stdout.contains("always-image"), "{}", first.stdout);
    assert!(!text(&host, 2, "etc/shadow").contains("image"));
    host.reboot();
    host.edit(2, |root| {
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        file(
            root,
            "etc/tiu/tiu.yaml",
            config + "etc: {always-image: [/etc/gshadow], always-host: [/etc/passwd, /etc/fstab]}\n",
        );
    });
    let second = kit.bundle(2, |root| {
        other_people(root);
        let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap();
        file(root, "etc/passwd", passwd + "late:x:50:50::/:/bin/false\n");
        owned(root, "usr/share/late", 50, 0);
    });
    let shown = host.tiu("apply", [second]).succeeded().stdout;
    assert!(
        shown.contains(
            "warning: etc: always-image in tiu.yaml names /etc/gshadow, but accounts are merged by entry"
        ),
        "{shown}"
    );
    assert!(
        shown.contains("/etc/passwd: late: is not added from the image: the file is always the host's"),
        "{shown}"
    );
    assert_eq!(text(&host, 3, "etc/passwd"), text(&host, 2, "etc/passwd"));
    assert!(!text(&host, 3, "etc/gshadow").contains("image"));
    host.tiu("verify", ["3"]).succeeded();
}
