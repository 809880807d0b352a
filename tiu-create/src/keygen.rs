//! Keys for development: a CA and a signing certificate that can be used at once, and whose
//! subjects say that they are for development.
//!
//! Both are EC P-256. Real keys belong on a token or with a build service:
//! `docs/building/signing.md`.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name, X509NameRef};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tiu_system::hints;

/// Days that the CA is valid.
const CA_DAYS: u32 = 3650;
/// Days that the signer is valid.
const SIGNER_DAYS: u32 = 730;
/// Names of the files, certificates and keys.
pub const FILES: [&str; 4] = ["ca.cert.pem", "ca.key.pem", "signer.cert.pem", "signer.key.pem"];

/// An error that prevented the keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // Fields without documentation are what their names say.
pub enum KeygenError {
    /// A file that already exists.
    #[error("{} exists", path.display())]
    Exists { path: PathBuf },
    /// Could not be written.
    #[error("{}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// OpenSSL failed.
    #[error("making keys failed: {0}")]
    OpenSsl(#[from] ErrorStack),
}

hints! { KeygenError {
    Exists { .. } => "existing keys are never overwritten: give another directory, or remove them yourself",
    Write { .. } => "check that the directory can be written to",
    OpenSsl(_) => None,
} }

/// Writes [`FILES`] into `directory`, which is created if it is missing. Keys are readable for
/// their owner only. A failure leaves files that were already written; none is ever overwritten.
pub fn keygen(directory: &Path) -> Result<Vec<PathBuf>, KeygenError> {
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| KeygenError::Write { path, source }
    };
    std::fs::create_dir_all(directory).map_err(write(directory))?;
    let paths: Vec<PathBuf> = FILES.iter().map(|name| directory.join(name)).collect();
    if let Some(path) = paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(KeygenError::Exists { path: path.clone() });
    }
    let (ca, ca_key) = authority()?;
    let (signer, signer_key) = signer(&ca, &ca_key)?;
    let contents = [
        ca.to_pem()?,
        ca_key.private_key_to_pem_pkcs8()?,
        signer.to_pem()?,
        signer_key.private_key_to_pem_pkcs8()?,
    ];
    for (path, content) in paths.iter().zip(contents) {
        let mode =
            if path.ends_with("ca.cert.pem") || path.ends_with("signer.cert.pem") { 0o644 } else { 0o600 };
        let mut options = File::options();
        let mut file = options.write(true).create_new(true).mode(mode).open(path).map_err(write(path))?;
        file.write_all(&content).and_then(|()| file.sync_all()).map_err(write(path))?;
    }
    Ok(paths)
}

fn authority() -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = new_key()?;
    let name = name("tiu development CA (not for production)")?;
    let mut builder = certificate(&name, &name, &key, CA_DAYS)?;
    builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
    let id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
    builder.append_extension(id)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

fn signer(ca: &X509, ca_key: &PKey<Private>) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = new_key()?;
    let name = name("tiu development signer (not for production)")?;
    let mut builder = certificate(&name, ca.subject_name(), &key, SIGNER_DAYS)?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    // The second is what RAUC and `openssl cms -verify` ask for when no purpose is given.
    builder.append_extension(ExtendedKeyUsage::new().code_signing().email_protection().build()?)?;
    let id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(Some(ca), None))?;
    builder.append_extension(id)?;
    let id = AuthorityKeyIdentifier::new().keyid(true).build(&builder.x509v3_context(Some(ca), None))?;
    builder.append_extension(id)?;
    builder.sign(ca_key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn name(common_name: &str) -> Result<X509Name, ErrorStack> {
    let mut name = X509Name::builder()?;
    name.append_entry_by_text("O", "tiu development")?;
    name.append_entry_by_text("CN", common_name)?;
    Ok(name.build())
}

fn certificate(
    subject: &X509NameRef,
    issuer: &X509NameRef,
    key: &PKeyRef<Private>,
    days: u32,
) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509::builder()?;
    // X.509 version 3 is number 2.
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key)?;
    // A little in the past, for clocks that are slightly wrong.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |t| t.as_secs());
    let start = i64::try_from(now).unwrap_or(i64::MAX).saturating_sub(3600);
    builder.set_not_before(&*Asn1Time::from_unix(start)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(days)?)?;
    Ok(builder)
}
