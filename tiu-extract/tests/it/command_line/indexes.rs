//! Indexes that are missing, damaged, or say what cannot be; images that are not what their index
//! says.

use super::kit::{CONTENT, Found, Kit, good, tiu_extract, with_index, with_zst, zst};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use tiu_bundle::index::INDEX_PATH;
use tiu_testing::bundles::{Parts, image, tiny_index};
use tiu_testing::program::{RunOutput, outcome};
use tiu_testing::tree;

const ROOT: &str = "/ 0 40755 1 0 0 0 0.0 - - -\n";

/// A bundle whose index is the root and these lines.
#[track_caller]
fn refused(lines: &str, needles: &[&str]) {
    let kit = Kit::new();
    let bundle = kit.bundle(&with_index(format!("{ROOT}{lines}").as_bytes()));
    kit.refused(&bundle, Found::Listing, needles);
}

macro_rules! bad_lines {
    ($($name:ident, $lines:expr, $needle:expr;)*) => {$(
        #[test]
        fn $name() {
            refused($lines, &[$needle, "packed wrongly"]);
        }
    )*};
}

bad_lines! {
    not_sorted, "/b 0 40755 1 0 0 0 0.0 - - -\n/a 0 40755 1 0 0 0 0.0 - - -\n",
        "line 3 of the index (/a): not sorted: it comes after \"b\"";
    names_dot_dot, "/.. 0 40755 1 0 0 0 0.0 - - -\n",
        "line 2 of the index (/..): the path has a component `..`";
    names_dot_dot_inside, "/a 0 40755 1 0 0 0 0.0 - - -\n/a/../../etc 0 40755 1 0 0 0 0.0 - - -\n",
        "line 3 of the index (/a/../../etc): the path has a component `..`";
    names_dot_dot_escaped, "/\\x2e. 0 40755 1 0 0 0 0.0 - - -\n",
        "line 2 of the index (/\\x2e.): path is \"/\\\\x2e.\": not escaped";
    absolute_path, "//etc/passwd 0 40755 1 0 0 0 0.0 - - -\n",
        "line 2 of the index (//etc/passwd): the path has an empty component";
    relative_path, "etc 0 40755 1 0 0 0 0.0 - - -\n",
        "line 2 of the index (etc): the path does not start with `/`";
    empty_path, " 0 40755 1 0 0 0 0.0 - - -\n",
        "line 2 of the index (): the path does not start with `/`";
    path_through_a_symlink, "/a 4 120777 1 0 0 0 0.0 /etc - -\n/a/b 0 40755 1 0 0 0 0.0 - - -\n",
        "line 3 of the index (/a/b): the path leads through the symbolic link \"a\"";
    parent_that_is_no_directory, "/a 0 100644 1 0 0 0 0.0 - - -\n/a/b 0 40755 1 0 0 0 0.0 - - -\n",
        "line 3 of the index (/a/b): its parent, \"a\", is a regular file, expected a directory";
    parent_that_is_missing, "/a/b 0 40755 1 0 0 0 0.0 - - -\n",
        "line 2 of the index (/a/b): its parent directory, \"a\", is missing";
    same_path_twice, "/a 0 40755 1 0 0 0 0.0 - - -\n/a 0 40755 1 0 0 0 0.0 - - -\n",
        "line 3 of the index (/a): the same path appears twice";
    hard_link_to_what_is_missing, "/b 0 @100644 2 0 0 0 0.0 /a - -\n",
        "line 2 of the index (/b): it is a hard link to \"a\", which is missing";
    nul_in_a_path, "/a\\x00b 0 40755 1 0 0 0 0.0 - - -\n", "path holds a NUL byte";
}

/// An image of a root that `fill` makes, with the tiny index in its manifest.
#[track_caller]
fn refused_image(fill: impl FnOnce(&Path), found: Found, needles: &[&str]) {
    let kit = Kit::new();
    let root = tempfile::tempdir().unwrap();
    fill(root.path());
    // An image has two blocks at least.
    tree::file(root.path(), "filling", tree::noise(1, 10_000));
    let parts = Parts::new(image(root.path(), None), &tiny_index(CONTENT));
    kit.refused(&kit.bundle(&parts), found, needles);
}

