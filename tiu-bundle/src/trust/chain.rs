//! The chain from the signer's certificate to a trusted one, with its own message for each error.

use super::error::TrustError;
use super::keyring::Trust;
use super::when::ValidAt;
use super::{strength, usage};
use crate::names::{asn1_rfc3339, issuer, rfc3339, subject};
use crate::signature::{SignatureError, reason};
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::{X509Lookup, X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Ref, X509StoreContext};

/// OpenSSL's level for keys of at least 112 bits of security: RSA 2048, curves of 224 bits, no
/// SHA-1 in certificates.
const SECURITY_LEVEL: i32 = 2;
/// Most names of a keyring that are shown.
const NAMES: usize = 3;

/// The error that OpenSSL found.
struct Failure {
    /// `X509_V_ERR_...` of openssl/x509_vfy.h, a stable interface.
    code: i32,
    words: &'static str,
    /// The certificate it is about.
    certificate: X509,
}

/// The clocks of a verification.
#[derive(Clone, Copy)]
enum Time {
    /// Certificates and revocation lists are valid at this time.
    WithLists(i64),
    /// Certificates are valid at this time. Revocation lists do not count.
    WithoutLists(i64),
    /// Certificates and revocation lists count at any time.
    Any,
}

impl Trust {
    /// Verifies the chain of `certificate` with the help of `enclosed`; returns the subjects from
    /// the signer to the anchor.
    pub(crate) fn verify_chain(
        &self,
        certificate: &X509Ref,
        enclosed: &[X509],
        signing_time: Option<i64>,
    ) -> Result<Vec<String>, SignatureError> {
        let chain = self.chain(certificate, enclosed, signing_time)?;
        Ok(chain.iter().map(|certificate| subject(certificate)).collect())
    }

    /// Verifies like [`verify_chain`](Self::verify_chain); returns the certificates.
    pub(super) fn chain(
        &self,
        certificate: &X509Ref,
        enclosed: &[X509],
        signing_time: Option<i64>,
    ) -> Result<Vec<X509>, SignatureError> {
        let at = match self.valid_at {
            ValidAt::Now => current_time(),
            ValidAt::SigningTime => signing_time.ok_or(SignatureError::NoSigningTime)?,
            ValidAt::Unix(at) => at,
        };
        // Revocation has its own clock: it counts as soon as it is known.
        let apart = !self.crls.is_empty() && self.valid_at != ValidAt::Now;
        let time = if apart { Time::WithoutLists(at) } else { Time::WithLists(at) };
        let outcome = verify(&self.store(&self.anchors, time)?, certificate, enclosed)?;
        let chain = outcome.map_err(|failure| self.explain(&failure, at))?;
        if apart {
            self.check_revocation(&chain)?;
        }
        if let Some(bad) = chain.iter().find(|certificate| self.is_distrusted(certificate)) {
            return Err(SignatureError::Distrusted { subject: subject(bad) });
        }
        // The last one is the anchor: the host decides what it can be used for. A chain that ends
        // below the anchor has none.
        let anchors = usize::from(!self.partial || chain.last().is_some_and(strength::is_self_signed));
        let below = chain.get(..chain.len().saturating_sub(anchors)).unwrap_or_default();
        usage::check(certificate, below.iter().skip(1).map(|issuer| &**issuer), self.purpose)?;
        strength::check(&chain)?;
        Ok(chain)
    }

    /// Checks the certificates of `chain`, which are valid at another time than now, against
    /// revocation lists that are current now.
    fn check_revocation(&self, chain: &[X509]) -> Result<(), SignatureError> {
        let ([certificate, .., anchor] | [certificate @ anchor]) = chain else { return Ok(()) };
        let anchors = std::slice::from_ref(anchor);
        let now = current_time();
        // OpenSSL looks at lists before it looks at the dates of certificates: a certificate whose
        // dates alone are wrong is not revoked, and its list is current.
        match verify(&self.store(anchors, Time::WithLists(now))?, certificate, chain)? {
            // CERT_NOT_YET_VALID, CERT_HAS_EXPIRED
            Err(Failure { code: 9 | 10, .. }) | Ok(_) => {}
            Err(failure) => return Err(self.explain(&failure, now)),
        }
        // The same without any date, in case another OpenSSL looks at them first.
        let outcome = verify(&self.store(anchors, Time::Any)?, certificate, chain)?;
        outcome.map(drop).map_err(|failure| self.explain(&failure, now))
    }

