//! Encrypted keys, tokens, and the passphrases and PINs of them.

use super::*;

/// The signer's key of `place`, encrypted with `secret`.
fn encrypted(place: &Place) -> PathBuf {
    let out = place.path("encrypted.pem");
    let plain = place.keys().join("signer.key.pem");
    let arguments =
        ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:se cret", "-in"].map(OsStr::new);
    let rest = [plain.as_os_str(), OsStr::new("-out"), out.as_os_str()];
    tool("openssl", "openssl", &[&arguments[..], &rest].concat()).succeeded();
    out
}

#[test]
fn an_encrypted_key_with_its_passphrase_in_a_file() {
    let place = place();
    let [cert, _] = own_keys(&place);
    let key = encrypted(&place);
    let file = place.path("passphrase");
    fs::write(&file, "se cret\nsecond line\n").expect("a file");
    sign(&place, &[&cert, &"--key", &key, &"--passphrase-file", &file], "unsigned.tiu").succeeded();
    place.open("unsigned.tiu");
    fs::write(&file, "wrong\n").expect("a file");
    sign(&place, &[&cert, &"--key", &key, &"--passphrase-file", &file], "unsigned.tiu")
        .refused(&["encrypted.pem: the passphrase does not decrypt", "first line"]);
}

#[test]
fn an_encrypted_key_with_its_passphrase_from_the_terminal() {
    let place = place();
    let [cert, _] = own_keys(&place);
    let key = encrypted(&place);
    let command = format!(
        "{} sign --progress=none '{}' --key '{}' '{}'",
        env!("CARGO_BIN_EXE_tiu-create"),
        cert.to_str().expect("UTF-8"),
        key.display(),
        place.path("unsigned.tiu").display()
    );
    // `script` makes a terminal; what is typed must not be shown.
    let typed = format!(
        "sleep 1; echo 'se cret'; sleep 1 | script --quiet --return --command \"{command}\" /dev/null"
    );
    let typed = typed.replacen("; sleep 1 |", "; sleep 2) |", 1).replacen("sleep 1;", "(sleep 1;", 1);
    let found = outcome(Command::new("bash").args(["-c", &typed]));
    assert_eq!(found.code, Some(0), "script (package bsdutils): {}{}", found.stdout, found.stderr);
    assert!(found.stdout.contains("Passphrase of the signing key: "), "{}", found.stdout);
    assert!(!found.stdout.contains("se cret"), "the passphrase was shown: {}", found.stdout);
    place.open("unsigned.tiu");
}

#[test]
fn an_encrypted_key_and_nobody_to_ask() {
    let place = place();
    let [cert, _] = own_keys(&place);
    let key = encrypted(&place);
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_tiu-create")).args(["sign", "--progress=none"]);
    command.arg(cert).arg("--key").arg(key).arg(place.path("unsigned.tiu"));
    outcome(&mut command).refused(&["cannot be asked for", "--passphrase-file"]);
}

/// A software token with the signer's key of `place`; its configuration.
fn token(place: &Place) -> PathBuf {
    let store = place.path("tokens");
    fs::create_dir(&store).expect("a directory");
    let config = place.path("softhsm2.conf");
    fs::write(&config, format!("directories.tokendir = {}\n", store.display())).expect("a file");
    let softhsm = |arguments: &[&str]| {
        let mut command = Command::new("softhsm2-util");
        let done = outcome(command.env("SOFTHSM2_CONF", &config).args(arguments));
        assert_eq!(done.code, Some(0), "softhsm2-util (package softhsm2): {}", done.stderr);
    };
    softhsm(&["--init-token", "--free", "--label", "release", "--so-pin", "98765432", "--pin", "12345678"]);
    let key = place.keys().join("signer.key.pem");
    let key = key.to_str().expect("UTF-8");
    softhsm(&["--import", key, "--token", "release", "--label", "signer", "--id", "01", "--pin", "12345678"]);
    config
}

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

fn sign_with_token(place: &Place, config: &Path, uri: &str, pin: &str, cert: &OsStr) -> RunOutput {
    fs::write(place.path("pin"), pin).expect("a file");
    let mut command = program();
    command.env("SOFTHSM2_CONF", config).args([
        "sign",
        "--progress=none",
        "--key",
        uri,
        "--pkcs11-module",
        MODULE,
    ]);
    outcome(command.arg(cert).arg("--pin-file").arg(place.path("pin")).arg(place.path("unsigned.tiu")))
}

#[test]
fn a_key_on_a_token() {
    let place = place();
    let config = token(&place);
    let [cert, _] = own_keys(&place);
    sign_with_token(&place, &config, "pkcs11:token=release;object=signer;type=private", "12345678\n", &cert)
        .succeeded();
    assert!(signer_of(&place, "unsigned.tiu").contains("development"));
    // Packing signs with it too.
    let mut arguments = place.pack_arguments("token.tiu");
    arguments.retain(|argument| !argument.starts_with("--key"));
    arguments
        .extend(["--key=pkcs11:token=release;object=signer".into(), format!("--pkcs11-module={MODULE}")]);
    arguments.push(format!("--pin-file={}", place.path("pin").display()));
    outcome(program().env("SOFTHSM2_CONF", &config).args(arguments)).succeeded();
    place.open("token.tiu");
}

/// Signs with the token. Nobody is at a terminal, and no file with a PIN is an option.
fn sign_by_uri(place: &Place, config: &Path, uri: &str, more: &[&str]) -> RunOutput {
    let [cert, _] = own_keys(place);
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_tiu-create")).env("SOFTHSM2_CONF", config);
    command.args(["sign", "--progress=none", "--key", uri, "--pkcs11-module", MODULE]).args(more);
    outcome(command.arg(cert).arg(place.path("unsigned.tiu")))
}

