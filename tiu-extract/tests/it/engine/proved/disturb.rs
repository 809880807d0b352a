//! Changes that root could make.

use super::random::{content, paths};
use super::run;
use crate::engine::model::{Model, at};
use rustix::fs::{AtFlags, CWD, RenameFlags, Timespec, Timestamps, XattrFlags};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tiu_testing::random::Random;

/// Returns the times of an inode.
pub fn times_of(path: &Path) -> Option<Timestamps> {
    let stat = path.symlink_metadata().ok()?;
    let time = |sec, nsec| Timespec { tv_sec: sec, tv_nsec: nsec };
    Some(Timestamps {
        last_access: time(stat.atime(), stat.atime_nsec()),
        last_modification: time(stat.mtime(), stat.mtime_nsec()),
    })
}

/// Changes `dir` somehow, as root could. A change that fails has changed nothing, or something.
pub fn disturb(dir: &Path, model: &Model, random: &mut Random) -> Option<String> {
    let all: Vec<PathBuf> = model.0.keys().map(|path| at(dir, path)).collect();
    let path = random.pick(&all)?.clone();
    let other = random.pick(&all)?.clone();
    let new = at(dir, random.pick(&paths())?.as_bytes());
    let files: Vec<&PathBuf> =
        all.iter().filter(|p| p.symlink_metadata().is_ok_and(|m| m.is_file())).collect();
    let file = random.pick(&files).map(|file| (*file).clone());
    let parent = path.parent().unwrap().to_owned();
    let parent_times = times_of(&parent);
    let restore = random.below(2) == 0;
    let kind = random.below(20);
    let done = match kind {
        // Content with the same size and times.
        0 | 1 => {
            let file = file?;
            let times = times_of(&file);
            let size = file.metadata().ok()?.len();
            let opened = OpenOptions::new().write(true).open(&file).ok()?;
            let position = if size > 0 { random.number() % size } else { 0 };
            opened.write_all_at(&[random.number() as u8], position).ok()?;
            rustix::fs::futimens(&opened, &times?).ok()?;
            format!("write into {file:?}")
        }
        2 => {
            fs::set_permissions(&path, PermissionsExt::from_mode(0o700 + random.below(8) as u32)).ok()?;
            format!("mode of {path:?}")
        }
        3 => {
            std::os::unix::fs::lchown(&path, Some(random.below(3) as u32), None).ok()?;
            format!("owner of {path:?}")
        }
        4 => {
            let name = ["trusted.x", "trusted.y", "user.z"][random.below(3)];
            match random.below(2) {
                0 => {
                    rustix::fs::lsetxattr(&path, name, &[random.below(3) as u8], XattrFlags::empty()).ok()?
                }
                _ => rustix::fs::lremovexattr(&path, name).ok()?,
            }
            format!("attribute {name} of {path:?}")
        }
        // An ACL with an entry for user 1000.
        5 => {
            let entry = |tag: u16, perm: u16, id: u32| {
                [&tag.to_le_bytes()[..], &perm.to_le_bytes(), &id.to_le_bytes()].concat()
            };
            let none = u32::MAX;
            let acl = [
                2u32.to_le_bytes().to_vec(),
                entry(1, 6, none),
                entry(2, 4, 1000),
                entry(4, 4, none),
                entry(16, 4, none),
                entry(32, 4, none),
            ]
            .concat();
            rustix::fs::lsetxattr(&path, "system.posix_acl_access", &acl, XattrFlags::empty()).ok()?;
            format!("ACL of {path:?}")
        }
        6 => {
            fs::rename(&path, &new).ok()?;
            format!("rename {path:?} to {new:?}")
        }
        7 | 8 => {
            rustix::fs::renameat_with(CWD, &path, CWD, &other, RenameFlags::EXCHANGE).ok()?;
            format!("exchange {path:?} and {other:?}")
        }
        9 => {
            fs::hard_link(&path, &new).ok()?;
            format!("link {path:?} to {new:?}")
        }
        10 => {
            if path == dir {
                return None;
            }
            fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).ok()?;
            format!("remove {path:?}")
        }
        // Another type, or a copy with the same content, at the same place.
        11 => {
            if path == dir {
                return None;
            }
            fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)).ok()?;
            match random.below(3) {
                0 => fs::create_dir(&path).ok()?,
                1 => std::os::unix::fs::symlink("x", &path).ok()?,
                _ => fs::write(&path, content(random)).ok()?,
            }
            format!("another type at {path:?}")
        }
        12 => {
            let file = file?;
            let times = times_of(&file);
            let copy = file.with_extension("new");
            run("cp", &["-a".as_ref(), "--reflink=always".as_ref(), file.as_ref(), copy.as_ref()]);
            fs::rename(&copy, &file).ok()?;
            rustix::fs::utimensat(CWD, &file, &times?, AtFlags::SYMLINK_NOFOLLOW).ok()?;
            format!("copy over {file:?}")
        }
        // Past the page cache.
        13 => {
            let file = file?;
            let times = times_of(&file);
            let flags = rustix::fs::OFlags::DIRECT.bits() as i32;
            let opened = OpenOptions::new().write(true).custom_flags(flags).open(&file).ok()?;
            let buffer = vec![random.number() as u8; 8192];
            let start = buffer.as_ptr().align_offset(4096);
            opened.write_all_at(&buffer[start..start + 4096], 0).ok()?;
            rustix::fs::futimens(&opened, &times?).ok()?;
            format!("direct write into {file:?}")
        }
        14 => {
            let (to, from) = (file?, (*random.pick(&files)?).clone());
            let times = times_of(&to);
            let opened = OpenOptions::new().write(true).open(&to).ok()?;
            rustix::fs::ioctl_ficlone(&opened, File::open(&from).ok()?).ok()?;
            rustix::fs::futimens(&opened, &times?).ok()?;
            format!("reflink of {from:?} into {to:?}")
        }
        15 => {
            fs::create_dir(&new).ok()?;
            format!("make the directory {new:?}")
        }
        16 => {
            // A fifo would wait for a reader.
            if new.symlink_metadata().is_ok() {
                return None;
            }
            fs::write(&new, content(random)).ok()?;
            format!("write {new:?}")
        }
        17 => {
            let file = file?;
            let size = file.metadata().ok()?.len();
            let opened = OpenOptions::new().append(true).open(&file).ok()?;
            (&opened).write_all(b"x").ok()?;
            opened.set_len(size).ok()?;
            format!("append to {file:?} and cut it")
        }
        18 => {
            // Reads under relatime.
            let _ = fs::read(file.as_ref()?);
            let _ = fs::read_dir(&path).map(Iterator::count);
            "read".to_owned()
        }
        // A mapping that is written to.
        _ => {
            let file = file?;
            if file.metadata().ok()?.len() == 0 {
                return None;
            }
            let script = "import mmap, os, sys\n\
                s = os.stat(sys.argv[1])\n\
                f = os.open(sys.argv[1], os.O_RDWR)\n\
                m = mmap.mmap(f, 0)\n\
                m[0] = m[0] ^ 1\n\
                m.flush()\n\
                os.utime(sys.argv[1], ns=(s.st_atime_ns, s.st_mtime_ns))\n";
            run("python3", &["-c".as_ref(), script.as_ref(), file.as_ref()]);
            format!("write through a mapping of {file:?}")
        }
    };
    if restore && let Some(times) = parent_times {
        let _ = rustix::fs::utimensat(CWD, &parent, &times, AtFlags::SYMLINK_NOFOLLOW);
    }
    Some(done)
}
