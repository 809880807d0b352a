//! Documents for programs: the JSON of every command, and the records in a snapshot, against the
//! schemas of docs/format/json. Every other test that asks for JSON checks the document that it
//! gets, too.

use std::fs;
use tiu_testing::documents;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, Recipe};
use tiu_testing::program::json;
use tiu_testing::tree::file;

#[test]
fn the_page_links_every_schema_and_no_other() {
    let page = fs::read_to_string(documents::folder().join("../json.md")).unwrap();
    let mut linked: Vec<String> = page
        .split("(json/")
        .skip(1)
        .filter_map(|rest| rest.split_once(".schema.json)"))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name != "common")
        .collect();
    linked.sort();
    assert_eq!(linked, documents::names());
}

#[test]
fn what_a_schema_does_not_say_is_found() {
    let good = r#"{"version": 1, "removed": [2]}"#;
    assert_eq!(documents::faults("cleanup", good), [""; 0]);
    for bad in [
        r#"{"version": 2, "removed": [2]}"#,
        r#"{"version": 1}"#,
        r#"{"version": 1, "removed": ["2"]}"#,
        r#"{"version": 1, "removed": [2], "more": 1}"#,
        "{",
    ] {
        assert_eq!(documents::faults("cleanup", bad).len(), 1, "{bad}");
    }
    // In a part that several schemas share.
    let list = |state: &str| {
        format!(
            r#"{{"version": 1, "snapshots": [{{"number": 1, "date": "", "description": "", "uuid": "", "state": "{state}", "running": true, "next": true,
           "read_only": true, "pinned": false, "bootable": true, "image": null, "signature": {{"state": "none"}}, "initrd_warnings": [], "problem": null}}]}}"#
        )
    };
    assert_eq!(documents::faults("list", &list("done")), [""; 0]);
    assert_eq!(documents::faults("list", &list("odd")).len(), 1);
}

#[test]
fn every_command_and_record() {
    let kit = Kit::new();
    let mut host = kit.host();
    let users = |root: &std::path::Path| {
        file(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:90:90::/srv:/bin/sh\n");
        file(root, "etc/group", "root:x:0:\nweb:x:90:\n");
        file(root, "etc/app.conf", "image 1\n");
    };
    let run = |host: &LoopHost, command: &str, more: &[&str]| {
        json(&host.tiu(command, [&["--json"], more].concat()))
    };
    let first = kit.bundle(1, users);
    run(&host, "apply", &[first.to_str().unwrap()]);
    host.reboot();
    host.edit(2, |root| file(root, "etc/app.conf", "mine\n"));
    let recipe = Recipe { compatible: "testos", version: "2", more: "persistent: [/data]\n" };
    let second = kit.bundle_of(2, recipe, |root| {
        users(root);
        file(root, "etc/app.conf", "image 2\n");
        fs::create_dir_all(root.join("data")).unwrap();
        file(root, "usr/new", "new\n");
    });
    let applied = run(&host, "apply", &[second.to_str().unwrap()]);
    assert_eq!(applied["etc_conflicts"], serde_json::json!(["etc/app.conf"]));
    assert_ne!(applied["persistent"], serde_json::json!([]));
    host.reboot();
    for (command, more) in [
        ("status", &[][..]),
        ("list", &[]),
        ("verify", &[]),
        ("diff", &["2", "3"]),
        ("etc", &["diff", "-p"]),
        ("etc", &["conflicts"]),
        ("etc", &["report"]),
        ("etc", &["keep", "/etc/app.conf"]),
        ("etc", &["reset", "/etc/app.conf"]),
        ("pin", &["2"]),
        ("pin", &["--remove", "2"]),
        ("cleanup", &[]),
        ("rollback", &["2"]),
    ] {
        run(&host, command, more);
    }
    let state = host.snapshot(3).join("usr/lib/sysimage/tiu");
    documents::check("record-etc", &fs::read_to_string(state.join("etc.json")).unwrap());
    let remembered = host.root().join(".snapshots/.tiu/state.json");
    documents::check("record-state", &fs::read_to_string(remembered).unwrap());
    documents::check("record-generated", &fs::read_to_string(state.join("generated.json")).unwrap());
    // One that is not what was signed.
    host.edit(3, |root| file(root, "usr/new", "changed\n"));
    assert_ne!(run(&host, "verify", &["3"])["differences"], serde_json::json!([]));
}

#[test]
fn the_guide_describes_every_key_of_the_configuration() {
    let page = fs::read_to_string(documents::folder().join("../../guide/configuration.md")).unwrap();
    let table = page.split("## Keys").nth(1).unwrap().split("###").next().unwrap();
    let cells =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(key, _)| key);
    let (nested, top): (Vec<&str>, Vec<&str>) = cells.partition(|key| key.starts_with("etc: "));
    // What a message about an unknown key lists.
    let known = |text: &str| -> Vec<String> {
        let host = LoopHost::with(512, |root| file(root, "etc/tiu/tiu.yaml", text));
        let refused = host.tiu("status", [""; 0]).refused(&["unknown field"]);
        let message = refused.stderr.lines().next().unwrap();
        let list =
            message.split("expected one of ").nth(1).unwrap().split(" at line").next().unwrap().to_owned();
        list.split(", ").map(|key| key.trim_matches('`').to_owned()).collect()
    };
    let sorted = |mut keys: Vec<String>| {
        keys.sort();
        keys
    };
    let top = top.into_iter().chain(["etc"]).map(str::to_owned).collect();
    assert_eq!(sorted(top), sorted(known("odd: 1\n")));
    let nested = nested.iter().map(|key| key["etc: ".len()..].to_owned()).collect();
    assert_eq!(sorted(nested), sorted(known("etc: {odd: 1}\n")));
}
