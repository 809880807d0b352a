//! The tree to walk, and the parts of it to read.

use crate::engine::rules::Lookup;
use crate::engine::scope::Scope;
use crate::engine::settle::Settle;
use std::os::fd::BorrowedFd;
use tiu_bundle::index::Index;
use tiu_system::progress::Watch;

/// The moment at which the extended attributes of regular files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadAttributes {
    /// During the walk.
    Now,
    /// When [`crate::engine::hash`] reads the content and has the file open anyway.
    WithContent,
}

/// The tree to walk, and what to read of it.
pub(crate) struct Walk<'a> {
    pub root: BorrowedFd<'a>,
    /// The index whose entries are looked up. Without one (for a seed), only kinds and sizes are
    /// read.
    pub index: Option<&'a Index>,
    /// True to read the attributes and targets of everything except what belongs to the host, in an
    /// index or not.
    pub everything: bool,
    pub rules: &'a Lookup<'a>,
    pub attributes: ReadAttributes,
    /// The comparison after which a name needs no node.
    pub settle: Settle,
    /// The part of the tree that is looked at; everything without one.
    pub scope: Option<&'a Scope>,
    pub watch: Watch<'a>,
}
