//! Files with what a server asks for: headers, and certificates to trust.

use crate::network::Network;
use rustix::process::geteuid;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tiu_system::hints;

/// The most bytes of a file.
const LARGEST: u64 = 1 << 20;
/// Headers that say which bytes are fetched and how, or that a proxy needs. They are not for a
/// file.
const OWN: [&str; 10] = [
    "accept-encoding",
    "cache-control",
    "connection",
    "content-length",
    "host",
    "if-range",
    "proxy-authorization",
    "range",
    "te",
    "transfer-encoding",
];

/// A file of [`Network`] cannot be used. Nothing of its content is shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum NetworkError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// Others can read the file, or write to it.
    #[error("{}: its mode is {mode:03o} and its owner {owner}, expected 600 and your own number", path.display())]
    Open { path: PathBuf, mode: u32, owner: u32 },
    /// A line that is not a header.
    #[error("{}: line {line} is not a header, expected NAME: VALUE", path.display())]
    Header { path: PathBuf, line: usize },
    /// A header that tiu sets itself.
    #[error("{}: line {line}: the header {name} cannot be set", path.display())]
    OwnHeader { path: PathBuf, line: usize, name: String },
    /// No certificate.
    #[error("{}: it has no certificate in PEM", path.display())]
    NoCertificate { path: PathBuf },
}

hints! { NetworkError {
    Read { .. } => "check that the file exists and can be read",
    Open { path, .. } => format!("the headers are secret: chmod 600 {}", path.display()),
    Header { .. } => "write one header on each line, such as: Authorization: Bearer TOKEN",
    OwnHeader { .. } => "remove the line; only headers that the server asks for belong there",
    NoCertificate { .. } => "give the certificate of the authority that issued the server's, in PEM",
} }

impl Network {
    /// Adds the headers in the file at `path`, one on each line; empty lines and lines that begin
    /// with `#` are ignored. Only the owner can have access to the file.
    pub fn add_headers(&mut self, path: &Path) -> Result<(), NetworkError> {
        let (text, metadata) = read(path)?;
        let (mode, owner) = (metadata.mode() & 0o777, metadata.uid());
        if mode & 0o077 != 0 || ![0, geteuid().as_raw()].contains(&owner) {
            return Err(NetworkError::Open { path: path.to_owned(), mode, owner });
        }
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let malformed = || NetworkError::Header { path: path.to_owned(), line: number + 1 };
            let line = std::str::from_utf8(line).map_err(|_| malformed())?.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            let visible = |byte: u8| (b' '..=b'~').contains(&byte);
            let value = value.trim();
            if name.is_empty() || value.is_empty() || !name.bytes().all(token) || !value.bytes().all(visible)
            {
                return Err(malformed());
            }
            let name = name.to_ascii_lowercase();
            if OWN.contains(&&name[..]) {
                return Err(NetworkError::OwnHeader { path: path.to_owned(), line: number + 1, name });
            }
            self.headers.0.push((name, value.to_owned()));
        }
        Ok(())
    }

    /// Trusts the certificates in the file at `path` for TLS, instead of the system's.
    pub fn add_authorities(&mut self, path: &Path) -> Result<(), NetworkError> {
        let none = || NetworkError::NoCertificate { path: path.to_owned() };
        let certificates = openssl::x509::X509::stack_from_pem(&read(path)?.0).map_err(|_| none())?;
        let ders = certificates.iter().map(|certificate| certificate.to_der()).collect::<Result<Vec<_>, _>>();
        match ders {
            Ok(ders) if !ders.is_empty() => {
                self.authorities.extend(ders);
                Ok(())
            }
            _ => Err(none()),
        }
    }
}

fn read(path: &Path) -> Result<(Vec<u8>, std::fs::Metadata), NetworkError> {
    let failed = |source| NetworkError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(failed(io::Error::other(format!("expected a file of at most {LARGEST} bytes"))));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
    Ok((bytes, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn headers(text: &[u8], mode: u32) -> Result<Vec<(String, String)>, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("headers");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let mut network = Network::default();
        let shown = |e: NetworkError| e.to_string().replace(directory.path().to_str().unwrap(), "");
        network.add_headers(&path).map_err(shown)?;
        assert!(!format!("{network:?}").contains("secret"), "{network:?}");
        Ok(network.headers.0)
    }

    #[test]
    fn headers_of_a_file() {
        let found = headers(b"# for the mirror\n\nAuthorization: Bearer secret\r\nX-Id:7", 0o600).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(found, [pair("authorization", "Bearer secret"), pair("x-id", "7")]);
    }

    #[test]
    fn files_that_are_refused() {
        for mode in [0o640, 0o604, 0o620, 0o610] {
            let error = headers(b"A: b", mode).unwrap_err();
            assert!(error.starts_with(&format!("/headers: its mode is {mode:03o} and its owner")), "{error}");
        }
        for text in [
            &b"secret"[..],
            b": secret",
            b"A:",
            b"A b: secret",
            b"A: se\x07cret",
            b"\xff: secret",
            b"A: \xc3\xa9",
        ] {
            let error = headers(&[b"X: y\n", text].concat(), 0o600).unwrap_err();
            assert_eq!(error, "/headers: line 2 is not a header, expected NAME: VALUE");
        }
        assert_eq!(
            headers(b"RANGE: secret", 0o600).unwrap_err(),
            "/headers: line 1: the header range cannot be set"
        );
    }
}
