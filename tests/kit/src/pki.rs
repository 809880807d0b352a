//! Certificates, keys, revocation lists and signatures made to order, so that exactly one thing can
//! be wrong with each.
//!
//! ```text
//! let root = Certificate::new("Test Root").authority().self_signed();
//! let signer = Certificate::new("Test Signer").usages(&["codeSigning"]).issued_by(&root);
//! ```

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{
    X509, X509Builder, X509Crl, X509CrlBuilder, X509Extension, X509Name, X509RevokedBuilder,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// 2020-01-01T00:00:00Z, from when on certificates are valid.
pub const BEGIN: i64 = 1_577_836_800;
/// 2100-01-01T00:00:00Z, until when they are.
pub const END: i64 = 4_102_444_800;

/// A certificate with its key.
#[derive(Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: X509,
    /// Its private key.
    pub key: PKey<Private>,
}

impl Identity {
    /// Writes `NAME.cert.pem` and `NAME.key.pem` into `dir`; gives their paths.
    pub fn write(&self, dir: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (dir.join(format!("{name}.cert.pem")), dir.join(format!("{name}.key.pem")));
        fs::write(&certificate, self.certificate.to_pem().unwrap()).unwrap();
        fs::write(&key, self.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        (certificate, key)
    }
}

/// A certificate to be made: EC P-256, SHA-256, valid from [`BEGIN`] to [`END`], no key usages,
/// unless said otherwise.
#[derive(Clone)]
pub struct Certificate {
    name: String,
    authority: bool,
    path_length: Option<u32>,
    usages: Vec<String>,
    encipherment_only: bool,
    begin: i64,
    end: i64,
    digest: MessageDigest,
    rsa_bits: Option<u32>,
    key: Option<PKey<Private>>,
    names_issuer: bool,
    ed25519: bool,
    host: Option<String>,
    signing_authority: bool,
}

impl Certificate {
    /// For `CN=name, O=tiu test`.
    pub fn new(name: &str) -> Self {
        Certificate {
            name: name.into(),
            authority: false,
            path_length: None,
            usages: Vec::new(),
            encipherment_only: false,
            begin: BEGIN,
            end: END,
            digest: MessageDigest::sha256(),
            rsa_bits: None,
            key: None,
            names_issuer: false,
            ed25519: false,
            host: None,
            signing_authority: false,
        }
    }
    /// May issue other certificates and revocation lists.
    pub fn authority(mut self) -> Self {
        self.authority = true;
        self
    }
    /// At most this many authorities below it.
    pub fn path_length(mut self, length: u32) -> Self {
        self.path_length = Some(length);
        self
    }
    /// Extended key usages by OpenSSL's names: `codeSigning`, `emailProtection`, `serverAuth`, ...
    pub fn usages(mut self, usages: &[&str]) -> Self {
        self.usages = usages.iter().map(|usage| (*usage).to_owned()).collect();
        self
    }
    /// Key usage of a certificate that is not an authority: key encipherment only, so that it must
    /// not sign data.
    pub fn encipherment_only(mut self) -> Self {
        self.encipherment_only = true;
        self
    }
    /// Valid from `begin` to `end`, in seconds since 1970.
    pub fn valid(mut self, begin: i64, end: i64) -> Self {
        (self.begin, self.end) = (begin, end);
        self
    }
    /// Signed with another digest than SHA-256.
    pub fn digest(mut self, digest: MessageDigest) -> Self {
        self.digest = digest;
        self
    }
    /// RSA instead of EC P-256.
    pub fn rsa(mut self, bits: u32) -> Self {
        self.rsa_bits = Some(bits);
        self
    }

    /// With a key that already exists: a renewed certificate.
    pub fn key(mut self, key: &PKey<Private>) -> Self {
        self.key = Some(key.clone());
        self
    }
    /// Names its issuer's certificate by that one's issuer and serial number, too.
    pub fn names_issuer(mut self) -> Self {
        self.names_issuer = true;
        self
    }
    /// For the web server at the host `name`.
    pub fn host(mut self, name: &str) -> Self {
        self.host = Some(name.to_owned());
        self
    }
    /// Ed25519 instead of EC P-256.
    pub fn ed25519(mut self) -> Self {
        self.ed25519 = true;
        self
    }
    /// An authority whose key may sign data too, as `openssl req -x509` makes it.
    pub fn signing_authority(mut self) -> Self {
        (self.authority, self.signing_authority) = (true, true);
        self
    }

    /// Issued by itself.
    pub fn self_signed(&self) -> Identity {
        self.make(None)
    }
    /// Issued by `issuer`.
    pub fn issued_by(&self, issuer: &Identity) -> Identity {
        self.make(Some(issuer))
    }

