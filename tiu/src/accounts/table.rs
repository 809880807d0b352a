//! One of the six files, line by line. Entries are read strictly; a line that is none (a comment, a NIS line, something broken) is never
//! mended nor lost, and the text comes out as it went in but for what is inserted or changed on purpose.
//!
//! Formats: passwd(5), group(5), shadow(5), gshadow(5), subuid(5). Lines that begin with `+` or `-` are nsswitch.conf's `compat`.

use super::file::File;
use std::borrow::Cow;
use std::collections::HashMap;

/// Highest number that a user or group can have; the one above means "none" to chown(2).
const MAX_NUMBER: u32 = u32::MAX - 1;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An entry with all its fields.
    Entry,
    /// Empty, or a comment.
    Comment,
    /// `+...` or `-...`.
    Nis,
    /// Anything else.
    Broken,
}

/// One line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    bytes: Cow<'a, [u8]>,
    kind: Kind,
}

impl Line<'_> {
    /// Field `i`, counted from 0; empty where there is none.
    pub fn field(&self, i: usize) -> &[u8] {
        self.bytes.split(|c| *c == b':').nth(i).unwrap_or_default()
    }

    /// The first field.
    pub fn name(&self) -> &[u8] {
        self.field(0)
    }

    /// Field `i` as a number.
    pub fn number(&self, i: usize) -> Option<u32> {
        number(self.field(i))
    }

    /// The names in field `i`, between commas.
    pub fn names(&self, i: usize) -> impl Iterator<Item = &[u8]> {
        self.field(i).split(|c| *c == b',').filter(|name| !name.is_empty())
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A file.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    file: File,
    lines: Vec<Line<'a>>,
    /// The first entry with a name, else the first broken line, for who reads less strictly sees a name there.
    by_name: HashMap<Vec<u8>, usize>,
    /// Whether the last line has an end.
    ended: bool,
}

impl<'a> Table<'a> {
    /// Reads any text.
    pub fn parse(file: File, text: &'a [u8]) -> Self {
        let line = |bytes| Line { bytes: Cow::Borrowed(bytes), kind: kind(file, bytes) };
        let mut lines: Vec<Line> = text.split(|c| *c == b'\n').map(line).collect();
        let ended = text.is_empty() || text.ends_with(b"\n");
        if ended {
            // What follows the last end is no line.
            lines.pop();
        }
        let mut table = Table { file, lines, by_name: HashMap::new(), ended };
        table.learn_names();
        table
    }

    fn learn_names(&mut self) {
        self.by_name.clear();
        for kind in [Kind::Entry, Kind::Broken] {
            for (i, line) in self.lines.iter().enumerate().filter(|(_, line)| line.kind == kind) {
                self.by_name.entry(line.name().to_vec()).or_insert(i);
            }
        }
    }

    /// Entries, with their places.
    pub fn entries(&self) -> impl Iterator<Item = (usize, &Line<'a>)> {
        self.lines.iter().enumerate().filter(|(_, line)| line.kind == Kind::Entry)
    }

    /// Lines that may name something, as others read them: entries and broken ones.
    pub fn readable(&self) -> impl Iterator<Item = &Line<'a>> {
        self.lines.iter().filter(|line| matches!(line.kind, Kind::Entry | Kind::Broken))
    }

    /// Numbers of the broken lines, counted from 1.
    pub fn broken(&self) -> impl Iterator<Item = usize> {
        self.lines.iter().zip(1..).filter(|(line, _)| line.kind == Kind::Broken).map(|(_, number)| number)
    }

    /// The first line with `name`, an entry or broken.
    pub fn find(&self, name: &[u8]) -> Option<(usize, &Line<'a>)> {
        let i = *self.by_name.get(name)?;
        Some((i, self.lines.get(i)?))
    }

    /// The line at a place.
    pub fn line(&self, i: usize) -> Option<&Line<'a>> {
        self.lines.get(i)
    }

    /// Replaces the bytes of an entry; the name must stay.
    pub fn replace(&mut self, i: usize, bytes: Vec<u8>) {
        if let Some(line) = self.lines.get_mut(i) {
            line.bytes = Cow::Owned(bytes);
        }
    }

    /// Adds entries where they count: at the end, but before NIS lines, which speak of all that is not above them.
    pub fn insert(&mut self, entries: Vec<Vec<u8>>) {
        if entries.is_empty() {
            return;
        }
        let at = self.lines.iter().position(|line| line.kind == Kind::Nis).unwrap_or(self.lines.len());
        if at == self.lines.len() {
            self.ended = true;
        }
        let file = self.file;
        let line = |bytes: Vec<u8>| Line { kind: kind(file, &bytes), bytes: Cow::Owned(bytes) };
        self.lines.splice(at..at, entries.into_iter().map(line));
        self.learn_names();
    }

    /// The text.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = self.lines.iter().map(|line| &*line.bytes).collect::<Vec<_>>().join(&b'\n');
        if self.ended && !self.lines.is_empty() {
            text.push(b'\n');
        }
        text
    }
}

fn kind(file: File, line: &[u8]) -> Kind {
    let fields = line.split(|c| *c == b':').count();
    let numbers = |places: &[usize]| {
        places.iter().all(|i| line.split(|c| *c == b':').nth(*i).is_some_and(|field| number(field).is_some()))
    };
    let named = line.split(|c| *c == b':').next().is_some_and(|name| {
        !name.is_empty() && !name.iter().any(|c| c.is_ascii_whitespace() || c.is_ascii_control())
    });
    match (line.trim_ascii_start().first(), file) {
        (None | Some(b'#'), _) => Kind::Comment,
        (Some(b'+' | b'-'), File::Passwd | File::Group | File::Shadow | File::Gshadow) => Kind::Nis,
        (_, File::Passwd) if named && fields == 7 && numbers(&[2, 3]) => Kind::Entry,
        (_, File::Group) if named && fields == 4 && numbers(&[2]) => Kind::Entry,
        (_, File::Shadow) if named && fields == 9 => Kind::Entry,
        (_, File::Gshadow) if named && fields == 4 => Kind::Entry,
        (_, File::Subuid | File::Subgid) if named && fields == 3 && numbers(&[1, 2]) => Kind::Entry,
        _ => Kind::Broken,
    }
}

/// Decimal digits, at most [`MAX_NUMBER`].
pub fn number(field: &[u8]) -> Option<u32> {
    let digits = !field.is_empty() && field.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(field).ok().filter(|_| digits)?.parse().ok()?;
    (number <= MAX_NUMBER).then_some(number)
}
