//! Lies of a suspect: what a changed snapshot says of itself so that `tiu verify` does not look.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::{Outcome, json};
use tiu_testing::tree;

const STATE: &str = "usr/lib/sysimage/tiu";
const INITRD: &str = "boot/initramfs-6.1.1-test.img";

fn updated() -> (Kit, LoopHost) {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    (kit, host)
}

/// verify finds `lines` in snapshot 2.
#[track_caller]
fn verify_finds(host: &LoopHost, lines: &[&str]) -> Outcome {
    let outcome = host.tiu("verify", ["2"]).refused(&["snapshot 2 differs in"]);
    for line in lines {
        assert!(outcome.stdout.contains(&format!("DIFFERS  /{line}")), "{line}:\n{}", outcome.stdout);
    }
    assert!(!outcome.stdout.contains("All "), "{}", outcome.stdout);
    outcome
}

/// After `lie` in snapshot 2, verify finds `lines` all the same.
#[track_caller]
fn is_found(lie: impl FnOnce(&Path), lines: &[&str]) -> Outcome {
    let (_kit, host) = updated();
    host.edit(2, lie);
    verify_finds(&host, lines)
}

fn run(program: &str, arguments: &[&str], path: &Path) {
    let status = Command::new(program).args(arguments).arg(path).status();
    assert!(status.unwrap().success(), "{program} {arguments:?}");
}

fn evil(root: &Path) {
    fs::write(root.join("usr/bin/cat"), "evil").unwrap();
}

fn append(root: &Path, path: &str, text: &str) {
    let old = fs::read_to_string(root.join(path)).unwrap();
    fs::write(root.join(path), old + text).unwrap();
}

/// Changes the record as JSON.
fn record(root: &Path, change: impl FnOnce(&mut serde_json::Value)) {
    let path = root.join(STATE).join("generated.json");
    let mut record = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut record);
    fs::write(path, record.to_string()).unwrap();
}

/// Says in the record that the file at `path` was made on the host.
fn noted(root: &Path, path: &str) {
    let bytes = fs::read(root.join(path)).unwrap();
    let digest = tiu_bundle::content_digest::digest_bytes(&bytes).to_string();
    record(root, |record| {
        let file = serde_json::json!({ "path": path, "digest": digest });
        record["files"].as_array_mut().unwrap().push(file);
    });
}

#[test]
fn the_record_says_that_a_kernel_was_made_on_the_host() {
    is_found(
        |root| {
            let kernel = "usr/lib/modules/6.1.1-test/vmlinuz";
            fs::write(root.join(kernel), "evil").unwrap();
            noted(root, kernel);
        },
        &["usr/lib/modules/6.1.1-test/vmlinuz: content", "usr/lib/sysimage/tiu/generated.json: generated"],
    );
}

#[test]
fn the_record_says_that_an_initrd_of_another_kernel_was_made_on_the_host() {
    is_found(
        |root| {
            fs::write(root.join("boot/initramfs-6.2.img"), "evil").unwrap();
            noted(root, "boot/initramfs-6.2.img");
        },
        &["boot/initramfs-6.2.img: extra", "usr/lib/sysimage/tiu/generated.json: generated"],
    );
}

#[test]
fn the_record_says_that_a_boot_loader_s_file_was_made_on_the_host() {
    is_found(
        |root| {
            tree::file(root, "boot/grub2/grub.cfg", "evil");
            noted(root, "boot/grub2/grub.cfg");
        },
        &["boot/grub2: extra", "boot/grub2/grub.cfg: extra"],
    );
}

#[test]
fn an_initrd_that_others_own_or_can_write() {
    is_found(
        |root| {
            chown(root.join(INITRD), Some(1000), None).unwrap();
            fs::set_permissions(root.join(INITRD), PermissionsExt::from_mode(0o4666)).unwrap();
        },
        &["boot/initramfs-6.1.1-test.img: owner", "boot/initramfs-6.1.1-test.img: mode"],
    );
}

#[test]
fn a_line_in_fstab() {
    is_found(
        |root| {
            append(root, "etc/fstab", "none /usr/bin none noauto 0 0\n");
            evil(root);
        },
        &["usr/bin/cat: content", "usr/bin: mount"],
    );
}

