//! The structure of a CMS SignedData (RFC 5652, sections 3 and 5), as strict as a bundle needs it:
//! DER, content inside, exactly one signer with signed attributes, digests of at least SHA-256, at
//! least one certificate.
//!
//! OpenSSL does the cryptography. It does not check these rules, and accepts much more.

use super::SignatureError;
use crate::der::{
    DerError, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, SET, context, dotted, unix_time,
};

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const DATA: &str = "1.2.840.113549.1.7.1";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
const RSA_PSS: &str = "1.2.840.113549.1.1.10";
const SHA1: &str = "1.3.14.3.2.26";

/// Digests that are strong enough.
const DIGESTS: [&str; 6] = [
    "2.16.840.1.101.3.4.2.1",  // SHA-256
    "2.16.840.1.101.3.4.2.2",  // SHA-384
    "2.16.840.1.101.3.4.2.3",  // SHA-512
    "2.16.840.1.101.3.4.2.8",  // SHA3-256
    "2.16.840.1.101.3.4.2.9",  // SHA3-384
    "2.16.840.1.101.3.4.2.10", // SHA3-512
];

/// Signature algorithms that have a strong digest, or none of their own.
const SIGNATURES: [&str; 10] = [
    "1.2.840.113549.1.1.1",    // RSA, with the digest of the signer's digestAlgorithm
    "1.2.840.113549.1.1.11",   // RSA with SHA-256
    "1.2.840.113549.1.1.12",   // RSA with SHA-384
    "1.2.840.113549.1.1.13",   // RSA with SHA-512
    "1.2.840.10045.4.3.2",     // ECDSA with SHA-256
    "1.2.840.10045.4.3.3",     // ECDSA with SHA-384
    "1.2.840.10045.4.3.4",     // ECDSA with SHA-512
    "2.16.840.1.101.3.4.3.10", // ECDSA with SHA3-256
    "2.16.840.1.101.3.4.3.11", // ECDSA with SHA3-384
    "2.16.840.1.101.3.4.3.12", // ECDSA with SHA3-512
];

/// Ed25519 and Ed448, with a digest of their own. Certificates can be signed with them. OpenSSL 3.0
/// can neither make nor check a CMS that is.
const EDWARDS: [&str; 2] = ["1.3.101.112", "1.3.101.113"];

/// A CMS, taken apart.
pub(super) struct SignedData<'a> {
    /// The signed content.
    pub content: &'a [u8],
    /// DER of each enclosed certificate.
    pub certificates: Vec<&'a [u8]>,
    /// The name of the signer's certificate.
    pub signer: SignerId<'a>,
    /// Signing time in seconds since 1970, from the signed attributes.
    pub signing_time: Option<i64>,
}

/// The name of the signer's certificate in a CMS.
pub(super) enum SignerId<'a> {
    /// DER of the issuer's name, and the content of the serial number.
    IssuerAndSerial(&'a [u8], &'a [u8]),
    /// Subject key identifier.
    KeyId(&'a [u8]),
}

impl From<DerError> for SignatureError {
    fn from(error: DerError) -> Self {
        SignatureError::NotCms { offset: error.offset, expected: error.expected }
    }
}

/// Takes `cms` apart and checks its structure.
pub(super) fn parse(cms: &[u8]) -> Result<SignedData<'_>, SignatureError> {
    let mut outer = Reader::new(cms);
    let info = outer.take(SEQUENCE, "a CMS ContentInfo")?;
    let mut info = info.inside();
    match oid(&mut info, "the content type of the CMS")? {
        found if found == SIGNED_DATA => {}
        found => return Err(SignatureError::NotSignedData { found }),
    }
    let wrapper = info.take(context(0), "the content of the CMS")?;
    info.end("the end of the CMS")?;
    let mut data = wrapper.inside();
    let signed = data.take(SEQUENCE, "a SignedData")?;
    data.end("the end of the SignedData")?;
    let signed = signed_data(signed.inside())?;
    match outer.rest().len() {
        0 => Ok(signed),
        count => Err(SignatureError::TrailingBytes { count }),
    }
}

