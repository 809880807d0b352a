//! Fetches one range, with retries. What was received stays.

use crate::http::{Client, FetchError, Retry, Wanted};
use crate::url::Url;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file on a server.
pub(super) struct RemoteFile {
    pub client: Client,
    /// The URL that was given.
    pub given: Url,
    /// The size in bytes.
    pub size: u64,
    current: Mutex<Current>,
}

/// The present way to the file.
#[derive(Clone, Debug)]
struct Current {
    /// The URL that redirects led to: the next request goes there at once.
    url: Url,
    /// The state of the file.
    validator: Option<String>,
}

impl RemoteFile {
    pub(super) fn new(client: Client, given: Url, url: Url, validator: Option<String>, size: u64) -> Self {
        RemoteFile { client, given, size, current: Mutex::new(Current { url, validator }) }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the bytes of `range`, which is not empty. `fresh` asks caches on the way for the
    /// server's own bytes.
    pub(super) fn fetch(&self, range: Range<u64>, fresh: bool) -> Result<Vec<u8>, FetchError> {
        let length = range.end - range.start;
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        let mut retry = Retry::new(&self.client.limits, self.client.cancel);
        loop {
            let before = bytes.len() as u64;
            let rest = range.start + before..range.end;
            let way = self.current().clone();
            let result = self.attempt(&way, rest, fresh, &mut bytes);
            let now = bytes.len() as u64;
            match result {
                Ok(()) if now >= length => return Ok(bytes),
                // A server can send less than was asked for.
                Ok(()) => {
                    let url = self.given.to_string();
                    retry.after(FetchError::Cut { url, found: now, expected: length }, now - before)?;
                }
                Err(error) => {
                    if self.leave_redirect(&way.url, &error) {
                        continue;
                    }
                    retry.after(error, now - before)?;
                }
            }
        }
    }

    fn attempt(
        &self,
        way: &Current,
        range: Range<u64>,
        fresh: bool,
        bytes: &mut Vec<u8>,
    ) -> Result<(), FetchError> {
        let Current { url, validator } = way;
        let length = range.end - range.start;
        let answer = self.client.get(url, &Wanted::Range(range), validator.as_deref(), fresh)?;
        let changed = || FetchError::Changed { url: self.given.to_string() };
        match &answer.part {
            Some(part) if part.total == self.size => {}
            // Ranges were possible before: another file, or another server.
            _ => return Err(changed()),
        }
        if let (Some(was), Some(is)) = (validator, &answer.validator)
            && was != is
        {
            return Err(changed());
        }
        let validator = validator.clone().or_else(|| answer.validator.clone());
        *self.current() = Current { url: answer.url.clone(), validator };
        self.client.read(answer, length, |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(())
    }

    /// Goes back to the given URL if the server that redirects led to refuses: such URLs can expire.
    /// `used` is where the request went. Returns false if that was the given URL.
    fn leave_redirect(&self, used: &Url, error: &FetchError) -> bool {
        let refused = matches!(error, FetchError::Status { status: 401 | 403 | 404 | 410, .. });
        if !refused || *used == self.given {
            return false;
        }
        let mut current = self.current();
        // Another thread may have found a new way meanwhile.
        if current.url == *used {
            *current = Current { url: self.given.clone(), validator: None };
        }
        true
    }
}
