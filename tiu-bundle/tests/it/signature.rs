//! Signatures that must not be accepted whatever is trusted, each with one thing wrong, and the
//! error that names it.

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::x509::X509;
use tiu_bundle::signature::{
    MAX_CMS_SIZE, SignatureError, content_unverified, sign, verify, verify_untrusted,
};
use tiu_bundle::trust::{Purpose, Trust};
use tiu_system::Hint;
use tiu_testing::pki::{Certificate, Identity, openssl_cms};

const CONTENT: &[u8] = b"[update]\ncompatible=test\nwith a line end\r\n and bytes \x00\xff\n";

fn signer() -> Identity {
    Certificate::new("Signer").self_signed()
}

fn signed(signer: &Identity) -> Vec<u8> {
    sign(CONTENT, &signer.certificate, &signer.key, &[]).expect("a signature")
}

fn trust(anchor: &X509) -> Trust {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("root.pem");
    std::fs::write(&file, anchor.to_pem().expect("PEM")).expect("a file");
    Trust::from_paths(&[file]).expect("a keyring")
}

/// Returns the reason why `cms` is not accepted, which must not depend on the trusted certificates.
#[track_caller]
fn error(cms: &[u8]) -> SignatureError {
    let error = verify_untrusted(cms).expect_err("a bad signature");
    let mut trust = trust(&signer().certificate);
    trust.set_purpose(Purpose::Any);
    let same = verify(cms, &trust).expect_err("a bad signature");
    assert_eq!(error.to_string(), same.to_string());
    assert!(error.hint().is_some_and(|hint| hint.len() > 20), "{error}");
    assert!(!error.to_string().contains("error:"), "a bare OpenSSL string: {error}");
    error
}

#[test]
fn good() {
    let signer = signer();
    let cms = signed(&signer);
    let signed = verify(&cms, &trust(&signer.certificate)).expect("a good signature");
    assert_eq!(signed.content, CONTENT, "not one byte is converted");
    assert_eq!(signed.signer.subject, "CN=Signer, O=tiu test");
    assert_eq!(signed.signer.chain, ["CN=Signer, O=tiu test"]);
    assert_eq!(signed.signer.not_after, "2100-01-01T00:00:00Z");
    let fingerprint = signer.certificate.digest(MessageDigest::sha256()).expect("a digest");
    let fingerprint: String = fingerprint.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(signed.signer.fingerprint, fingerprint);
    assert!(signed.signer.signing_time.is_some_and(|time| time.starts_with("20") && time.ends_with('Z')));
    assert_eq!(content_unverified(&cms).expect("a good structure"), CONTENT);
}

#[test]
fn openssl_accepts_what_we_sign() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = Certificate::new("Root").authority().self_signed();
    let intermediate = Certificate::new("Intermediate").authority().issued_by(&root);
    let signer = Certificate::new("Signer").issued_by(&intermediate);
    let cms =
        sign(CONTENT, &signer.certificate, &signer.key, &[intermediate.certificate]).expect("a signature");
    let file = dir.path().join("cms");
    std::fs::write(&file, cms).expect("a file");
    let (root, _) = root.write(dir.path(), "root");
    let output = std::process::Command::new("openssl")
        .args(["cms", "-verify", "-binary", "-inform", "DER"])
        .arg("-in")
        .arg(&file)
        .arg("-CAfile")
        .arg(&root)
        .output()
        .expect("openssl is missing: install the package openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, CONTENT);
}

#[test]
fn made_by_openssl() {
    let options = [
        ["-nodetach"].as_slice(),
        &["-nodetach", "-md", "sha384"],
        &["-nodetach", "-keyid"],
        &["-nodetach", "-nosmimecap"],
    ];
    let rsa = Certificate::new("Signer").rsa(2048).self_signed();
    for signer in [&signer(), &rsa] {
        for options in options {
            let cms = openssl_cms(CONTENT, &[signer], options);
            let signed =
                verify(&cms, &trust(&signer.certificate)).unwrap_or_else(|e| panic!("{options:?}: {e}"));
            assert_eq!(signed.content, CONTENT, "{options:?}");
        }
    }
    let pss = ["-nodetach", "-keyopt", "rsa_padding_mode:pss"];
    // An option of a key comes after its key.
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (certificate, key) = rsa.write(dir.path(), "rsa");
    let (certificate, key) = (certificate.to_str().expect("UTF-8"), key.to_str().expect("UTF-8"));
    let cms = openssl_cms(CONTENT, &[], &[pss[0], "-signer", certificate, "-inkey", key, pss[1], pss[2]]);
    assert_eq!(verify(&cms, &trust(&rsa.certificate)).expect("RSA-PSS").content, CONTENT);
}

