//! SELinux labels in a tree with a policy.

use crate::place::{Place, run};
use tiu_system::path::TreePath;
use tiu_testing::selinux;

#[test]
fn files_without_a_label_in_a_tree_with_a_policy_are_told() {
    let place = Place::new();
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    assert!(!warned.contains("SELinux"), "there is no policy: {warned}");
    selinux::policy(&place.root(), "enforcing");
    selinux::label(&place.root());
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    assert!(!warned.contains("SELinux"), "all is labelled: {warned}");
    place.file("usr/share/late", "x");
    place.file("home/late", "x");
    let found = || {
        let mut arguments = place.pack_arguments("bundle.tiu");
        arguments.push("--json".into());
        let found: serde_json::Value =
            serde_json::from_str(&run(arguments).succeeded().stdout).expect("JSON");
        found["unlabelled"].clone()
    };
    let warned = place.pack("bundle.tiu").succeeded().stderr;
    assert!(warned.contains("1 file or directory has no label (security.selinux)"), "{warned}");
    assert!(warned.contains("the first is /usr/share/late"), "{warned}");
    assert_eq!(found(), serde_json::json!({ "entries": 1, "first": "/usr/share/late" }));
    selinux::policy(&place.root(), "disabled");
    assert_eq!(found(), serde_json::Value::Null);
}

#[test]
fn what_is_added_to_a_labelled_tree_is_labelled() {
    let place = Place::new();
    place.file("var/lib/x", "x");
    place.recipe("persistent: [/data]\n");
    selinux::policy(&place.root(), "enforcing");
    selinux::label(&place.root());
    let packed = place.packed();
    let label = |path: &'static str| {
        let entry = packed
            .index
            .entry(packed.index.find(TreePath::literal(path)).unwrap_or_else(|| panic!("{path}")));
        let label = tiu_bundle::selinux::label_of(&entry).unwrap_or_else(|| panic!("{path} has none"));
        String::from_utf8_lossy(label).trim_end_matches('\0').to_owned()
    };
    for path in ["usr/lib/sysimage/tiu", "usr/lib/tmpfiles.d/zz-tiu-var.conf", "usr/lib/tiu/image.yaml"] {
        assert_eq!(label(path), "system_u:object_r:usr_t:s0", "{path}");
    }
    assert_eq!(label("usr/share/factory/var/lib/x"), "system_u:object_r:var_t:s0");
    assert_eq!(label("data"), "system_u:object_r:root_t:s0", "of the root directory");
}
