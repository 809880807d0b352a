//! `/etc`: what the administrator changed stays, everything else becomes the image's.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, updated};
use tiu_testing::program::json;
use tiu_testing::system::nest_etc;
use tiu_testing::tree::{file, noise};

fn text(host: &LoopHost, path: &str) -> String {
    fs::read_to_string(host.snapshot(3).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn a_changed_file_stays_and_an_unchanged_one_is_updated() {
    let host = updated(
        |_| {},
        |root| file(root, "etc/app.conf", "colour=red\n"),
        |root| file(root, "etc/app.conf", "colour=green\n"),
    );
    assert_eq!(text(&host, "etc/app.conf"), "colour=red\n");
    assert_eq!(text(&host, "etc/default/app"), "LEVEL=2\n");
}

#[test]
fn added_files_and_directories_stay_also_where_the_image_s_directory_goes() {
    let host = updated(
        |root| fs::create_dir_all(root.join("etc/mine.d")).unwrap(),
        |root| {
            file(root, "etc/mine.d/sub/file", "ada");
            symlink("/nowhere", root.join("etc/mine.d/link")).unwrap();
            file(root, "etc/new", "ada");
        },
        |root| fs::remove_dir(root.join("etc/mine.d")).unwrap(),
    );
    assert_eq!(text(&host, "etc/mine.d/sub/file"), "ada");
    assert_eq!(text(&host, "etc/new"), "ada");
    assert!(host.snapshot(3).join("etc/mine.d/link").is_symlink());
}

#[test]
fn a_removed_file_stays_removed() {
    let host = updated(
        |root| file(root, "etc/old.d/a", "1"),
        |root| {
            fs::remove_file(root.join("etc/app.conf")).unwrap();
            fs::remove_dir_all(root.join("etc/old.d")).unwrap();
        },
        |root| file(root, "etc/old.d/b", "2"),
    );
    assert!(!host.snapshot(3).join("etc/app.conf").exists());
    assert!(!host.snapshot(3).join("etc/old.d").exists());
}

#[test]
fn mode_owner_and_attributes_count_as_changes() {
    let host = updated(
        |root| {
            for name in ["mode", "owner", "xattr", "time"] {
                file(root, &format!("etc/by-{name}"), "1");
            }
        },
        |root| {
            fs::set_permissions(root.join("etc/by-mode"), PermissionsExt::from_mode(0o600)).unwrap();
            chown(root.join("etc/by-owner"), Some(7), None).unwrap();
            rustix::fs::setxattr(root.join("etc/by-xattr"), "user.a", b"b", rustix::fs::XattrFlags::empty())
                .unwrap();
            let opened = fs::File::options().write(true).open(root.join("etc/by-time")).unwrap();
            opened.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        },
        |root| {
            for name in ["mode", "owner", "xattr", "time"] {
                file(root, &format!("etc/by-{name}"), "2");
            }
        },
    );
    for name in ["mode", "owner", "xattr"] {
        assert_eq!(text(&host, &format!("etc/by-{name}")), "1", "{name}");
    }
    assert_eq!(text(&host, "etc/by-time"), "2");
    let meta = |name: &str| host.snapshot(3).join("etc").join(name).metadata().unwrap();
    assert_eq!(meta("by-mode").mode() & 0o777, 0o600);
    assert_eq!(meta("by-owner").uid(), 7);
}

#[test]
fn a_file_that_the_administrator_made_a_symlink_or_a_directory_stays_so() {
    let host = updated(
        |root| {
            file(root, "etc/a", "1");
            file(root, "etc/b", "1");
            file(root, "etc/c.d/file", "1");
        },
        |root| {
            fs::remove_file(root.join("etc/a")).unwrap();
            symlink("/run/a", root.join("etc/a")).unwrap();
            fs::remove_file(root.join("etc/b")).unwrap();
            file(root, "etc/b/inner", "ada");
            fs::remove_dir_all(root.join("etc/c.d")).unwrap();
            symlink("/run/c", root.join("etc/c.d")).unwrap();
        },
        |root| {
            file(root, "etc/a", "2");
            file(root, "etc/b", "2");
            file(root, "etc/c.d/file", "2");
        },
    );
    let new = host.snapshot(3);
    assert_eq!(fs::read_link(new.join("etc/a")).unwrap().to_str(), Some("/run/a"));
    assert_eq!(text(&host, "etc/b/inner"), "ada");
    assert_eq!(fs::read_link(new.join("etc/c.d")).unwrap().to_str(), Some("/run/c"));
}

#[test]
fn a_directory_that_holds_the_administrator_s_files_and_becomes_a_file() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |root| file(root, "etc/x/default", "1"))]).succeeded();
    host.reboot();
    host.edit(2, |root| file(root, "etc/x/mine", "ada"));
    host.tiu("apply", [kit.bundle(2, |root| file(root, "etc/x", "2"))])
        .refused(&["/etc/x: the image has a regular file", "/etc/x/mine"]);
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 2));
}

