//! Records of persistent paths that are removed, damaged, or a lie.

use super::*;

/// A host whose image declared `/data`, which holds a file of the host's in the snapshot, after
/// `damage`. Returns what the dry run says of an image that does not have `/data` any more, and
/// whether the file was carried over.
fn after_damage(damage: impl FnOnce(&Path)) -> (String, bool) {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [declaring(&kit, 1, "/data", data)]).succeeded();
    host.edit(2, |root| {
        tree::file(root, "data/rows", "the host's");
        damage(root);
    });
    let second = kit.bundle(2, |_| {});
    let dry = dry_run(&host, &second);
    host.tiu("apply", [second]).succeeded();
    (dry, host.snapshot(3).join("data/rows").exists())
}

const RECORD: &str = "usr/lib/sysimage/tiu/generated.json";
const REPORT: &str = "usr/lib/sysimage/tiu/etc.json";

#[test]
fn the_image_s_policy_says_what_is_persistent_where_the_record_was_removed_or_damaged() {
    let removed = |root: &Path| fs::remove_file(root.join(RECORD)).unwrap();
    let damaged = |root: &Path| fs::write(root.join(RECORD), "{").unwrap();
    for damage in [&removed as &dyn Fn(&Path), &damaged] {
        let (dry, kept) = after_damage(damage);
        assert!(kept, "{dry}");
        assert!(dry.contains("/data was persistent in an earlier image"), "{dry}");
    }
}

#[test]
fn damage_elsewhere_does_not_let_the_policy_replace_the_record() {
    let (dry, kept) = after_damage(|root| {
        fs::write(root.join(REPORT), "{").unwrap();
        fs::remove_file(root.join("usr/lib/tiu/image.yaml")).unwrap();
    });
    assert!(kept, "{dry}");
}

#[test]
fn a_policy_that_cannot_be_read_beside_a_removed_record_declares_nothing() {
    let (dry, kept) = after_damage(|root| {
        fs::remove_file(root.join(RECORD)).unwrap();
        fs::write(root.join("usr/lib/tiu/image.yaml"), "persistent: {").unwrap();
    });
    assert!(!kept);
    assert!(dry.contains("no image brought"), "it is named: {dry}");
}

#[test]
fn a_policy_where_no_image_was_applied_declares_nothing() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        tree::file(root, "usr/lib/tiu/image.yaml", "version: 1\npersistent: [/data]\n");
        tree::file(root, "data/rows", "of an installer");
    });
    let bundle = kit.bundle(1, |_| {});
    let dry = dry_run(&host, &bundle);
    assert!(!dry.contains("persistent"), "{dry}");
    host.tiu("apply", [bundle]).succeeded();
    assert!(!host.snapshot(2).join("data").exists());
}

#[test]
fn a_record_that_hides_programs_is_found_out() {
    let kit = Kit::new();
    let host = kit.host();
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.edit(2, |root| {
        let path = "usr/lib/sysimage/tiu/generated.json";
        let mut record: Value = serde_json::from_slice(&fs::read(root.join(path)).unwrap()).unwrap();
        record["persistent"] = json!(["usr/share"]);
        tree::file(root, path, record.to_string());
        tree::file(root, "usr/share/added", "x");
    });
    let shown = host.tiu("verify", ["2"]).refused(&["snapshot 2 differs"]).stdout;
    for line in [
        "generated.json: persistent: found \"/usr/share\", but /usr belongs to the image",
        "DIFFERS  /usr/share/added: extra",
    ] {
        assert!(shown.contains(line), "{line}:\n{shown}");
    }
}
