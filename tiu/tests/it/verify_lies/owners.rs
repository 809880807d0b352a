//! Owners and accounts that are not those of the merge.

use super::*;

#[test]
fn numbers_of_owners_in_the_record() {
    is_found(
        |root| {
            record(root, |record| record["uids"] = serde_json::json!({ "0": 1000 }));
            for path in ["usr/bin/cat", "usr/share/same"] {
                chown(root.join(path), Some(1000), None).unwrap();
            }
        },
        &["usr/bin/cat: owner", "usr/share/same: owner", "usr/lib/sysimage/tiu/generated.json: owner"],
    );
}

/// Adds the user `web` of number 30, and a file of theirs.
fn with_web_user(root: &Path) {
    append(root, "etc/passwd", "web:x:30:30::/:/bin/false\n");
    append(root, "etc/group", "web:x:30:\n");
    fs::write(root.join("usr/bin/web"), "").unwrap();
    chown(root.join("usr/bin/web"), Some(30), Some(30)).unwrap();
}

#[test]
fn an_account_of_the_image_becomes_root() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, with_web_user)]).succeeded();
    host.tiu("verify", ["2"]).succeeded();
    host.edit(2, |root| {
        let passwd = fs::read_to_string(root.join("etc/passwd")).unwrap();
        fs::write(root.join("etc/passwd"), passwd.replace(":30:", ":0:")).unwrap();
        record(root, |record| record["uids"] = serde_json::json!({ "30": 0 }));
        chown(root.join("usr/bin/web"), Some(0), None).unwrap();
    });
    verify_finds(&host, &["usr/bin/web: owner", "etc/passwd: accounts"]);
}

#[test]
fn numbers_that_the_merge_assigned_are_computed_again_without_the_record() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        tree::file(root, "etc/passwd", "root:x:0:0::/root:/bin/sh\nada:x:30:30::/:/bin/sh\n");
        tree::file(root, "etc/group", "root:x:0:\nada:x:30:\n");
    });
    host.tiu("apply", [kit.bundle(1, with_web_user)]).succeeded();
    host.tiu("verify", ["2"]).succeeded();
    host.edit(2, |root| {
        record(root, |record| {
            record["uids"] = serde_json::json!({});
            record["gids"] = serde_json::json!({});
        });
    });
    host.tiu("verify", ["2"]).succeeded();
    // Without a record the image's number would be right, which is Ada's.
    host.edit(2, |root| chown(root.join("usr/bin/web"), Some(30), Some(30)).unwrap());
    verify_finds(&host, &["usr/bin/web: owner: found 30:30"]);
}

#[test]
fn accounts_that_are_links_or_pipes() {
    is_found(
        |root| {
            fs::remove_file(root.join("etc/passwd")).unwrap();
            symlink("/etc/passwd", root.join("etc/passwd")).unwrap();
            fs::remove_file(root.join("etc/group")).unwrap();
            run("mkfifo", &[], &root.join("etc/group"));
        },
        &["etc/passwd: accounts", "etc/group: accounts"],
    );
}
