//! The headers of an answer.

use std::ops::Range;
use std::time::Duration;
use ureq::http::HeaderMap;
use ureq::http::header::{CONTENT_LENGTH, ETAG, HeaderName, LAST_MODIFIED, RETRY_AFTER};

/// The longest wait that a server can ask for. Longer ones count as this.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The part of a file that an answer with status 206 has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its bytes.
    pub range: Range<u64>,
    /// The size of the file.
    pub total: u64,
}

/// Returns the text of a header.
pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Returns the part that the value of `Content-Range` names: `bytes FIRST-LAST/TOTAL`.
pub(super) fn part(value: &str) -> Option<Part> {
    let (unit, rest) = value.trim().split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total) = (number(first)?, number(last)?, number(total)?);
    let known = unit.eq_ignore_ascii_case("bytes") && first <= last && last < total;
    known.then(|| Part { range: first..last + 1, total })
}

/// Returns the value of `Content-Length`.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    number(text(headers, CONTENT_LENGTH)?)
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Returns what identifies this state of the file, for `If-Range`: a strong ETag, else the time of
/// its last change.
pub(super) fn validator(headers: &HeaderMap) -> Option<String> {
    let strong = text(headers, ETAG).filter(|tag| tag.starts_with('"'));
    strong.or_else(|| text(headers, LAST_MODIFIED)).map(str::to_owned)
}

/// Returns the seconds of `Retry-After`. A date there is ignored: the clocks may differ.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = number(text(headers, RETRY_AFTER)?.trim())?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_strictly() {
        assert_eq!(part("bytes 0-0/1"), Some(Part { range: 0..1, total: 1 }));
        assert_eq!(part("Bytes 5-9/10"), Some(Part { range: 5..10, total: 10 }));
        for bad in [
            "",
            "bytes",
            "bytes 0-0",
            "bytes */10",
            "bytes 0-0/*",
            "bytes 9-5/10",
            "bytes 0-10/10",
            "bytes -1-5/10",
            "bytes +0-5/10",
            "bytes 0-18446744073709551615/18446744073709551615",
            "bytes 0-5/99999999999999999999",
            "lines 0-5/10",
            "bytes 0 - 5/10",
        ] {
            assert_eq!(part(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_weak_tag_does_not_identify_a_file() {
        let headers = |pairs: &[(HeaderName, &'static str)]| -> HeaderMap {
            pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
        };
        let date = "Tue, 02 Jan 2024 00:00:00 GMT";
        assert_eq!(validator(&headers(&[(ETAG, "\"a\""), (LAST_MODIFIED, date)])).unwrap(), "\"a\"");
        assert_eq!(validator(&headers(&[(ETAG, "W/\"a\""), (LAST_MODIFIED, date)])).unwrap(), date);
        assert_eq!(validator(&headers(&[(ETAG, "W/\"a\"")])), None);
    }

    #[test]
    fn a_wait_of_a_year_counts_as_two_minutes() {
        let wait = |text: &'static str| {
            retry_after(&[(RETRY_AFTER, text.parse().unwrap())].into_iter().collect())
                .map(|wait| wait.as_secs())
        };
        assert_eq!((wait("3"), wait("31536000"), wait("soon")), (Some(3), Some(120), None));
    }
}