#[test]
fn a_line_in_fstab_for_all_of_usr_or_boot() {
    is_found(
        |root| {
            append(root, "etc/fstab", "none /boot none noauto 0 0\nnone /usr none noauto 0 0\n");
            evil(root);
        },
        &["usr/bin/cat: content", "usr: mount", "boot: mount"],
    );
}

#[test]
fn a_subvolume_in_place_of_a_directory() {
    is_found(
        |root| {
            fs::rename(root.join("usr/bin"), root.join("usr/old")).unwrap();
            run("btrfs", &["-q", "subvolume", "create"], &root.join("usr/bin"));
            run("cp", &["-a", "-T", root.join("usr/old").to_str().unwrap()], &root.join("usr/bin"));
            fs::remove_dir_all(root.join("usr/old")).unwrap();
            evil(root);
        },
        &["usr/bin: subvolume"],
    );
}

#[test]
fn a_subvolume_of_its_own_for_etc_is_compared() {
    let outcome = is_found(
        |root| {
            tiu_testing::system::nest_etc(root);
            tree::file(root, "etc/new", "x");
            evil(root);
        },
        &["usr/bin/cat: content"],
    );
    assert!(outcome.stdout.contains("changed since the update: /etc/new"), "{}", outcome.stdout);
}

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
fn the_suspect_s_configuration_exempts_a_directory_or_a_file() {
    is_found(
        |root| {
            append(root, "etc/tiu/tiu.yaml", "host-paths: [/usr/bin, /boot]\n");
            evil(root);
            fs::write(root.join("boot/x"), "").unwrap();
        },
        &["usr/bin/cat: content", "boot/x: extra"],
    );
    is_found(
        |root| {
            append(root, "etc/tiu/tiu.yaml", "initrd-path: /usr/lib/evil.so\n");
            fs::write(root.join("usr/lib/evil.so"), "").unwrap();
            noted(root, "usr/lib/evil.so");
        },
        &["usr/lib/evil.so: extra", "usr/lib/sysimage/tiu/generated.json: generated"],
    );
}

#[test]
fn the_suspect_s_keyring_and_configuration_are_not_read_with_the_auditor_s() {
    let (kit, host) = updated();
    let other = Kit::new();
    let auditor = kit.path("auditor.yaml");
    fs::write(&auditor, format!("keyring: {}\n", kit.keyring().display())).unwrap();
    let with = |keyring: &Path| {
        let options = ["--config".as_ref(), auditor.as_os_str(), "--keyring".as_ref(), keyring.as_os_str()];
        host.tiu("verify", options)
    };
    // Not even parsed, nor looked for.
    for text in ["{", "valid-at: tomorrow\n"] {
        host.edit(2, |root| fs::write(root.join("etc/tiu/tiu.yaml"), text).unwrap());
        with(&kit.keyring()).succeeded();
        host.tiu("verify", ["--config".as_ref(), auditor.as_os_str()]).succeeded();
        host.tiu("verify", ["--keyring".as_ref(), kit.keyring().as_os_str()]).succeeded();
    }
    // The suspect trusts its own signer: the auditor does not.
    with(&other.keyring()).refused(&["snapshot 2"]);
}

#[test]
fn another_snapshot_s_files_are_mounted_over_the_changed_ones() {
    let (_kit, host) = updated();
    let good = host.scratch().join("good");
    run("cp", &["-a", host.snapshot(2).join("usr/bin").to_str().unwrap()], &good);
    host.edit(2, evil);
    run("mount", &["--bind", good.to_str().unwrap()], &host.snapshot(2).join("usr/bin"));
    verify_finds(&host, &["usr/bin/cat: content"]);
    run("umount", &[], &host.snapshot(2).join("usr/bin"));
}

#[test]
fn another_snapshot_is_mounted_over_the_changed_one() {
    let (kit, host) = updated();
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    host.edit(2, evil);
    run("mount", &["--bind", host.snapshot(3).to_str().unwrap()], &host.snapshot(2));
    host.tiu("verify", ["2"]).refused(&["mounted over snapshot 2"]);
    run("umount", &[], &host.snapshot(2));
}

