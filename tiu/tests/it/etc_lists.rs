//! Lists of paths in `/etc` that are always one side's: those that an image brings from its build
//! recipe, and the host's own.

use std::fs;
use std::path::{Path, PathBuf};
use tiu_testing::kit::{Kit, Recipe};
use tiu_testing::program::json;
use tiu_testing::tree;

/// Version `version` of an image that says, like each later one, whose some files are.
fn image(kit: &Kit, version: u32, lists: &str) -> PathBuf {
    let text = version.to_string();
    let more = format!("etc:\n{lists}");
    kit.bundle_of(version, Recipe { compatible: "testos", version: &text, more: &more }, |root| {
        for name in ["policy", "mine", "machine-id", "plain"] {
            tree::file(root, &format!("etc/{name}"), format!("image {version}"));
        }
        tree::file(root, "etc/pool.d/a", format!("image {version}"));
    })
}

#[test]
fn an_image_s_lists_decide_where_the_host_s_do_not() {
    let kit = Kit::new();
    let mut host = kit.host();
    let lists = "  always-image: [/etc/policy, /etc/pool.d/, /etc/machine-id]\n  always-host: [/etc/mine]\n";
    host.tiu("apply", [image(&kit, 1, lists)]).succeeded();
    host.edit(2, |root| {
        for name in ["policy", "mine", "plain", "pool.d/a"] {
            tree::file(root, &format!("etc/{name}"), "admin");
        }
    });
    host.reboot();
    let bundle = image(&kit, 2, lists);
    let report = json(&host.tiu("apply", ["--json".as_ref(), bundle.as_os_str()]).succeeded());
    let now = |name: &str| fs::read_to_string(host.snapshot(3).join("etc").join(name)).unwrap();
    assert_eq!(now("policy"), "image 2");
    assert_eq!(now("pool.d/a"), "image 2");
    assert_eq!(now("mine"), "admin");
    assert_eq!(now("plain"), "admin");
    // The host's own list says that it stays the host's: an image cannot take that.
    assert!(now("machine-id").starts_with("0123456789abcdef"), "{}", now("machine-id"));
    assert_eq!(report["etc_conflicts"], serde_json::json!(["etc/plain"]));
    host.tiu("verify", ["3"]).succeeded();
}

#[test]
fn lists_that_cannot_be_used_are_refused_before_anything_is_done() {
    let kit = Kit::new();
    let host = kit.host();
    let refused = |text: &'static str, needles: &[&str]| {
        let change = move |root: &Path| tree::file(root, "usr/lib/tiu/image.yaml", text);
        host.tiu("apply", [kit.bundle(1, change)]).refused(needles);
        assert_eq!(host.snapshots(), [1]);
    };
    refused("version: 2\n", &["image.yaml of the image has format 2", "update tiu on this host first"]);
    refused(
        "version: 1\netc: {always-image: [/usr/bin/sh]}\n",
        &["found \"/usr/bin/sh\", expected a path in /etc"],
    );
    refused("version: 1\netc: 7\n", &["image.yaml of the image", "ask the image's maker"]);
}
