//! The squashfs writer: `tar2sqfs` of squashfs-tools-ng, fed through a pipe.
//!
//! The crate of the same project has a writer too, but it cannot do what a bundle needs: names that are not UTF-8, hard links,
//! a choice of compressor, and the same bytes every time. `tar2sqfs` (1.2 and later) does, and compresses on all cores.

use crate::external::{self, ExternalError};
use crate::recipe::{Compression, Compressor};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::JoinHandle;

/// Size of the pipe in bytes; more than the default keeps the compressor from waiting.
const PIPE: usize = 1 << 20;
/// Blocks for each thread that wait to be compressed. They bound tar2sqfs's memory.
const BACKLOG: usize = 10;

/// A running `tar2sqfs`. Dropped before [`finish`](Self::finish) it is killed and waited for.
pub struct Squash {
    program: PathBuf,
    child: Child,
    stdin: Option<ChildStdin>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Squash {
    /// Starts it; the image goes to `out`, an existing file. `time` (seconds since 1970) becomes the superblock's.
    pub fn start(
        compression: &Compression,
        threads: usize,
        time: i64,
        out: &Path,
    ) -> Result<Self, ExternalError> {
        let program = external::find("tar2sqfs", "squashfs-tools-ng")?;
        let mut command = Command::new(&program);
        command
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
            command.args(["--comp-extra", &extra]);
        }
        // Nothing of the caller's environment may change the image.
        command.arg("--").arg(out).env_clear().env("LC_ALL", "C").env("SOURCE_DATE_EPOCH", time.to_string());
        // A group of its own: an interrupt at the terminal is for us, and we end it.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let fail = |source| ExternalError::Run { program: program.clone(), source };
        let mut child = command.spawn().map_err(fail)?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        if let Some(stdin) = &stdin {
            // Best effort: unprivileged users may have used up their share.
            let _ = rustix::pipe::fcntl_setpipe_size(stdin, PIPE);
        }
        let stderr = stderr.map(|stderr| std::thread::spawn(move || last_words(stderr)));
        Ok(Squash { program, child, stdin, stderr })
    }

    /// Ends the stream and waits for the image.
    pub fn finish(mut self) -> Result<(), ExternalError> {
        drop(self.stdin.take());
        let program = self.program.clone();
        let status = match self.child.wait() {
            Ok(status) => status,
            Err(source) => return Err(ExternalError::Run { program, source }),
        };
        let said = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        match status.success() {
            true => Ok(()),
            false => Err(ExternalError::Failed { program, status, stderr: external::tail(&said) }),
        }
    }
}

impl Write for Squash {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.stdin {
            Some(stdin) => stdin.write(data),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Squash {
    fn drop(&mut self) {
        // After `finish` there is nothing left to kill, and both say so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a program's standard error to its end, keeps the last part.
fn last_words(mut stderr: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut buffer) {
        kept.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let surplus = kept.len().saturating_sub(16 * 1024);
        kept.drain(..surplus);
    }
    kept
}
