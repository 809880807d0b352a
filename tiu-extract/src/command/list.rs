//! `tiu-extract list`: lists the content of an image, from its index.

use super::bundle::BundleArguments;
use serde_json::json;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use tiu_bundle::index::{Entry, Kind};
use tiu_cli::{CommandResult, CommonArguments, TrustArguments, exit};
use tiu_extract::Verity;
use tiu_system::path::TreePath;

/// List the files of a bundle, as `ls -lR` does
///
/// Sizes are in bytes, times in RFC 3339. `+` after the mode marks extended attributes, ` = /PATH`
/// another name of the same file. docs/format/json.md describes the output of --json.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tiu-extract list --keyring ca.cert.pem system-1.tiu usr/bin
  tiu-extract list --json --keyring ca.cert.pem system-1.tiu | jq '.entries[] | .path'")]
pub struct ListArguments {
    #[command(flatten)]
    bundle: BundleArguments,
    /// Paths to list, with everything below them [default: all]
    path: Vec<PathBuf>,
}

impl ListArguments {
    pub fn run(self, trust: &TrustArguments, common: &CommonArguments) -> CommandResult {
        let bundle = Arc::new(self.bundle.open(trust, None)?);
        let image = tiu_extract::open_image(bundle.clone(), Verity::User)?;
        let mut index = tiu_extract::read_index(&bundle, &*image)?;
        if !self.path.is_empty() {
            index = tiu_extract::select(&index, &self.path)?;
        }
        if common.json {
            let entries: Vec<_> = index.iter().map(|entry| facts(&entry)).collect();
            tiu_cli::print_json(&json!({"entries": entries}))?;
        } else {
            tiu_cli::print(&index.iter().map(|entry| line(&entry)).collect::<String>())?;
        }
        Ok(exit::DONE)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text_of(bytes: &[u8]) -> String {
    tiu_system::text::printable_bytes(bytes)
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        Kind::Symlink => "symlink",
        Kind::CharDev => "chardev",
        Kind::BlockDev => "blockdev",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::HardLink => "hardlink",
    }
}

fn facts(entry: &Entry) -> serde_json::Value {
    let target = entry.target.as_deref().or(entry.link.as_deref().map(TreePath::as_bytes));
    let mut value = json!({
        "path": String::from_utf8_lossy(entry.path.as_bytes()),
        "kind": kind_name(entry.kind),
        "mode": format!("{:04o}", entry.mode),
        "nlink": entry.nlink,
        "uid": entry.uid,
        "gid": entry.gid,
        "rdev": entry.rdev,
        "size": entry.size,
        "mtime": {"sec": entry.mtime.sec, "nsec": entry.mtime.nsec},
        "target": target.map(String::from_utf8_lossy),
        "digest": entry.digest.map(|digest| digest.to_string()),
        "xattrs": entry.xattrs.iter()
            .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), json!(hex(value))))
            .collect::<serde_json::Map<_, _>>(),
    });
    if std::str::from_utf8(entry.path.as_bytes()).is_err()
        && let Some(object) = value.as_object_mut()
    {
        object.insert("path_hex".into(), json!(hex(entry.path.as_bytes())));
    }
    value
}

fn line(entry: &Entry) -> String {
    let kind = match entry.kind {
        Kind::File | Kind::HardLink => '-',
        Kind::Dir => 'd',
        Kind::Symlink => 'l',
        Kind::CharDev => 'c',
        Kind::BlockDev => 'b',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    };
    let mut text = String::new();
    text.push(kind);
    for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
        let bits = entry.mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (entry.mode & special != 0, bits & 1 != 0) {
            (true, true) => letter,
            (true, false) => letter.to_ascii_uppercase(),
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text.push(if entry.xattrs.is_empty() { ' ' } else { '+' });
    let size = match entry.kind {
        Kind::CharDev | Kind::BlockDev => {
            format!("{}, {}", rustix::fs::major(entry.rdev), rustix::fs::minor(entry.rdev))
        }
        _ => entry.size.to_string(),
    };
    let time = tiu_bundle::rfc3339(entry.mtime.sec);
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        " {:>3} {:>5} {:>5} {size:>10} {time} /{}",
        entry.nlink,
        entry.uid,
        entry.gid,
        text_of(entry.path.as_bytes())
    );
    match (&entry.target, &entry.link) {
        (Some(target), _) => text += &format!(" -> {}", text_of(target)),
        (None, Some(inode)) => text += &format!(" = /{}", text_of(inode.as_bytes())),
        (None, None) => {}
    }
    text.push('\n');
    text
}
