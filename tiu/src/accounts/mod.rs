//! Accounts: the six files that name users and groups, merged entry by entry; and files of the
//! image, which belong to names rather than to numbers.
//!
//! ```text
//! file          the six files
//! table         one file, line by line; a line that is not understood stays as it is, byte for byte
//! three_tables  one file of all three sides
//! numbers       the host's number for each name of the image
//! users         passwd and shadow; groups: group and gshadow; ranges: subuid and subgid
//! merge         all six files
//! limits        which numbers may be assigned (login.defs)
//! note          what an administrator should know of a merge
//! steps         the steps of a merge, which tests count
//! sysusers      what an image asks for in sysusers.d instead of having a line for it
//! ```
//!
//! docs/guide/accounts.md is the user documentation. The merge is a function of the files of three
//! sides and writes nothing. The rules:
//!
//! - An entry of the host stays as it is, whatever the image has. Broken lines, comments and NIS
//!   lines stay too, each in its place.
//! - A name that only the image has is added: with the image's number if that is free on the host,
//!   else with a free system number. Nobody can log in with it: see `users`.
//! - Memberships in groups unite.
//! - If the base's image had a name that the host no longer has, the administrator removed it: it
//!   is not added again. A name that the new image no longer has stays, because files may belong to
//!   it.
//! - Files of the image belong to the same names on the host. A name that is not added gets a
//!   number that nobody has.
//! - The number 0 is never assigned, mapped, or added under another name.

mod file;
mod groups;
mod limits;
mod merge;
mod note;
mod numbers;
mod ranges;
mod steps;
pub(crate) mod sysusers;
mod table;
#[cfg(test)]
mod tests;
mod three_tables;
mod users;

pub use file::{AccountFile, AccountFiles};
pub use limits::Limits;
pub use merge::{AccountSides, Merged, UsedNumbers, merge};
pub use note::{Note, NoteKind};
pub use numbers::Problem;
pub use table::{Line, Table};
pub use three_tables::broken_lines;
