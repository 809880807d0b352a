//! Patterns that name paths of a tree.
//!
//! A pattern starts with `/` and is compared with a whole path. There are two kinds:
//!
//! | | [`Glob::new`] | [`Glob::stars`] |
//! |---|---|---|
//! | for | the recipe's `exclude` | lists of paths in tiu.yaml and image.yaml |
//! | `*` | any characters except `/` | any characters except `/` |
//! | `?` | one character except `/` | itself |
//! | `[a-z]`, `[!a-z]` | one character of a class, or not of it | itself |
//! | `**` | any characters | as `*` |
//! | `\` | escapes a special character | itself |
//!
//! [`Glob::matches_exactly`] compares one path. [`Glob::covers`] is also true for everything below
//! a directory that matches: `/dir` covers the directory and what is in it, `/dir/*` only what is
//! in it. Paths are bytes, without a leading slash; a pattern's `?` is one byte.
//!
//! ```
//! use tiu_system::glob::Glob;
//!
//! let doc = Glob::new("/usr/**/doc-[0-9]")?;
//! assert!(doc.matches_exactly(b"usr/share/doc-1"));
//! assert!(doc.covers(b"usr/share/doc-1/index.html"));
//! let literal = Glob::stars("/etc/[a]*.conf")?;
//! assert!(literal.matches_exactly(b"etc/[a]b.conf") && !literal.covers(b"etc/a.conf"));
//! # Ok::<(), tiu_system::glob::GlobError>(())
//! ```

use crate::hints;

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlobError {
    /// Not an absolute path of the tree.
    #[error("the pattern {0:?} does not start with `/`")]
    NotAbsolute(String),
    /// It names the root or ends in a slash, so it would match nothing or everything.
    #[error("the pattern {0:?} ends in `/`")]
    TrailingSlash(String),
    /// `[` without `]`.
    #[error("the pattern {0:?} has a `[` without its `]`")]
    OpenClass(String),
    /// Nothing after the last backslash.
    #[error("the pattern {0:?} ends in a single `\\`")]
    TrailingBackslash(String),
}

hints! { GlobError {
    NotAbsolute(pattern) => format!("write `/{pattern}`, or `/**/{pattern}` for every directory"),
    TrailingSlash(_) => "remove the last `/`; `/dir/*` matches everything in a directory, but not the \
                         directory itself",
    OpenClass(_) => "write `\\[` for the character itself",
    TrailingBackslash(_) => "write `\\\\` for the character itself",
} }

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Byte(u8),
    /// `?`
    Single,
    /// `[...]`: negated, ranges.
    Class(bool, Vec<(u8, u8)>),
    /// `*`
    Many,
    /// `**`
    Anything,
    /// `**/` where a name starts: any number of directories, or none.
    Directories,
}

impl Part {
    /// Returns true if it takes `byte`, for parts that take exactly one.
    fn takes(&self, byte: u8) -> bool {
        match self {
            Part::Byte(expected) => *expected == byte,
            Part::Single => byte != b'/',
            Part::Class(negated, ranges) => {
                byte != b'/' && ranges.iter().any(|(from, to)| (*from..=*to).contains(&byte)) != *negated
            }
            Part::Many | Part::Anything | Part::Directories => false,
        }
    }
}

/// A pattern, ready for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    source: String,
    parts: Vec<Part>,
}

impl Glob {
    /// Reads a pattern in which only `*` is special.
    pub fn stars(source: &str) -> Result<Self, GlobError> {
        let part = |byte| if byte == b'*' { Part::Many } else { Part::Byte(byte) };
        Ok(Glob { source: source.to_owned(), parts: relative(source)?.bytes().map(part).collect() })
    }

    /// Reads a pattern with all special characters.
    pub fn new(source: &str) -> Result<Self, GlobError> {
        let owned = || source.to_owned();
        let pattern = relative(source)?;
        let mut parts = Vec::new();
        let mut bytes = pattern.bytes().peekable();
        while let Some(byte) = bytes.next() {
            parts.push(match byte {
                b'?' => Part::Single,
                b'*' if bytes.next_if_eq(&b'*').is_some() => {
                    while bytes.next_if_eq(&b'*').is_some() {}
                    let at_name = parts.last().is_none_or(|part| *part == Part::Byte(b'/'));
                    if at_name && bytes.next_if_eq(&b'/').is_some() {
                        Part::Directories
                    } else {
                        Part::Anything
                    }
                }
                b'*' => Part::Many,
                b'[' => class(&mut bytes).ok_or_else(|| GlobError::OpenClass(owned()))?,
                b'\\' => Part::Byte(bytes.next().ok_or_else(|| GlobError::TrailingBackslash(owned()))?),
                other => Part::Byte(other),
            });
        }
        Ok(Glob { source: owned(), parts })
    }