#[test]
fn a_pin_in_the_file_that_the_uri_names() {
    let place = place();
    let config = token(&place);
    let pin = place.path("pin file");
    let mode = |mode| fs::set_permissions(&pin, fs::Permissions::from_mode(mode)).expect("a mode");
    let uri = |source: &str| format!("pkcs11:token=release;object=signer;type=private?pin-source={source}");
    fs::write(&pin, "12345678\n").expect("a file");
    let path = pin.to_str().expect("UTF-8").replace(' ', "%20");
    for (source, bits) in
        [(path.clone(), 0o600), (format!("file:{path}"), 0o640), (format!("file://{path}"), 0o400)]
    {
        mode(bits);
        sign_by_uri(&place, &config, &uri(&source), &[]).succeeded();
        assert!(signer_of(&place, "unsigned.tiu").contains("development"));
    }
    // Everybody's file is nobody's secret.
    for bits in [0o644, 0o604, 0o602, 0o666] {
        mode(bits);
        let refused = sign_by_uri(&place, &config, &uri(&path), &[]);
        let refused = refused.refused(&["pin file", &format!("has mode {bits:04o}"), "chmod o-rwx"]);
        assert!(!refused.stderr.contains("12345678"), "{}", refused.stderr);
    }
    mode(0o600);
    fs::write(&pin, "0000\n").expect("a file");
    sign_by_uri(&place, &config, &uri(&path), &[]).refused(&["token failed"]);
    // An option counts more.
    let good = place.path("pin");
    fs::write(&good, "12345678\n").expect("a file");
    let option = format!("--pin-file={}", good.display());
    sign_by_uri(&place, &config, &uri(&path), &[&option]).succeeded();
}

#[test]
fn a_place_of_the_pin_that_is_not_one_regular_file() {
    let place = place();
    let config = token(&place);
    let uri = |source: &str| format!("pkcs11:token=release;object=signer?pin-source={source}");
    let fifo = place.path("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .expect("a fifo");
    let absent = place.path("absent");
    for (source, needle) in [
        (fifo.to_str().expect("UTF-8"), "fifo is not a regular file"),
        (place.path("").to_str().expect("UTF-8"), "is not a regular file"),
        (absent.to_str().expect("UTF-8"), "absent: No such file"),
        ("12345678", "pin-source is something else"),
        ("pin", "pin-source is something else"),
        ("file:pin", "pin-source is something else"),
        ("%7C/usr/bin/cat%20pin", "pin-source is a command"),
        ("/a&pin-source=/b", "pin-source is given more than once"),
    ] {
        let refused = sign_by_uri(&place, &config, &uri(source), &[]).refused(&[needle]);
        assert!(!refused.stderr.contains("12345678"), "{}", refused.stderr);
    }
}

#[test]
fn a_wrong_pin_a_missing_key_a_key_of_another_certificate() {
    let place = place();
    let config = token(&place);
    let [cert, _] = own_keys(&place);
    let (_, other, _) = other_signer(&place);
    let good = "pkcs11:token=release;object=signer";
    let before = fs::read(place.path("unsigned.tiu")).expect("the bundle");
    sign_with_token(&place, &config, good, "0000", &cert)
        .refused(&["token failed", "libengine-pkcs11-openssl"]);
    sign_with_token(&place, &config, "pkcs11:token=release;object=none", "12345678", &cert)
        .refused(&["token failed"]);
    let mut option = OsString::from("--cert=");
    option.push(&other);
    sign_with_token(&place, &config, good, "12345678", &option).refused(&["hint: "]);
    assert!(fs::read(place.path("unsigned.tiu")).expect("the bundle") == before);
}

#[test]
fn secrets_are_in_no_log_and_no_message() {
    let place = place();
    let [cert, _] = own_keys(&place);
    let secret = |log: &str, found: RunOutput| {
        let text = format!("{}{}", found.stdout, found.stderr);
        for secret in ["se cret", "s3cr3t-wrong", "12345678", "87654321"] {
            assert!(!text.contains(secret), "{log}: {text}");
        }
        text
    };
    let (key, file) = (encrypted(&place), place.path("passphrase"));
    let (config, uri) = (token(&place), "pkcs11:token=release;object=signer");
    for log in ["trace", "info"] {
        for passphrase in ["se cret\n", "s3cr3t-wrong\n"] {
            fs::write(&file, passphrase).expect("a file");
            let mut command = program();
            command.args(["sign", "-vv", "--progress=none"]).arg(&cert).arg("--key").arg(&key);
            command.arg("--passphrase-file").arg(&file).arg(place.path("unsigned.tiu")).env("TIU_LOG", log);
            secret(log, outcome(&mut command));
        }
        let mut logged = 0;
        for pin in ["12345678\n", "87654321\n"] {
            fs::write(place.path("pin"), pin).expect("a file");
            let mut command = program();
            command.env("SOFTHSM2_CONF", &config).env("TIU_LOG", log).args([
                "sign",
                "-vv",
                "--progress=none",
            ]);
            command.args(["--key", uri, "--pkcs11-module", MODULE]).arg(&cert);
            command.arg("--pin-file").arg(place.path("pin")).arg(place.path("unsigned.tiu"));
            let text = secret(log, outcome(&mut command));
            // The program is in the log, without its arguments.
            logged += usize::from(text.contains("openssl"));
            assert!(!text.contains("-inkey"), "{text}");
        }
        assert_eq!(logged, 2, "{log}");
    }
}
