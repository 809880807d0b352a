//! Reads dpkg's database, the text file `status` (format: deb-control(5), fields: dpkg-query(1)),
//! and compares its versions (deb-version(7)).

use super::package::Package;
use std::cmp::Ordering;
use tiu_system::path::TreePath;

/// The possible paths of the file in a tree without `/var`: next to rpm's, in the defaults for
/// `/var`, or in `/var`.
pub const STATUS: [&TreePath; 3] = [
    TreePath::literal("usr/lib/sysimage/dpkg/status"),
    TreePath::literal("usr/share/factory/var/lib/dpkg/status"),
    TreePath::literal("var/lib/dpkg/status"),
];
/// Largest file that is read, in bytes: ten times that of a large desktop.
pub const MAX_SIZE: u64 = 64 << 20;

/// Returns the packages that have files on the disk. Ignores paragraphs without a name and a
/// version.
pub fn parse(text: &str) -> Vec<Package> {
    let mut packages = Vec::new();
    let mut fields = Fields::default();
    for line in text.lines().chain([""]) {
        if line.trim().is_empty() {
            packages.extend(std::mem::take(&mut fields).package());
        } else if !line.starts_with([' ', '\t'])
            && let Some((name, value)) = line.split_once(':')
        {
            fields.set(name, value.trim());
        }
    }
    packages
}

/// The fields of a paragraph that count.
#[derive(Default)]
struct Fields<'a> {
    package: Option<&'a str>,
    version: Option<&'a str>,
    architecture: Option<&'a str>,
    status: Option<&'a str>,
}

impl<'a> Fields<'a> {
    fn set(&mut self, name: &str, value: &'a str) {
        let field = match name.to_ascii_lowercase().as_str() {
            "package" => &mut self.package,
            "version" => &mut self.version,
            "architecture" => &mut self.architecture,
            "status" => &mut self.status,
            _ => return,
        };
        *field = Some(value);
    }

    fn package(self) -> Option<Package> {
        // "install ok installed": want, error flag, state.
        let state = self.status.and_then(|status| status.split_whitespace().nth(2)).unwrap_or("installed");
        let own = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        (!matches!(state, "not-installed" | "config-files")).then_some(Package {
            name: own(self.package)?,
            arch: own(self.architecture).unwrap_or_default(),
            version: own(self.version)?,
        })
    }
}

/// Compares two versions by epoch, upstream version and revision; the newer one is greater.
pub fn compare(a: &str, b: &str) -> Ordering {
    let split = |text| -> (&str, &str, &str) {
        let (epoch, rest) = str::split_once(text, ':').unwrap_or(("", text));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
        (epoch, upstream, revision)
    };
    let (a, b) = (split(a), split(b));
    part(a.0.as_bytes(), b.0.as_bytes())
        .then_with(|| part(a.1.as_bytes(), b.1.as_bytes()))
        .then_with(|| part(a.2.as_bytes(), b.2.as_bytes()))
}

/// Compares runs of other characters by [`weight`] and runs of digits as numbers of any length, in
/// turn.
fn part(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        loop {
            let first = |text: &[u8]| text.first().copied().filter(|c| !c.is_ascii_digit());
            let (x, y) = (first(a), first(b));
            if x.is_none() && y.is_none() {
                break;
            }
            match weight(x).cmp(&weight(y)) {
                Ordering::Equal => {}
                order => return order,
            }
            (a, b) = (a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default());
        }
        let number = |text: &mut &[u8]| -> Vec<u8> {
            let (digits, rest) = text.split_at(text.iter().take_while(|c| c.is_ascii_digit()).count());
            *text = rest;
            digits.iter().copied().skip_while(|c| *c == b'0').collect()
        };
        let (x, y) = (number(&mut a), number(&mut b));
        match x.len().cmp(&y.len()).then(x.cmp(&y)) {
            Ordering::Equal => {}
            order => return order,
        }
    }
    Ordering::Equal
}

/// Orders `~` before the end, the end before letters, and letters before all other characters.
fn weight(c: Option<u8>) -> u16 {
    match c {
        Some(b'~') => 0,
        None => 1,
        Some(c) if c.is_ascii_alphabetic() => 2 + u16::from(c),
        Some(c) => 300 + u16::from(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn names(text: &str) -> Vec<String> {
        parse(text).into_iter().map(|p| format!("{} {} {}", p.name, p.arch, p.version)).collect()
    }

    #[test]
    fn packages_with_files_are_installed_and_others_are_not() {
        let text = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-1\nDescription: x\n Package: no\n .\n\n\
                    Package: b\nStatus: deinstall ok config-files\nVersion: 2\n\nPackage: c\nStatus: install ok half-configured\n\
                    version: 3\nARCHITECTURE: all\n\n\n\nPackage: d\nVersion: 4\n";
        assert_eq!(names(text), ["a amd64 1-1", "c all 3", "d  4"]);
    }

    #[test]
    fn text_that_is_not_a_paragraph_is_ignored() {
        for text in [
            "",
            "\n\n",
            "Package: a",
            "Version: 1",
            "Package:\nVersion: 1",
            ":\n",
            "\0",
            " Package: a\n Version: 1",
        ] {
            assert_eq!(names(text), [""; 0], "{text:?}");
        }
    }

    #[test]
    fn orders_versions_as_dpkg_does() {
        let ascending = [
            "1.0~~", "1.0~rc1", "1.0", "1.0-1", "1.0-1+b1", "1.0a", "1.0+", "1.1", "1.10", "10", "1:0", "2:0",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} against {b}");
            }
        }
        assert_eq!(compare("1.0", "1.0-0"), Ordering::Equal);
        assert_eq!(compare("0:01", "1"), Ordering::Equal);
    }

    #[test]
    fn dpkg_itself_agrees() {
        let versions = [
            "0",
            "1",
            "1.0-1",
            "1.0~a",
            "1.0+a",
            "1.0-1~bpo12+1",
            "2:1.0",
            "1.a",
            "1.0.",
            "10.0-1",
            "1.0-01",
        ];
        for a in versions {
            for b in versions {
                let word = match compare(a, b) {
                    Ordering::Less => "lt",
                    Ordering::Equal => "eq",
                    Ordering::Greater => "gt",
                };
                let status = Command::new("dpkg").args(["--compare-versions", a, word, b]).status();
                let status = status
                    .expect("dpkg does not start: run this test on Debian, or install the package dpkg");
                assert!(status.success(), "{a} {word} {b}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_and_compared(text: String, a: String, b: String) {
            let packages = parse(&text);
            proptest::prop_assert!(packages.len() <= text.len());
            proptest::prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            proptest::prop_assert_eq!(compare(&a, &a), Ordering::Equal);
        }

        #[test]
        fn comparing_is_an_order(a in "[0-9a-c.~:+-]{0,8}", b in "[0-9a-c.~:+-]{0,8}", c in "[0-9a-c.~:+-]{0,8}") {
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                proptest::prop_assert!(compare(&a, &c).is_le(), "{} {} {}", a, b, c);
            }
        }

        #[test]
        fn paragraphs_of_known_fields_are_all_found(versions in proptest::collection::vec("[0-9a-z.~+-]{1,8}", 0..10)) {
            let text: String = versions.iter().enumerate().map(|(i, v)| format!("Package: p{i}\nVersion: {v}\n\n")).collect();
            let found: Vec<String> = parse(&text).into_iter().map(|p| p.version).collect();
            proptest::prop_assert_eq!(found, versions);
        }
    }
}