    /// Returns the pattern as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns true if the pattern matches the whole of `path`.
    pub fn matches_exactly(&self, path: &[u8]) -> bool {
        self.run(path, false)
    }

    /// Returns true if the pattern matches `path` or a directory above it.
    pub fn covers(&self, path: &[u8]) -> bool {
        self.run(path, true)
    }

    fn run(&self, path: &[u8], below: bool) -> bool {
        // Every part is a state that is reached or not: no pattern takes longer than parts times
        // bytes.
        let mut reached = vec![false; self.parts.len() + 1];
        self.reach(&mut reached, 0);
        for (i, byte) in path.iter().enumerate() {
            // A state that took everything before this slash matched a directory above.
            if below && *byte == b'/' && i > 0 && reached.last() == Some(&true) {
                return true;
            }
            let mut next = vec![false; reached.len()];
            for (state, part) in self.parts.iter().enumerate() {
                if reached.get(state) != Some(&true) {
                    continue;
                }
                match part {
                    Part::Many if *byte != b'/' => self.reach(&mut next, state),
                    Part::Anything => self.reach(&mut next, state),
                    // Stays until a slash ends a directory's name.
                    Part::Directories => {
                        set(&mut next, state);
                        if *byte == b'/' {
                            self.reach(&mut next, state + 1);
                        }
                    }
                    part if part.takes(*byte) => self.reach(&mut next, state + 1),
                    _ => {}
                }
            }
            reached = next;
        }
        reached.last() == Some(&true)
    }

    /// Marks `state`, and those after it that may take nothing.
    fn reach(&self, states: &mut [bool], state: usize) {
        set(states, state);
        match self.parts.get(state) {
            Some(Part::Many | Part::Anything) => self.reach(states, state + 1),
            // Only where it is first reached: at the start of a name.
            Some(Part::Directories) => self.reach(states, state + 1),
            _ => {}
        }
    }
}

/// Returns the pattern without its leading slash.
fn relative(source: &str) -> Result<&str, GlobError> {
    match source.strip_prefix('/') {
        None => Err(GlobError::NotAbsolute(source.to_owned())),
        Some(pattern) if pattern.is_empty() || pattern.ends_with('/') => {
            Err(GlobError::TrailingSlash(source.to_owned()))
        }
        Some(pattern) => Ok(pattern),
    }
}

fn set(states: &mut [bool], state: usize) {
    if let Some(slot) = states.get_mut(state) {
        *slot = true;
    }
}

