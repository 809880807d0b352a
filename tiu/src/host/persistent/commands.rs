//! Commands with which an administrator gives a persistent path a subvolume. They fit this host:
//! its fstab shows where its subvolumes are.

use tiu_system::fstab::Mount;
use tiu_system::path::TreePath;

/// Returns lines that make a subvolume, copy the content of the directory in the snapshot to it,
/// and mount it now and at each boot. Empty if `mounts` does not show where the host keeps its
/// subvolumes, or if fstab(5) cannot name the path.
pub fn commands(mounts: &[Mount], path: &TreePath) -> Vec<String> {
    let (Some((source, top)), Some(path)) = (subvolumes(mounts), path.to_str()) else { return Vec::new() };
    // A comma would end the mount option.
    if path.contains(',') {
        return Vec::new();
    }
    let subvolume = if top.is_empty() { path.to_owned() } else { format!("{top}/{path}") };
    let line = format!("{} /{} btrfs subvol=/{} 0 0", escaped(source), escaped(path), escaped(&subvolume));
    let new = quoted(&format!("/mnt/{subvolume}"));
    let here = quoted(&format!("/{path}"));
    let mut lines = vec![format!("mount -o subvolid=5 {} /mnt", quoted(source))];
    if let Some((parent, _)) = subvolume.rsplit_once('/').filter(|(parent, _)| *parent != top) {
        lines.push(format!("mkdir -p {}", quoted(&format!("/mnt/{parent}"))));
    }
    lines.extend([
        format!("btrfs subvolume create {new}"),
        format!("cp -aT --reflink=auto {here} {new}"),
        "umount /mnt".to_owned(),
        format!("printf '%s\\n' {} >> /etc/fstab", quoted(&line)),
        format!("mount {here}"),
    ]);
    lines
}

/// Returns the device, as fstab names it, and the subvolume that contains the host's subvolumes
/// (`@`): the one with its snapshots.
fn subvolumes(mounts: &[Mount]) -> Option<(&str, &str)> {
    let mount =
        mounts.iter().find(|mount| mount.path().as_deref() == Some(TreePath::literal(".snapshots")))?;
    let subvol = mount.options.iter().find_map(|option| option.strip_prefix("subvol="))?;
    let top = subvol.trim_start_matches('/').strip_suffix(".snapshots")?;
    Some((&mount.source, top.trim_end_matches('/')))
}

/// Returns `text` with blanks and backslashes as fstab(5) writes them.
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        ' ' | '\t' | '\n' | '\\' | '#' => format!("\\{:03o}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// Returns `text` quoted for a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=@:+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiu_system::fstab;

    fn commands(mounts: &[Mount], path: &'static str) -> Vec<String> {
        super::commands(mounts, TreePath::literal(path))
    }

    #[test]
    fn a_microos_host() {
        let mounts =
            fstab::parse("UUID=1 / btrfs ro 0 0\nUUID=1 /.snapshots btrfs subvol=/@/.snapshots 0 0\n");
        assert_eq!(
            commands(&mounts, "data"),
            [
                "mount -o subvolid=5 UUID=1 /mnt",
                "btrfs subvolume create /mnt/@/data",
                "cp -aT --reflink=auto /data /mnt/@/data",
                "umount /mnt",
                "printf '%s\\n' 'UUID=1 /data btrfs subvol=/@/data 0 0' >> /etc/fstab",
                "mount /data",
            ]
        );
        assert_eq!(commands(&mounts, "export/home")[1], "mkdir -p /mnt/@/export");
    }

    #[test]
    fn subvolumes_at_the_top_and_names_that_need_care() {
        let mounts = fstab::parse("LABEL=a\\040b /.snapshots btrfs ro,subvol=.snapshots 0 0\n");
        let lines = commands(&mounts, "it's $x");
        assert_eq!(lines[0], "mount -o subvolid=5 'LABEL=a b' /mnt");
        assert_eq!(lines[1], r"btrfs subvolume create '/mnt/it'\''s $x'");
        let line = r"LABEL=a\040b /it's\040$x btrfs subvol=/it's\040$x 0 0";
        assert_eq!(lines[4], format!("printf '%s\\n' {} >> /etc/fstab", quoted(line)));
        let again = fstab::parse(line);
        assert_eq!(
            (&*again[0].source, again[0].path().as_deref()),
            ("LABEL=a b", Some(TreePath::literal("it's $x")))
        );
    }

    #[test]
    fn hosts_and_paths_without_commands() {
        for text in ["", "UUID=1 /.snapshots btrfs defaults 0 0", "UUID=1 /.snapshots btrfs subvol=/@/x 0 0"]
        {
            assert!(commands(&fstab::parse(text), "data").is_empty(), "{text}");
        }
        assert!(commands(&fstab::parse("U /.snapshots btrfs subvol=@/.snapshots"), "a,b").is_empty());
    }
}
