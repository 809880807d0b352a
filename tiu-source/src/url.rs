//! One address of a web server.

use crate::location_error::LocationError;
use crate::network::Headers;
use std::fmt;
use ureq::http::Uri;

/// An `http` or `https` URL. Its user and password are kept apart and are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    tls: bool,
    /// Host and port, in small letters.
    authority: String,
    /// The path and the query, from the first slash.
    target: String,
    /// Headers for this server alone: `authorization`, and others that were given.
    headers: Headers,
}

impl Url {
    /// Reads a whole URL.
    pub(crate) fn parse(text: &str) -> Result<Self, LocationError> {
        let malformed =
            |reason: &str| LocationError::Malformed { shown: redacted(text), reason: reason.to_owned() };
        if let Some(bad) = text.chars().find(|c| !matches!(c, '!'..='~')) {
            return Err(malformed(&format!("the character {bad:?} cannot be in a URL")));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| malformed("expected a whole URL"))?;
        let tls = match &scheme.to_ascii_lowercase()[..] {
            "http" => false,
            "https" => true,
            _ => return Err(malformed("expected http or https")),
        };
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) =
            authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        if host.is_empty() || host.starts_with(':') {
            return Err(malformed("it has no host"));
        }
        let port = host.rsplit_once(']').map_or(host, |(_, rest)| rest).rsplit_once(':');
        let valid =
            |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
        if port.is_some_and(|(_, port)| !valid(port)) {
            return Err(malformed("its port is invalid"));
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        let headers = match user {
            None => Headers::default(),
            Some(user) => {
                let decoded = percent_decoded(user.as_bytes());
                let decoded = decoded.ok_or_else(|| malformed("a %XX before the @ is malformed"))?;
                let pair = if decoded.contains(&b':') { decoded } else { [&decoded[..], b":"].concat() };
                let value = format!("Basic {}", openssl::base64::encode_block(&pair));
                Headers(vec![("authorization".to_owned(), value)])
            }
        };
        let url = Url { tls, authority: host.to_ascii_lowercase(), target, headers };
        match url.text().parse::<Uri>() {
            Ok(uri) if uri.host().is_some_and(|host| !host.is_empty()) => Ok(url),
            Ok(_) => Err(malformed("it has no host")),
            Err(error) => Err(malformed(&error.to_string())),
        }
    }

    /// Returns true for `https`.
    pub(crate) fn is_tls(&self) -> bool {
        self.tls
    }

    /// Returns the URL for a request. Secrets in the query are part of it.
    pub(crate) fn text(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.authority, self.target)
    }

    /// Returns names and values of headers for this server.
    pub(crate) fn headers(&self) -> &[(String, String)] {
        &self.headers.0
    }

    /// Returns the URL with more headers for this server.
    pub(crate) fn with_headers(&self, headers: &Headers) -> Self {
        let mut url = self.clone();
        let new = headers.0.iter().filter(|(name, _)| !self.headers.0.iter().any(|(known, _)| known == name));
        url.headers.0.extend(new.cloned());
        url
    }

    /// Returns the URL that a redirect from here leads to. Headers, also for user and password, go
    /// along only to the same server.
    pub(crate) fn redirected(&self, location: &str) -> Result<Self, LocationError> {
        let scheme = self.scheme();
        let path = self.target.split_once('?').map_or(&self.target[..], |(path, _)| path);
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let whole = match location {
            whole if whole.contains("://") && !whole.starts_with(['/', '?']) => whole.to_owned(),
            rest if rest.starts_with("//") => format!("{scheme}:{rest}"),
            path if path.starts_with('/') => format!("{scheme}://{}{path}", self.authority),
            query if query.starts_with('?') => format!("{scheme}://{}{path}{query}", self.authority),
            name => format!("{scheme}://{}{directory}/{name}", self.authority),
        };
        let mut url = Url::parse(&whole)?;
        let same = url.tls == self.tls && url.authority == self.authority;
        url.headers = if same { self.headers.clone() } else { Headers::default() };
        Ok(url)
    }

    fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = match self.target.split_once('?') {
            Some((path, _)) => (path, "?..."),
            None => (&self.target[..], ""),
        };
        write!(f, "{}://{}{path}{query}", self.scheme(), self.authority)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

/// Returns a text that may be a URL without user, password and query. A password with a slash that
/// is not written as %2F is left out too: all before the last `@` is.
pub(crate) fn redacted(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    match rest.split_once(['?', '#']) {
        Some((rest, _)) => format!("{scheme}://{rest}?..."),
        None => format!("{scheme}://{rest}"),
    }
}

/// Returns the bytes that `%XX` stands for in `text`.
pub(crate) fn percent_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'%' {
            let (digits, after) = after.split_first_chunk::<2>()?;
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn secrets_are_in_the_request_and_never_shown() {
        let url = url("HTTPS://me:p%40ss@Example.org:8443/a/b.tiu?token=secret#part");
        assert_eq!(url.text(), "https://example.org:8443/a/b.tiu?token=secret");
        assert_eq!(url.headers(), [("authorization".to_owned(), "Basic bWU6cEBzcw==".to_owned())]);
        assert_eq!(url.to_string(), "https://example.org:8443/a/b.tiu?...");
        assert_eq!(format!("{url:?}"), "Url(https://example.org:8443/a/b.tiu?...)");
    }

    #[test]
    fn a_path_is_not_needed() {
        assert_eq!(url("http://example.org").text(), "http://example.org/");
        assert_eq!(url("http://example.org?x").text(), "http://example.org/?x");
        assert_eq!(url("http://[::1]:80/x").text(), "http://[::1]:80/x");
        assert_eq!(url("http://user@example.org/").headers()[0].1, "Basic dXNlcjo=");
    }

    #[test]
    fn malformed_urls_are_refused_without_their_password() {
        for (text, reason) in [
            ("http://", "it has no host"),
            ("http:///path", "it has no host"),
            ("http://:80/", "it has no host"),
            ("http://u:secret@/x", "it has no host"),
            ("http://u:secret@host/a b", "the character ' ' cannot be in a URL"),
            ("http://u:secret@host/\u{e9}", "the character 'é' cannot be in a URL"),
            ("http://u:secret@host/\n", "the character '\\n' cannot be in a URL"),
            ("http://u:secret@host:port/", "its port is invalid"),
            ("http://host:/", "its port is invalid"),
            ("http://host:65536/", "its port is invalid"),
            ("http://ho^st/", "invalid"),
            ("http://u:se/secret@host/", "its port is invalid"),
            ("http://u:?secret@host/", "its port is invalid"),
            ("http://u:secret%@host/", "a %XX before the @ is malformed"),
        ] {
            let error = Url::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn redirects_of_every_form_lead_to_whole_urls() {
        let from = url("https://me:secret@example.org/a/b?c");
        for (location, text, keeps) in [
            ("https://other.org/x", "https://other.org/x", false),
            ("//other.org/x", "https://other.org/x", false),
            ("/x?y", "https://example.org/x?y", true),
            ("x", "https://example.org/a/x", true),
            ("?d", "https://example.org/a/b?d", true),
            ("https://EXAMPLE.org/x", "https://example.org/x", true),
            ("https://you:own@example.org:444/x", "https://example.org:444/x", false),
            ("http://example.org/x", "http://example.org/x", false),
            ("/x?u=http://y", "https://example.org/x?u=http://y", true),
        ] {
            let to = from.redirected(location).unwrap();
            assert_eq!((to.text().as_str(), !to.headers().is_empty()), (text, keeps), "{location}");
        }
        assert!(from.redirected("ftp://example.org/").is_err());
    }
}
