//! Bundles that change after they were opened.
//!
//! The program is held where it reports its progress: into a pipe that has room for the first line,
//! which says that the bundle is open, and not for the second. Meanwhile the bundle is changed.

use super::kit::{Kit, tiu_extract, zst};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{PipeReader, Read, Write, pipe};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tiu_bundle::BLOCK_SIZE;
use tiu_testing::bundles::{Parts, image, tiny_index};
use tiu_testing::program::RunOutput;
use tiu_testing::tree;

/// The smallest pipe.
const PIPE: usize = 4096;
/// More than one line of progress, and less than two.
const ROOM: usize = 160;

/// A program that has opened its bundle and goes on when its standard error is read.
struct Held {
    child: Child,
    stderr: PipeReader,
}

impl Held {
    fn start(kit: &Kit, command: &str, arguments: &[&OsStr]) -> Self {
        let (stderr, mut writer) = pipe().unwrap();
        rustix::pipe::fcntl_setpipe_size(&writer, PIPE).unwrap();
        writer.write_all(&[b' '; PIPE - ROOM]).unwrap();
        let mut program = tiu_extract(command);
        program.args(["--progress", "json", "--keyring"]).arg(kit.keyring()).args(arguments);
        let child = program.stdout(Stdio::piped()).stderr(writer).spawn().unwrap();
        let held = Held { child, stderr };
        let begin = Instant::now();
        while rustix::io::ioctl_fionread(&held.stderr).unwrap() as usize <= PIPE - ROOM {
            assert!(begin.elapsed() < Duration::from_secs(60), "{command} does not report its progress");
            std::thread::sleep(Duration::from_millis(5));
        }
        held
    }

    fn end(mut self) -> RunOutput {
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).unwrap();
        let stderr = stderr.trim_start().to_owned();
        assert!(stderr.contains("\"phase\""), "{stderr}");
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        RunOutput { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A bundle whose file `a` fills most of the image.
fn bundle(kit: &Kit) -> PathBuf {
    let content = tree::noise(8, 900_000);
    let root = tempfile::tempdir().unwrap();
    tree::file(root.path(), "a", &content);
    let index = tiny_index(&content);
    kit.bundle(&Parts::new(image(root.path(), Some(&zst(&index))), &index))
}

/// Both commands that read the content refuse a bundle which `change` changes while they work.
#[track_caller]
fn refused(change: impl Fn(&Path), needles: &[&str]) {
    let kit = Kit::new();
    let target = kit.target();
    for (command, more) in [("verify", None), ("extract", Some(target.as_os_str()))] {
        let before = tree::files(&target);
        let bundle = bundle(&kit);
        let delete = more.map(|_| "--delete".as_ref());
        let arguments: Vec<_> = [bundle.as_os_str()].into_iter().chain(more).chain(delete).collect();
        let held = Held::start(&kit, command, &arguments);
        change(&bundle);
        held.end().refused(needles);
        assert_eq!(tree::files(&target), before);
    }
}

fn writable(bundle: &Path) -> File {
    File::options().write(true).open(bundle).unwrap()
}

#[test]
fn other_content() {
    let needles =
        ["block 100 of the image is damaged: its hash is", "the hash tree says", "fetch the bundle again"];
    refused(|bundle| writable(bundle).write_all_at(b"evil", 100 * BLOCK_SIZE as u64).unwrap(), &needles);
}

#[test]
fn shorter() {
    let needles = ["reading the bundle failed at byte", "became shorter while it was read"];
    refused(|bundle| writable(bundle).set_len(100_000).unwrap(), &needles);
}

#[test]
fn longer() {
    let kit = Kit::new();
    let bundle = bundle(&kit);
    let size = fs::metadata(&bundle).unwrap().len();
    let held = Held::start(&kit, "verify", &[bundle.as_os_str()]);
    writable(&bundle).set_len(size + 1).unwrap();
    let message =
        format!("the bundle changed while it was read: it had {size} bytes and now has {}", size + 1);
    held.end().refused(&[&message, "wait until the download"]);
}

#[test]
fn replaced_by_another_file_is_no_change() {
    let kit = Kit::new();
    let bundle = bundle(&kit);
    let held = Held::start(&kit, "verify", &[bundle.as_os_str()]);
    fs::write(kit.path("other"), "no bundle").unwrap();
    fs::rename(kit.path("other"), &bundle).unwrap();
    // What was opened is what is read.
    held.end().succeeded();
}
