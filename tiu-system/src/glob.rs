//! Patterns that name paths of a tree, as the recipe's `exclude` has them.
//!
//! A pattern starts with `/` and is compared with the whole path. `*` stands for any characters but `/`, `?` for one of
//! them, `[a-z]` and `[!a-z]` for one of (or not of) a class, `**` for anything at all, and `\` takes a special
//! character's meaning away. A pattern that matches a directory takes everything below it along; `/dir/*` takes
//! what is in a directory but leaves the directory. Paths are bytes: a pattern's `?` is one byte.

use crate::hints;

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    TrailingSlash(_) => "leave the last `/` away; `/dir/*` takes what is in a directory but not itself",
    OpenClass(_) => "write `\\[` for the character itself",
    TrailingBackslash(_) => "write `\\\\` for the character itself",
} }

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Byte(u8),
    /// `?`
    One,
    /// `[...]`: negated, ranges.
    Class(bool, Vec<(u8, u8)>),
    /// `*`
    Many,
    /// `**`
    Anything,
    /// `**/` where a name starts: any number of directories, none too.
    Directories,
}

impl Part {
    /// Whether it takes `byte` (of parts that take exactly one).
    fn takes(&self, byte: u8) -> bool {
        match self {
            Part::Byte(expected) => *expected == byte,
            Part::One => byte != b'/',
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
    /// Reads a pattern.
    pub fn new(source: &str) -> Result<Self, GlobError> {
        let owned = || source.to_owned();
        let Some(pattern) = source.strip_prefix('/') else {
            return Err(GlobError::NotAbsolute(owned()));
        };
        if pattern.is_empty() || pattern.ends_with('/') {
            return Err(GlobError::TrailingSlash(owned()));
        }
        let mut parts = Vec::new();
        let mut bytes = pattern.bytes().peekable();
        while let Some(byte) = bytes.next() {
            parts.push(match byte {
                b'?' => Part::One,
                b'*' if bytes.next_if_eq(&b'*').is_some() => {
                    while bytes.next_if_eq(&b'*').is_some() {}
                    let at_name = parts.last().is_none_or(|part| *part == Part::Byte(b'/'));
                    match at_name && bytes.next_if_eq(&b'/').is_some() {
                        true => Part::Directories,
                        false => Part::Anything,
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

    /// The pattern as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the pattern matches `path` (without a leading slash) or a directory above it.
    pub fn matches(&self, path: &[u8]) -> bool {
        // Every part is a state that is reached or not: no pattern takes longer than parts times bytes.
        let mut reached = vec![false; self.parts.len() + 1];
        self.reach(&mut reached, 0);
        for (i, byte) in path.iter().enumerate() {
            // A state that took everything before this slash matched a directory above.
            if *byte == b'/' && i > 0 && reached.last() == Some(&true) {
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
        yes.iter().for_each(|path| assert!(glob.matches(path.as_bytes()), "{pattern} must match {path}"));
        no.iter().for_each(|path| assert!(!glob.matches(path.as_bytes()), "{pattern} must not match {path}"));
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
        assert!(!glob.matches("a".repeat(2000).as_bytes()));
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
