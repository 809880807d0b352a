//! The arguments of the kernel.

/// The defaults of every entry, unless the host has others: a boot that fails must end, so that
/// the boot loader can count it.
const DEFAULTS: [(&str, &str); 4] =
    [("panic", "10"), ("rd.shell", "0"), ("rd.emergency", "reboot"), ("rd.timeout", "90")];

/// Returns the arguments of an entry: those of the host, with the root filesystem if they do not
/// name one, and with `subvolume` (its path from the top of the filesystem).
pub fn arguments(host: &str, filesystem: &str, subvolume: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut flags: Vec<String> = Vec::new();
    let mut place = None;
    for word in split(host) {
        match word.split_once('=') {
            Some(("rootflags", list)) => {
                let others = list.split(',').filter(|flag| !is_subvolume(flag) && !flag.is_empty());
                flags.extend(others.map(str::to_owned));
                place.get_or_insert(words.len());
            }
            Some(("BOOT_IMAGE" | "initrd", _)) => {}
            _ => words.push(word),
        }
    }
    let has = |words: &[String], key: &str| {
        words.iter().any(|word| word.split('=').next().is_some_and(|found| found == key))
    };
    flags.push(format!("subvol={subvolume}"));
    // Where it was: arguments that are made of these stay the same.
    words.insert(place.unwrap_or(words.len()), format!("rootflags={}", flags.join(",")));
    if !has(&words, "root") {
        words.insert(0, format!("root=UUID={filesystem}"));
    }
    for (key, value) in DEFAULTS {
        if !has(&words, key) {
            words.push(format!("{key}={value}"));
        }
    }
    words.join(" ")
}

/// Returns the path of the subvolume that `options` name, and the value of `root=`.
pub fn root_of(options: &str) -> (Option<String>, Option<String>) {
    let (mut root, mut subvolume) = (None, None);
    for word in split(options) {
        match word.split_once('=') {
            Some(("root", value)) => root = Some(value.to_owned()),
            Some(("rootflags", list)) => {
                let path = list.split(',').rev().find_map(|flag| flag.strip_prefix("subvol="));
                subvolume = path.map(|path| path.trim_matches('/').to_owned()).or(subvolume);
            }
            _ => {}
        }
    }
    (root, subvolume)
}

fn is_subvolume(flag: &str) -> bool {
    flag.starts_with("subvol=") || flag.starts_with("subvolid=")
}

/// Splits at white space, except between double quotes, as the kernel does. Drops characters that
/// would end the line of an entry.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in text.chars() {
        if c == '"' {
            quoted = !quoted;
        }
        if (c.is_whitespace() && !quoted) || c.is_control() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
        } else {
            word.push(c);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: &str = "panic=10 rd.shell=0 rd.emergency=reboot rd.timeout=90";

    #[test]
    fn the_hosts_arguments_stay_and_the_root_is_the_snapshot() {
        let made = |host: &str| arguments(host, "U", "@/.snapshots/2/snapshot");
        let subvolume = "rootflags=subvol=@/.snapshots/2/snapshot";
        assert_eq!(made(""), format!("root=UUID=U {subvolume} {END}"));
        assert_eq!(made("root=PARTUUID=7 quiet ro\n"), format!("root=PARTUUID=7 quiet ro {subvolume} {END}"));
        assert_eq!(
            made("BOOT_IMAGE=/x root=UUID=U rootflags=subvol=@/old,compress=zstd initrd=/i a=\"b c\""),
            format!("root=UUID=U rootflags=compress=zstd,subvol=@/.snapshots/2/snapshot a=\"b c\" {END}")
        );
        assert_eq!(
            made("panic=60 rd.timeout=0"),
            format!("root=UUID=U panic=60 rd.timeout=0 {subvolume} rd.shell=0 rd.emergency=reboot")
        );
        assert!(made("rootflags=subvolid=5").contains(&format!(" {subvolume} ")));
    }

    #[test]
    fn arguments_are_stable_when_they_are_made_of_themselves() {
        let once = arguments("root=UUID=U ro rootflags=noatime", "U", "@/.snapshots/1/snapshot");
        assert_eq!(arguments(&once, "U", "@/.snapshots/1/snapshot"), once);
    }

    #[test]
    fn no_argument_ends_the_line() {
        assert!(!arguments("a\nb \"c\nd\" e\u{7}f", "U", "@").contains(['\n', '\u{7}']));
    }

    #[test]
    fn root_and_subvolume_are_found() {
        let found = root_of("quiet root=UUID=u rootflags=ro,subvol=/@/.snapshots/3/snapshot");
        assert_eq!(found, (Some("UUID=u".into()), Some("@/.snapshots/3/snapshot".into())));
        assert_eq!(root_of("quiet rootflags=ro"), (None, None));
    }
}
