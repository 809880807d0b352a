//! The suspect's own configuration, keyring and accepted paths.

use super::*;

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
fn what_is_not_compared_is_listed_and_accepted_by_the_caller_alone() {
    let (_kit, host) = updated();
    host.edit(2, |root| {
        append(root, "etc/fstab", "none /data none noauto 0 0\n");
        tree::file(root, "data/db", "x");
        tree::file(root, "srv/www", "x");
        tree::file(root, "usr/lib/mine/x", "x");
    });
    let outcome = verify_finds(&host, &["usr/lib/mine: extra"]);
    for line in ["/data (the host's own, as the snapshot says)", "/srv (the host's own directory)"] {
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
