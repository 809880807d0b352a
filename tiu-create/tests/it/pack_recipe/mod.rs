//! The statements of the recipe and the tree about the image, and errors in them.

mod errors;
mod labels;
mod left_out;

use crate::place::{Place, run};
use std::fs;
use tiu_system::path::TreePath;

fn refused(place: &Place, needles: &[&str]) {
    place.pack("bundle.tiu").refused(needles);
    let left: Vec<_> =
        fs::read_dir(place.path("")).expect("the place").flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("bundle.tiu")), "left behind: {left:?}");
}

#[test]
fn facts_come_from_the_tree() {
    let place = Place::new();
    let shell = fs::read("/bin/sh").expect("a shell");
    place.file("usr/bin/sh", shell);
    place.file("etc/os-release", "");
    fs::remove_file(place.root().join("etc/os-release")).expect("a file");
    fs::remove_file(place.root().join("usr/lib/os-release")).expect("a file");
    place.file("usr/lib/os-release", "ID=testos\nVERSION_ID=1\nIMAGE_VERSION=\"1.2\"\nBUILD_ID=77\n");
    fs::write(place.path("bundle.yaml"), "compatible: testos\ncompression: {level: 1}\n").expect("a recipe");
    let packed = place.packed();
    let manifest = &packed.bundle.manifest;
    assert_eq!((manifest.version.as_str(), manifest.build.as_deref()), ("1.2", Some("77")));
    assert_eq!((manifest.tiu.os_id.as_str(), manifest.tiu.kernel.as_deref()), ("testos", Some("6.1.1-test")));
    assert_eq!(manifest.tiu.arch, std::env::consts::ARCH);
}

#[test]
fn the_recipe_wins() {
    let place = Place::new();
    place.recipe(
        "version: 9.10\nbuild: b\nos-id: other\nmin-version: 9.1\ndescription: A text\nkernel: 6.1.1-test\n",
    );
    let manifest = place.packed().bundle.manifest.clone();
    assert_eq!((manifest.version.as_str(), manifest.build.as_deref()), ("9.10", Some("b")));
    assert_eq!((manifest.tiu.os_id.as_str(), manifest.description.as_deref()), ("other", Some("A text")));
    assert_eq!(manifest.tiu.min_version.as_deref(), Some("9.1"));
}

#[test]
fn the_policy_reaches_the_client() {
    let place = Place::new();
    place.recipe("etc:\n  always-image: [/etc/a]\n  always-host: [/etc/b]\n");
    let packed = place.packed();
    let policy: serde_yaml::Value =
        serde_yaml::from_str(&packed.text("usr/lib/tiu/image.yaml")).expect("YAML");
    assert_eq!(policy["etc"]["always-image"][0], "/etc/a");
    assert_eq!(policy["etc"]["always-host"][0], "/etc/b");
    assert!(packed.index.find(TreePath::literal("usr/lib/tiu/image.yaml")).is_some());
}

#[test]
fn json_says_what_was_made() {
    let place = Place::new();
    place.file("root/x", "12345");
    let mut arguments = place.pack_arguments("bundle.tiu");
    arguments.push("--json".into());
    let found = run(arguments).succeeded();
    let found: serde_json::Value = serde_json::from_str(&found.stdout).expect("JSON");
    let packed = place.open("bundle.tiu");
    assert_eq!(found["version"], 1);
    assert_eq!(found["root_hash"], packed.bundle.manifest.verity_hash.to_string());
    assert_eq!(found["bundle_size"], fs::metadata(place.path("bundle.tiu")).expect("the bundle").len());
    assert_eq!(found["left_out"][0]["reason"], "/root");
    assert_eq!((&found["left_out"][0]["files"], &found["left_out"][0]["bytes"]), (&1.into(), &5.into()));
}

#[test]
fn an_existing_bundle_is_replaced() {
    let place = Place::new();
    fs::write(place.path("bundle.tiu"), "old").expect("a file");
    place.packed();
}
