//! The client's own directory in the snapshot.

use super::*;

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
