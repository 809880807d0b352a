//! Signing with a key that never leaves its token: the `openssl` program with its pkcs11 engine.
//!
//! The openssl crate has no engines, and calling the library's own would need `unsafe`. The PIN goes to the program through
//! its standard input: command lines and environments can be seen by others.

use super::{Secret, SignError};
use crate::external::{self, ExternalError};
use openssl::x509::X509;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A key on a token.
pub struct Token {
    program: PathBuf,
    uri: String,
    pin: Vec<u8>,
    module: Option<PathBuf>,
}

impl Token {
    /// The key that `uri` names; gets the PIN.
    pub fn new(uri: &str, pin: &Secret, module: Option<&Path>) -> Result<Self, SignError> {
        let program = external::find("openssl", "openssl").map_err(SignError::Token)?;
        let pin = pin.get("PIN of the token")?;
        Ok(Token { program, uri: uri.to_owned(), pin, module: module.map(Path::to_owned) })
    }

    /// A CMS over `payload`.
    pub fn sign(
        &self,
        payload: &[u8],
        certificate: &X509,
        intermediates: &[X509],
    ) -> Result<Vec<u8>, SignError> {
        let run = |source| SignError::Token(ExternalError::Run { program: self.program.clone(), source });
        let pem = |x509: &X509| x509.to_pem().map_err(|e| run(e.into()));
        let work = tempfile::tempdir().map_err(run)?;
        let file = |name: &str, content: &[u8]| {
            let path = work.path().join(name);
            std::fs::write(&path, content).map(|()| path).map_err(run)
        };
        let mut command = Command::new(&self.program);
        command
            .args(["cms", "-sign", "-binary", "-nodetach", "-nosmimecap", "-md", "sha256", "-outform", "DER"])
            .args([
                "-engine", "pkcs11", "-keyform", "engine", "-inkey", &self.uri, "-passin", "stdin", "-signer",
            ])
            .arg(file("signer.pem", &pem(certificate)?)?)
            .arg("-in")
            .arg(file("payload", payload)?)
            .arg("-out")
            .arg(work.path().join("cms"));
        if !intermediates.is_empty() {
            let all = intermediates.iter().map(pem).collect::<Result<Vec<_>, _>>()?.concat();
            command.arg("-certfile").arg(file("intermediates.pem", &all)?);
        }
        if let Some(module) = &self.module {
            command.env("PKCS11_MODULE_PATH", module);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(run)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that fails before it reads says why on its standard error.
            let _ = stdin.write_all(&[&self.pin, b"\n".as_slice()].concat());
        }
        let output = child.wait_with_output().map_err(run)?;
        if !output.status.success() {
            let stderr = external::tail(&output.stderr);
            let program = self.program.clone();
            return Err(SignError::Token(ExternalError::Failed { program, status: output.status, stderr }));
        }
        std::fs::read(work.path().join("cms")).map_err(run)
    }
}