#[test]
fn empty() {
    assert!(matches!(error(b""), SignatureError::Size { found: 0 }));
}

#[test]
fn over_64_kib() {
    let signer = signer();
    let content = vec![b'a'; MAX_CMS_SIZE as usize];
    let cms = openssl_cms(&content, &[&signer], &["-nodetach"]);
    let found = cms.len() as u64;
    assert!(matches!(error(&cms), SignatureError::Size { found: f } if f == found));
    let result = sign(&content, &signer.certificate, &signer.key, &[]);
    assert!(matches!(result, Err(SignatureError::Size { .. })), "{result:?}");
}

#[test]
fn garbage() {
    for bad in [b"garbage".as_slice(), &[0; 1000], &[0x30; 1000], &[0xff; 8], b"-----BEGIN CMS-----\n"] {
        assert!(matches!(error(bad), SignatureError::NotCms { .. }), "{bad:02x?}");
    }
}

#[test]
fn cut_at_every_length() {
    let cms = signed(&signer());
    for end in 1..cms.len() {
        let result = verify_untrusted(&cms[..end]);
        assert!(matches!(result, Err(SignatureError::NotCms { .. })), "cut at {end}: {result:?}");
    }
}

#[test]
fn one_flipped_bit_anywhere() {
    let signer = signer();
    let good = signed(&signer);
    let trust = trust(&signer.certificate);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        // Nothing covers the two version numbers, and nothing depends on them.
        let is_version = at > 2 && good[at - 2..=at] == [2, 1, 1];
        match verify(&bad, &trust) {
            Ok(signed) => {
                assert_eq!(signed.content, CONTENT, "byte {at}");
                assert!(is_version, "byte {at}");
            }
            Err(error) => assert!(!is_version, "byte {at}: {error}"),
        }
    }
}

#[test]
fn bytes_after_the_cms() {
    let mut cms = signed(&signer());
    cms.extend_from_slice(b"\0\0");
    assert!(matches!(error(&cms), SignatureError::TrailingBytes { count: 2 }));
}

#[test]
fn indefinite_length() {
    let cms = openssl_cms(CONTENT, &[&signer()], &["-nodetach", "-stream", "-indef"]);
    assert_eq!(cms[1], 0x80, "the test needs an encoding that is BER and not DER");
    assert!(matches!(error(&cms), SignatureError::NotCms { .. }));
}

#[test]
fn detached() {
    let cms = openssl_cms(CONTENT, &[&signer()], &[]);
    assert!(matches!(error(&cms), SignatureError::Detached));
}

#[test]
fn not_signed_data() {
    // A ContentInfo of type data with some octets.
    let cms = [0x30, 0x11, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1, 0xa0, 4, 4, 2, b'h', b'i'];
    let found = error(&cms);
    assert!(
        matches!(&found, SignatureError::NotSignedData { found } if found == "1.2.840.113549.1.7.1"),
        "{found}"
    );
}

#[test]
fn signed_content_is_not_data() {
    let cms = openssl_cms(CONTENT, &[&signer()], &["-nodetach", "-econtent_type", "1.2.3.4"]);
    let found = error(&cms);
    assert!(matches!(&found, SignatureError::ContentType { found } if found == "1.2.3.4"), "{found}");
}

#[test]
fn no_certificate_inside() {
    let cms = openssl_cms(CONTENT, &[&signer()], &["-nodetach", "-nocerts"]);
    assert!(matches!(error(&cms), SignatureError::NoCertificate));
}

#[test]
fn another_certificate_inside() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (other, _) = Certificate::new("Other").self_signed().write(dir.path(), "other");
    let other = other.to_str().expect("UTF-8");
    let cms = openssl_cms(CONTENT, &[&signer()], &["-nodetach", "-nocerts", "-certfile", other]);
    // Some versions of openssl enclose no certificate at all with these options.
    let found = error(&cms);
    assert!(
        matches!(found, SignatureError::NoSignerCertificate { enclosed: 1 } | SignatureError::NoCertificate),
        "{found}"
    );
}

