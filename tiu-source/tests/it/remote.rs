//! A correct server: how many requests, how many bytes.

use crate::kit::{END, Kit, all, cancel, network};
use std::time::{Duration, Instant};
use tiu_bundle::read_at::{FetchCost, ReadAt, Reads};
use tiu_source::{Network, spooled};
use tiu_system::progress::Watch;
use tiu_testing::server::Server;

const MIB: usize = 1 << 20;

#[test]
fn the_signature_is_one_request() {
    let kit = Kit::new(1000);
    let server = Server::new(kit.bytes.clone());
    let bundle = kit.open(&server.url()).unwrap();
    assert_eq!(bundle.manifest.version, "1");
    assert_eq!((server.asked().len(), server.sent()), (1, END as u64));
}

#[test]
fn a_bundle_that_is_shorter_than_the_first_request() {
    let kit = Kit::new(3);
    let server = Server::new(kit.bytes.clone());
    let bundle = kit.open(&server.url()).unwrap();
    kit.read(&bundle).unwrap();
    assert_eq!((server.asked().len(), server.sent()), (1, kit.bytes.len() as u64));
}

#[test]
fn what_is_announced_comes_in_few_requests_and_once() {
    let kit = Kit::new(20 * MIB / 4096);
    let server = Server::new(kit.bytes.clone());
    let bundle = kit.open(&server.url()).unwrap();
    kit.read(&bundle).unwrap();
    let size = kit.bytes.len();
    assert!(server.asked().len() <= 1 + size.div_ceil(4 * MIB) + 3, "{} requests", server.asked().len());
    assert!(server.sent() <= (size + END) as u64, "{} bytes of {size}", server.sent());
}

#[test]
fn only_what_is_announced_comes_and_its_cost_was_known() {
    let kit = Kit::new(20 * MIB / 4096);
    let server = Server::new(kit.bytes.clone());
    let bundle = kit.open(&server.url()).unwrap();
    let image = bundle.image();
    let wanted = [MIB as u64..MIB as u64 + 100, 9 * MIB as u64..10 * MIB as u64];
    let FetchCost { bytes, requests } = image.cost(&wanted).unwrap();
    image.announce(&wanted, Reads::Once);
    for range in wanted {
        let mut found = vec![0; (range.end - range.start) as usize];
        image.read_exact_at(&mut found, range.start).unwrap();
        assert!(found == kit.bytes[range.start as usize..range.end as usize]);
    }
    assert_eq!(server.asked().len() as u64, 1 + requests);
    assert_eq!(server.sent(), END as u64 + bytes);
    assert!((MIB..MIB + 100_000).contains(&(bytes as usize)), "{bytes}");
}

#[test]
fn a_read_that_was_not_announced() {
    let kit = Kit::new(1000);
    let server = Server::new(kit.bytes.clone());
    let bundle = kit.open(&server.url()).unwrap();
    let mut byte = [0];
    for at in [123_456, 123_457, 1_000_000] {
        bundle.source.read_exact_at(&mut byte, at).unwrap();
        assert_eq!(byte[0], kit.bytes[at as usize]);
    }
    assert_eq!((server.asked().len(), server.sent()), (3, END as u64 + 2 * 4096));
    assert!(bundle.source.read_exact_at(&mut byte, kit.bytes.len() as u64).is_err());
}

#[test]
fn the_state_of_the_file_is_part_of_each_later_request() {
    let kit = Kit::new(1000);
    let server = Server::new(kit.bytes.clone());
    let bundle = kit.open(&server.url()).unwrap();
    kit.read(&bundle).unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].header("if-range"), None);
    assert!(asked.len() > 1 && asked[1..].iter().all(|asked| asked.header("if-range") == Some("\"first\"")));
    assert!(asked.iter().all(|asked| asked.header("accept-encoding") == Some("identity")));
}

#[test]
fn a_password_goes_to_the_server_and_nowhere_else() {
    let kit = Kit::new(1000);
    let server = Server::with(kit.bytes.clone(), |asked, reply| {
        if asked.header("authorization") != Some("Basic bWU6c2VjcmV0") {
            reply.refuse(401, "");
        }
    });
    let url = server.url().replace("http://", "http://me:secret@");
    kit.read(&kit.open(&url).unwrap()).unwrap();
    kit.refused(&server.url(), "answered 401 (user and password needed)");
    let error = kit.open(&url.replace("secret", "wrong")).err().expect("an error").to_string();
    assert!(!error.contains("wrong") && error.contains("401"), "{error}");
}

#[test]
fn a_redirect_is_followed_once_and_later_requests_go_there_at_once() {
    let kit = Kit::new(1000);
    let to = Server::new(kit.bytes.clone());
    let target = format!("http://{}/there", to.host());
    let from = Server::with(kit.bytes.clone(), move |_, reply| reply.redirect(&target));
    let url = from.url().replace("http://", "http://me:secret@");
    let bundle = kit.open(&url).unwrap();
    kit.read(&bundle).unwrap();
    assert_eq!(from.asked().len(), 1);
    assert!(to.asked().len() > 1);
    assert!(
        to.asked().iter().all(|asked| asked.target == "/there" && asked.header("authorization").is_none())
    );
}

#[test]
fn a_redirect_that_expires_is_asked_for_again() {
    let kit = Kit::new(3000);
    let to = Server::with(kit.bytes.clone(), |asked, reply| {
        // Each address is good for two requests.
        let number: usize = asked.target.rsplit('/').next().unwrap().parse().unwrap();
        if asked.number > 2 * number + 1 {
            reply.refuse(403, "expired");
        }
    });
    let host = to.host();
    let from = Server::with(kit.bytes.clone(), move |asked, reply| {
        reply.redirect(&format!("http://{host}/{}", asked.number * 100));
    });
    let bundle = kit.open(&from.url()).unwrap();
    kit.read(&bundle).unwrap();
    // Several connections can find out at the same time.
    assert!((2..=5).contains(&from.asked().len()), "{}", from.asked().len());
}

#[test]
fn a_rate_is_kept() {
    let kit = Kit::new(1000);
    let server = Server::new(kit.bytes.clone());
    let began = Instant::now();
    kit.open_with(&server.url(), &Network { rate: Some(100 << 10), ..network() }).unwrap();
    // 64 KiB at 100 KiB/s.
    assert!(began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
}

#[test]
fn a_whole_bundle_in_a_private_file() {
    let kit = Kit::new(3000);
    let server = Server::new(kit.bytes.clone());
    let bundle = kit.open(&server.url()).unwrap();
    let bundle = spooled(bundle, &network(), Watch::silent()).unwrap();
    assert!(bundle.source.as_file().is_some() && !bundle.source.is_remote());
    assert!(all(&bundle.source) == kit.bytes);
    assert!(server.asked().len() <= 5, "{}", server.asked().len());
}

#[test]
fn waiting_for_a_server_can_be_cancelled() {
    let kit = Kit::new(3000);
    let server = Server::with(kit.bytes.clone(), |asked, reply| {
        if asked.number > 0 {
            reply.delay = Some(Duration::from_secs(3));
        }
    });
    let cancel = cancel();
    let mut network = Network { cancel: Some(cancel), ..network() };
    network.limits.answer = Duration::from_secs(60);
    network.limits.idle = Duration::from_secs(60);
    let bundle = kit.open_with(&server.url(), &network).unwrap();
    let began = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            cancel.cancel();
        });
        kit.read_fails(&bundle, "cancelled");
    });
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
