//! Names and times of certificates, as text.

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::{X509NameRef, X509Ref};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tiu_system::text::is_unprintable;

/// Returns a name as RFC 4514 writes it: `CN=signer, O=Example`, the most specific part first.
///
/// The maker of the certificate chose the text. Characters that a reader cannot see are therefore
/// written as RFC 4514 allows it, each byte of their UTF-8 as `\XX`.
pub(crate) fn distinguished_name(name: &X509NameRef) -> String {
    let mut parts: Vec<String> = name
        .entries()
        .map(|entry| {
            let key = entry.object().nid().short_name().unwrap_or("OID");
            let value = entry.data().to_string().unwrap_or_else(|_| "?".to_owned());
            format!("{key}={}", escaped(&value))
        })
        .collect();
    parts.reverse();
    if parts.is_empty() { "(no name)".to_owned() } else { parts.join(", ") }
}

/// Returns at most 200 characters of an attribute's value.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for c in value.chars().take(200) {
        match c {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => text.extend(['\\', c]),
            c if is_unprintable(c) => {
                text.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\{byte:02X}")));
            }
            c => text.push(c),
        }
    }
    text
}

/// Returns the name of the certificate's owner.
pub(crate) fn subject(certificate: &X509Ref) -> String {
    distinguished_name(certificate.subject_name())
}

/// Returns the name of the certificate's issuer.
pub(crate) fn issuer(certificate: &X509Ref) -> String {
    distinguished_name(certificate.issuer_name())
}

/// Returns seconds since 1970.
pub(crate) fn asn1_unix_time(time: &Asn1TimeRef) -> Option<i64> {
    let difference = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(i64::from(difference.days) * 86_400 + i64::from(difference.secs))
}

/// Returns RFC 3339 in UTC, or `?` for what is not a time.
pub(crate) fn asn1_rfc3339(time: &Asn1TimeRef) -> String {
    asn1_unix_time(time).map_or_else(|| "?".to_owned(), rfc3339)
}

/// Returns RFC 3339 in UTC of seconds since 1970.
pub fn rfc3339(unix: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix).ok().and_then(|time| time.format(&Rfc3339).ok());
    time.unwrap_or_else(|| format!("@{unix}"))
}