#[test]
fn foreign_files_in_the_client_s_own_directory() {
    is_found(
        |root| {
            tree::script(root, "usr/lib/sysimage/tiu/evil", "#!/bin/sh\n");
            fs::create_dir(root.join(STATE).join("more")).unwrap();
            fs::hard_link(root.join(STATE).join("etc.json"), root.join(STATE).join("again")).unwrap();
            fs::set_permissions(root.join(STATE).join("bundle.cms"), PermissionsExt::from_mode(0o4755))
                .unwrap();
        },
        &[
            "usr/lib/sysimage/tiu/evil: extra",
            "usr/lib/sysimage/tiu/more: extra",
            "usr/lib/sysimage/tiu/again: extra",
            "usr/lib/sysimage/tiu/etc.json: hardlink",
            "usr/lib/sysimage/tiu/bundle.cms: mode",
        ],
    );
}

#[test]
fn an_update_removes_foreign_files_from_the_client_s_own_directory() {
    let (kit, host) = updated();
    host.edit(2, |root| {
        tree::file(root, "usr/lib/sysimage/tiu/more/evil", "x");
        symlink("/etc", root.join(STATE).join("link")).unwrap();
    });
    verify_finds(&host, &["usr/lib/sysimage/tiu/more: extra", "usr/lib/sysimage/tiu/link: extra"]);
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    host.tiu("verify", ["3"]).succeeded();
    assert!(host.snapshot(3).join("etc/passwd").exists());
}