    fn store(&self, anchors: &[X509], time: Time) -> Result<X509Store, SignatureError> {
        let mut store = X509StoreBuilder::new().map_err(internal)?;
        for anchor in anchors {
            store.add_cert(anchor.clone()).map_err(internal)?;
        }
        let mut parameters = X509VerifyParam::new().map_err(internal)?;
        let mut flags = X509VerifyFlags::empty();
        match time {
            Time::WithLists(at) | Time::WithoutLists(at) => parameters.set_time(at),
            Time::Any => flags |= X509VerifyFlags::NO_CHECK_TIME,
        }
        parameters.set_auth_level(SECURITY_LEVEL);
        if self.partial {
            parameters.set_flags(X509VerifyFlags::PARTIAL_CHAIN).map_err(internal)?;
        }
        if !self.crls.is_empty() && !matches!(time, Time::WithoutLists(_)) {
            let lookup = store.add_lookup(X509Lookup::file()).map_err(internal)?;
            for crl in &self.crls {
                let unreadable = |_| TrustError::NotACertificate { path: crl.path.clone() };
                lookup.load_crl_file(crl.content_path(), crl.file_type()).map_err(unreadable)?;
            }
            flags |= X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL;
        }
        parameters.set_flags(flags).map_err(internal)?;
        store.set_param(&parameters).map_err(internal)?;
        Ok(store.build())
    }

    /// Returns whether a distrusted certificate has this name.
    fn distrusts_name(&self, name: &str) -> bool {
        self.distrusted.iter().any(|bad| subject(bad) == name)
    }

    /// Returns whether a certificate in the keyring has this name.
    fn has_name(&self, name: &str) -> bool {
        self.anchors.iter().any(|anchor| subject(anchor) == name)
    }

    /// Returns whether a certificate in the keyring has the name and the key of the issuer of
    /// `certificate`, and is still not its issuer: OpenSSL compares serial numbers and key
    /// identifiers, too.
    fn has_key_of(&self, certificate: &X509Ref) -> bool {
        let name = issuer(certificate);
        let signed_by = |anchor: &X509Ref| {
            anchor.public_key().and_then(|key| certificate.verify(&key)).is_ok_and(|signed| signed)
        };
        self.anchors.iter().any(|anchor| subject(anchor) == name && signed_by(anchor))
    }

    /// Returns the names in the keyring, for a message.
    fn names(&self) -> String {
        let names: Vec<_> = self.anchors.iter().take(NAMES).map(|anchor| subject(anchor)).collect();
        match self.anchors.len().saturating_sub(NAMES) {
            0 => names.join("; "),
            more => format!("{} and {more} more", names.join("; ")),
        }
    }

