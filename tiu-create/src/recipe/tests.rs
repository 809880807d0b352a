//! Recipes: good ones, and the errors of bad ones.

use super::*;
use tiu_system::Hint;

fn parse(text: &str) -> Result<Recipe, RecipeError> {
    Recipe::parse(text, Path::new("bundle.yaml"))
}

fn refused(text: &str, needles: &[&str], hint: &str) {
    let error = parse(text).expect_err("a bad recipe");
    for needle in needles {
        assert!(error.to_string().contains(needle), "{error:?} does not say {needle:?}");
    }
    let found = error.hint().expect("a hint");
    assert!(found.contains(hint), "the hint {found:?} does not say {hint:?}");
}

#[test]
fn the_least_recipe() {
    let recipe = parse("compatible: example").expect("a good recipe");
    assert_eq!(recipe.compression.compressor, Compressor::Zstd);
    assert_eq!(recipe.compression.block_size.0, 131_072);
    assert!(recipe.factory_var);
    assert_eq!(recipe.policy(), Ok(Policy::default()));
}

#[test]
fn the_example_has_every_key() {
    let text = include_str!("../../../examples/bundle.yaml");
    let recipe = parse(text).expect("the example is a good recipe");
    assert!(recipe.policy().is_ok_and(|policy| policy.to_text().is_some()));
    let keys = [
        "compatible",
        "version",
        "version-from",
        "description",
        "build",
        "arch",
        "os-id",
        "kernel",
        "min-version",
        "exclude",
        "compression",
        "compressor",
        "level",
        "block-size",
        "factory-var",
        "persistent",
        "etc",
        "always-image",
        "always-host",
    ];
    for key in keys {
        assert!(text.contains(&format!("{key}:")), "{key} is not in the example");
    }
}

#[test]
fn lists_reach_the_client() {
    let text = "compatible: x\npersistent: [/data, /export/x]\netc:\n  always-image: [/etc/os-release]\n";
    let written = parse(text).expect("a good recipe").policy().expect("a policy");
    let policy = Policy::parse(&written.to_text().expect("a text")).expect("a policy");
    assert_eq!(policy.always_image(), ["etc/os-release"]);
    assert!(policy.always_host().is_empty());
    assert_eq!(policy.persistent(), ["data", "export/x"].map(|path| TreePathBuf::new(path).unwrap()));
    refused("compatible: x\npersistent: [/etc/x]\n", &["bundle.yaml", "persistent", "\"/etc/x\""], "/var");
    refused("compatible: x\npersistent: [a/b]\n", &["persistent", "absolute"], "/data");
}

#[test]
fn missing_compatible() {
    refused("description: x", &["bundle.yaml", "missing field `compatible`"], "add `compatible: NAME`");
    refused("", &["missing field `compatible`"], "add `compatible: NAME`");
}

#[test]
fn unknown_key() {
    refused("compatible: x\ncolour: red\n", &["unknown field `colour`", "line 2"], "examples/bundle.yaml");
    refused("compatible: x\ncompression: {speed: 3}\n", &["unknown field `speed`"], "examples/bundle.yaml");
    refused(
        "compatible: x\ncompression: {compressor: lzo}\n",
        &["unknown variant `lzo`"],
        "examples/bundle.yaml",
    );
}

#[test]
fn the_same_key_twice() {
    refused("compatible: x\ncompatible: y\n", &["duplicate", "compatible"], "examples");
}

#[test]
fn broken_yaml() {
    refused("compatible: [x\n", &["line"], "examples/bundle.yaml");
    refused("- a\n", &["invalid type: sequence"], "examples/bundle.yaml");
}

#[test]
fn a_version_is_text_as_it_is_written() {
    for version in ["1.10", "12", "0x10", "1e3", "'1.10'"] {
        let recipe = parse(&format!("compatible: x\nversion: {version}\n")).expect("a good recipe");
        assert_eq!(recipe.version.as_deref(), Some(version.trim_matches('\'')));
    }
    refused(
        "compatible: x\nversion: [1]\n",
        &["version", "expected a string", "line 2"],
        "examples/bundle.yaml",
    );
}

#[test]
fn bad_values() {
    refused("compatible: x\nexclude: [usr/doc]", &["usr/doc"], "/usr/doc");
    refused("compatible: x\ncompression: {level: 23}", &["23", "1 to 22", "zstd"], "default");
    refused("compatible: x\ncompression: {compressor: lz4, level: 1}", &["none", "lz4"], "default");
    for size in ["5000", "2048", "2097152", "0"] {
        refused(
            &format!("compatible: x\ncompression: {{block-size: {size}}}"),
            &[size, "power of two"],
            "131072",
        );
    }
    refused("compatible: x\netc: {always-host: [/usr/x]}", &["/usr/x", "a path in /etc"], "/etc");
}
