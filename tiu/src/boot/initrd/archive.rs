//! The archives of an initrd: any number of cpio archives of the "new" format, each plain or
//! compressed, with zeros between them.
//!
//! Source: <https://docs.kernel.org/driver-api/early-userspace/buffer-format.html>.

use super::input::{Budget, LookaheadReader, Stop};
use liblzma::stream::Stream;
use std::io::{self, BufRead, BufReader, Read};

/// Length in bytes of the header of an entry.
const HEADER: usize = 110;
/// The longest path that a kernel takes, in bytes.
const MAX_PATH: usize = 4096;
/// The number of entries: far more than any initrd has.
const MAX_ENTRIES: u32 = 1_000_000;
/// The name of the entry that ends an archive.
const TRAILER: &[u8] = b"TRAILER!!!";
/// Memory in bytes for an xz stream: that of `xz -9`, and a little more.
const XZ_MEMORY: u64 = 128 << 20;
/// Window of a zstd frame that is accepted, as a power of 2: that of the kernel's decompressor.
const ZSTD_WINDOW: u32 = 27;
/// Size in bytes of an uncompressed block of the "legacy" format of LZ4.
const LZ4_BLOCK: usize = 8 << 20;

/// Calls `seen` with the path and the size of every entry of all archives.
pub fn entries(
    reader: impl BufRead,
    budget: &mut Budget,
    seen: &mut dyn FnMut(&[u8], u32),
) -> Result<(), Stop> {
    let mut left = MAX_ENTRIES;
    let mut input = LookaheadReader::new(reader);
    let mut any = false;
    while input.skip_zeros(budget)? {
        any = true;
        if !is_archive(&mut input)? {
            compressed(&mut input, budget, &mut left, seen)?;
        } else {
            archive(&mut input, budget, &mut left, seen)?;
        }
    }
    if any { Ok(()) } else { Err(Stop::Damaged("it is empty".into())) }
}

fn is_archive(input: &mut LookaheadReader<impl BufRead>) -> Result<bool, Stop> {
    let magic = input.peek(6)?;
    Ok(magic == b"070701" || magic == b"070702")
}

/// Reads a compressed stream that has archives in it.
fn compressed(
    input: &mut LookaheadReader<impl BufRead>,
    budget: &mut Budget,
    left: &mut u32,
    seen: &mut dyn FnMut(&[u8], u32),
) -> Result<(), Stop> {
    let magic = input.peek(6)?;
    let unreadable = |what: &str| Err(Stop::Unreadable(format!("it is {what}, which tiu does not read")));
    match magic {
        [0x1f, 0x8b | 0x9e, ..] => inner(flate2::bufread::GzDecoder::new(input), budget, left, seen),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            let stream = Stream::new_stream_decoder(XZ_MEMORY, 0).map_err(io::Error::from)?;
            inner(liblzma::bufread::XzDecoder::new_stream(input, stream), budget, left, seen)
        }
        [0x5d, 0, 0, ..] => {
            let stream = Stream::new_lzma_decoder(XZ_MEMORY).map_err(io::Error::from)?;
            inner(liblzma::bufread::XzDecoder::new_stream(input, stream), budget, left, seen)
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?.single_frame();
            decoder.window_log_max(ZSTD_WINDOW)?;
            inner(decoder, budget, left, seen)
        }
        [0x02, 0x21, 0x4c, 0x18, ..] => inner(Lz4::new(input), budget, left, seen),
        [b'B', b'Z', b'h', ..] => unreadable("compressed by bzip2"),
        [0x89, b'L', b'Z', b'O', ..] => unreadable("compressed by lzop"),
        [0x04, 0x22, 0x4d, 0x18, ..] => unreadable("in the frame format of LZ4"),
        [b'M', b'Z', ..] => unreadable("a program for UEFI"),
        other => {
            let found: String = other.iter().map(|byte| format!("{byte:02x}")).collect();
            Err(Stop::Damaged(format!("found the bytes {found}, expected an archive, plain or compressed")))
        }
    }
}

/// Reads decompressed archives to the end of `reader`: checksums come last.
fn inner(
    reader: impl Read,
    budget: &mut Budget,
    left: &mut u32,
    seen: &mut dyn FnMut(&[u8], u32),
) -> Result<(), Stop> {
    let mut input = LookaheadReader::new(BufReader::with_capacity(64 << 10, reader));
    while input.skip_zeros(budget)? {
        if !is_archive(&mut input)? {
            return Err(Stop::Damaged("what was compressed is not an archive".into()));
        }
        archive(&mut input, budget, left, seen)?;
    }
    Ok(())
}

