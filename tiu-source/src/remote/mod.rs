//! A bundle on a web server, read by ranges.
//!
//! ```text
//! ranges   pure: from wanted ranges to few requests
//! pieces   the fetched pieces, and which can go
//! fetch    one range, with retries; what was received stays
//! source   `ReadAt`, and the threads that fetch ahead
//! first    the first request: a server with ranges, or one without
//! ```

mod fetch;
mod first;
mod pieces;
mod ranges;
mod source;

pub(crate) use first::open;
