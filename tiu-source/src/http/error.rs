//! The errors of fetching.

use std::time::Duration;
use tiu_system::hints;
use tiu_system::progress::Cancelled;

/// Bytes could not be fetched. Each variant names the URL, without its password.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum FetchError {
    /// The name of the host has no address.
    #[error("{url}: the host was not found")]
    NoHost { url: String },
    /// No connection, or one that broke.
    #[error("{url}: {cause}")]
    Connection {
        url: String,
        cause: String,
        /// True if nobody listens there.
        refused: bool,
    },
    /// TLS failed: the certificate, or the handshake.
    #[error("{url}: TLS failed: {cause}")]
    Tls { url: String, cause: String },
    /// The server was silent for too long.
    #[error("{url}: nothing arrived for too long ({phase})")]
    Timeout { url: String, phase: String },
    /// The server sends too slowly.
    #[error("{url}: only {bytes} bytes arrived in {} seconds", took.as_secs())]
    TooSlow { url: String, bytes: u64, took: Duration },
    /// The server refused.
    #[error("{url}: the server answered {status}{}", status_words(*.status))]
    Status {
        url: String,
        status: u16,
        /// The time to wait that the server asks for.
        retry_after: Option<Duration>,
    },
    /// The server speaks another protocol, or broke its rules.
    #[error("{url}: the answer is malformed: {cause}")]
    Malformed { url: String, cause: String },
    /// A web page instead of a bundle.
    #[error("{url}: found a web page (text/html), expected a bundle")]
    WebPage { url: String },
    /// The content is compressed on the way, so that ranges of it mean nothing.
    #[error("{url}: found the content encoding `{found}`, expected none")]
    Encoded { url: String, found: String },
    /// Another range than was asked for.
    #[error("{url}: found the range `{found}`, expected {expected}")]
    Range { url: String, found: String, expected: String },
    /// The answer ended early.
    #[error("{url}: the answer ended after {found} bytes, expected {expected}")]
    Cut { url: String, found: u64, expected: u64 },
    /// More than a bundle can be.
    #[error("{url}: the answer has more than {limit} bytes")]
    TooLarge { url: String, limit: u64 },
    /// Redirects without an end.
    #[error("{url}: more than {limit} redirects")]
    Redirects { url: String, limit: u32 },
    /// A redirect to somewhere that cannot be fetched from.
    #[error("{url}: a redirect leads nowhere: {cause}")]
    Redirect { url: String, cause: String },
    /// A redirect away from TLS.
    #[error("{url}: a redirect leads to {to}, without TLS")]
    Downgrade { url: String, to: String },
    /// The file on the server was replaced.
    #[error("{url}: the file on the server was changed while it was read")]
    Changed { url: String },
    /// The private file could not be written.
    #[error("{url}: the download cannot be stored in {directory}: {cause}")]
    Store {
        url: String,
        directory: String,
        cause: String,
        /// True if there is no room.
        full: bool,
    },
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn status_words(status: u16) -> &'static str {
    match status {
        401 => " (user and password needed)",
        403 => " (forbidden)",
        404 => " (not found)",
        407 => " (the proxy needs user and password)",
        410 => " (gone)",
        416 => " (no such range)",
        429 => " (too many requests)",
        500 => " (internal error)",
        502 => " (bad gateway)",
        503 => " (unavailable)",
        504 => " (gateway time-out)",
        _ => "",
    }
}

hints! { FetchError {
    forward Cancelled;
    NoHost { .. } => "check the name, and whether the network is up",
    Connection { .. } | Timeout { .. } | TooSlow { .. } | Cut { .. } =>
        "check the network, a proxy on the way, and the server; then run again",
    Tls { .. } => "check the clock, and whether the system trusts the issuer of the server's certificate",
    Status { status: 401, .. } => "write user and password into the URL: https://USER:PASSWORD@HOST/PATH",
    Status { status: 407, .. } => "write user and password of the proxy into the variable https_proxy",
    Status { status: 403 | 404 | 410, .. } => "check the URL",
    Status { .. } => "the server cannot answer now: run again later, and look at its log",
    Malformed { .. } | Range { .. } | Encoded { .. } =>
        "the server, or a proxy on the way, changes answers: let it serve the file as it is",
    TooLarge { .. } => "check the URL: this is not a bundle",
    WebPage { .. } => "check the URL; a network that asks for a login answers like this too",
    Redirects { .. } | Redirect { .. } => "give the URL that the redirects should lead to",
    Downgrade { .. } => "give the https URL of the file itself, or let the server redirect to https",
    Changed { .. } => "run again; give each bundle a name of its own on the server",
    Store { full: true, .. } => "free some space there, or let the server answer requests for ranges",
    Store { .. } => "check that the directory exists and can be written",
} }

impl FetchError {
    /// Returns true if the same request can succeed later.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            FetchError::NoHost { .. }
            | FetchError::Connection { .. }
            | FetchError::Timeout { .. }
            | FetchError::TooSlow { .. }
            | FetchError::Malformed { .. }
            | FetchError::Range { .. }
            | FetchError::Cut { .. } => true,
            FetchError::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Returns true if a first request need not be repeated: a wrong name is more likely than a
    /// server that starts at this moment.
    pub(crate) fn is_final_at_first(&self) -> bool {
        matches!(self, FetchError::NoHost { .. } | FetchError::Connection { refused: true, .. })
    }

    /// Returns the time to wait that the server asks for.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            FetchError::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
