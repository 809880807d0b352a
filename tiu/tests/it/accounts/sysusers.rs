//! Users and groups of an image's sysusers.d.

use super::{ROOT, ROOT_GROUP, notes, owned, owner, text, well_formed};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;
use tiu_testing::host::LoopHost;
use tiu_testing::kit::Kit;
use tiu_testing::program::{self, RunOutput, json};
use tiu_testing::tree::{file, script};

#[test]
fn who_is_asked_for_comes_like_all_others() {
    let kit = Kit::new();
    let mut host = kit.host_with(512, |root| {
        file(
            root,
            "etc/passwd",
            format!("{ROOT}ada:x:300:300::/home/ada:/bin/bash\ndb:x:77:77::/:/usr/sbin/nologin\n"),
        );
        file(root, "etc/group", format!("{ROOT_GROUP}ada:x:300:\ndb:x:77:\nwheel:x:10:\n"));
        file(root, "etc/shadow", "root:*:1::::::\nada:$6$ada$x:1::::::\ndb:!*:1::::::\n");
        file(root, "etc/gshadow", "root:*::\nada:!::\ndb:!::\nwheel:!::\n");
        // Admin's: masks the image's, and is not for us to carry out.
        file(root, "etc/sysusers.d/theirs.conf", "u eve 400\n");
        symlink("/dev/null", root.join("etc/sysusers.d/masked.conf")).unwrap();
    });
    let image = |root: &Path| {
        let asked = "# services\nu web 300 \"Web\" /srv/web /bin/bash\nu db 78\nu! late - \"Later\"\ng wheel 10\nm web wheel\n";
        file(root, "usr/lib/sysusers.d/app.conf", asked);
        file(root, "usr/lib/sysusers.d/bad.conf", "frobnicate x\nu we:b 5\nu fine 310\n");
        file(root, "usr/lib/sysusers.d/theirs.conf", "u theirs 301\n");
        file(root, "usr/lib/sysusers.d/masked.conf", "u masked 302\n");
        file(root, "usr/lib/sysusers.d/off.conf", "u off 303\n");
        fs::create_dir_all(root.join("etc/sysusers.d")).unwrap();
        symlink("/dev/null", root.join("etc/sysusers.d/off.conf")).unwrap();
        symlink("app.conf", root.join("usr/lib/sysusers.d/link.conf")).unwrap();
        file(root, "usr/lib/sysusers.d/README", "u readme 304\n");
        owned(root, "usr/share/web", 300, 300);
        owned(root, "usr/share/db", 78, 78);
    };
    let shown = host.tiu("apply", [kit.bundle(1, image)]).succeeded().stdout;
    let passwd = text(&host, 2, "etc/passwd");
    let (uid, gid) = owner(&host, 2, "usr/share/web");
    assert!(![0, 300].contains(&uid) && ![0, 300].contains(&gid));
    assert!(passwd.contains(&format!("\nweb:x:{uid}:{gid}:Web:/srv/web:/usr/sbin/nologin\n")), "{passwd}");
    assert!(passwd.contains("\nlate:x:") && passwd.contains("\nfine:x:310:310:"), "{passwd}");
    for name in ["eve", "theirs", "masked", "off", "readme", "we:b"] {
        assert!(!passwd.contains(name), "{name}: {passwd}");
    }
    assert_eq!(owner(&host, 2, "usr/share/db"), (77, 77));
    assert!(text(&host, 2, "etc/group").contains("\nwheel:x:10:web\n"));
    assert!(text(&host, 2, "etc/shadow").contains("\nweb:!*:"));
    assert_eq!(notes(&host, "disarmed"), ["etc/passwd web"]);
    well_formed(&host, 2);
    for warning in [
        "warning: systemd-sysusers: /usr/lib/sysusers.d/bad.conf:1: ",
        "warning: systemd-sysusers: /usr/lib/sysusers.d/bad.conf:2: ",
        "warning: /usr/lib/sysusers.d/link.conf of the image is a symbolic link",
    ] {
        assert!(shown.contains(warning), "{warning}: {shown}");
    }
    host.tiu("verify", ["2"]).succeeded();
    // The new system's own systemd-sysusers has nothing to add but what was left to it.
    host.reboot();
    host.tiu("apply", [kit.bundle(2, image)]).succeeded();
    assert_eq!(text(&host, 3, "etc/passwd"), passwd);
    assert_eq!(notes(&host, "added"), [""; 0]);
}