#[test]
fn always_the_host_s_and_always_the_image_s() {
    let host = updated(
        |root| {
            file(root, "etc/fstab", "image 1\n");
            file(root, "etc/ld.so.cache", "1");
        },
        |root| file(root, "etc/ld.so.cache", "changed by ldconfig"),
        |root| {
            file(root, "etc/fstab", "image 2\n");
            file(root, "etc/ld.so.cache", "2");
            file(root, "etc/ssh/ssh_host_rsa_key", "image");
        },
    );
    assert!(text(&host, "etc/fstab").contains("/.snapshots"));
    assert_eq!(text(&host, "etc/ld.so.cache"), "2");
    assert_eq!(text(&host, "etc/machine-id").len(), 33);
}

#[test]
fn the_first_update_keeps_what_differs_and_takes_what_is_missing() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        file(root, "etc/app.conf", "colour=red\n");
        file(root, "etc/default/app", "LEVEL=1\n");
    });
    let report = json(&host.tiu("apply", ["--json".as_ref(), kit.bundle(1, |_| {}).as_os_str()]).succeeded());
    let kept: Vec<&str> = report["etc_kept"].as_array().unwrap().iter().filter_map(|p| p.as_str()).collect();
    assert!(kept.contains(&"etc/app.conf") && kept.contains(&"etc/hostname"), "{kept:?}");
    assert!(!kept.contains(&"etc/passwd"), "{kept:?}");
    let new = host.snapshot(2);
    assert_eq!(fs::read_to_string(new.join("etc/app.conf")).unwrap(), "colour=red\n");
    assert!(new.join("etc/passwd").exists());
    host.tiu("verify", ["2"]).succeeded();
}

#[test]
fn a_nested_etc_subvolume_is_updated_in_place() {
    let kit = Kit::new();
    let mut host = kit.host_with(512, nest_etc);
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.reboot();
    file(&host.root(), "etc/app.conf", "colour=red\n");
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    let etc = host.snapshot(3).join("etc");
    assert!(libbtrfsutil::is_subvolume(&etc).unwrap());
    assert_eq!(text(&host, "etc/app.conf"), "colour=red\n");
    assert_eq!(text(&host, "etc/default/app"), "LEVEL=2\n");
    assert_eq!(text(&host, "etc/hostname"), "test-host\n");
    let verified = host.tiu("verify", ["3"]).succeeded().stdout;
    assert!(verified.contains("modified by admin: /etc/app.conf"), "{verified}");
}

#[test]
fn hard_links_across_the_border_of_a_nested_etc_become_files_of_each_side() {
    let kit = Kit::new();
    let mut host = kit.host_with(512, nest_etc);
    let image = |version: u32| {
        kit.bundle(version, |root| {
            for (name, size) in [("tiny", 10), ("large", 10_000)] {
                let first = root.join("etc").join(name);
                fs::write(&first, noise(u64::from(version), size)).unwrap();
                for path in [format!("etc/{name}-too"), format!("usr/{name}"), format!("usr/{name}-too")] {
                    fs::hard_link(&first, root.join(path)).unwrap();
                }
            }
        })
    };
    for version in [1, 2] {
        host.tiu("apply", [image(version)]).succeeded();
        host.tiu("verify", [(version + 1).to_string()]).succeeded();
        host.reboot();
    }
    // The next plan agrees: only what was changed is made again.
    fs::remove_file(host.root().join("etc/large-too")).unwrap();
    file(&host.root(), "etc/large-too", "ada\n");
    host.tiu("apply", ["--force".as_ref(), image(2).as_os_str()]).succeeded();
    host.tiu("verify", ["4"]).succeeded();
    let new = host.snapshot(4);
    let inode = |path: &str| {
        let found = fs::metadata(new.join(path)).unwrap();
        (found.dev(), found.ino(), found.nlink())
    };
    for name in ["tiny", "large"] {
        let (usr, too) = (inode(&format!("usr/{name}")), inode(&format!("usr/{name}-too")));
        assert!(usr == too && usr.2 == 2, "{name}");
        assert_ne!(usr.0, inode(&format!("etc/{name}")).0, "{name}");
    }
    assert_eq!(inode("etc/tiny"), inode("etc/tiny-too"));
    assert_eq!(inode("etc/large").2, 1);
    assert_eq!(fs::read(new.join("etc/large-too")).unwrap(), b"ada\n");
    // A reset makes the image's version of one name, and nothing of the other side is another one.
    host.tiu("etc", ["reset", "/etc/large-too"]).succeeded();
    host.tiu("verify", [""; 0]).succeeded();
}

