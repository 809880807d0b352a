//! Bundles on a web server, with the program as users run it.

use super::kit::{CONTENT, Kit, good, tiu_extract};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use tiu_testing::pki::{Certificate, Identity};
use tiu_testing::program::{RunOutput, outcome};
use tiu_testing::server::Server;

#[test]
fn every_command_reads_a_bundle_from_a_server() {
    let kit = Kit::new();
    let bytes = kit.bytes(&good());
    let server = Server::new(bytes.clone());
    let file = kit.file(&bytes);
    for command in ["info", "list"] {
        let from_file = kit.run(command, [&file]).succeeded();
        let from_server = kit.run(command, [server.url()]).succeeded();
        assert_eq!(from_server.stdout, from_file.stdout, "{command}");
    }
    kit.run("verify", [server.url()]).succeeded();
    let new = kit.path("new");
    kit.run("extract", [server.url().as_ref(), new.as_os_str()]).succeeded();
    assert_eq!(fs::read(new.join("a")).unwrap(), CONTENT);
}

#[test]
fn info_makes_one_request() {
    let kit = Kit::new();
    let server = Server::new(kit.bytes(&good()));
    kit.run("info", [server.url()]).succeeded();
    assert_eq!((server.asked().len(), server.sent()), (1, 64 * 1024 + 8));
}

#[test]
fn content_that_is_not_extracted_is_not_fetched() {
    let kit = Kit::new();
    let bytes = kit.bytes(&good());
    let server = Server::new(bytes.clone());
    kit.run("extract", [server.url().as_ref(), kit.path("new").as_os_str()]).succeeded();
    // The file of 900,000 bytes is in the image, and not in its index.
    assert!(server.sent() < bytes.len() as u64 / 2, "{} of {}", server.sent(), bytes.len());
    assert!(server.asked().len() <= 6, "{} requests", server.asked().len());
}

#[test]
fn a_signature_that_is_not_trusted_ends_the_fetch() {
    let (kit, other) = (Kit::new(), Kit::new());
    let server = Server::new(other.bytes(&good()));
    kit.run("extract", [server.url().as_ref(), kit.path("new").as_os_str()]).refused(&[
        "Test Root",
        "with another key than the one of the certificate with this name in the keyring",
    ]);
    assert_eq!(server.asked().len(), 1, "only the signature was fetched");
}

#[test]
fn standard_input_is_a_bundle() {
    let kit = Kit::new();
    let file = kit.bundle(&good());
    for command in ["info", "verify"] {
        let mut program = tiu_extract(command);
        program.arg("--keyring").arg(kit.keyring()).arg("-").stdin(fs::File::open(&file).unwrap());
        outcome(&mut program).succeeded();
    }
    let mut program = tiu_extract("info");
    program.arg("--keyring").arg(kit.keyring()).arg("-").stdin(Stdio::null());
    outcome(&mut program).refused(&["standard input: the file is empty"]);
}

#[test]
fn a_file_url() {
    let kit = Kit::new();
    let file = kit.bundle(&good());
    kit.run("info", [format!("file://{}", file.display())]).succeeded();
}

