//! Signing with a key that never leaves its token: the `openssl` program with its pkcs11 engine.
//!
//! The openssl crate has no engines, and calling the library's own would need `unsafe`. The PIN
//! goes to the program through its standard input: others can see command lines and environments.

use super::pin_source::{self, decoded};
use super::{Secret, SignError};
use openssl::x509::X509;
use std::path::{Path, PathBuf};
use tiu_system::program::{OPENSSL, Run, RunError, find};

/// A key on a token.
pub struct Token {
    uri: String,
    pin: Vec<u8>,
    module: Option<PathBuf>,
}

impl Token {
    /// Returns the key that `uri` names, with its PIN: of the file that `pin` names, else of the
    /// one that the URI's `pin-source` names, else of the user.
    pub fn new(uri: &str, pin: &Secret, module: Option<&Path>) -> Result<Self, SignError> {
        if holds_pin(uri) {
            return Err(SignError::PinInUri);
        }
        let (uri, source) = pin_source::take(uri)?;
        // A missing program is reported before anybody types a PIN.
        find(&OPENSSL).map_err(SignError::Token)?;
        let pin = match (pin, source) {
            (Secret::Prompt, Some(file)) => pin_source::read(&file)?,
            _ => pin.get("PIN of the token")?,
        };
        Ok(Token { uri, pin, module: module.map(Path::to_owned) })
    }

    /// Returns a CMS over `payload`.
    pub fn sign(
        &self,
        payload: &[u8],
        certificate: &X509,
        intermediates: &[X509],
    ) -> Result<Vec<u8>, SignError> {
        let failed = |source| SignError::Token(RunError::Start { command: OPENSSL.name.into(), source });
        let pem = |x509: &X509| x509.to_pem().map_err(|e| failed(e.into()));
        let work = tempfile::tempdir().map_err(failed)?;
        let file = |name: &str, content: &[u8]| {
            let path = work.path().join(name);
            std::fs::write(&path, content).map(|()| path).map_err(failed)
        };
        let mut run = Run::new(&OPENSSL)
            .args(["cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-md", "sha256", "-outform", "DER"])
            .args(["-engine", "pkcs11", "-keyform", "engine", "-inkey", &self.uri, "-passin", "stdin"])
            .arg("-signer")
            .arg(file("signer.pem", &pem(certificate)?)?)
            .arg("-in")
            .arg(file("payload", payload)?)
            .arg("-out")
            .arg(work.path().join("cms"));
        if !intermediates.is_empty() {
            let all = intermediates.iter().map(pem).collect::<Result<Vec<_>, _>>()?.concat();
            run = run.arg("-certfile").arg(file("intermediates.pem", &all)?);
        }
        // A token's module has settings of its own in the user's environment. A URI says which keys
        // there are.
        run = run.inherit_env().hide_arguments();
        if let Some(module) = &self.module {
            run = run.env("PKCS11_MODULE_PATH", module);
        }
        run.input([&self.pin, b"\n".as_slice()].concat()).output().map_err(SignError::Token)?;
        std::fs::read(work.path().join("cms")).map_err(failed)
    }
}

/// Returns whether a `pkcs11:` URI has the attribute `pin-value`, however it is spelled (RFC 7512,
/// section 2.3, and RFC 3986, section 2.1).
pub(super) fn holds_pin(uri: &str) -> bool {
    uri.split([':', ';', '?', '&']).any(|attribute| {
        let name = attribute.split('=').next().unwrap_or_default();
        decoded(name).trim_ascii().eq_ignore_ascii_case(b"pin-value")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_in_the_uri_is_found_however_it_is_spelled() {
        for uri in [
            "pkcs11:token=release?pin-value=1234",
            "pkcs11:token=release;object=a?module-name=x&pin-value=1234",
            "pkcs11:pin-value=1234",
            "PKCS11:token=x?PIN-VALUE=1234",
            "pkcs11:token=x?pin%2Dvalue=1234",
            "pkcs11:token=x;pin-value=1234",
        ] {
            assert!(holds_pin(uri), "{uri}");
        }
        for uri in ["pkcs11:token=pin-value", "pkcs11:object=a?pin-source=file:/pin", "pkcs11:", "pkcs11:a%2"]
        {
            assert!(!holds_pin(uri), "{uri}");
        }
    }
}
