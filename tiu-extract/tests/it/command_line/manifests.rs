//! Signed manifests that say something wrong.

use super::kit::{Found, bad_parts};
use tiu_testing::bundles::Parts;

/// Signs the manifest with `from` replaced.
fn text(parts: &mut Parts, from: &str, to: &str) {
    let good = parts.manifest.to_text();
    assert!(good.contains(from), "{from:?} is not in the manifest:\n{good}");
    parts.text = Some(good.replacen(from, to, 1));
}

/// Signs the manifest with another value of a key.
fn value(parts: &mut Parts, key: &str, value: &str) {
    let good = parts.manifest.to_text();
    let line = good.lines().find(|line| line.starts_with(&format!("{key}="))).unwrap().to_owned();
    text(parts, &line, &format!("{key}={value}"));
}

/// Signs the manifest with another size of the hash tree.
fn verity_size(parts: &mut Parts, change: impl FnOnce(u64) -> u64) {
    parts.manifest.verity_size = change(parts.manifest.verity_size);
}

bad_parts! {
    no_update_group, Found::Opening, ["the manifest has no group [update]"],
        |parts| text(parts, "[update]", "[meta.update]");
    no_bundle_group, Found::Opening, ["the manifest has no group [bundle]"],
        |parts| text(parts, "[bundle]", "[meta.bundle]");
    no_tiu_group, Found::Opening, ["the manifest has no group [meta.tiu]", "RAUC bundle that was not made for tiu"],
        |parts| text(parts, "[meta.tiu]", "[meta.other]");
    no_compatible, Found::Opening, ["the manifest has no [update] compatible"],
        |parts| text(parts, "compatible=testos\n", "");
    unknown_key, Found::Opening, ["line 5 of the manifest: [update] hook is unknown"],
        |parts| text(parts, "[bundle]", "hook=run\n[bundle]");
    unknown_group, Found::Opening, ["the group [hooks] is unknown, expected [update], [bundle], [meta.tiu] \
                                     or [meta.*]"],
        |parts| text(parts, "[bundle]", "[hooks]\nfilename=x\n[bundle]");
    same_key_twice, Found::Opening, ["[update] compatible appears twice"],
        |parts| text(parts, "compatible=testos", "compatible=testos\ncompatible=other");
    same_group_twice, Found::Opening, ["the group [update] appears twice"],
        |parts| text(parts, "[bundle]", "[update]\n[bundle]");
    future_format, Found::Opening,
        ["the bundle has format 2, this version of tiu reads formats up to 1", "update tiu on this host first"],
        |parts| text(parts, "\nformat=1\n", "\nformat=2\n");
    another_bundle_format, Found::Opening, ["[bundle] format is \"plain\", expected \"verity\""],
        |parts| text(parts, "format=verity", "format=plain");
    root_hash_that_is_not_hex, Found::Opening,
        ["[bundle] verity-hash is \"gggg", "(64 characters), expected 64 lower-case hex digits"],
        |parts| value(parts, "verity-hash", &"g".repeat(64));
    root_hash_that_is_short, Found::Opening,
        ["[bundle] verity-hash is \"0000", "(63 characters), expected 64 lower-case hex digits"],
        |parts| value(parts, "verity-hash", &"0".repeat(63));
    salt_that_is_not_hex, Found::Opening,
        ["[bundle] verity-salt is \"gggg", "(64 characters), expected 64 lower-case hex digits"],
        |parts| value(parts, "verity-salt", &"g".repeat(64));
    salt_that_is_short, Found::Opening,
        ["[bundle] verity-salt is \"0000", "(62 characters), expected 64 lower-case hex digits"],
        |parts| value(parts, "verity-salt", &"0".repeat(62));
    another_root_hash, Found::Opening, ["hash tree", "the hash tree says 0000000000"],
        |parts| value(parts, "verity-hash", &"0".repeat(64));
    verity_size_0, Found::Opening, ["[bundle] verity-size is 0, expected a multiple of 4096 that is not 0"],
        |parts| verity_size(parts, |_| 0);
    verity_size_4097, Found::Opening, ["[bundle] verity-size is 4097, expected a multiple of 4096 that is not 0"],
        |parts| verity_size(parts, |_| 4097);
    verity_size_too_large, Found::Opening, ["the hash tree is 16384 bytes long, expected 12288 for an image of"],
        |parts| verity_size(parts, |size| size + 4096);
    verity_size_too_small, Found::Opening, ["the hash tree is 8192 bytes long, expected 12288 for an image of"],
        |parts| verity_size(parts, |size| size - 4096);
    verity_size_larger_than_the_file, Found::Opening,
        ["the manifest says that the hash tree is 1099511627776 bytes long, but only"],
        |parts| verity_size(parts, |_| 1 << 40);
    billions_of_entries, Found::Opening,
        ["[meta.tiu] files is \"3000000000\", expected a decimal number from 1 to 4000000"],
        |parts| parts.manifest.tiu.files = 3_000_000_000;
    index_digest_that_is_not_hex, Found::Opening, ["[meta.tiu] index-digest is \"x\" (1 characters)"],
        |parts| value(parts, "index-digest", "x");
}
