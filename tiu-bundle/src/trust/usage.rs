//! The allowed uses of a certificate's key: key usage and extended key usage (RFC 5280, 4.2.1.3 and
//! 4.2.1.12).
//!
//! OpenSSL before 3.2 has no check for code signing, so the extensions are read here.

use super::when::Purpose;
use crate::der::{
    BIT_STRING, BOOLEAN, DerError, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, context, dotted,
};
use crate::names::subject;
use crate::signature::SignatureError;
use openssl::x509::X509Ref;

const KEY_USAGE: &str = "2.5.29.15";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const ANY: &str = "2.5.29.37.0";
const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
const CODE_SIGNING: &str = "1.3.6.1.5.5.7.3.3";
const EMAIL_PROTECTION: &str = "1.3.6.1.5.5.7.3.4";

/// digitalSignature and nonRepudiation, the first two bits.
const SIGNING_BITS: u8 = 0b1100_0000;
/// keyCertSign.
const ISSUING_BIT: u8 = 0b0000_0100;

/// The usages that a certificate names. `None` if it has no such extension.
#[derive(Debug, Default, PartialEq, Eq)]
struct Usage {
    /// First byte of the key usage bits.
    key: Option<u8>,
    extended: Option<Vec<String>>,
    /// True if the basic constraints say that it is a certification authority.
    authority: bool,
}

/// Checks the signer's certificate; `issuers` are the intermediate certificates above it.
pub(super) fn check<'a>(
    signer: &X509Ref,
    issuers: impl Iterator<Item = &'a X509Ref>,
    purpose: Purpose,
) -> Result<(), SignatureError> {
    if purpose == Purpose::Any {
        return Ok(());
    }
    let usage = usage_of(signer)?;
    if usage.authority || usage.key.is_some_and(|bits| bits & ISSUING_BIT != 0) {
        return Err(SignatureError::SignerIsAuthority { subject: subject(signer) });
    }
    if usage.key.is_some_and(|bits| bits & SIGNING_BITS == 0) {
        return Err(SignatureError::KeyUsage { subject: subject(signer) });
    }
    let (wanted, expected) = match purpose {
        Purpose::CodeSigningOrNone => (CODE_SIGNING, "codeSigning, or no extended key usage"),
        Purpose::CodeSigning => (CODE_SIGNING, "codeSigning"),
        Purpose::SmimeSign | Purpose::Any => (EMAIL_PROTECTION, "emailProtection, or no extended key usage"),
    };
    let has = |usages: &[String], usage: &str| usages.iter().any(|u| u == usage);
    let fits = match &usage.extended {
        None => purpose != Purpose::CodeSigning,
        Some(usages) if wanted == CODE_SIGNING => {
            has(usages, wanted) && !has(usages, SERVER_AUTH) && !has(usages, ANY)
        }
        Some(usages) => has(usages, wanted),
    };
    if !fits {
        return Err(wrong(signer, usage.extended, expected));
    }
    for issuer in issuers {
        let extended = usage_of(issuer)?.extended;
        if extended.as_ref().is_some_and(|usages| !has(usages, wanted) && !has(usages, ANY)) {
            return Err(wrong(issuer, extended, expected));
        }
    }
    Ok(())
}

fn wrong(certificate: &X509Ref, found: Option<Vec<String>>, expected: &'static str) -> SignatureError {
    let name = |usage: &String| match usage.as_str() {
        ANY => "anyExtendedKeyUsage".to_owned(),
        SERVER_AUTH => "serverAuth".to_owned(),
        "1.3.6.1.5.5.7.3.2" => "clientAuth".to_owned(),
        CODE_SIGNING => "codeSigning".to_owned(),
        EMAIL_PROTECTION => "emailProtection".to_owned(),
        "1.3.6.1.5.5.7.3.8" => "timeStamping".to_owned(),
        "1.3.6.1.5.5.7.3.9" => "OCSPSigning".to_owned(),
        other => other.to_owned(),
    };
    let found = match found {
        None => "no extended key usage".to_owned(),
        Some(usages) => usages.iter().take(10).map(name).collect::<Vec<_>>().join(", "),
    };
    SignatureError::WrongPurpose { subject: subject(certificate), found, expected }
}

fn usage_of(certificate: &X509Ref) -> Result<Usage, SignatureError> {
    let unreadable = |_| SignatureError::Chain {
        subject: subject(certificate),
        reason: "its extensions cannot be read".to_owned(),
        code: 0,
    };
    let der = certificate
        .to_der()
        .map_err(|e| SignatureError::Internal { reason: crate::signature::reason(&e) })?;
    parse(&der).map_err(unreadable)
}

/// TBSCertificate of RFC 5280, 4.1, down to its extensions.
fn parse(certificate: &[u8]) -> Result<Usage, DerError> {
    let mut outer = Reader::new(certificate).take(SEQUENCE, "a certificate")?.inside();
    let mut body = outer.take(SEQUENCE, "the body of a certificate")?.inside();
    let mut usage = Usage::default();
    while !body.rest().is_empty() {
        let field = body.any("a field of a certificate")?;
        // [3] is the only field with this tag.
        if field.tag != context(3) {
            continue;
        }
        let mut extensions = field.inside().take(SEQUENCE, "extensions")?.inside();
        while !extensions.rest().is_empty() {
            let mut extension = extensions.take(SEQUENCE, "an extension")?.inside();
            let name = dotted(extension.take(OBJECT_IDENTIFIER, "the name of an extension")?.content);
            extension.optional(BOOLEAN, "whether an extension is critical")?;
            let value = extension.take(OCTET_STRING, "the value of an extension")?;
            let mut value = value.inside();
            match name.as_str() {
                KEY_USAGE => {
                    let bits = value.take(BIT_STRING, "the key usage")?.content;
                    // The first byte is the number of unused bits.
                    usage.key = Some(bits.get(1).copied().unwrap_or(0));
                }
                EXTENDED_KEY_USAGE => {
                    let mut names = value.take(SEQUENCE, "the extended key usage")?.inside();
                    let usages = usage.extended.get_or_insert_default();
                    while !names.rest().is_empty() {
                        usages.push(dotted(names.take(OBJECT_IDENTIFIER, "an extended key usage")?.content));
                    }
                }
                BASIC_CONSTRAINTS => {
                    let mut constraints = value.take(SEQUENCE, "the basic constraints")?.inside();
                    // DER leaves the default, false, out.
                    let authority = constraints.optional(BOOLEAN, "whether it is an authority")?;
                    usage.authority = authority.is_some_and(|value| value.content != [0]);
                }
                _ => {}
            }
        }
    }
    Ok(usage)
}
