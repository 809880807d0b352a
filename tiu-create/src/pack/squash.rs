//! The squashfs writer: `tar2sqfs` of squashfs-tools-ng, fed through a pipe.
//!
//! The crate of the same project also has a writer, but it does not support what a bundle needs:
//! names that are not UTF-8, hard links, a choice of compressor, and the same bytes every time.
//! `tar2sqfs` (1.2 and later) does, and compresses on all cores.

use crate::recipe::{Compression, Compressor};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use tiu_system::program::{Run, RunError, Running, TAR2SQFS};
use tiu_system::progress::Cancel;

/// Blocks for each thread that wait to be compressed. They bound tar2sqfs's memory.
const BACKLOG: usize = 10;
/// Time limit after the end of its input, for the blocks that wait and the tables.
const LIMIT: Duration = Duration::from_secs(3600);

/// A running `tar2sqfs`. If it is dropped before [`finish`](Self::finish), it is killed and waited
/// for.
pub struct Squash<'a>(Running<'a>);

impl<'a> Squash<'a> {
    /// Starts the program. The image goes to `out`, an existing file; `time` (seconds since 1970)
    /// becomes the superblock's.
    pub fn start(
        compression: &Compression,
        threads: usize,
        time: i64,
        out: &Path,
        cancel: &'a Cancel,
    ) -> Result<Self, RunError> {
        let mut run = Run::new(&TAR2SQFS)
            .args(["--compressor", compression.compressor.name()])
            .args(["--block-size", &compression.block_size.0.to_string()])
            .args(["--num-jobs", &threads.to_string()])
            .args(["--queue-backlog", &(threads * BACKLOG).to_string()])
            .args(["--no-skip", "--quiet", "--force"]);
        let extra = match (compression.compressor, compression.level) {
            // Without it lz4 hardly compresses, and it is read just as fast.
            (Compressor::Lz4, _) => Some("hc".to_owned()),
            (_, Some(level)) => Some(format!("level={level}")),
            (_, None) => None,
        };
        if let Some(extra) = extra {
            run = run.args(["--comp-extra", &extra]);
        }
        run = run.arg("--").arg(out).env("SOURCE_DATE_EPOCH", time.to_string());
        Ok(Squash(run.limit(LIMIT).cancel(cancel).spawn()?))
    }

    /// Ends the stream and waits for the image.
    pub fn finish(self) -> Result<(), RunError> {
        self.0.finish().map(drop)
    }
}

impl Write for Squash<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