/// Reads one archive up to its trailer.
fn archive(
    input: &mut LookaheadReader<impl BufRead>,
    budget: &mut Budget,
    left: &mut u32,
    seen: &mut dyn FnMut(&[u8], u32),
) -> Result<(), Stop> {
    loop {
        let header = input.take_bytes(HEADER, budget)?;
        if !matches!(&header[..6], b"070701" | b"070702") {
            return Err(Stop::Damaged("an archive has no entry where one must be".into()));
        }
        let (size, name_length) = (field(&header, 6)?, field(&header, 11)? as usize);
        if name_length == 0 || name_length > MAX_PATH {
            return Err(Stop::Damaged(format!("a path of an archive has {name_length} bytes")));
        }
        *left = left
            .checked_sub(1)
            .ok_or_else(|| Stop::Unreadable(format!("it has more than {MAX_ENTRIES} entries")))?;
        let mut name = input.take_bytes(name_length, budget)?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        input.skip(padding((HEADER + name_length) as u64), budget)?;
        if name == TRAILER {
            return Ok(());
        }
        seen(&name, size);
        input.skip(u64::from(size), budget)?;
        input.skip(padding(u64::from(size)), budget)?;
    }
}

/// Returns field `number` of a header: 8 hexadecimal digits.
fn field(header: &[u8], number: usize) -> Result<u32, Stop> {
    let at = 6 + number * 8;
    let digits = std::str::from_utf8(&header[at..at + 8]).ok();
    digits
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or_else(|| Stop::Damaged("an entry of an archive has a field that is not a number".into()))
}

/// Returns the number of bytes up to the next multiple of 4.
fn padding(length: u64) -> u64 {
    length.next_multiple_of(4) - length
}

/// Decompresses the "legacy" format of LZ4, the one that the kernel reads: a magic number, then
/// blocks with their sizes, to the end of the file.
struct Lz4<R> {
    input: R,
    block: Vec<u8>,
    length: usize,
    at: usize,
}

impl<R: Read> Lz4<R> {
    fn new(input: R) -> Self {
        Lz4 { input, block: Vec::new(), length: 0, at: 0 }
    }

    /// Reads the next block. Returns false at the end.
    fn next(&mut self) -> io::Result<bool> {
        let mut number = [0; 4];
        loop {
            if self.input.read(&mut number[..1])? == 0 {
                return Ok(false);
            }
            self.input.read_exact(&mut number[1..])?;
            if number != [0x02, 0x21, 0x4c, 0x18] {
                break;
            }
        }
        let stored = u32::from_le_bytes(number) as usize;
        if stored == 0 {
            // Padding after the last block.
            return Ok(false);
        }
        if stored > lz4_flex::block::get_maximum_output_size(LZ4_BLOCK) {
            return Err(io::Error::other(format!("a block of LZ4 has {stored} bytes")));
        }
        let mut bytes = vec![0; stored];
        self.input.read_exact(&mut bytes)?;
        self.block.resize(LZ4_BLOCK, 0);
        let length = lz4_flex::block::decompress_into(&bytes, &mut self.block).map_err(io::Error::other)?;
        (self.length, self.at) = (length, 0);
        Ok(true)
    }
}

