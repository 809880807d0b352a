//! An account file, line by line. Entries are read strictly. Any other line (a comment, a NIS line,
//! a broken line) is kept as it is. The text is written as it was read, except for what was
//! inserted or changed on purpose.
//!
//! Formats: passwd(5), group(5), shadow(5), gshadow(5), subuid(5). Lines that begin with `+` or `-`
//! are nsswitch.conf's `compat`.

use super::file::AccountFile;
use super::steps;
use std::borrow::Cow;
use std::collections::HashMap;

/// The highest number of a user or group; to chown(2), the number above it means "none".
const MAX_NUMBER: u32 = u32::MAX - 1;

/// The kind of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// An entry with all its fields.
    Entry,
    /// Empty, or a comment.
    Comment,
    /// `+...` or `-...`.
    Nis,
    /// Any other line.
    Broken,
}

/// One line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    bytes: Cow<'a, [u8]>,
    kind: LineKind,
}

impl Line<'_> {
    /// Returns field `i`, counted from 0; empty if the line has no such field.
    pub fn field(&self, i: usize) -> &[u8] {
        steps::count();
        self.bytes.split(|c| *c == b':').nth(i).unwrap_or_default()
    }

    /// Returns the first field.
    pub fn name(&self) -> &[u8] {
        self.field(0)
    }

    /// Returns field `i` as a number.
    pub fn number(&self, i: usize) -> Option<u32> {
        number(self.field(i))
    }

    /// Returns the names in field `i`, which commas separate.
    pub fn names(&self, i: usize) -> impl Iterator<Item = &[u8]> {
        self.field(i).split(|c| *c == b',').filter(|name| !name.is_empty()).inspect(|_| steps::count())
    }

    /// Returns the kind of the line.
    pub fn kind(&self) -> LineKind {
        self.kind
    }

    /// Returns the whole line.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// An account file.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    file: AccountFile,
    lines: Vec<Line<'a>>,
    /// For each name the first entry, else the first broken line: less strict readers see a name
    /// there.
    by_name: HashMap<Vec<u8>, usize>,
    /// True if the last line ends with a newline.
    ended: bool,
}

impl<'a> Table<'a> {
    /// Reads a file; any text is valid.
    pub fn parse(file: AccountFile, text: &'a [u8]) -> Self {
        let line = |bytes| Line { bytes: Cow::Borrowed(bytes), kind: kind(file, bytes) };
        let mut lines: Vec<Line> = text.split(|c| *c == b'\n').map(line).collect();
        let ended = text.is_empty() || text.ends_with(b"\n");
        if ended {
            // Nothing follows the last newline.
            lines.pop();
        }
        let mut table = Table { file, lines, by_name: HashMap::new(), ended };
        table.learn_names();
        table
    }

    fn learn_names(&mut self) {
        self.by_name.clear();
        for kind in [LineKind::Entry, LineKind::Broken] {
            for (i, line) in self.lines.iter().enumerate().filter(|(_, line)| line.kind == kind) {
                self.by_name.entry(line.name().to_vec()).or_insert(i);
            }
        }
    }

    /// Returns the entries with their positions.
    pub fn entries(&self) -> impl Iterator<Item = (usize, &Line<'a>)> {
        self.lines.iter().enumerate().filter(|(_, line)| line.kind == LineKind::Entry)
    }

    /// Returns the lines in which another program may see a name: entries and broken lines.
    pub fn readable(&self) -> impl Iterator<Item = &Line<'a>> {
        self.lines.iter().filter(|line| matches!(line.kind, LineKind::Entry | LineKind::Broken))
    }

    /// Returns the numbers of the broken lines, counted from 1.
    pub fn broken(&self) -> impl Iterator<Item = usize> {
        self.lines.iter().zip(1..).filter(|(line, _)| line.kind == LineKind::Broken).map(|(_, number)| number)
    }

    /// Returns the first line with `name`, an entry or a broken line.
    pub fn find(&self, name: &[u8]) -> Option<(usize, &Line<'a>)> {
        let i = *self.by_name.get(name)?;
        Some((i, self.lines.get(i)?))
    }

    /// Returns the line at position `i`.
    pub fn line(&self, i: usize) -> Option<&Line<'a>> {
        self.lines.get(i)
    }

    /// Replaces the bytes of an entry; the name must stay the same.
    pub fn replace(&mut self, i: usize, bytes: Vec<u8>) {
        if let Some(line) = self.lines.get_mut(i) {
            line.bytes = Cow::Owned(bytes);
        }
    }

    /// Adds entries where they take effect: at the end, but before NIS lines, which cover all names
    /// that no line above has.
    pub fn insert(&mut self, entries: Vec<Vec<u8>>) {
        if entries.is_empty() {
            return;
        }
        let at = self.lines.iter().position(|line| line.kind == LineKind::Nis).unwrap_or(self.lines.len());
        if at == self.lines.len() {
            self.ended = true;
        }
        let file = self.file;
        let line = |bytes: Vec<u8>| Line { kind: kind(file, &bytes), bytes: Cow::Owned(bytes) };
        self.lines.splice(at..at, entries.into_iter().map(line));
        self.learn_names();
    }

    /// Returns the text of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = self.lines.iter().map(|line| &*line.bytes).collect::<Vec<_>>().join(&b'\n');
        if self.ended && !self.lines.is_empty() {
            text.push(b'\n');
        }
        text
    }
}

fn kind(file: AccountFile, line: &[u8]) -> LineKind {
    let fields = line.split(|c| *c == b':').count();
    let numbers = |places: &[usize]| {
        places.iter().all(|i| line.split(|c| *c == b':').nth(*i).is_some_and(|field| number(field).is_some()))
    };
    let named = line.split(|c| *c == b':').next().is_some_and(|name| {
        !name.is_empty() && !name.iter().any(|c| c.is_ascii_whitespace() || c.is_ascii_control())
    });
    match (line.trim_ascii_start().first(), file) {
        (None | Some(b'#'), _) => LineKind::Comment,
        (
            Some(b'+' | b'-'),
            AccountFile::Passwd | AccountFile::Group | AccountFile::Shadow | AccountFile::Gshadow,
        ) => LineKind::Nis,
        (_, AccountFile::Passwd) if named && fields == 7 && numbers(&[2, 3]) => LineKind::Entry,
        (_, AccountFile::Group) if named && fields == 4 && numbers(&[2]) => LineKind::Entry,
        (_, AccountFile::Shadow) if named && fields == 9 => LineKind::Entry,
        (_, AccountFile::Gshadow) if named && fields == 4 => LineKind::Entry,
        (_, AccountFile::Subuid | AccountFile::Subgid) if named && fields == 3 && numbers(&[1, 2]) => {
            LineKind::Entry
        }
        _ => LineKind::Broken,
    }
}

/// Reads a number of decimal digits, at most [`MAX_NUMBER`].
pub fn number(field: &[u8]) -> Option<u32> {
    let digits = !field.is_empty() && field.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(field).ok().filter(|_| digits)?.parse().ok()?;
    (number <= MAX_NUMBER).then_some(number)
}