fn signed_data(mut data: Reader) -> Result<SignedData, SignatureError> {
    data.take(INTEGER, "the version of the SignedData")?;
    data.take(SET, "the digest algorithms")?;
    let mut encapsulated = data.take(SEQUENCE, "the encapsulated content")?.inside();
    match oid(&mut encapsulated, "the type of the signed content")? {
        found if found == DATA => {}
        found => return Err(SignatureError::ContentType { found }),
    }
    let Some(content) = encapsulated.optional(context(0), "the signed content")? else {
        return Err(SignatureError::Detached);
    };
    encapsulated.end("the end of the encapsulated content")?;
    let mut content = content.inside();
    let octets = content.take(OCTET_STRING, "the signed content")?.content;
    content.end("the end of the signed content")?;

    let mut certificates = Vec::new();
    if let Some(set) = data.optional(context(0), "the certificates")? {
        let mut set = set.inside();
        while !set.rest().is_empty() {
            certificates.push(set.take(SEQUENCE, "an X.509 certificate")?.whole);
        }
    }
    // Revocation lists are only taken from the host's own configuration.
    data.optional(context(1), "the revocation lists")?;
    let mut signers = data.take(SET, "the signers")?.inside();
    data.end("the end of the SignedData")?;
    let mut infos = Vec::new();
    while !signers.rest().is_empty() {
        infos.push(signers.take(SEQUENCE, "a SignerInfo")?);
    }
    let [info] = infos.as_slice() else {
        return Err(SignatureError::SignerCount { found: infos.len() });
    };
    let (signer, signing_time) = signer_info(info.inside())?;
    if certificates.is_empty() {
        return Err(SignatureError::NoCertificate);
    }
    Ok(SignedData { content: octets, certificates, signer, signing_time })
}

fn signer_info(mut info: Reader) -> Result<(SignerId, Option<i64>), SignatureError> {
    info.take(INTEGER, "the version of the SignerInfo")?;
    // [0] IMPLICIT OCTET STRING is primitive.
    let signer = match info.optional(0x80, "the signer's key identifier")? {
        Some(key_id) => SignerId::KeyId(key_id.content),
        None => {
            let mut id = info.take(SEQUENCE, "the signer's issuer and serial number")?.inside();
            let issuer = id.take(SEQUENCE, "the signer's issuer")?.whole;
            let serial = id.take(INTEGER, "the signer's serial number")?.content;
            id.end("the end of the signer's issuer and serial number")?;
            SignerId::IssuerAndSerial(issuer, serial)
        }
    };
    let mut digest = info.take(SEQUENCE, "the digest algorithm")?.inside();
    let digest = oid(&mut digest, "the digest algorithm")?;
    if !DIGESTS.contains(&digest.as_str()) {
        return Err(SignatureError::WeakDigest { found: algorithm_name(&digest) });
    }
    let Some(attributes) = info.optional(context(0), "the signed attributes")? else {
        return Err(SignatureError::NoSignedAttributes);
    };
    let signing_time = signed_attributes(attributes.inside())?;
    let algorithm = info.take(SEQUENCE, "the signature algorithm")?.inside();
    if let Algorithm::Edwards(found) = signature_algorithm(algorithm)? {
        return Err(SignatureError::Algorithm { found: algorithm_name(&found) });
    }
    info.take(OCTET_STRING, "the signature")?;
    info.optional(context(1), "the unsigned attributes")?;
    info.end("the end of the SignerInfo")?;
    Ok((signer, signing_time))
}

/// Checks the content type and returns the signing time. OpenSSL checks the message digest.
fn signed_attributes(mut attributes: Reader) -> Result<Option<i64>, SignatureError> {
    let (mut typed, mut time) = (false, None);
    while !attributes.rest().is_empty() {
        let mut attribute = attributes.take(SEQUENCE, "a signed attribute")?.inside();
        let name = oid(&mut attribute, "the type of a signed attribute")?;
        let mut values = attribute.take(SET, "the values of a signed attribute")?.inside();
        match name.as_str() {
            CONTENT_TYPE => match oid(&mut values, "the content type")? {
                found if found == DATA => typed = true,
                found => return Err(SignatureError::ContentType { found }),
            },
            SIGNING_TIME => {
                let value = values.any("the signing time")?;
                let found = unix_time(&value).ok_or(SignatureError::BadSigningTime)?;
                if time.replace(found).is_some() {
                    return Err(SignatureError::BadSigningTime);
                }
            }
            _ => {}
        }
    }
    if typed { Ok(time) } else { Err(SignatureError::NoSignedAttributes) }
}

