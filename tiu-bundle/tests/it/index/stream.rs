//! The compressed stream, the digest and the limits.

use super::*;

#[test]
fn empty() {
    assert!(matches!(parse(""), Err(IndexError::Empty)));
    assert!(matches!(read(&zst(""), ""), Err(IndexError::Empty)));
}

#[test]
fn cut_text() {
    let text = format!("{ROOT}{}", file("/a"));
    for end in ROOT.len() + 1..text.len() {
        assert!(matches!(parse(&text[..end]), Err(IndexError::CutText { line: 2 })), "cut at {end}");
    }
}

#[test]
fn cut_stream() {
    let text = format!("{ROOT}{}", file("/a"));
    let whole = zst(&text);
    assert_eq!(read(&whole, &text).expect("good").len(), 2);
    for end in 0..whole.len() {
        let result = read(&whole[..end], &text);
        assert!(matches!(result, Err(IndexError::CutStream { .. })), "cut at {end}: {result:?}");
    }
}

#[test]
fn not_zstd() {
    assert!(matches!(read(b"this is not zstd at all", ROOT), Err(IndexError::Zstd(_))));
}

#[test]
fn one_flipped_bit_in_the_stream() {
    let text: String =
        std::iter::once(ROOT.to_owned()).chain((0..50).map(|i| file(&format!("/{i:02}")))).collect();
    let good = zst(&text);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 4;
        assert!(read(&bad, &text).is_err(), "byte {at}");
    }
}

#[test]
fn bytes_after_the_stream() {
    let mut bytes = zst(ROOT);
    bytes.push(0);
    assert!(matches!(read(&bytes, ROOT), Err(IndexError::TrailingBytes)));
    let twice = [zst(ROOT), zst("")].concat();
    assert!(matches!(read(&twice, ROOT), Err(IndexError::TrailingBytes)));
}

#[test]
fn reading_fails() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is broken"))
        }
    }
    match Index::read_zst(Broken, &Digest::compute(b""), 1, TREE) {
        Err(IndexError::Io(e)) => assert_eq!(e.to_string(), "the disk is broken"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn digest_does_not_match() {
    let expected = Digest::compute(b"something else");
    match Index::read_zst(zst(ROOT).as_slice(), &expected, 1, TREE) {
        Err(e @ IndexError::DigestMismatch { .. }) => {
            assert!(e.to_string().contains(&expected.to_string()), "{e}");
            assert!(e.to_string().contains(&Digest::compute(ROOT.as_bytes()).to_string()), "{e}");
            assert!(e.hint().is_some());
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn fewer_entries_than_the_manifest_says() {
    let result = Index::read_zst(zst(ROOT).as_slice(), &Digest::compute(ROOT.as_bytes()), 2, TREE);
    assert!(matches!(result, Err(IndexError::EntryCount { found: 1, expected: 2 })), "{result:?}");
}

#[test]
fn more_entries_than_the_manifest_says() {
    let text = format!("{ROOT}{}", file("/a"));
    let result = Index::read_zst(zst(&text).as_slice(), &Digest::compute(text.as_bytes()), 1, TREE);
    assert!(matches!(result, Err(IndexError::TooManyEntries { found: 2, limit: 1 })), "{result:?}");
}

#[test]
fn billions_of_entries() {
    let result = Index::read_zst(std::io::empty(), &Digest::compute(b""), 3_000_000_000, TREE);
    assert!(matches!(result, Err(IndexError::TooManyEntries { found: 3_000_000_000, limit: MAX_ENTRIES })));
}

/// Reads a stream of a few KiB that unpacks to 256 MiB of `unit`.
fn bomb(unit: &[u8], entries: u64) -> IndexError {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
    for _ in 0..(256 << 20) / unit.len() {
        std::io::Write::write_all(&mut encoder, unit).expect("compression");
    }
    let bytes = encoder.finish().expect("compression");
    Index::read_zst(bytes.as_slice(), &Digest::compute(b""), entries, TREE).expect_err("a bomb")
}

#[test]
fn zstd_bomb_of_one_line() {
    let error = bomb(&[b'a'; 1 << 16], 10);
    assert!(matches!(error, IndexError::LineTooLong { line: 1, limit: MAX_LINE_SIZE }), "{error}");
}

#[test]
fn zstd_bomb_of_short_lines() {
    let error = bomb(&[b'\n'; 1 << 16], 10);
    // Stopped early, not after 256 million lines.
    assert!(matches!(error, IndexError::TooManyEntries { limit: 10, found: 11..300_000 }), "{error}");
}

#[test]
fn zstd_bomb_of_long_lines() {
    let mut line = vec![b'a'; 100_000];
    line.push(b'\n');
    let error = bomb(&line, 100);
    assert!(matches!(error, IndexError::TooLarge { limit: 1_458_176 }), "{error}");
}

#[test]
fn zstd_bomb_in_a_small_image_that_claims_millions_of_entries() {
    let error = bomb(format!("{:063}\n", 0).as_bytes(), MAX_ENTRIES);
    assert!(matches!(error, IndexError::TooLarge { limit: 0x0300_0000 }), "{error}");
    // 48 MiB are what an image of at most 512 KiB can have, and a large one can have all.
    assert_eq!(text_limit(MAX_ENTRIES, 4096), 48 << 20);
    assert_eq!(text_limit(1, 4096), (1 << 20) + 4096);
    assert_eq!(text_limit(MAX_ENTRIES, 1 << 20), 1 << 30);
    assert_eq!(text_limit(u64::MAX, u64::MAX), 1 << 30);
}

#[test]
fn zstd_window_too_large() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
    encoder.window_log(27).expect("window");
    std::io::Write::write_all(&mut encoder, &vec![b'a'; 1 << 20]).expect("compression");
    let bytes = encoder.finish().expect("compression");
    let result = Index::read_zst(bytes.as_slice(), &Digest::compute(b""), 1, TREE);
    assert!(matches!(result, Err(IndexError::Zstd(_))), "{result:?}");
}
