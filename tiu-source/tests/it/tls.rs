//! TLS. The system's trusted certificates are not ours, so that a program of its own is not needed:
//! what a test server has is refused. The tests of `tiu-extract` have trusted ones.

use crate::kit::Kit;
use tiu_testing::pki::Certificate;
use tiu_testing::server::Server;

#[test]
fn a_certificate_of_an_unknown_issuer() {
    let kit = Kit::new(3);
    let identity = Certificate::new("localhost").usages(&["serverAuth"]).self_signed();
    let server = Server::tls(kit.bytes.clone(), &identity, |_, _| {});
    kit.refused(&server.url(), "TLS failed: ");
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_server_without_tls_at_an_https_url() {
    let kit = Kit::new(3);
    let server = Server::new(kit.bytes.clone());
    kit.refused(&server.url().replace("http://", "https://"), "TLS failed: ");
    assert_eq!(server.asked().len(), 0);
}
