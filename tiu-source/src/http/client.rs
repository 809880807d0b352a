//! Sends a request and checks its answer.

use super::answer::{self, Part};
use super::error::FetchError;
use super::pace::{Pace, Throttle};
use crate::network::{Limits, Network};
use crate::url::Url;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use tiu_system::progress::{Cancel, Cancelled};
use ureq::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, IF_RANGE, LOCATION, RANGE,
};
use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

/// The most redirects in a row.
const REDIRECTS: u32 = 5;
/// The most bytes of all headers of an answer.
const HEADERS: usize = 64 * 1024;
/// Bytes to read at once.
const PIECE: usize = 128 * 1024;

/// The bytes that a request asks for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// The last bytes of the file.
    Last(u64),
    /// A range. It is not empty.
    Range(Range<u64>),
}

/// An answer that brings bytes.
pub(crate) struct Answer {
    /// The URL that it came from, after redirects.
    pub url: Url,
    /// The part of the file, or `None` if the answer is the whole file.
    pub part: Option<Part>,
    /// The number of bytes, if the server says so.
    pub length: Option<u64>,
    /// Identifies this state of the file.
    pub validator: Option<String>,
    body: Body,
}

/// Connections to web servers.
pub(crate) struct Client {
    agent: Agent,
    /// The bounds of a server's behaviour.
    pub limits: Limits,
    /// Stops all waiting.
    pub cancel: Option<&'static Cancel>,
    throttle: Throttle,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Client {
    pub(crate) fn new(network: &Network) -> Self {
        let limits = network.limits;
        let roots = if network.authorities.is_empty() {
            RootCerts::PlatformVerifier
        } else {
            network.authorities.iter().map(|der| Certificate::from_der(der).to_owned()).into()
        };
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            // Followed here, where each step is checked.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_send_request(Some(limits.answer))
            .timeout_recv_response(Some(limits.answer))
            .timeout_per_read(Some(limits.idle))
            .timeout_per_write(Some(limits.idle))
            .max_response_header_size(HEADERS)
            .user_agent(concat!("tiu/", env!("CARGO_PKG_VERSION")))
            .build();
        Client {
            agent: Agent::new_with_config(config),
            limits,
            cancel: network.cancel,
            throttle: Throttle::new(network.rate),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Ends all requests under way, and all that follow.
    pub(crate) fn shut_down(&self) {
        self.agent.clone().shutdown();
    }

    /// Returns the number of requests and of bytes of content until now.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.requests.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    pub(crate) fn check_cancelled(&self) -> Result<(), Cancelled> {
        self.cancel.map_or(Ok(()), Cancel::check)
    }

    /// Asks for bytes of the file at `url`, in the state that `validator` identifies, and past all
    /// caches if `fresh`.
    pub(crate) fn get(
        &self,
        url: &Url,
        wanted: &Wanted,
        validator: Option<&str>,
        fresh: bool,
    ) -> Result<Answer, FetchError> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            self.check_cancelled()?;
            let response = self.send(&at, wanted, validator, fresh)?;
            let (status, headers) = (response.status().as_u16(), response.headers());
            match status {
                200 | 206 => return accept(at, wanted, response),
                301 | 302 | 303 | 307 | 308 => at = next(&at, headers)?,
                _ => {
                    let retry_after = answer::retry_after(headers);
                    return Err(FetchError::Status { url: at.to_string(), status, retry_after });
                }
            }
        }
        Err(FetchError::Redirects { url: url.to_string(), limit: REDIRECTS })
    }

