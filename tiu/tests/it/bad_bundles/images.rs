//! Manifests, images and indexes that a host refuses.

use super::{Fixture, SIZE, good, index, with_index, with_zst, zst};
use tiu_bundle::BLOCK_SIZE;
use tiu_bundle::index::Kind;
use tiu_testing::bundles::{Parts, entry, image, index_of};
use tiu_testing::tree;

#[test]
fn manifests_that_say_something_wrong() {
    let fixture = Fixture::new();
    let parts = good();
    let text = parts.manifest.to_text();
    let tree = parts.manifest.verity_size;
    let hash = format!("verity-hash={}", parts.manifest.verity_hash);
    let replace = |from: &str, to: &str, needle: &str| {
        assert!(text.contains(from), "{from} is not in the manifest");
        let bad = Parts { text: Some(text.replacen(from, to, 1)), ..good() };
        fixture.refused(to, &fixture.bytes(&bad), &[needle]);
    };
    replace("[update]", "[meta.update]", "no group [update]");
    replace("compatible=testos\n", "", "no [update] compatible");
    replace("[bundle]", "hook=run\n[bundle]", "[update] hook is unknown");
    replace("[bundle]", "[hooks]\n[bundle]", "the group [hooks] is unknown");
    replace("[bundle]", "version=2\n[bundle]", "[update] version appears twice");
    replace(
        "\nformat=1\n",
        "\nformat=2\n",
        "the bundle has format 2, this version of tiu reads formats up to 1",
    );
    replace(&hash, &format!("verity-hash={}", "g".repeat(64)), "expected 64 lower-case hex digits");
    replace(&hash, "verity-hash=00", "(2 characters), expected 64 lower-case hex digits");
    let size = format!("verity-size={tree}");
    replace(&size, "verity-size=0", "verity-size is 0, expected a multiple of 4096");
    replace(&size, "verity-size=4097", "verity-size is 4097, expected a multiple of 4096");
    replace(
        &size,
        &format!("verity-size={}", tree + 4096),
        "the hash tree is 16384 bytes long, expected 12288",
    );
    replace(
        &size,
        &format!("verity-size={}", tree - 4096),
        "the hash tree is 8192 bytes long, expected 12288",
    );
}

#[test]
fn images_that_were_changed_where_they_are_opened() {
    let fixture = Fixture::new();
    let good = fixture.bytes(&good());
    let change = |what: &str, needle: &str, change: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        fixture.refused(what, &bytes, &[needle]);
    };
    change("no multiple of 4096", "expected a multiple of 4096", |bytes| drop(bytes.drain(100..200)));
    change("block in front", "not a squashfs", |bytes| drop(bytes.splice(0..0, [0; BLOCK_SIZE])));
    change("first block", "block 0 of the image is damaged", |bytes| bytes[1000] ^= 1);
    change("highest hash level", "block 0 of hash level 2 is damaged", |bytes| {
        let at = tiu_bundle::bundle::cms_offset(bytes).unwrap() as usize - 3 * BLOCK_SIZE;
        bytes[at + 10] ^= 1;
    });
    change("lowest hash level", "block 1 of hash level 1 is damaged", |bytes| {
        let at = tiu_bundle::bundle::cms_offset(bytes).unwrap() as usize - BLOCK_SIZE;
        bytes[at + 10] ^= 1;
    });
    change("last block", "of the image is damaged", |bytes| {
        let at = tiu_bundle::bundle::cms_offset(bytes).unwrap() as usize - 4 * BLOCK_SIZE;
        bytes[at + 10] ^= 1;
    });
}

#[test]
fn indexes_that_say_what_cannot_be() {
    let fixture = Fixture::new();
    let line = |path: &str, kind: &str| format!("{path} 0 {kind} 1 0 0 0 0.0 - - -\n");
    let dir = |path: &str| line(path, "40755");
    let link = "/a 4 120777 1 0 0 0 0.0 /etc - -\n".to_owned();
    for (what, lines, needle) in [
        ("not sorted", [dir("/b"), dir("/a")], "not sorted"),
        ("names ..", [dir("/.."), dir("/b")], "the path has a component `..`"),
        ("absolute", [dir("//etc"), dir("/b")], "the path has an empty component"),
        ("empty", [dir(""), dir("/b")], "the path does not start with `/`"),
        ("through a symlink", [link, dir("/a/b")], "leads through the symbolic link \"a\""),
        (
            "parent is no directory",
            [line("/a", "100644"), dir("/a/b")],
            "is a regular file, expected a directory",
        ),
        ("twice", [dir("/a"), dir("/a")], "the same path appears twice"),
    ] {
        let text = format!("{}{}", dir("/"), lines.concat());
        fixture.refused(what, &fixture.bytes(&with_index(text.as_bytes())), &[needle]);
    }
    let text = index(&tree::noise(1, SIZE));
    let whole = zst(&text);
    let cut = with_zst(&whole[..whole.len() - 6], &text);
    fixture.refused("cut", &fixture.bytes(&cut), &["the compressed index is truncated"]);
    let other = with_zst(&zst(&index(b"")), &text);
    fixture.refused("another", &fixture.bytes(&other), &["the index is not the one that was signed"]);
    let root = tempfile::tempdir().unwrap();
    tree::file(root.path(), "a", tree::noise(1, SIZE));
    let missing = Parts::new(image(root.path(), None), &text);
    fixture.refused("missing", &fixture.bytes(&missing), &["the image has no index"]);
}

#[test]
fn images_of_no_system() {
    let fixture = Fixture::new();
    let of = |path: &str| {
        let parents = path.split('/').scan(String::new(), |path, name| {
            *path = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            Some(entry(path.as_str(), Kind::Dir, 0o755))
        });
        fixture.bytes(&with_index(&index_of(parents)))
    };
    let needle = "the image has no directory /usr/lib/sysimage/tiu";
    fixture.refused("no directory for tiu", &of("etc"), &[needle, "tiu-create pack"]);
    fixture.refused(
        "no etc",
        &of("usr/lib/sysimage/tiu"),
        &["the image has no directory /etc", "tiu-create pack"],
    );
}

#[test]
fn a_flipped_bit_in_the_middle() {
    let fixture = Fixture::new();
    let mut bytes = fixture.bytes(&good());
    bytes[100 * BLOCK_SIZE + 7] ^= 1;
    fixture.undone(&bytes, &["block 100 of the image is damaged: its hash is", "fetch the bundle again"]);
}

#[test]
fn a_content_digest_that_does_not_match() {
    let fixture = Fixture::new();
    let bad = with_index(&index(&tree::noise(2, SIZE)));
    fixture.undone(&fixture.bytes(&bad), &["a: the content that was written has digest", "the index says"]);
}

#[test]
fn a_size_that_does_not_match() {
    let fixture = Fixture::new();
    let bad = with_index(&index(&tree::noise(1, SIZE + 1)));
    let needles = ["a: the image holds 900000 bytes, its index says 900001"];
    fixture.undone(&fixture.bytes(&bad), &needles);
}