#[test]
fn an_image_that_only_asks_on_a_host_without_accounts() {
    let kit = Kit::new();
    // The report has names in the order of their bytes, which is not that of how they are shown.
    let host = kit.host_with(512, |root| {
        let odd = std::ffi::OsStr::from_bytes(b"\xff");
        fs::write(root.join("etc").join(odd), "").unwrap();
    });
    let bundle = kit.bundle(1, |root| {
        for name in ["passwd", "group", "shadow", "gshadow"] {
            fs::remove_file(root.join("etc").join(name)).unwrap();
        }
        file(
            root,
            "usr/lib/sysusers.d/basic.conf",
            "g shadow 42\nu root 0 \"Super User\" /root /bin/sh\nu web 30\n",
        );
        owned(root, "usr/share/web", 30, 30);
    });
    host.tiu("apply", [bundle]).succeeded();
    let passwd = text(&host, 2, "etc/passwd");
    assert!(passwd.contains("root:x:0:0:") && passwd.contains("web:x:30:30:"), "{passwd}");
    for (name, mode, group) in [("passwd", 0o644, 0), ("group", 0o644, 0), ("shadow", 0o640, 42)] {
        let metadata = host.snapshot(2).join("etc").join(name).metadata().unwrap();
        assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (mode, 0, group), "{name}");
    }
    well_formed(&host, 2);
    let verified = host.tiu("verify", ["2"]).succeeded().stdout;
    assert!(!verified.contains("changed since the update"), "{verified}");
    let report = json(&host.tiu("etc", ["report", "--json"]).succeeded());
    let paths: Vec<&str> =
        report["paths"].as_array().unwrap().iter().filter_map(|path| path["path"].as_str()).collect();
    let position = |path: &str| paths.iter().position(|p| *p == path).unwrap();
    assert!(position("etc/os-release") < position("etc/passwd"), "{paths:?}");
    assert!(position("etc/passwd") < position(r"etc/\xff"), "{paths:?}");
    assert_eq!(paths.iter().filter(|path| **path == "etc/passwd").count(), 1);
}

/// `tiu apply` in a mount namespace in which `script` has changed what programs there are.
fn apply_where(host: &LoopHost, bundle: &Path, prepare: &str) -> RunOutput {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private", "sh", "-ec"]);
    unshare.arg(format!("{prepare}\nexec \"$@\"")).arg("sh");
    unshare.arg(program::path("tiu")).arg("apply").arg("--root").arg(host.root()).arg(bundle);
    program::outcome(&mut unshare)
}

fn asking(root: &Path) {
    file(root, "usr/lib/sysusers.d/app.conf", "u web 300\n");
}

#[test]
fn a_host_without_systemd_sysusers_says_so() {
    let kit = Kit::new();
    let host = kit.host();
    let upper = host.scratch().join("upper");
    fs::create_dir_all(host.scratch().join("work")).unwrap();
    fs::create_dir_all(&upper).unwrap();
    // A tmpfs, for overlays cannot lie on overlays; a device 0:0 is what is missing in an overlay.
    let prepare = format!(
        "mount -t tmpfs tmpfs {0}\nmkdir {0}/upper {0}/work\nmknod {0}/upper/systemd-sysusers c 0 0\n\
         mount -t overlay overlay -o lowerdir=/usr/bin,upperdir={0}/upper,workdir={0}/work /usr/bin",
        upper.display()
    );
    let shown = apply_where(&host, &kit.bundle(1, asking), &prepare).succeeded().stdout;
    assert!(shown.contains("warning: systemd-sysusers is not installed"), "{shown}");
    assert!(shown.contains("left to the new system's first boot"), "{shown}");
    assert!(!text(&host, 2, "etc/passwd").contains("web"));
}

#[test]
fn a_systemd_sysusers_that_fails() {
    let kit = Kit::new();
    let host = kit.host();
    script(host.scratch(), "failing", "#!/bin/sh\necho 'no space for web' >&2\nexit 7\n");
    let before = host.state();
    let bundle = kit.bundle(1, asking);
    let prepare = format!("mount --bind {}/failing /usr/bin/systemd-sysusers", host.scratch().display());
    apply_where(&host, &bundle, &prepare).refused(&[
        "exit code 7",
        "stderr: no space for web",
        "sysusers: none",
    ]);
    assert_eq!(host.state(), before);
    host.edit(1, |root| {
        let config = fs::read_to_string(root.join("etc/tiu/tiu.yaml")).unwrap();
        file(root, "etc/tiu/tiu.yaml", config + "sysusers: none\n");
    });
    apply_where(&host, &bundle, &prepare).succeeded();
    assert!(!text(&host, 2, "etc/passwd").contains("web"));
}

#[test]
fn nothing_is_written_but_in_the_new_snapshot() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        // What a program that follows links in the target would write to.
        for name in ["passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock"] {
            symlink("/tmp/tiu-test-outside", root.join("etc").join(name)).unwrap();
        }
    });
    let stat = |path: &str| fs::metadata(path).map(|m| (m.ino(), m.ctime(), m.ctime_nsec())).unwrap();
    let before = ["/etc/passwd", "/etc/group", "/etc/shadow"].map(stat);
    host.tiu("apply", [kit.bundle(1, asking)]).succeeded();
    assert_eq!(["/etc/passwd", "/etc/group", "/etc/shadow"].map(stat), before);
    assert!(!Path::new("/tmp/tiu-test-outside").exists());
    assert!(host.snapshot(2).join("etc/passwd-").is_symlink());
    assert!(text(&host, 2, "etc/passwd").contains("web:x:300:300:"));
}