impl<R: Read> Read for Lz4<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.length {
            if !self.next()? {
                return Ok(0);
            }
        }
        let length = buffer.len().min(self.length - self.at);
        buffer[..length].copy_from_slice(&self.block[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;
    use std::process::{Command, Stdio};
    use tiu_system::progress::Cancel;
    use tiu_testing::system::cpio;

    fn read(bytes: &[u8]) -> Result<Vec<String>, Stop> {
        let (cancel, mut found) = (Cancel::new(), Vec::new());
        entries(bytes, &mut Budget::new(&cancel), &mut |path, size| {
            found.push(format!("{} {size}", String::from_utf8_lossy(path)));
        })?;
        Ok(found)
    }

    /// Compresses by a program, as dracut does.
    fn by(program: &str, options: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
        let mut command = Command::new(program);
        command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().ok()?;
        let mut stdin = child.stdin.take().unwrap();
        let bytes = bytes.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&bytes));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.status.success());
        Some(output.stdout)
    }

    fn two() -> (Vec<u8>, Vec<u8>) {
        let large = vec![b'x'; 300_000];
        (cpio(&[("kernel/x86/microcode/a.bin", b"abc")]), cpio(&[("usr/lib/a", &large), ("init", b"")]))
    }

    const BOTH: [&str; 3] = ["kernel/x86/microcode/a.bin 3", "usr/lib/a 300000", "init 0"];

    #[test]
    fn plain_archives_follow_each_other_with_zeros_between() {
        let (early, main) = two();
        let mut all = early;
        all.resize(all.len().next_multiple_of(512), 0);
        all.extend(&main);
        all.extend([0; 300]);
        assert_eq!(read(&all).unwrap(), BOTH);
    }

    #[test]
    fn every_compression_that_dracut_uses_is_read_behind_an_early_archive() {
        let (early, main) = two();
        let compressors: [(&str, &[&str]); 5] = [
            ("gzip", &["-n", "-9"]),
            ("xz", &["--check=crc32", "--lzma2=dict=1MiB", "-T0"]),
            ("xz", &["--format=lzma", "-9"]),
            ("zstd", &["-15", "-q", "-T0"]),
            ("lz4", &["-l", "-9"]),
        ];
        let mut tried = 0;
        for (program, options) in compressors {
            let Some(packed) = by(program, options, &main) else { continue };
            let mut all = early.clone();
            all.resize(all.len().next_multiple_of(512), 0);
            all.extend(&packed);
            assert_eq!(read(&all).unwrap(), BOTH, "{program} {options:?}");
            // Every cut is seen.
            for length in [all.len() - 1, all.len() - packed.len() / 2, all.len() - packed.len() + 7] {
                assert!(matches!(read(&all[..length]), Err(Stop::Damaged(_))), "{program} cut at {length}");
            }
            tried += 1;
        }
        assert!(tried >= 3, "gzip and xz are on every machine");
    }

    #[test]
    fn the_legacy_format_of_lz4_is_read() {
        let (_, main) = two();
        let block = lz4_flex::block::compress(&main);
        let mut packed = vec![0x02, 0x21, 0x4c, 0x18];
        packed.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
        packed.extend(&block);
        assert_eq!(read(&packed).unwrap(), BOTH[1..]);
        assert_eq!(read(&[&packed[..], &[0; 512]].concat()).unwrap(), BOTH[1..]);
        assert!(matches!(read(&packed[..packed.len() - 1]), Err(Stop::Damaged(_))));
    }

    #[test]
    fn what_no_kernel_reads_is_damaged_and_what_tiu_does_not_read_is_not() {
        let (early, main) = two();
        let garbage = [&early[..], b"garbage"].concat();
        for bytes in [&b""[..], &[0; 512], b"an initrd", &garbage, &main[..main.len() - 200]] {
            assert!(matches!(read(bytes), Err(Stop::Damaged(_))), "{bytes:?}");
        }
        for bytes in [&b"BZh91AY"[..], b"MZ....", b"\x89LZO\0\r"] {
            assert!(matches!(read(bytes), Err(Stop::Unreadable(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        // 64 MiB of zeros behind an archive, in some KiB.
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.write_all(&cpio(&[("a", b"")])).unwrap();
        encoder.write_all(&vec![0; 64 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 100_000);
        let cancel = Cancel::new();
        let ended = entries(&bomb[..], &mut Budget::with_bytes(8 << 20, &cancel), &mut |_, _| {});
        assert!(matches!(ended, Err(Stop::Unreadable(_))));
    }

    #[test]
    fn a_cancellation_ends_it() {
        let cancel = Cancel::new();
        cancel.cancel();
        let (early, _) = two();
        let ended = entries(&early[..], &mut Budget::new(&cancel), &mut |_, _| {});
        assert!(matches!(ended, Err(Stop::Cancelled)));
    }

    proptest! {
        #[test]
        fn changed_bytes_never_panic(at in 0usize..1000, byte: u8, gzip: bool) {
            let mut bytes = cpio(&[("usr/lib/modules/1/a.ko", b"content"), ("init", b"")]);
            if gzip {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(&bytes).unwrap();
                bytes = encoder.finish().unwrap();
            }
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = read(&bytes);
        }
    }
}