#[test]
fn the_first_update_reports_what_the_host_had() {
    let kit = Kit::new();
    let mut host = kit.host_with(512, |root| {
        file(root, "etc/app.conf", "colour=red\n");
        file(root, "etc/default/app", "LEVEL=1\n");
        file(root, "etc/mine/file", "ada\n");
        file(root, "etc/was-file/inner", "ada\n");
        symlink("elsewhere", root.join("etc/was-dir")).unwrap();
    });
    let first = kit.bundle(1, |root| {
        file(root, "etc/was-file", "image\n");
        file(root, "etc/was-dir/inner", "image\n");
    });
    host.tiu("apply", [first]).succeeded();
    let report = host.tiu("etc", ["report"]).succeeded().stdout;
    for line in [
        "/etc from a host without an image to version 1",
        "conflict  etc/app.conf (the host had it before the first image)",
        "keep      etc/mine/file (the host had it before the first image)",
        "conflict  etc/was-file (the host had it before the first image)",
        "conflict  etc/was-dir (the host had it before the first image)",
        "conflict  etc/was-dir/inner (the host has no directory for it)",
        "merge     etc/passwd (accounts are merged by entry)",
    ] {
        assert!(report.contains(line), "{line:?} is not in\n{report}");
    }
    assert!(!report.contains("etc/default/app"), "{report}");
    let new = host.snapshot(2);
    assert_eq!(fs::read_to_string(new.join("etc/was-file/inner")).unwrap(), "ada\n");
    assert!(new.join("etc/was-dir").is_symlink());
    host.tiu("verify", ["2"]).succeeded();
    // What equalled the default is the image's from then on.
    host.reboot();
    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    assert_eq!(text(&host, "etc/default/app"), "LEVEL=2\n");
    assert_eq!(text(&host, "etc/app.conf"), "colour=red\n");
}

#[test]
fn a_list_names_directories_with_all_in_them() {
    let kit = Kit::new();
    let mut host = kit.host();
    let dirs = |root: &std::path::Path, content: &str| {
        for path in ["etc/theirs/a/b", "etc/ours/a/b"] {
            file(root, path, content);
        }
    };
    host.tiu("apply", [kit.bundle(1, |root| dirs(root, "1"))]).succeeded();
    host.reboot();
    host.edit(2, |root| {
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        let lists = "etc: {always-host: [/etc/fstab, /etc/theirs], always-image: [/etc/ours]}\n";
        file(root, "etc/tiu/tiu.yaml", config + lists);
        file(root, "etc/ours/a/b", "ada");
        file(root, "etc/ours/mine", "ada");
    });
    host.tiu("apply", [kit.bundle(2, |root| dirs(root, "2"))]).succeeded();
    assert_eq!((text(&host, "etc/theirs/a/b"), text(&host, "etc/ours/a/b")), ("1".into(), "2".into()));
    assert!(!host.snapshot(3).join("etc/ours/mine").exists());
    let conflicts = host.tiu("etc", ["conflicts"]).succeeded().stdout;
    assert!(!conflicts.contains("theirs") && !conflicts.contains("ours"), "{conflicts}");
}

#[test]
fn what_is_always_the_image_s_in_a_directory_that_the_host_replaced() {
    let kit = Kit::new();
    let mut host = kit.host();
    host.tiu("apply", [kit.bundle(1, |root| file(root, "etc/d/ours", "1"))]).succeeded();
    host.reboot();
    host.edit(2, |root| {
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        file(root, "etc/tiu/tiu.yaml", config + "etc: {always-image: [/etc/d/ours]}\n");
        fs::remove_dir_all(root.join("etc/d")).unwrap();
        symlink("/run", root.join("etc/d")).unwrap();
    });
    host.tiu("apply", [kit.bundle(2, |root| file(root, "etc/d/ours", "2"))])
        .refused(&["/etc/d/ours: it is always the image's, but on the host /etc/d is a symbolic link"]);
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2], 2));
}

#[test]
fn an_image_without_etc() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |root| {
        fs::remove_dir_all(root.join("etc")).unwrap();
        fs::create_dir_all(root.join("usr/etc")).unwrap();
        symlink("usr/etc", root.join("etc")).unwrap();
    });
    host.tiu("apply", [bundle]).refused(&["the image has no directory /etc"]);
    assert_eq!(host.snapshots(), [1]);
}

#[test]
fn names_that_are_no_text_and_hard_links() {
    use std::os::unix::ffi::OsStrExt;
    let odd = |root: &std::path::Path| root.join("etc").join(std::ffi::OsStr::from_bytes(b"odd \xff\n"));
    let host = updated(
        |root| {
            fs::write(odd(root), "default").unwrap();
            file(root, "etc/a", "default");
            fs::hard_link(root.join("etc/a"), root.join("etc/b")).unwrap();
            fs::hard_link(root.join("etc/a"), root.join("usr/share/c")).unwrap();
        },
        |root| {
            fs::write(odd(root), "ada").unwrap();
            fs::remove_file(root.join("etc/b")).unwrap();
            file(root, "etc/b", "ada");
        },
        |root| {
            fs::write(odd(root), "second").unwrap();
            file(root, "etc/a", "second");
        },
    );
    assert_eq!(fs::read_to_string(odd(&host.snapshot(3))).unwrap(), "ada");
    assert_eq!((text(&host, "etc/a"), text(&host, "etc/b")), ("second".into(), "ada".into()));
    let conflicts = host.tiu("etc", ["conflicts"]).succeeded().stdout;
    assert!(conflicts.contains(r"/etc/odd \xff\n: both changed it"), "{conflicts}");
}