#[test]
fn index_missing() {
    let needles = ["the image has no index: expected the file usr/lib/sysimage/tiu/index.zst", "tiu-create"];
    refused_image(|root| tree::file(root, "a", CONTENT), Found::Listing, &needles);
}

#[test]
fn index_that_is_a_directory() {
    let fill = |root: &Path| std::fs::create_dir_all(root.join(INDEX_PATH)).unwrap();
    refused_image(fill, Found::Listing, &["the image has no index"]);
}

#[test]
fn index_that_is_a_symlink() {
    let fill = |root: &Path| {
        tree::file(root, "usr/lib/sysimage/tiu/real.zst", zst(&tiny_index(CONTENT)));
        symlink("real.zst", root.join(INDEX_PATH)).unwrap();
    };
    refused_image(fill, Found::Listing, &["the image has no index"]);
}

#[test]
fn index_cut() {
    let kit = Kit::new();
    let text = tiny_index(CONTENT);
    let whole = zst(&text);
    let parts = with_zst(&whole[..whole.len() / 2], &text);
    kit.refused(
        &kit.bundle(&parts),
        Found::Listing,
        &["the compressed index is truncated: it ends after 0 bytes of text"],
    );
}

#[test]
fn index_text_cut() {
    let kit = Kit::new();
    let text = tiny_index(CONTENT);
    let mut parts = with_index(&text[..text.len() - 20]);
    parts.manifest.tiu.files = 2;
    kit.refused(
        &kit.bundle(&parts),
        Found::Listing,
        &["the index is truncated: its last line, 2, does not end in a newline"],
    );
}

#[test]
fn index_empty() {
    let kit = Kit::new();
    let mut parts = with_index(b"");
    parts.manifest.tiu.files = 1;
    kit.refused(&kit.bundle(&parts), Found::Listing, &["the index is empty"]);
}

#[test]
fn index_not_compressed() {
    let kit = Kit::new();
    let text = tiny_index(CONTENT);
    kit.refused(
        &kit.bundle(&with_zst(&text, &text)),
        Found::Listing,
        &["the index cannot be decompressed, expected zstd"],
    );
}

#[test]
fn index_digest_does_not_match() {
    let kit = Kit::new();
    let parts = with_zst(&zst(&tiny_index(b"something else")), &tiny_index(CONTENT));
    let needles = ["the index is not the one that was signed: its SHA-256 is", "the manifest says"];
    kit.refused(&kit.bundle(&parts), Found::Listing, &needles);
}

#[test]
fn fewer_entries_than_the_manifest_says() {
    let kit = Kit::new();
    let mut parts = good();
    parts.manifest.tiu.files += 1;
    kit.refused(&kit.bundle(&parts), Found::Listing, &["the index has 2 entries, the manifest says 3"]);
}

#[test]
fn more_entries_than_the_manifest_says() {
    let kit = Kit::new();
    let mut parts = good();
    parts.manifest.tiu.files -= 1;
    let needles = ["the index has too many entries: found 2 or more, expected at most 1"];
    kit.refused(&kit.bundle(&parts), Found::Listing, &needles);
}

#[test]
fn content_digest_does_not_match() {
    let kit = Kit::new();
    // Of the same size.
    let parts = with_index(&tiny_index(b"CONTENT of a\n"));
    kit.refused(&kit.bundle(&parts), Found::Reading, &["digest", "index", " a"]);
}

/// The file `a` has 13 bytes in the image, and as many as `content` in the index.
#[track_caller]
fn size_is_refused(content: &[u8], found: &str) {
    let kit = Kit::new();
    let needles = [found, "index says", &content.len().to_string()];
    kit.refused(&kit.bundle(&with_index(&tiny_index(content))), Found::Reading, &needles);
}

