//! fstab(5).

use tiu_system::fstab::{Mount, check as check_lines, parse, swap_files};

/// Words of an fstab.
pub const WORDS: &[&str] = &[
    "/usr", "/boot ", "\\040", "\\134", "none", " swap ", "bind", "#", "\n", "\t", "/../", "subvol=",
    "\u{a0}",
];

/// Reads the text. What is read can be written again and means the same; mount points stay inside
/// the tree.
pub fn check(data: &[u8]) -> bool {
    let text = String::from_utf8_lossy(data);
    let mounts = parse(&text);
    // A file in which each line can be parsed loses none but swap and what is mounted nowhere.
    if check_lines(&text).is_ok() {
        let lines = text.lines().map(|line| line.trim_matches([' ', '\t', '\r']));
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let nowhere = |line: &&str| {
            let target = line.split([' ', '\t']).filter(|field| !field.is_empty()).nth(1);
            matches!(target, Some("none" | "swap"))
        };
        assert_eq!(mounts.len(), lines.filter(|line| !nowhere(line)).count());
    }
    assert!(swap_files(&text).iter().all(|path| path.starts_with('/')));
    for mount in &mounts {
        if let Some(path) = mount.path() {
            assert!(!path.is_root(), "{mount:?}");
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