#[test]
fn state_files_that_are_something_else() {
    is_found(
        |root| {
            for name in ["etc.json", "generated.json"] {
                fs::remove_file(root.join(STATE).join(name)).unwrap();
            }
            run("mkfifo", &[], &root.join(STATE).join("etc.json"));
            symlink("/dev/zero", root.join(STATE).join("generated.json")).unwrap();
        },
        &["usr/lib/sysimage/tiu/etc.json: type", "usr/lib/sysimage/tiu/generated.json: type"],
    );
    is_found(
        |root| {
            for name in ["etc.json", "generated.json"] {
                fs::remove_file(root.join(STATE).join(name)).unwrap();
            }
            // A path of a socket is short.
            let here = Path::new("/tmp").join(format!("tiu-socket-{}", std::process::id()));
            symlink(root.join(STATE), &here).unwrap();
            drop(UnixListener::bind(here.join("etc.json")).unwrap());
            fs::remove_file(here).unwrap();
            let huge = fs::File::create(root.join(STATE).join("generated.json")).unwrap();
            huge.set_len(1 << 40).unwrap();
        },
        &["usr/lib/sysimage/tiu/etc.json: type", "usr/lib/sysimage/tiu/generated.json: content"],
    );
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

#[test]
fn another_os_release_moves_the_initrd() {
    is_found(
        |root| {
            let text = "ID=debian\nVERSION_ID=\"1\"\n";
            fs::write(root.join("usr/lib/os-release"), text).unwrap();
            fs::rename(root.join(INITRD), root.join("boot/initrd.img-6.1.1-test")).unwrap();
            record(root, |record| record["files"][0]["path"] = "boot/initrd.img-6.1.1-test".into());
        },
        &["usr/lib/os-release: content"],
    );
}

#[test]
fn the_copy_of_etc_is_changed_together_with_etc() {
    is_found(
        |root| {
            for path in ["etc/app.conf", "usr/lib/sysimage/tiu/etc/app.conf"] {
                fs::write(root.join(path), "evil").unwrap();
            }
        },
        &["usr/lib/sysimage/tiu/etc/app.conf: content"],
    );
}

#[test]
fn links_attributes_and_other_places_for_directories() {
    is_found(
        |root| {
            fs::hard_link(root.join("usr/bin/cat"), root.join("usr/bin/meow")).unwrap();
            fs::rename(root.join("usr/share"), root.join("usr/moved")).unwrap();
            symlink("moved", root.join("usr/share")).unwrap();
            run("setfacl", &["-m", "u:1000:rwx"], &root.join("usr/bin/sh"));
            let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let flags = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(root.join("usr/bin/dd"), "security.capability", &capability, flags).unwrap();
            fs::set_permissions(root.join("usr/bin/touch"), PermissionsExt::from_mode(0o6755)).unwrap();
        },
        &[
            "usr/bin/meow: extra",
            "usr/bin/cat: hardlink",
            "usr/share: type",
            "usr/moved: extra",
            "usr/bin/sh: xattrs",
            "usr/bin/dd: xattrs",
            "usr/bin/touch: mode",
        ],
    );
}

#[test]
fn a_label_other_than_the_signed_one() {
    let kit = Kit::new();
    let host = kit.host();
    let label = |path: &Path, label: &[u8]| {
        rustix::fs::setxattr(path, "security.selinux", label, rustix::fs::XattrFlags::empty()).unwrap();
    };
    host.tiu(
        "apply",
        [kit.bundle(1, |root| label(&root.join("usr/bin/cat"), b"system_u:object_r:bin_t:s0\0"))],
    )
    .succeeded();
    host.tiu("verify", ["2"]).succeeded();
    host.edit(2, |root| label(&root.join("usr/bin/cat"), b"system_u:object_r:evil_t:s0\0"));
    verify_finds(&host, &["usr/bin/cat: xattrs"]);
}

#[test]
fn what_is_not_compared_is_listed_and_accepted_by_the_caller_alone() {
    let (_kit, host) = updated();
    host.edit(2, |root| {
        append(root, "etc/fstab", "none /data none noauto 0 0\n");
        tree::file(root, "data/db", "x");
        tree::file(root, "srv/www", "x");
        tree::file(root, "usr/lib/mine/x", "x");
    });
    let outcome = verify_finds(&host, &["usr/lib/mine: extra"]);
    for line in ["/data (the host's own, says the snapshot)", "/srv (the host's own directory)"] {
        assert!(outcome.stdout.contains(&format!("not compared: {line}")), "{}", outcome.stdout);
    }
    let accepted = host.tiu("verify", ["2", "--accept", "/usr/lib/mine", "--json"]);
    let report = json(&accepted);
    // The directory that holds it has another time.
    let differences = report["differences"].as_array().unwrap();
    assert!(differences.iter().all(|difference| difference["what"] == "mtime"), "{report}");
    let paths = report["not_compared"].as_array().unwrap().iter().map(|path| path["path"].as_str().unwrap());
    assert_eq!(paths.collect::<Vec<_>>(), ["data", "srv", "usr/lib/mine"]);
}

#[test]
fn strict_fails_for_changes_of_etc_since_the_update() {
    let (_kit, host) = updated();
    host.tiu("verify", ["2", "--strict"]).succeeded();
    host.edit(2, |root| tree::file(root, "etc/new", "x"));
    host.tiu("verify", ["2"]).succeeded();
    host.tiu("verify", ["2", "--strict"]).refused(&["1 path in /etc of snapshot 2 changed since the update"]);
}

#[test]
fn documents_with_secrets_of_etc_are_root_s_alone() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        tree::file(root, "etc/secret", "1234");
        fs::set_permissions(root.join("etc/secret"), PermissionsExt::from_mode(0o600)).unwrap();
    });
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    let digest = tiu_bundle::content_digest::digest_bytes(b"1234").to_string();
    let mode = |number: u32, name: &str| {
        host.snapshot(number).join(STATE).join(name).metadata().unwrap().permissions().mode() & 0o7777
    };
    assert_eq!((mode(2, "etc.json"), mode(2, "generated.json")), (0o600, 0o600));
    let text = fs::read_to_string(host.snapshot(2).join(STATE).join("etc.json")).unwrap();
    assert!(text.contains("etc/secret") && !text.contains(&digest), "{text}");
    // verify and diff know the file as the update left it, and notice a change.
    let shown = host.tiu("verify", ["2"]).succeeded().stdout;
    assert!(shown.contains("modified by admin: /etc/secret"), "{shown}");
    for command in ["status", "verify"] {
        let shown = host.tiu(command, ["--json"]).succeeded().stdout;
        assert!(!shown.contains(&digest), "{command}: {shown}");
    }
    host.edit(2, |root| {
        fs::write(root.join("etc/secret"), "5678").unwrap();
        // As an older tiu left it.
        fs::set_permissions(root.join(STATE).join("etc.json"), PermissionsExt::from_mode(0o644)).unwrap();
    });
    let shown = host.tiu("verify", ["2"]).succeeded().stdout;
    assert!(shown.contains("changed since the update: /etc/secret"), "{shown}");
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    assert_eq!(mode(3, "etc.json"), 0o600);
}
