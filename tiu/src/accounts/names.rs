//! Owners by name: where a user or group has another number on the host than in the image, files get the host's number.
//!
//! This matters only where the host keeps its own `/etc/passwd` or `/etc/group`; otherwise the image's files, and so its numbers, are
//! the host's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Names and numbers of passwd(5) or group(5), as far as both give them at the same places.
#[derive(Debug, Default)]
pub struct Names {
    by_name: HashMap<Vec<u8>, u32>,
    by_number: HashMap<u32, Vec<u8>>,
}

impl Names {
    /// Reads `name:x:number:...` lines. The first of two lines with one name or number counts, as for the C library.
    pub fn parse(text: &[u8]) -> Self {
        let mut names = Names::default();
        for line in text.split(|c| *c == b'\n') {
            let mut fields = line.split(|c| *c == b':');
            let (Some(name), Some(number)) = (fields.next(), fields.nth(1)) else { continue };
            let number = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
            let (false, Some(number)) = (name.is_empty() || name.starts_with(b"#"), number) else { continue };
            if let Entry::Vacant(slot) = names.by_name.entry(name.to_owned()) {
                slot.insert(number);
                names.by_number.entry(number).or_insert_with(|| name.to_owned());
            }
        }
        names
    }
}

/// A number of the image that means somebody else on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The number.
    pub number: u32,
    /// Whose it is in the image; the host does not know the name.
    pub image: String,
    /// Whose it is on the host.
    pub host: String,
}

/// How the image's numbers become the host's: those that differ, and those that cannot be mapped.
pub fn map(image: &Names, host: &Names) -> (HashMap<u32, u32>, Vec<Clash>) {
    let mut numbers = HashMap::new();
    let mut clashes = Vec::new();
    for (&number, name) in &image.by_number {
        match (host.by_name.get(name), host.by_number.get(&number)) {
            (Some(&other), _) if other != number => {
                numbers.insert(number, other);
            }
            (Some(_), _) | (None, None) => {}
            (None, Some(holder)) => clashes.push(Clash {
                number,
                image: String::from_utf8_lossy(name).into_owned(),
                host: String::from_utf8_lossy(holder).into_owned(),
            }),
        }
    }
    clashes.sort_by_key(|clash| clash.number);
    (numbers, clashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_names() {
        let image = Names::parse(b"root:x:0:0:root:/root:/bin/sh\nchrony:x:104:110::/:\nntp:x:105:111::/:\n");
        let host = Names::parse(b"root:x:0:0:root:/root:/bin/bash\nntp:x:104:9::/:\nada:x:1000:100::/:\n");
        let (numbers, clashes) = map(&image, &host);
        assert_eq!(numbers, HashMap::from([(105, 104)]));
        assert_eq!(clashes, [Clash { number: 104, image: "chrony".into(), host: "ntp".into() }]);
    }

    #[test]
    fn a_new_name_with_a_free_number_keeps_it() {
        let (numbers, clashes) = map(&Names::parse(b"new:x:300:\n"), &Names::parse(b"old:x:301:\n"));
        assert!(numbers.is_empty() && clashes.is_empty());
    }

    #[test]
    fn damaged_lines_are_passed_over() {
        let names = Names::parse(
            b"\n:x:1\n#a:x:2\nb\nc:x\nd:x:\ne:x:-1\nf:x:99999999999\n+::::::\n\xff:x:7:\ng:x:7:\n",
        );
        assert_eq!(names.by_name.len(), 2);
        assert_eq!(names.by_number.get(&7).unwrap(), b"\xff");
    }
}
