//! Accounts: the six files that name users and groups, merged entry by entry, and files that belong to names rather than to numbers.
//!
//! ```text
//! table     one file, line by line; what is not understood stays as it is, byte for byte
//! numbers   whose number each name of the image has on the host
//! users     passwd and shadow; groups: group and gshadow; ranges: subuid and subgid
//! limits    which numbers may be given (login.defs)
//! note      what an administrator should know of a merge
//! sysusers  what an image asks for in sysusers.d instead of having a line for it
//! ```
//!
//! docs/guide/accounts.md has it for people. The merge is a function of the files of three sides, and touches nothing. The rule:
//!
//! - An entry of the host stays as it is, whatever the image says, broken lines, comments and NIS lines too, each in its place.
//! - A name that only the image has is added: with the image's number where that is free on the host, else with a free system number.
//!   Nobody can log in with it: see `users`.
//! - Memberships in groups unite.
//! - A name that the base's image had and the host has no more was removed by the administrator, and stays away. A name that the new image
//!   has no more stays: files may belong to it.
//! - Files of the image belong to the same names on the host; names that do not come get numbers that nobody has.
//! - The number 0 is never given, mapped, or added under another name.

pub mod decide;

mod groups;
mod limits;
mod note;
mod numbers;
mod ranges;
pub mod sysusers;
mod table;
#[cfg(test)]
mod tests;
mod users;

pub use limits::Limits;
pub use note::{Note, What};
pub use numbers::Problem;
pub use table::{Line, Table};

use numbers::Numbers;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One of the six files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// passwd(5).
    Passwd,
    /// group(5).
    Group,
    /// shadow(5).
    Shadow,
    /// gshadow(5).
    Gshadow,
    /// subuid(5).
    Subuid,
    /// subgid(5).
    Subgid,
}

impl File {
    /// All of them.
    pub const ALL: [File; 6] =
        [File::Passwd, File::Group, File::Shadow, File::Gshadow, File::Subuid, File::Subgid];

    /// Where it lies, without the leading slash.
    pub fn path(self) -> &'static str {
        match self {
            File::Passwd => "etc/passwd",
            File::Group => "etc/group",
            File::Shadow => "etc/shadow",
            File::Gshadow => "etc/gshadow",
            File::Subuid => "etc/subuid",
            File::Subgid => "etc/subgid",
        }
    }

    /// The file that lies at `path`.
    pub fn at(path: &[u8]) -> Option<File> {
        File::ALL.into_iter().find(|file| file.path().as_bytes() == path)
    }
}

/// Contents of the files that a system has.
pub type Files = BTreeMap<File, Vec<u8>>;

/// The three sides.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    /// Of the image that the base was made from; none where that is not known.
    pub base: Option<&'a Files>,
    /// The host's.
    pub host: &'a Files,
    /// The new image's.
    pub image: &'a Files,
    /// Files that the configuration says are the host's alone: nothing is added to them.
    pub closed: &'a [File],
}

/// Numbers that files of the image belong to, ACL entries included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Of users.
    pub uids: BTreeSet<u32>,
    /// Of groups.
    pub gids: BTreeSet<u32>,
}

/// A merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Contents of the files that there will be.
    pub files: Files,
    /// Image's numbers of users that are others on the host, to the host's.
    pub uids: HashMap<u32, u32>,
    /// The same of groups.
    pub gids: HashMap<u32, u32>,
    /// What an administrator should know.
    pub notes: Vec<Note>,
}

/// Merges. Whatever cannot be resolved is in the error, all of it.
pub fn merge(sides: &Sides, used: &Used, limits: &Limits) -> Result<Merged, Vec<Problem>> {
    let mut notes = Vec::new();
    fn table(files: &Files, file: File) -> Table<'_> {
        Table::parse(file, files.get(&file).map_or(&b""[..], Vec::as_slice))
    }
    let three = |file| Three {
        file,
        base: sides.base.map(|base| table(base, file)),
        host: table(sides.host, file),
        image: table(sides.image, file),
        there: sides.host.contains_key(&file),
        shipped: sides.image.contains_key(&file),
        closed: sides.closed.contains(&file),
    };
    let [passwd, group, shadow, gshadow, subuid, subgid] = File::ALL.map(three);
    for three in [&passwd, &group, &shadow, &gshadow, &subuid, &subgid] {
        three.note_broken(&mut notes);
    }
    let mut problems = Vec::new();
    let uids =
        Numbers::assign(&passwd, &used.uids, &BTreeSet::new(), &limits.uids, &mut notes, &mut problems);
    // A group that a new user must have comes, even where the administrator had removed it.
    let needed = uids.added().filter_map(|i| passwd.image.line(i)?.number(3)).collect();
    let gids = Numbers::assign(&group, &used.gids, &needed, &limits.gids, &mut notes, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut files = Files::new();
    let names = users::merge(passwd, shadow, &uids, &gids, &mut files, &mut notes);
    groups::merge(group, gshadow, &gids, &names, &mut files, &mut notes);
    for three in [subuid, subgid] {
        ranges::merge(three, &uids, &names, limits, &mut files, &mut notes);
    }
    Ok(Merged { files, uids: uids.map, gids: gids.map, notes })
}

/// One file of each side.
struct Three<'a> {
    file: File,
    base: Option<Table<'a>>,
    host: Table<'a>,
    image: Table<'a>,
    /// Whether the host has the file.
    there: bool,
    /// Whether the image has the file.
    shipped: bool,
    /// Whether nothing may be added.
    closed: bool,
}

impl Three<'_> {
    /// Whether the image that the base was made from had the name.
    fn base_had(&self, name: &[u8]) -> bool {
        self.base.as_ref().is_some_and(|base| base.find(name).is_some())
    }

    fn note_broken(&self, notes: &mut Vec<Note>) {
        notes.extend(self.host.broken().map(|line| Note::broken(self.file, "host", line, "stays as it is")));
        notes.extend(broken_of_image(self.file, &self.image));
    }
}

fn broken_of_image(file: File, table: &Table) -> Vec<Note> {
    table.broken().map(|line| Note::broken(file, "image", line, "does not come")).collect()
}

/// Notes about lines of an image's files that cannot be read: for whoever gives [`merge`] something that was made of them.
pub fn broken(files: &Files) -> Vec<Note> {
    files.iter().flat_map(|(file, text)| broken_of_image(*file, &Table::parse(*file, text))).collect()
}

/// The host's table with what came.
fn put(three: Three, files: &mut Files) {
    let text = three.host.to_bytes();
    if three.there || three.shipped || !text.is_empty() {
        files.insert(three.file, text);
    }
}

/// Whether a password field says that there is none, with nothing behind that could be unlocked.
fn is_locked(password: &[u8]) -> bool {
    !password.is_empty() && password.iter().all(|c| matches!(c, b'!' | b'*'))
}