    fn send(
        &self,
        url: &Url,
        wanted: &Wanted,
        validator: Option<&str>,
        fresh: bool,
    ) -> Result<Response<Body>, FetchError> {
        let range = match wanted {
            Wanted::Last(bytes) => format!("bytes=-{bytes}"),
            Wanted::Range(range) => format!("bytes={}-{}", range.start, range.end.saturating_sub(1)),
        };
        let mut request = self.agent.get(url.text()).header(ACCEPT_ENCODING, "identity").header(RANGE, range);
        if let Some(validator) = validator {
            request = request.header(IF_RANGE, validator);
        }
        if fresh {
            request = request.header(CACHE_CONTROL, "no-cache");
        }
        for (name, value) in url.headers() {
            request = request.header(name, value);
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        request.call().map_err(|error| self.explain(url, error))
    }

    /// Reads the content of `answer`, in pieces, until `take` has had `most` bytes. Returns the
    /// number of bytes, which is less if the answer ends before.
    pub(crate) fn read(
        &self,
        answer: Answer,
        most: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), FetchError>,
    ) -> Result<u64, FetchError> {
        let url = answer.url;
        let mut reader = answer.body.into_with_config().limit(u64::MAX).reader();
        let mut piece = vec![0; self.throttle.piece(PIECE)];
        let (mut done, mut pace) = (0u64, Pace::new());
        while done < most {
            self.check_cancelled()?;
            let want = usize::try_from(most - done).unwrap_or(usize::MAX).min(piece.len());
            let read = match reader.read(piece.get_mut(..want).unwrap_or_default()) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The connection was closed before the end that the server had announced.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                Err(error) => return Err(self.explain(&url, error.into())),
            };
            let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            done += read as u64;
            self.bytes.fetch_add(read as u64, Ordering::Relaxed);
            take(bytes)?;
            self.throttle.wait(read as u64, || self.check_cancelled().is_err());
            pace.check(read as u64, self.limits.idle, self.throttle.slowest(self.limits.slowest), &url)?;
        }
        Ok(done)
    }

    fn explain(&self, url: &Url, error: ureq::Error) -> FetchError {
        if let Err(cancelled) = self.check_cancelled() {
            return cancelled.into();
        }
        let url = url.to_string();
        match error {
            ureq::Error::HostNotFound => FetchError::NoHost { url },
            ureq::Error::Timeout(phase) => FetchError::Timeout { url, phase: phase.to_string() },
            ureq::Error::NativeTls(error) => FetchError::Tls { url, cause: causes(&error) },
            ureq::Error::Tls(cause) => FetchError::Tls { url, cause: cause.to_owned() },
            ureq::Error::Io(error) => {
                let refused = error.kind() == io::ErrorKind::ConnectionRefused;
                let tls = error.get_ref().is_some_and(|inner| inner.is::<openssl::ssl::Error>());
                let cause = causes(&error);
                if tls {
                    FetchError::Tls { url, cause }
                } else {
                    FetchError::Connection { url, cause, refused }
                }
            }
            ureq::Error::ConnectionFailed => {
                FetchError::Connection { url, cause: "no connection".into(), refused: false }
            }
            ureq::Error::ConnectProxyFailed(cause) => {
                let cause = format!("the proxy does not connect: {cause}");
                FetchError::Connection { url, cause, refused: true }
            }
            ureq::Error::LargeResponseHeader(..) => {
                FetchError::Malformed { url, cause: format!("headers of more than {HEADERS} bytes") }
            }
            other => FetchError::Malformed { url, cause: other.to_string() },
        }
    }
}

/// Returns the message of an error with those of its causes.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text += &format!(": {more}");
        }
        cause = error.source();
    }
    text
}

/// Returns the URL that a redirect leads to.
fn next(from: &Url, headers: &HeaderMap) -> Result<Url, FetchError> {
    let url = from.to_string();
    let Some(location) = answer::text(headers, LOCATION) else {
        return Err(FetchError::Redirect { url, cause: "no header Location".into() });
    };
    let to = from
        .redirected(location)
        .map_err(|error| FetchError::Redirect { url: url.clone(), cause: error.to_string() })?;
    if from.is_tls() && !to.is_tls() {
        return Err(FetchError::Downgrade { url, to: to.to_string() });
    }
    Ok(to)
}

/// Checks the headers of an answer with content.
fn accept(at: Url, wanted: &Wanted, response: Response<Body>) -> Result<Answer, FetchError> {
    let headers = response.headers();
    let url = at.to_string();
    if let Some(found) = answer::text(headers, CONTENT_ENCODING).filter(|found| *found != "identity") {
        return Err(FetchError::Encoded { url, found: found.to_owned() });
    }
    let length = answer::length(headers);
    let part = if response.status().as_u16() == 206 {
        let value = answer::text(headers, CONTENT_RANGE).unwrap_or("none");
        let expected = |part: &Part| match wanted {
            Wanted::Last(bytes) => part.range == (part.total.saturating_sub(*bytes)..part.total),
            // A server can send less than was asked for.
            Wanted::Range(range) => part.range.start == range.start && part.range.end <= range.end,
        };
        match answer::part(value).filter(expected) {
            Some(part) if length.is_none_or(|length| length == part.range.end - part.range.start) => {
                Some(part)
            }
            _ => {
                let found = match length {
                    Some(length) => format!("{value} of {length} bytes"),
                    None => value.to_owned(),
                };
                let expected = match wanted {
                    Wanted::Last(bytes) => format!("the last {bytes} bytes"),
                    Wanted::Range(range) => format!("bytes {}-{}", range.start, range.end.saturating_sub(1)),
                };
                return Err(FetchError::Range { url, found, expected });
            }
        }
    } else {
        let kind = answer::text(headers, CONTENT_TYPE).unwrap_or_default();
        if kind.trim_start().to_ascii_lowercase().starts_with("text/html") {
            return Err(FetchError::WebPage { url });
        }
        None
    };
    let validator = answer::validator(headers);
    Ok(Answer { url: at, part, length, validator, body: response.into_body() })
}
