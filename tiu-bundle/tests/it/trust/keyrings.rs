//! Keyrings: files and directories of certificates and revocation lists.

use super::*;

#[test]
fn empty_keyring() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    fs::write(dir.path().join("README"), "no certificate").expect("a file");
    let found = Trust::from_paths(&[dir.path()]).expect_err("empty");
    assert!(
        matches!(&found, TrustError::Empty { paths, .. } if paths == &[dir.path().to_owned()]),
        "{found}"
    );
    assert!(found.hint().is_some() && found.to_string().ends_with(".crl: README"), "{found}");
    let found = Trust::from_paths(&[] as &[&Path]).expect_err("empty");
    assert!(matches!(&found, TrustError::Empty { paths, .. } if paths.is_empty()), "{found}");
}

#[test]
fn keyring_is_missing() {
    let found = Trust::from_paths(&["/nonexistent/keyring.pem"]).expect_err("missing");
    assert!(
        matches!(&found, TrustError::Io { path, .. } if path == Path::new("/nonexistent/keyring.pem")),
        "{found}"
    );
}

#[test]
fn keyrings_in_all_forms() {
    let chain = chain(&signer());
    let other = Certificate::new("Other").authority().self_signed();
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = &chain.root.certificate;
    fs::write(dir.path().join("a.der"), root.to_der().expect("DER")).expect("a file");
    let both = [other.certificate.to_pem().expect("PEM"), root.to_pem().expect("PEM")].concat();
    fs::write(dir.path().join("both"), both).expect("a file");
    for path in [dir.path().join("a.der"), dir.path().join("both"), dir.path().to_owned()] {
        let mut trust = Trust::from_paths(&[&path]).expect("a keyring");
        trust.set_valid_at(ValidAt::Unix(MOMENT));
        verify(&chain.cms(), &trust).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}

#[test]
fn keyrings_that_are_something_else() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("keyring.pem");
    let root = Certificate::new("Root").authority().self_signed();
    let found = |bytes: &[u8]| {
        fs::write(&file, bytes).expect("a file");
        let error = Trust::from_paths(&[&file]).expect_err("no keyring");
        assert!(error.hint().is_some() && error.to_string().contains("keyring.pem"), "{error}");
        error
    };
    assert!(matches!(found(b""), TrustError::NotACertificate { .. }));
    assert!(matches!(found(&[0x30; 500]), TrustError::NotACertificate { .. }));
    let mut der = root.certificate.to_der().expect("DER");
    der.push(0);
    assert!(matches!(found(&der), TrustError::NotACertificate { .. }), "something after the certificate");
    let key = root.key.private_key_to_pem_pkcs8().expect("PEM");
    let pem = root.certificate.to_pem().expect("PEM");
    let both = [pem.as_slice(), &key].concat();
    let line = String::from_utf8_lossy(&pem).lines().count() + 1;
    match found(&both) {
        TrustError::UnexpectedBlock { label, line: found, .. } => {
            assert_eq!((label.as_str(), found), ("PRIVATE KEY", line));
        }
        other => panic!("{other}"),
    }
    let text = String::from_utf8(pem).expect("text");
    let cut = text.replace("-----END CERTIFICATE-----", "");
    assert!(matches!(found(cut.as_bytes()), TrustError::BadBlock { line: 1, .. }));
    let damaged = text.replacen("MII", "MIJ", 1);
    assert!(matches!(found(damaged.as_bytes()), TrustError::BadBlock { line: 1, .. }));
}

#[test]
fn no_revocation_list_where_one_was_promised() {
    let chain = chain(&signer());
    let dir = tempfile::tempdir().expect("a temporary directory");
    let found = chain.trust().add_crls(dir.path()).expect_err("no list");
    assert!(matches!(&found, TrustError::NoCrl { path } if path == dir.path()), "{found}");
    chain.root.write(dir.path(), "root");
    fs::remove_file(dir.path().join("root.key.pem")).expect("removed");
    assert!(matches!(chain.trust().add_crls(dir.path()), Err(TrustError::NoCrl { .. })));
}

#[test]
fn files_that_are_not_read_are_named_once() {
    let chain = chain(&signer());
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (keyring, lists) = (dir.path().join("keyring"), dir.path().join("lists"));
    fs::create_dir_all(keyring.join("old")).expect("a directory");
    fs::create_dir(&lists).expect("a directory");
    let pem = chain.root.certificate.to_pem().expect("PEM");
    for name in ["a.pem", "ROOT.PEM", "b.pem.rpmsave", "no\n\u{202e}extension"] {
        fs::write(keyring.join(name), &pem).expect("a file");
    }
    let list = crl(&chain.root, &[]).expect("a list").to_pem().expect("PEM");
    fs::write(lists.join("a.crl"), list).expect("a file");
    for number in 0..7 {
        fs::write(lists.join(format!("{number}.txt")), "").expect("a file");
    }
    let mut trust = Trust::from_paths(&[&keyring]).expect("a keyring");
    trust.distrust(&keyring).expect("certificates");
    trust.add_crls(&lists).expect("a list");
    let shown: Vec<String> = trust.skipped().iter().map(ToString::to_string).collect();
    let why = "that are not read, because their names do not end in .pem, .crt, .cer, .der, .crl";
    assert_eq!(
        shown,
        [
            format!(
                "{} has 4 files {why}: ROOT.PEM, b.pem.rpmsave, no\\n\\u{{202e}}extension, old",
                keyring.display()
            ),
            format!("{} has 7 files {why}: 0.txt, 1.txt, 2.txt, 3.txt, 4.txt, ...", lists.display()),
        ]
    );
}
