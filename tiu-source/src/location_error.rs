//! The error of a text that does not name a bundle.

use tiu_system::hints;

/// The text does not name a place. Passwords are left out of all messages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum LocationError {
    /// Another scheme than those that are supported.
    #[error("{shown}: the scheme `{scheme}` is not supported, expected http, https or file")]
    Scheme { shown: String, scheme: String },
    /// The URL is malformed.
    #[error("{shown}: {reason}")]
    Malformed { shown: String, reason: String },
}

hints! { LocationError {
    Scheme { .. } => "give a path, a URL of these schemes, or - for standard input; a path that looks like a URL \
        starts with ./",
    Malformed { .. } => "write the URL as https://HOST/PATH; characters that it cannot have are written as %20 and \
        the like",
} }