    fn make(&self, issuer: Option<&Identity>) -> Identity {
        let key = match self.rsa_bits {
            _ if self.key.is_some() => self.key.clone().unwrap(),
            _ if self.ed25519 => PKey::generate_ed25519().unwrap(),
            Some(bits) => PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap(),
            None => {
                let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
                PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
            }
        };
        let name = name(&self.name);
        let mut serial = BigNum::new().unwrap();
        serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(issuer.map_or(&name, |i| i.certificate.subject_name())).unwrap();
        builder.set_not_before(&time(self.begin)).unwrap();
        builder.set_not_after(&time(self.end)).unwrap();
        builder.set_pubkey(&key).unwrap();
        if self.authority {
            let mut constraints = BasicConstraints::new();
            constraints.critical().ca();
            if let Some(length) = self.path_length {
                constraints.pathlen(length);
            }
            builder.append_extension(constraints.build().unwrap()).unwrap();
            let mut usage = KeyUsage::new();
            usage.critical().key_cert_sign().crl_sign();
            if self.signing_authority {
                usage.digital_signature();
            }
            builder.append_extension(usage.build().unwrap()).unwrap();
        }
        if self.encipherment_only {
            let usage = KeyUsage::new().critical().key_encipherment().build().unwrap();
            builder.append_extension(usage).unwrap();
        }
        if !self.usages.is_empty() {
            let mut extended = ExtendedKeyUsage::new();
            for usage in &self.usages {
                extended.other(usage);
            }
            builder.append_extension(extended.build().unwrap()).unwrap();
        }
        if let Some(host) = &self.host {
            let mut names = SubjectAlternativeName::new();
            let names = names.dns(host).build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        let issuer_certificate = issuer.map(|i| &*i.certificate);
        let key_id =
            SubjectKeyIdentifier::new().build(&builder.x509v3_context(issuer_certificate, None)).unwrap();
        builder.append_extension(key_id).unwrap();
        if issuer.is_some() {
            let context = builder.x509v3_context(issuer_certificate, None);
            let key_id =
                AuthorityKeyIdentifier::new().keyid(true).issuer(self.names_issuer).build(&context).unwrap();
            builder.append_extension(key_id).unwrap();
        }
        let issuer_key = issuer.map_or(&key, |i| &i.key);
        let digest = if issuer_key.id() == Id::ED25519 { MessageDigest::null() } else { self.digest };
        builder.sign(issuer_key, digest).unwrap();
        Identity { certificate: builder.build(), key }
    }
}

/// A revocation list of `issuer`, current from `begin` to `end` (seconds since 1970).
///
/// A list of the `openssl` crate cannot be empty, so one serial number that nobody has is always in
/// it.
pub fn revocation_list(issuer: &Identity, revoked: &[&X509], begin: i64, end: i64) -> X509Crl {
    let nobody = Asn1Integer::from_bn(&BigNum::from_u32(1).unwrap()).unwrap();
    let mut builder = X509CrlBuilder::new().unwrap();
    builder.set_issuer_name(issuer.certificate.subject_name()).unwrap();
    builder.set_last_update(&time(begin)).unwrap();
    builder.set_next_update(&time(end)).unwrap();
    let owner = X509Builder::new().unwrap();
    let context = owner.x509v3_context(Some(&issuer.certificate), None);
    builder.append_extension(AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap()).unwrap();
    let number = Asn1OctetString::new_from_bytes(&[2, 1, 1]).unwrap();
    let object = Asn1Object::from_str("2.5.29.20").unwrap();
    builder.append_extension(X509Extension::new_from_der(&object, false, &number).unwrap()).unwrap();
    for serial in revoked.iter().map(|r| r.serial_number()).chain([&*nobody]) {
        let mut entry = X509RevokedBuilder::new().unwrap();
        entry.set_serial_number(serial).unwrap();
        entry.set_revocation_date(&time(begin)).unwrap();
        builder.add_revoked(entry.build()).unwrap();
    }
    builder.sort().unwrap();
    builder.sign(&issuer.key, MessageDigest::sha256()).unwrap();
    builder.build().unwrap()
}

/// Returns the output of `openssl cms -sign` for `content` with these signers and more options:
/// signatures that we would not make.
pub fn openssl_cms(content: &[u8], signers: &[&Identity], options: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (input, output) = (dir.path().join("content"), dir.path().join("cms"));
    fs::write(&input, content).unwrap();
    let mut command = Command::new("openssl");
    command.args(["cms", "-sign", "-binary", "-outform", "DER"]).args(options);
    command.arg("-in").arg(&input).arg("-out").arg(&output);
    for (i, signer) in signers.iter().enumerate() {
        let (certificate, key) = signer.write(dir.path(), &i.to_string());
        command.arg("-signer").arg(certificate).arg("-inkey").arg(key);
    }
    let outcome = crate::program::outcome(&mut command);
    assert_eq!(outcome.code, Some(0), "openssl cms failed (package openssl): {}", outcome.stderr);
    fs::read(output).unwrap()
}

fn name(common_name: &str) -> X509Name {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::ORGANIZATIONNAME, "tiu test").unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, common_name).unwrap();
    name.build()
}

fn time(unix: i64) -> Asn1Time {
    Asn1Time::from_unix(unix).unwrap()
}
