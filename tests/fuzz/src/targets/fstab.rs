//! fstab(5).

use tiu_system::fstab::{Mount, parse};

/// Words of an fstab.
pub const WORDS: &[&str] = &[
    "/usr", "/boot ", "\\040", "\\134", "none", " swap ", "bind", "#", "\n", "\t", "/../", "subvol=",
    "\u{a0}",
];

/// Reads the text. What is read can be written again and means the same; mount points stay inside
/// the tree.
pub fn check(data: &[u8]) -> bool {
    let mounts = parse(&String::from_utf8_lossy(data));
    for mount in &mounts {
        if let Some(path) = mount.path() {
            let names: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
            assert!(!names.iter().any(|name| matches!(*name, b"" | b"." | b"..")), "{mount:?}");
        }
    }
    let text: String = mounts.iter().map(line).collect();
    assert_eq!(parse(&text), mounts);
    true
}

fn line(mount: &Mount) -> String {
    let options: Vec<String> = mount.options.iter().map(|option| escape(option)).collect();
    [&escape(&mount.source), &escape(&mount.target), &escape(&mount.fstype), &options.join(",")]
        .map(String::as_str)
        .join(" ")
        + "\n"
}

fn escape(field: &str) -> String {
    let one = |c: char| match c {
        ' ' | '\t' | '\n' | '\r' | '\\' | '#' | ',' => format!("\\{:03o}", u32::from(c)),
        _ => c.to_string(),
    };
    field.chars().map(one).collect()
}
