//! The first request: the last bytes of the file, which hold the signature.

use super::fetch::RemoteFile;
use super::source::RemoteSource;
use crate::http::{Answer, Client, FetchError, Retry, Wanted};
use crate::network::Network;
use crate::spool::PrivateFile;
use crate::url::Url;
use std::sync::Arc;
use tiu_bundle::bundle::TRAILER_SIZE;
use tiu_bundle::read_at::ReadAt;
use tiu_bundle::signature::MAX_CMS_SIZE;

/// The most bytes of a signature and what follows it.
const END: u64 = MAX_CMS_SIZE + TRAILER_SIZE;

/// Opens the file at `url`: by ranges, or if the server has none by downloading it into a private
/// file.
pub(crate) fn open(url: &Url, network: &Network) -> Result<Arc<dyn ReadAt>, FetchError> {
    let (url, client) = (&url.with_headers(&network.headers), Client::new(network));
    let mut retry = Retry::new(&network.limits, network.cancel);
    let mut got_answer = false;
    loop {
        match attempt(&client, url, network, &mut got_answer) {
            Ok(Opened::Ranges { answer_url, validator, size, end }) => {
                let file = RemoteFile::new(client, url.clone(), answer_url, validator, size);
                return Ok(Arc::new(RemoteSource::new(file, end)));
            }
            Ok(Opened::Whole(file)) => return Ok(Arc::new(file)),
            Err(error) if error.is_final_at_first() && !got_answer => return Err(error),
            Err(error) => retry.after(error, 0)?,
        }
    }
}

enum Opened {
    Ranges { answer_url: Url, validator: Option<String>, size: u64, end: Vec<u8> },
    Whole(tiu_bundle::read_at::FileSource),
}

fn attempt(
    client: &Client,
    url: &Url,
    network: &Network,
    got_answer: &mut bool,
) -> Result<Opened, FetchError> {
    let answer = client.get(url, &Wanted::Last(END), None, false)?;
    *got_answer = true;
    let Some(part) = answer.part.clone() else {
        return Ok(Opened::Whole(download(client, url, network, answer)?));
    };
    let (answer_url, validator) = (answer.url.clone(), answer.validator.clone());
    let length = part.range.end - part.range.start;
    let mut end = Vec::new();
    let found = client.read(answer, length, |bytes| {
        end.extend_from_slice(bytes);
        Ok(())
    })?;
    if found < length {
        return Err(FetchError::Cut { url: url.to_string(), found, expected: length });
    }
    Ok(Opened::Ranges { answer_url, validator, size: part.total, end })
}

/// Stores the answer of a server that has no ranges.
fn download(
    client: &Client,
    url: &Url,
    network: &Network,
    answer: Answer,
) -> Result<tiu_bundle::read_at::FileSource, FetchError> {
    tracing::info!("{url}: the server has no ranges; the whole file is fetched");
    let (expected, limit) = (answer.length, network.limits.largest);
    let too_large = || FetchError::TooLarge { url: url.to_string(), limit };
    if expected.is_some_and(|expected| expected > limit) {
        return Err(too_large());
    }
    let mut file = PrivateFile::new(&network.spool).map_err(|error| error.of_url(url))?;
    file.check_room(expected.unwrap_or(0)).map_err(|error| error.of_url(url))?;
    let most = expected.unwrap_or(limit + 1);
    let found = client.read(answer, most, |bytes| file.write(bytes).map_err(|error| error.of_url(url)))?;
    match expected {
        Some(expected) if found < expected => Err(FetchError::Cut { url: url.to_string(), found, expected }),
        None if found > limit => Err(too_large()),
        _ => file.into_source().map_err(|error| error.of_url(url)),
    }
}
