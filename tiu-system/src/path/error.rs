//! The errors of bytes that are not a path inside a tree.

/// The reason why bytes are not a path inside a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A relative path was expected.
    #[error("the path starts with `/`")]
    Absolute,
    /// An absolute path was expected.
    #[error("the path does not start with `/`")]
    NotAbsolute,
    /// Two slashes in a row, or one at the end.
    #[error("the path has an empty component")]
    EmptyComponent,
    /// A component `.`.
    #[error("the path has a component `.`")]
    Dot,
    /// A component `..`.
    #[error("the path has a component `..`")]
    DotDot,
    /// Linux ends a path at a NUL byte.
    #[error("the path holds a NUL byte")]
    Nul,
    /// A name was expected, and the bytes are empty or hold a slash.
    #[error("expected the name of one file, found an empty name or a path with `/`")]
    NotAName,
}