#[test]
fn certificate_of_the_same_name_and_serial_but_another_key() {
    let signer = signer();
    let cms = signed(&signer);
    // A twin with the signer's names and serial number, and a key of its own.
    let key = Certificate::new("Twin").self_signed().key;
    let mut twin = X509::builder().expect("a builder");
    twin.set_version(2).expect("version");
    twin.set_serial_number(signer.certificate.serial_number()).expect("serial");
    twin.set_subject_name(signer.certificate.subject_name()).expect("subject");
    twin.set_issuer_name(signer.certificate.issuer_name()).expect("issuer");
    twin.set_not_before(signer.certificate.not_before()).expect("time");
    twin.set_not_after(signer.certificate.not_after()).expect("time");
    twin.set_pubkey(&key).expect("key");
    twin.sign(&key, MessageDigest::sha256()).expect("a signature");
    let twin = twin.build();
    let result = verify(&cms, &trust(&twin));
    assert!(
        matches!(
            result,
            Err(SignatureError::OtherIssuerKey { .. } | SignatureError::ForgedCertificate { .. })
        ),
        "{result:?}"
    );
}

#[test]
fn no_signed_attributes() {
    let cms = openssl_cms(CONTENT, &[&signer()], &["-nodetach", "-noattr"]);
    assert!(matches!(error(&cms), SignatureError::NoSignedAttributes));
}

#[test]
fn weak_digests() {
    let rsa = Certificate::new("Signer").rsa(2048).self_signed();
    for (digest, name) in [("md5", "MD5"), ("sha1", "SHA-1"), ("sha224", "SHA-224")] {
        let cms = openssl_cms(CONTENT, &[&rsa], &["-nodetach", "-md", digest]);
        let found = error(&cms);
        assert!(matches!(&found, SignatureError::WeakDigest { found } if found == name), "{digest}: {found}");
    }
    let cms = openssl_cms(CONTENT, &[&signer()], &["-nodetach", "-md", "sha1"]);
    assert!(matches!(error(&cms), SignatureError::WeakDigest { .. }));
}

#[test]
fn two_signers() {
    let two = [&signer(), &Certificate::new("Second").self_signed()];
    let cms = openssl_cms(CONTENT, &two, &["-nodetach"]);
    assert!(matches!(error(&cms), SignatureError::SignerCount { found: 2 }));
}

#[test]
fn no_signer() {
    // SignedData with content and nobody who signed it.
    let content = [0x30, 15, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1, 0xa0, 2, 4, 0];
    let mut data = vec![0x30, 3 + 2 + 17 + 2, 2, 1, 1, 0x31, 0];
    data.extend_from_slice(&content);
    data.extend_from_slice(&[0x31, 0]);
    let mut cms = vec![
        0x30,
        11 + 2 + data.len() as u8,
        6,
        9,
        0x2a,
        0x86,
        0x48,
        0x86,
        0xf7,
        0x0d,
        1,
        7,
        2,
        0xa0,
        data.len() as u8,
    ];
    cms.extend_from_slice(&data);
    assert!(matches!(error(&cms), SignatureError::SignerCount { found: 0 }));
}

#[test]
fn content_was_changed() {
    let mut cms = signed(&signer());
    let at = cms.windows(10).position(|w| w == b"compatible").expect("the content");
    cms[at] = b'C';
    let found = error(&cms);
    assert!(
        matches!(&found, SignatureError::BadSignature { subject } if subject == "CN=Signer, O=tiu test"),
        "{found}"
    );
}

#[test]
fn key_of_another_certificate() {
    let (signer, other) = (signer(), Certificate::new("Other").self_signed());
    let result = sign(CONTENT, &signer.certificate, &other.key, &[]);
    assert!(
        matches!(result, Err(SignatureError::KeyMismatch { subject }) if subject == "CN=Signer, O=tiu test")
    );
}

#[test]
fn key_that_cannot_sign() {
    let key = PKey::generate_x25519().expect("a key");
    let result = sign(CONTENT, &signer().certificate, &key, &[]);
    assert!(matches!(result, Err(SignatureError::KeyMismatch { .. })), "{result:?}");
}
