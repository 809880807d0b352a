//! Arguments for bundles that can be on a server.

use clap::builder::{OsStringValueParser, TypedValueParser};
use std::path::PathBuf;
use std::str::FromStr;
use tiu_source::{Location, Network, NetworkError};
use tiu_system::progress::Cancel;

/// Returns the parser of an argument that names a bundle.
pub fn location() -> impl TypedValueParser<Value = Location> {
    OsStringValueParser::new().try_map(|text| Location::parse(&text))
}

/// The options of fetching a bundle.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Network")]
pub struct NetworkArguments {
    /// Most bytes that are fetched in a second; K, M and G stand for 1024, 1024² and 1024³
    #[arg(long, value_name = "BYTES")]
    limit_rate: Option<Rate>,
    /// File with headers for the server, one on each line; only its owner can have access to it
    #[arg(long, value_name = "FILE")]
    headers: Option<PathBuf>,
    /// Certificates that are trusted for https instead of the system's, in PEM
    #[arg(long, value_name = "FILE")]
    tls_ca: Vec<PathBuf>,
}

/// A number of bytes in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate(u64);

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected a number of bytes above 0, such as 500K or 2M";
        let (digits, factor) = match text.char_indices().last() {
            Some((at, 'K' | 'k')) => (text.get(..at), 1 << 10),
            Some((at, 'M' | 'm')) => (text.get(..at), 1 << 20),
            Some((at, 'G' | 'g')) => (text.get(..at), 1 << 30),
            _ => (Some(text), 1),
        };
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse::<u64>().ok()).ok_or(EXPECTED)?;
        number.checked_mul(factor).filter(|rate| *rate > 0).map(Rate).ok_or(EXPECTED)
    }
}

impl NetworkArguments {
    /// Returns the options. `cancel` stops all waiting for a server.
    pub fn network(&self, cancel: Option<&'static Cancel>) -> Result<Network, NetworkError> {
        let rate = self.limit_rate.map(|Rate(rate)| rate);
        let mut network = Network { rate, cancel, ..Network::default() };
        self.headers.iter().try_for_each(|path| network.add_headers(path))?;
        self.tls_ca.iter().try_for_each(|path| network.add_authorities(path))?;
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units() {
        for (text, rate) in [("1", 1), ("500K", 500 << 10), ("2m", 2 << 20), ("3G", 3 << 30)] {
            assert_eq!(text.parse(), Ok(Rate(rate)), "{text}");
        }
        for text in
            ["", "K", "0", "0M", "-1", "+1", "1.5M", "1T", "99999999999999999999", "99999999999G", "1MB"]
        {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