    fn explain(&self, failure: &Failure, at: i64) -> SignatureError {
        use SignatureError as E;
        let certificate = &failure.certificate;
        let (subject, issuer, at) = (subject(certificate), issuer(certificate), rfc3339(at));
        match failure.code {
            // The same codes as below, where the host distrusts what would have been the issuer.
            2 | 18..=21 if self.distrusts_name(&issuer) => E::Distrusted { subject: issuer },
            2 | 18..=21 if self.has_key_of(certificate) => E::RenewedIssuer { subject, issuer },
            // UNABLE_TO_GET_ISSUER_CERT, UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            // UNABLE_TO_VERIFY_LEAF_SIGNATURE
            2 | 20 | 21 if self.has_name(&issuer) => E::OtherIssuerKey { subject, issuer },
            2 | 20 | 21 => E::UnknownIssuer { subject, issuer, trusted: self.names() },
            // DEPTH_ZERO_SELF_SIGNED_CERT, SELF_SIGNED_CERT_IN_CHAIN
            18 | 19 if self.has_name(&issuer) => E::OtherIssuerKey { subject, issuer },
            18 | 19 => E::UntrustedRoot { root: subject, trusted: self.names() },
            // CERT_SIGNATURE_FAILURE, UNABLE_TO_DECRYPT_CERT_SIGNATURE
            4 | 7 => E::ForgedCertificate { subject, issuer },
            // CERT_NOT_YET_VALID
            9 => E::NotYetValid { subject, not_before: asn1_rfc3339(certificate.not_before()), at },
            // CERT_HAS_EXPIRED
            10 => E::Expired { subject, not_after: asn1_rfc3339(certificate.not_after()), at },
            // CERT_REVOKED
            23 => E::Revoked { subject, issuer },
            // UNABLE_TO_GET_CRL, UNABLE_TO_GET_CRL_ISSUER
            3 | 33 => E::NoCrl { subject, issuer },
            // CRL_HAS_EXPIRED
            12 => E::CrlExpired { issuer, at },
            // CRL_NOT_YET_VALID
            11 => E::CrlNotYetValid { issuer, at },
            // UNABLE_TO_DECRYPT_CRL_SIGNATURE, CRL_SIGNATURE_FAILURE
            5 | 8 => E::BadCrl { issuer, reason: "it was not signed by this issuer" },
            // ERROR_IN_CRL_LAST_UPDATE_FIELD, ERROR_IN_CRL_NEXT_UPDATE_FIELD
            15 | 16 => E::BadCrl { issuer, reason: "its dates cannot be read" },
            // KEYUSAGE_NO_CRL_SIGN
            35 => E::BadCrl { issuer, reason: "this issuer's key must not sign revocation lists" },
            // UNHANDLED_CRITICAL_CRL_EXTENSION, DIFFERENT_CRL_SCOPE
            36 | 44 => E::BadCrl { issuer, reason: "it has critical extensions that are not supported" },
            // INVALID_CA of OpenSSL 3 and of 1.1, KEYUSAGE_NO_CERTSIGN
            79 | 24 => E::NotAnIssuer { subject, reason: "it is not a certification authority" },
            32 => E::NotAnIssuer { subject, reason: "its key usage has no keyCertSign" },
            // PATH_LENGTH_EXCEEDED
            25 => E::NotAnIssuer { subject, reason: "the chain below it is too long" },
            // EE_KEY_TOO_SMALL, CA_KEY_TOO_SMALL
            66 | 67 => E::WeakKey { subject },
            // CA_MD_TOO_WEAK
            68 => E::WeakCertificate { subject, found: "a digest that can be forged".to_owned() },
            code => E::Chain { subject, reason: failure.words.to_owned(), code },
        }
    }
}

/// Returns the chain of `certificate` to an anchor of `store`, or why there is none.
fn verify(
    store: &X509Store,
    certificate: &X509Ref,
    enclosed: &[X509],
) -> Result<Result<Vec<X509>, Failure>, SignatureError> {
    let mut helpers = Stack::new().map_err(internal)?;
    for helper in enclosed {
        helpers.push(helper.clone()).map_err(internal)?;
    }
    let mut context = X509StoreContext::new().map_err(internal)?;
    let outcome = context.init(store, certificate, &helpers, |context| {
        if context.verify_cert()? {
            let chain = context.chain().map(|chain| chain.iter().map(ToOwned::to_owned).collect());
            return Ok(Ok(chain.unwrap_or_default()));
        }
        Ok(Err(Failure {
            code: context.error().as_raw(),
            words: context.error().error_string(),
            certificate: context.current_cert().unwrap_or(certificate).to_owned(),
        }))
    });
    outcome.map_err(internal)
}

/// Returns the seconds since 1970.
fn current_time() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

fn internal(errors: ErrorStack) -> SignatureError {
    SignatureError::Internal { reason: reason(&errors) }
}