/// A signature algorithm that is strong enough.
enum Algorithm {
    /// RSA or ECDSA.
    Common,
    /// One of [`EDWARDS`].
    Edwards(String),
}

fn signature_algorithm(mut algorithm: Reader) -> Result<Algorithm, SignatureError> {
    let name = oid(&mut algorithm, "the signature algorithm")?;
    let weak = |found: &str| Err(SignatureError::WeakDigest { found: algorithm_name(found) });
    if name == RSA_PSS {
        // The parameters name the digest; where they do not, it is SHA-1 (RFC 4055, section 3.1).
        let mut parameters = algorithm.take(SEQUENCE, "the parameters of RSA-PSS")?.inside();
        let Some(hash) = parameters.optional(context(0), "the digest of RSA-PSS")? else {
            return weak(SHA1);
        };
        let mut hash = hash.inside().take(SEQUENCE, "the digest of RSA-PSS")?.inside();
        let digest = oid(&mut hash, "the digest of RSA-PSS")?;
        return if DIGESTS.contains(&digest.as_str()) { Ok(Algorithm::Common) } else { weak(&digest) };
    }
    if SIGNATURES.contains(&name.as_str()) {
        Ok(Algorithm::Common)
    } else if EDWARDS.contains(&name.as_str()) {
        Ok(Algorithm::Edwards(name))
    } else {
        weak(&name)
    }
}

/// Checks that a certificate is signed with SHA-256 or stronger; returns the name of a weak
/// algorithm.
pub(crate) fn weak_certificate_signature(certificate: &[u8]) -> Result<Option<String>, DerError> {
    let mut outer = Reader::new(certificate).take(SEQUENCE, "a certificate")?.inside();
    outer.take(SEQUENCE, "the body of a certificate")?;
    let algorithm = outer.take(SEQUENCE, "the signature algorithm of a certificate")?;
    match signature_algorithm(algorithm.inside()) {
        Ok(_) => Ok(None),
        Err(SignatureError::WeakDigest { found }) => Ok(Some(found)),
        // RSA-PSS without parameters has SHA-1.
        Err(_) => Ok(Some(algorithm_name(SHA1))),
    }
}

fn oid(reader: &mut Reader, expected: &'static str) -> Result<String, DerError> {
    Ok(dotted(reader.take(OBJECT_IDENTIFIER, expected)?.content))
}

/// Returns the common names of algorithms that are in use but not accepted.
fn algorithm_name(oid: &str) -> String {
    let name = match oid {
        "1.2.840.113549.2.5" => "MD5",
        SHA1 => "SHA-1",
        "2.16.840.1.101.3.4.2.4" => "SHA-224",
        "1.2.840.113549.1.1.4" => "RSA with MD5",
        "1.2.840.113549.1.1.5" => "RSA with SHA-1",
        "1.2.840.113549.1.1.14" => "RSA with SHA-224",
        "1.2.840.10045.4.1" => "ECDSA with SHA-1",
        "1.2.840.10045.4.3.1" => "ECDSA with SHA-224",
        "1.2.840.10040.4.3" => "DSA with SHA-1",
        "2.16.840.1.101.3.4.3.2" => "DSA with SHA-256",
        "1.3.101.112" => "Ed25519",
        "1.3.101.113" => "Ed448",
        other => return format!("the algorithm {other}"),
    };
    name.to_owned()
}

/// DER of a certificate's issuer and the content of its serial number.
pub(super) fn issuer_and_serial(certificate: &[u8]) -> Result<(&[u8], &[u8]), DerError> {
    let mut outer = Reader::new(certificate).take(SEQUENCE, "a certificate")?.inside();
    let mut body = outer.take(SEQUENCE, "the body of a certificate")?.inside();
    body.optional(context(0), "the version of a certificate")?;
    let serial = body.take(INTEGER, "the serial number of a certificate")?.content;
    body.take(SEQUENCE, "the algorithm of a certificate")?;
    let issuer = body.take(SEQUENCE, "the issuer of a certificate")?.whole;
    Ok((issuer, serial))
}