#[test]
fn locations_that_are_not_understood() {
    let kit = Kit::new();
    for (location, words) in [
        ("ftp://me:secret@example.org/x", "the scheme `ftp` is not supported, expected http, https or file"),
        ("https://me:secret@/x", "it has no host"),
    ] {
        let outcome = kit.run("info", [location]);
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
}

#[test]
fn a_password_is_not_shown() {
    let kit = Kit::new();
    let server = Server::with(Vec::new(), |_, reply| reply.refuse(403, "no"));
    let url = server.url().replace("http://", "http://me:secret@") + "?token=hidden";
    let outcome = kit.run("info", [url]).refused(&["bundle.tiu?...: the server answered 403 (forbidden)"]);
    assert!(!outcome.stderr.contains("secret") && !outcome.stderr.contains("hidden"), "{}", outcome.stderr);
}

/// A server with TLS whose certificate `change` makes, at a host whose system trusts its issuer.
fn over_tls(
    change: impl Fn(Certificate) -> Certificate,
    url: impl Fn(&Server) -> String,
) -> (RunOutput, Server) {
    let kit = Kit::new();
    let authority = Certificate::new("Web Root").authority().self_signed();
    let (trusted, _) = authority.write(kit.path("").as_path(), "web");
    let identity: Identity =
        change(Certificate::new("localhost").usages(&["serverAuth"]).host("localhost")).issued_by(&authority);
    let server = Server::tls(kit.bytes(&good()), &identity, |asked, reply| {
        if asked.target == "/to-http" {
            reply.redirect("http://localhost:1/bundle.tiu");
        }
    });
    let mut program = tiu_extract("info");
    program.arg("--keyring").arg(kit.keyring()).arg(url(&server)).env("SSL_CERT_FILE", trusted);
    (outcome(&mut program), server)
}

#[test]
fn a_trusted_certificate() {
    let (outcome, server) = over_tls(|certificate| certificate, Server::url);
    outcome.succeeded();
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn an_expired_certificate() {
    let (outcome, server) =
        over_tls(|certificate| certificate.valid(1_577_836_800, 1_600_000_000), Server::url);
    outcome.refused(&["TLS failed: ", "certificate"]);
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_certificate_for_another_host() {
    let (outcome, server) =
        over_tls(|certificate| certificate, |server| server.url().replace("localhost", "127.0.0.1"));
    outcome.refused(&["TLS failed: ", "certificate"]);
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_redirect_away_from_tls() {
    let (outcome, _) =
        over_tls(|certificate| certificate, |server| server.url().replace("bundle.tiu", "to-http"));
    outcome.refused(&["a redirect leads to http://localhost:1/bundle.tiu, without TLS"]);
}

#[test]
fn headers_of_a_file_go_to_the_server_that_was_asked_and_to_no_other() {
    let kit = Kit::new();
    let bytes = kit.bytes(&good());
    let to = Server::new(bytes.clone());
    let target = format!("http://{}/there", to.host());
    let from = Server::with(bytes, move |asked, reply| match asked.header("authorization") {
        Some("Bearer secret") => reply.redirect(&target),
        _ => reply.refuse(401, ""),
    });
    let headers = kit.path("headers");
    fs::write(&headers, "Authorization: Bearer secret\n").unwrap();
    fs::set_permissions(&headers, PermissionsExt::from_mode(0o600)).unwrap();
    let arguments = ["--headers".as_ref(), headers.as_os_str(), from.url().as_ref()].map(OsStr::to_owned);
    kit.run("info", &arguments).succeeded();
    assert_eq!((from.asked().len(), to.asked().len()), (1, 1));
    assert_eq!(to.asked()[0].header("authorization"), None);
    fs::set_permissions(&headers, PermissionsExt::from_mode(0o644)).unwrap();
    let outcome = kit.run("info", &arguments).refused(&["its mode is 644", "chmod 600"]);
    assert!(!outcome.stderr.contains("Bearer"), "{}", outcome.stderr);
    kit.run("info", [from.url()]).refused(&["the server answered 401"]);
}

#[test]
fn a_certificate_that_is_trusted_for_this_run() {
    let kit = Kit::new();
    let authority = Certificate::new("Web Root").authority().self_signed();
    let (trusted, _) = authority.write(kit.path("").as_path(), "web");
    let identity =
        Certificate::new("localhost").usages(&["serverAuth"]).host("localhost").issued_by(&authority);
    let server = Server::tls(kit.bytes(&good()), &identity, |_, _| {});
    kit.run("info", [server.url()]).refused(&["TLS failed: "]);
    kit.run("info", ["--tls-ca".as_ref(), trusted.as_os_str(), server.url().as_ref()]).succeeded();
    let empty = kit.path("empty");
    fs::write(&empty, "").unwrap();
    kit.run("info", ["--tls-ca".as_ref(), empty.as_os_str(), server.url().as_ref()])
        .refused(&["it has no certificate in PEM"]);
}