/// The rest of `[...]`.
fn class(bytes: &mut std::iter::Peekable<std::str::Bytes>) -> Option<Part> {
    let negated = bytes.next_if(|b| matches!(b, b'!' | b'^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let from = match bytes.next()? {
            // First, it stands for itself.
            b']' if !ranges.is_empty() => return Some(Part::Class(negated, ranges)),
            b'\\' => bytes.next()?,
            other => other,
        };
        let mut to = from;
        if bytes.next_if_eq(&b'-').is_some() {
            match bytes.next_if(|b| *b != b']') {
                Some(b'\\') => to = bytes.next()?,
                Some(last) => to = last,
                None => ranges.push((b'-', b'-')),
            }
        }
        ranges.push((from, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let glob = Glob::new(pattern).expect("a good pattern");
        yes.iter().for_each(|path| assert!(glob.covers(path.as_bytes()), "{pattern} must match {path}"));
        no.iter().for_each(|path| assert!(!glob.covers(path.as_bytes()), "{pattern} must not match {path}"));
    }

    #[test]
    fn a_name_takes_what_is_below_it() {
        check(
            "/usr/share/doc",
            &["usr/share/doc", "usr/share/doc/a/b"],
            &["usr/share", "usr/share/docs", "doc"],
        );
    }

    #[test]
    fn a_star_stays_in_its_directory() {
        check("/var/*", &["var/a", "var/a/b", "var/.x"], &["var", "varx", ""]);
        check("/a/*.log", &["a/.log", "a/x.log", "a/x.log/y"], &["a/x.log2", "a/b/x.log", "a/xlog"]);
        check("/a*b*c", &["abc", "axxbxxc", "abbbcc"], &["ab", "a/bc"]);
    }

    #[test]
    fn two_stars_cross_directories() {
        check(
            "/**/__pycache__",
            &["__pycache__", "usr/__pycache__", "a/b/__pycache__/x"],
            &["a__pycache__", "usr/a__pycache__"],
        );
        check("/usr/**/*.a", &["usr/x.a", "usr/lib/x.a", "usr/lib/y/x.a"], &["usr/x.ab", "x.a"]);
        check("/usr/**", &["usr/a", "usr/a/b"], &["usr", "usrx"]);
    }

    #[test]
    fn classes_and_single_characters() {
        check("/a[0-9]?", &["a1x", "a99"], &["a1", "ax1", "a1/"]);
        check("/[!a-c]", &["d", "-"], &["a", "b", "dd"]);
        check("/[]x-]", &["]", "x", "-"], &["a"]);
        check(r"/a\*\[b", &["a*[b"], &["axb", r"a\*[b"]);
    }

    #[test]
    fn many_stars_take_no_time() {
        let glob = Glob::new(&format!("/{}b", "*a".repeat(60))).expect("a good pattern");
        assert!(!glob.covers("a".repeat(2000).as_bytes()));
    }

    #[test]
    fn only_the_path_itself_matches_exactly() {
        let glob = Glob::new("/a/*.log").expect("a good pattern");
        assert!(glob.matches_exactly(b"a/x.log"));
        assert!(glob.covers(b"a/x.log/below") && !glob.matches_exactly(b"a/x.log/below"));
        assert!(!glob.matches_exactly(b"a"));
    }

    fn star(pattern: &str) -> Glob {
        Glob::stars(pattern).expect("a good pattern")
    }

    #[test]
    fn in_lists_of_paths_only_the_star_is_special() {
        for (pattern, path, fits) in [
            ("/etc/ssh/ssh_host_*", "etc/ssh/ssh_host_rsa_key", true),
            ("/etc/ssh/ssh_host_*", "etc/ssh/ssh_host_a/b", false),
            ("/etc/*/x*.conf", "etc/app/x1.conf", true),
            ("/etc/*/x*.conf", "etc/app/y/x1.conf", false),
            ("/etc/fstab", "etc/fstab", true),
            ("/etc/fstab", "etc/fstab2", false),
            ("/etc/ab*ba", "etc/aba", false),
            ("/etc/**", "etc/a", true),
            ("/etc/**", "etc/a/b", false),
            ("/etc/[a]?\\*", "etc/[a]?\\x", true),
            ("/etc/[a]?", "etc/ax", false),
        ] {
            assert_eq!(star(pattern).matches_exactly(path.as_bytes()), fits, "{pattern} {path}");
        }
        assert!(star("/etc/*.d").covers(b"etc/x.d/a/b"));
        assert_eq!(Glob::stars("etc"), Err(GlobError::NotAbsolute("etc".into())));
        assert_eq!(Glob::stars("/etc/"), Err(GlobError::TrailingSlash("/etc/".into())));
    }

    proptest::proptest! {
        #[test]
        fn a_pattern_without_a_star_matches_itself_alone(pattern in "[a-c/]{0,5}[a-c]", path in "[a-c/]{0,6}") {
            let glob = star(&format!("/{pattern}"));
            proptest::prop_assert_eq!(glob.matches_exactly(path.as_bytes()), pattern == path);
        }

        #[test]
        fn a_path_matches_with_a_star_in_place_of_a_part(
            before in "[a-c/]{0,4}", part in "[a-c]{0,4}", after in "[a-c/]{0,3}[a-c]"
        ) {
            let path = format!("{before}{part}{after}");
            let glob = star(&format!("/{before}*{after}"));
            proptest::prop_assert!(glob.matches_exactly(path.as_bytes()));
        }
    }

    #[test]
    fn bad_patterns() {
        let error = |pattern: &str| Glob::new(pattern).expect_err("a bad pattern");
        assert_eq!(error("usr"), GlobError::NotAbsolute("usr".into()));
        assert_eq!(error(""), GlobError::NotAbsolute(String::new()));
        assert_eq!(error("/"), GlobError::TrailingSlash("/".into()));
        assert_eq!(error("/a/"), GlobError::TrailingSlash("/a/".into()));
        assert_eq!(error("/a[b"), GlobError::OpenClass("/a[b".into()));
        assert_eq!(error("/a[]"), GlobError::OpenClass("/a[]".into()));
        assert_eq!(error(r"/a\"), GlobError::TrailingBackslash(r"/a\".into()));
    }
}
