//! The options of fetching, and the limits for a server.

use std::path::PathBuf;
use std::time::Duration;
use tiu_system::progress::Cancel;

/// The options of fetching.
#[derive(Clone, Debug)]
pub struct Network {
    /// The directory for private files.
    pub spool: PathBuf,
    /// The most bytes in a second, of all connections together.
    pub rate: Option<u64>,
    /// Headers for the server that is asked first. See [`add_headers`](Self::add_headers).
    pub headers: Headers,
    /// Certificates (DER) that are trusted for TLS instead of the system's, if there are any.
    pub authorities: Vec<Vec<u8>>,
    /// The bounds of a server's behaviour.
    pub limits: Limits,
    /// Stops all waiting.
    pub cancel: Option<&'static Cancel>,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            spool: "/var/tmp".into(),
            rate: None,
            headers: Headers::default(),
            authorities: Vec::new(),
            limits: Limits::default(),
            cancel: None,
        }
    }
}

/// Names and values of headers, which can be secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(pub(crate) Vec<(String, String)>);

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} headers", self.0.len())
    }
}

/// The bounds of a server's behaviour. What exceeds them is an error.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The time for finding the address, and again for connecting and the TLS handshake.
    pub connect: Duration,
    /// The time from the request to the last header of the answer.
    pub answer: Duration,
    /// The time in which nothing arrives.
    pub idle: Duration,
    /// The slowest rate in bytes per second, counted after [`idle`](Self::idle).
    pub slowest: u64,
    /// The most bytes of an answer that brings a whole file.
    pub largest: u64,
    /// The number of attempts in a row that bring nothing.
    pub attempts: u32,
    /// The pause after the first failed attempt. Each next one is twice as long.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: Duration::from_secs(15),
            answer: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            slowest: 512,
            largest: 64 << 30,
            attempts: 5,
            pause: Duration::from_millis(500),
        }
    }
}
