//! The origin of a bundle's bytes.
//!
//! [`open_bundle`] opens the bundle at a [`Location`]: a file, a block device, standard input, or a
//! web server. All other code reads it through `tiu_bundle`'s `ReadAt`, regardless of its origin.
//!
//! ```text
//! location   the text that names a bundle, and what it means
//! url        one http or https address; its password is never shown
//! open       from a location to a bundle with a verified signature
//! device     a bundle at the start of a block device
//! secrets    files with headers, and with certificates to trust
//! spool      private files for bytes that can be read only once
//! http       one request: redirects, time-outs, what an answer must be
//! remote     a bundle on a server: ranges that are announced, fetched together and kept for a while
//! ```
//!
//! Nothing here is trusted. A server can send anything: the reader above checks each block against
//! the signed root hash, and asks for a wrong one again once. Memory and time are bounded,
//! regardless of what the server does.
//!
//! # Examples
//!
//! ```
//! use tiu_source::Location;
//!
//! let location = Location::parse("https://user:secret@example.org/system-2.tiu".as_ref())?;
//! assert_eq!(location.to_string(), "https://example.org/system-2.tiu");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod device;
mod http;
mod location;
mod location_error;
mod network;
mod open;
mod remote;
mod secrets;
mod spool;
mod url;

pub use http::FetchError;
pub use location::Location;
pub use location_error::LocationError;
pub use network::{Headers, Limits, Network};
pub use open::{OpenError, open_bundle};
pub use secrets::NetworkError;
pub use spool::{SpoolError, spooled};
