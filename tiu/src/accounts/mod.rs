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

mod file;
mod groups;
mod limits;
mod merge;
mod note;
mod numbers;
mod ranges;
pub mod sysusers;
mod table;
#[cfg(test)]
mod tests;
mod three_way;
mod users;

pub use file::{File, Files};
pub use limits::Limits;
pub use merge::{Merged, Sides, Used, merge};
pub use note::{Note, What};
pub use numbers::Problem;
pub use table::{Line, Table};
pub use three_way::broken;
