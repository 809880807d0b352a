//! Files that belong to one host, and versions that many images share.

use crate::place::{Place, run};
use tiu_testing::program::json;
use tiu_testing::tree;

#[test]
fn what_belongs_to_one_host_is_left_out() {
    let place = Place::new();
    place.recipe("version: 1\n");
    let root = place.root();
    tree::file(&root, "etc/ssh/ssh_host_rsa_key", "secret");
    tree::file(&root, "etc/ssh/sshd_config", "fine");
    tree::file(&root, "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    tree::file(&root, "var/lib/systemd/random-seed", "seed");
    let mut arguments = place.pack_arguments("out.tiu");
    arguments.push("--json".into());
    let made = json(&run(arguments.clone()).succeeded());
    let left = made["left_out"].as_array().unwrap().iter().find(|left| left["reason"] == "identity").unwrap();
    assert_eq!(left["files"], 3, "{left}");
    let bundle = place.open("out.tiu");
    let has =
        |path: &str| bundle.index.find(tiu_system::path::TreePath::new(path.as_bytes()).unwrap()).is_some();
    assert!(has("etc/ssh/sshd_config"));
    for path in
        ["etc/ssh/ssh_host_rsa_key", "etc/machine-id", "usr/share/factory/var/lib/systemd/random-seed"]
    {
        assert!(!has(path), "{path}");
    }
    arguments.push("--strict".into());
    run(arguments).refused(&["ssh_host_rsa_key"]);
}

#[test]
fn a_machine_id_of_no_machine_stays() {
    // A read-only /etc needs the file.
    for text in ["", "uninitialized\n", "uninitialized"] {
        let place = Place::new();
        place.recipe("version: 1\n");
        tree::file(&place.root(), "etc/machine-id", text);
        let mut arguments = place.pack_arguments("out.tiu");
        arguments.push("--strict".into());
        run(arguments).succeeded();
        assert_eq!(place.open("out.tiu").text("etc/machine-id"), text);
    }
}

#[test]
fn host_files_of_tiu_and_snapper_are_left_out() {
    let place = Place::new();
    place.recipe("version: 1\n");
    let of_host = ["etc/tiu/tiu.yaml", "etc/tiu/etc-kept", "etc/snapper/configs/root"];
    for path in of_host {
        tree::file(&place.root(), path, "of a host");
    }
    let of_image = ["usr/lib/tiu/tiu.yaml", "etc/snapper/configs/data", "etc/snapper/filters/x.txt"];
    for path in of_image {
        tree::file(&place.root(), path, "of the image");
    }
    let shown = place.pack("out.tiu").succeeded().stderr;
    let paths = place.open("out.tiu").paths();
    for path in of_host {
        assert!(shown.contains(&format!("/{path}")), "{path} is not named: {shown}");
        assert!(!paths.iter().any(|found| found == path), "{path}");
    }
    assert!(of_image.iter().all(|path| paths.iter().any(|found| found == path)), "{paths:?}");
    let mut arguments = place.pack_arguments("strict.tiu");
    arguments.push("--strict".into());
    run(arguments).refused(&[
        "3 files of the tree belong to one host",
        "/etc/snapper/configs/root",
        "/etc/tiu/tiu.yaml",
    ]);
    assert!(!place.path("strict.tiu").exists());
}

#[test]
fn what_the_recipe_calls_the_images_is_packed() {
    let place = Place::new();
    for path in ["etc/ssh/ssh_host_rsa_key", "etc/tiu/tiu.yaml", "etc/machine-id"] {
        tree::file(&place.root(), path, "0123456789abcdef0123456789abcdef\n");
    }
    place.recipe("etc:\n  always-image: [/etc/tiu/tiu.yaml, '/etc/ssh/ssh_host_*']\n");
    let shown = place.pack("out.tiu").succeeded().stderr;
    let paths = place.open("out.tiu").paths();
    for path in ["etc/ssh/ssh_host_rsa_key", "etc/tiu/tiu.yaml"] {
        assert!(paths.iter().any(|found| found == path) && !shown.contains(path), "{path}: {shown}");
    }
    assert!(
        !paths.iter().any(|found| found == "etc/machine-id") && shown.contains("/etc/machine-id"),
        "{shown}"
    );
}

#[test]
fn a_version_that_many_images_share_is_reported_and_with_strict_refused() {
    let place = Place::new();
    let release = |text: &str| tree::file(&place.root(), "usr/lib/os-release", text);
    let strict = || {
        let mut arguments = place.pack_arguments("strict.tiu");
        arguments.push("--strict".into());
        arguments
    };
    release("ID=debian\nVERSION_ID=12\n");
    let shown = place.pack("out.tiu").succeeded().stderr;
    assert!(shown.contains("version 12 is VERSION_ID of os-release, which many images share"), "{shown}");
    let ways = ["`version: ", "--image-version", "IMAGE_VERSION", "`version-from: VERSION_ID`"];
    run(strict()).refused(&["version 12 is VERSION_ID of os-release"]).refused(&ways);
    assert!(!place.path("strict.tiu").exists());
    // Each way out works, and none is reported.
    let quiet = |arguments: Vec<String>| {
        let shown = run(arguments).succeeded().stderr;
        assert!(!shown.contains("VERSION_ID"), "{shown}");
    };
    quiet([strict(), vec!["--image-version=12.1".into()]].concat());
    release("ID=debian\nVERSION_ID=12\nIMAGE_VERSION=7\n");
    quiet(strict());
    release("ID=debian\nVERSION_ID=12\n");
    place.recipe("version: '12'\n");
    quiet(strict());
    place.recipe("version-from: VERSION_ID\n");
    quiet(strict());
}