#[test]
fn size_does_not_match_as_the_file_is_shorter() {
    size_is_refused(b"content of a, and more\n", "13 bytes");
}

#[test]
fn size_does_not_match_as_the_file_is_longer() {
    size_is_refused(b"content of\n", "more than 11 bytes");
}

#[test]
fn file_that_the_image_lacks() {
    let kit = Kit::new();
    let text = String::from_utf8(tiny_index(CONTENT)).unwrap().replace("\n/a ", "\n/b ");
    kit.refused(
        &kit.bundle(&with_index(text.as_bytes())),
        Found::Reading,
        &["the image has no regular file b"],
    );
}

#[test]
fn file_that_is_a_directory_in_the_image() {
    let fill = |root: &Path| {
        tree::file(root, "a/inside", CONTENT);
        tree::file(root, &INDEX_PATH.to_string(), zst(&tiny_index(CONTENT)));
    };
    refused_image(fill, Found::Reading, &["the image has no regular file a"]);
}

/// A zstd frame of `blocks` blocks of 128 KiB, each of one byte again and again (RFC 8878, 3.1.1),
/// in 4 bytes a block.
fn bomb(byte: u8, blocks: u32) -> Vec<u8> {
    const BLOCK: u32 = 128 << 10;
    // Neither size nor checksum; a window of 8 MiB.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3];
    for number in (0..blocks).rev() {
        let header = u32::from(number == 0) | 1 << 1 | BLOCK << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(byte);
    }
    frame
}

/// Runs `command` on `bundle` with at most 256 MiB of memory.
fn in_little_memory(kit: &Kit, command: &str, bundle: &Path) -> RunOutput {
    let program = tiu_extract(command);
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--as={}", 256 << 20)).arg("--").arg(program.get_program()).args(program.get_args());
    limited.env("RAYON_NUM_THREADS", "2").env("MALLOC_ARENA_MAX", "2");
    outcome(limited.arg("--keyring").arg(kit.keyring()).arg(bundle))
}

#[track_caller]
fn bomb_is_refused(zst: &[u8], entries: u64, needles: &[&str]) {
    let kit = Kit::new();
    let mut parts = with_zst(zst, &tiny_index(CONTENT));
    parts.manifest.tiu.files = entries;
    let bundle = kit.bundle(&parts);
    for command in ["list", "verify"] {
        in_little_memory(&kit, command, &bundle).refused(needles);
    }
    kit.refused(&bundle, Found::Listing, needles);
}

#[test]
fn little_memory_is_enough_for_a_good_bundle() {
    let kit = Kit::new();
    in_little_memory(&kit, "verify", &kit.bundle(&good())).succeeded();
}

#[test]
fn zstd_bomb_in_a_small_image_that_claims_millions_of_entries() {
    // 128 MiB of lines, which so many entries could have, but not an image of 1 MiB.
    let text = format!("{:063}\n", 0).repeat(2 << 20);
    bomb_is_refused(&zst(text.as_bytes()), 4_000_000, &["too large: more than 117440512 bytes of text"]);
}

#[test]
fn zstd_bomb_of_64_gib_in_one_line() {
    bomb_is_refused(&bomb(b'a', 1 << 19), 10, &["line 1 of the index is too long: more than 1048576 bytes"]);
}

#[test]
fn zstd_bomb_of_billions_of_entries() {
    let needles = ["the index has too many entries: found", "expected at most 10", "fewer files"];
    bomb_is_refused(&bomb(b'\n', 1 << 16), 10, &needles);
    // Also where the manifest allows as many as there can be.
    bomb_is_refused(&bomb(b'\n', 1 << 16), 4_000_000, &["expected at most 4000000"]);
}

#[test]
fn zstd_bomb_of_long_lines() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    let line = [&[b'a'; 100_000][..], b"\n"].concat();
    for _ in 0..2000 {
        std::io::Write::write_all(&mut encoder, &line).unwrap();
    }
    let needles = ["the index is too large: more than 1458176 bytes of text"];
    bomb_is_refused(&encoder.finish().unwrap(), 100, &needles);
}
