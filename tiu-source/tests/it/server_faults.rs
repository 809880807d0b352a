//! A server that does one thing wrong.

use crate::kit::{END, Kit, impatient, network};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tiu_source::Network;
use tiu_testing::server::{Asked, Reply, Server};
use tiu_testing::tree::noise;

const MIB: usize = 1 << 20;

/// A server whose first answer is right, and `fault` changes the others.
fn later(kit: &Kit, fault: impl Fn(&Asked, &mut Reply) + Send + Sync + 'static) -> Server {
    Server::with(kit.bytes.clone(), move |asked, reply| {
        if asked.number > 0 {
            fault(asked, reply);
        }
    })
}

/// Opening fails with `needle`, in a bounded time and with few requests.
#[track_caller]
fn opening_fails(needle: &str, fault: impl Fn(&Asked, &mut Reply) + Send + Sync + 'static) {
    let kit = Kit::new(1000);
    let server = Server::with(kit.bytes.clone(), fault);
    let began = Instant::now();
    kit.refused(&server.url(), needle);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(server.asked().len() <= 6, "{} requests", server.asked().len());
}

/// Opening works, and reading fails with `needle`, in a bounded time.
#[track_caller]
fn reading_fails(needle: &str, fault: impl Fn(&Asked, &mut Reply) + Send + Sync + 'static) {
    let kit = Kit::new(1000);
    let server = later(&kit, fault);
    let bundle = kit.open_with(&server.url(), &impatient()).unwrap();
    let began = Instant::now();
    kit.read_fails(&bundle, needle);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(server.asked().len() <= 20, "{} requests", server.asked().len());
}

/// All is read in spite of it. Returns the requests, and the bytes that came in addition to the
/// file.
#[track_caller]
fn read_all_the_same(
    blocks: usize,
    fault: impl Fn(&Asked, &mut Reply) + Send + Sync + 'static,
) -> (usize, i64) {
    let kit = Kit::new(blocks);
    let server = Server::with(kit.bytes.clone(), fault);
    let bundle = kit.open(&server.url()).unwrap();
    kit.read(&bundle).unwrap();
    (server.asked().len(), server.sent() as i64 - kit.bytes.len() as i64)
}

#[test]
fn no_ranges() {
    let kit = Kit::new(1000);
    let bytes = kit.bytes.clone();
    let server = Server::with(bytes.clone(), move |_, reply| reply.whole(&bytes));
    let bundle = kit.open(&server.url()).unwrap();
    kit.read(&bundle).unwrap();
    assert!(bundle.source.as_file().is_some(), "a private file");
    assert_eq!((server.asked().len(), server.sent()), (1, kit.bytes.len() as u64));
}

#[test]
fn no_ranges_and_no_length() {
    let kit = Kit::new(1000);
    let bytes = kit.bytes.clone();
    let server = Server::with(bytes.clone(), move |_, reply| {
        reply.whole(&bytes);
        reply.length = Some(None);
    });
    kit.read(&kit.open(&server.url()).unwrap()).unwrap();
}

#[test]
fn no_ranges_and_a_connection_that_breaks_once() {
    let kit = Kit::new(1000);
    let bytes = kit.bytes.clone();
    let server = Server::with(bytes.clone(), move |asked, reply| {
        reply.whole(&bytes);
        reply.cut = (asked.number == 0).then_some(MIB);
    });
    kit.read(&kit.open(&server.url()).unwrap()).unwrap();
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn no_ranges_and_a_connection_that_always_breaks() {
    let bytes = noise(1, MIB);
    opening_fails("the answer ended after 1000 bytes, expected 1048576", move |_, reply| {
        reply.whole(&bytes);
        reply.cut = Some(1000);
    });
}

#[test]
fn no_ranges_and_a_body_without_an_end() {
    let kit = Kit::new(3);
    let server = Server::with(kit.bytes.clone(), |_, reply| {
        reply.whole(b"x");
        reply.length = Some(None);
        reply.endless = true;
    });
    let mut network = network();
    network.limits.largest = 10 << 20;
    let error = kit.open_with(&server.url(), &network).err().expect("an error").to_string();
    assert!(error.ends_with("the answer has more than 10485760 bytes"), "{error}");
}

#[test]
fn a_length_that_no_bundle_has() {
    opening_fails("the answer has more than 1073741824 bytes", |_, reply| {
        reply.whole(b"x");
        reply.length = Some(Some(usize::MAX / 2));
    });
}

#[test]
fn a_directory_for_downloads_that_cannot_be_written() {
    let kit = Kit::new(3);
    let bytes = kit.bytes.clone();
    let server = Server::with(bytes.clone(), move |_, reply| reply.whole(&bytes));
    let network = Network { spool: "/proc".into(), ..network() };
    let error = kit.open_with(&server.url(), &network).err().expect("an error").to_string();
    assert!(error.contains("the download cannot be stored in /proc"), "{error}");
}

#[test]
fn a_web_page_instead_of_a_bundle() {
    opening_fails("found a web page (text/html), expected a bundle", |_, reply| {
        reply.whole(b"<html>Please log in</html>");
        reply.set("Content-Type", "text/html; charset=utf-8");
    });
}

#[test]
fn a_text_instead_of_a_bundle() {
    opening_fails("the last 8 bytes of the file say that the signature is", |_, reply| {
        reply.whole(b"Please log in, then come back to this place");
    });
}

#[test]
fn a_content_encoding() {
    opening_fails("found the content encoding `gzip`, expected none", |_, reply| {
        reply.set("Content-Encoding", "gzip");
    });
}

#[test]
fn another_range_than_was_asked_for_at_first() {
    opening_fails("expected the last 65544 bytes", |_, reply| {
        reply.set("Content-Range", "bytes 0-65543/4000000")
    });
}

#[test]
fn an_answer_with_a_range_and_without_saying_which() {
    opening_fails("found the range `none", |_, reply| reply.remove("Content-Range"));
}

#[test]
fn another_range_than_was_asked_for() {
    reading_fails("found the range", |asked, reply| {
        let range = asked.range.clone().unwrap();
        reply.set("Content-Range", &format!("bytes {}-{}/9999999", range.start + 4096, range.end + 4095));
    });
}

#[test]
fn a_length_that_is_not_that_of_the_range() {
    reading_fails("found the range", |asked, reply| {
        reply.length = Some(Some(asked.range.clone().unwrap().len() + 1));
    });
}

#[test]
fn an_answer_that_is_shorter_than_its_length() {
    opening_fails("the answer ended after 65543 bytes, expected 65544", |_, reply| {
        reply.body.pop();
        reply.length = Some(Some(END));
    });
}

#[test]
fn less_than_was_asked_for_each_time() {
    let (requests, more) = read_all_the_same(1000, |asked, reply| {
        if let Some(range) = asked.range.clone().filter(|range| asked.number > 0 && range.len() > MIB) {
            reply.body.truncate(MIB);
            let total = reply.headers.iter().find(|(name, _)| name == "Content-Range").unwrap().1.clone();
            let total = total.rsplit('/').next().unwrap().to_owned();
            reply.set("Content-Range", &format!("bytes {}-{}/{total}", range.start, range.start + MIB - 1));
        }
    });
    assert!((4..=8).contains(&requests) && more <= END as i64, "{requests} {more}");
}

#[test]
fn statuses_that_are_final() {
    for (status, words) in
        [(403, "(forbidden)"), (404, "(not found)"), (410, "(gone)"), (416, "(no such range)"), (418, "")]
    {
        let kit = Kit::new(3);
        let server = Server::with(kit.bytes.clone(), move |_, reply| reply.refuse(status, "no"));
        kit.refused(&server.url(), format!("the server answered {status} {words}").trim_end());
        assert_eq!(server.asked().len(), 1, "{status}");
    }
}

#[test]
fn statuses_that_may_pass() {
    for status in [408, 429, 500, 502, 503, 504] {
        let kit = Kit::new(3);
        let server = Server::with(kit.bytes.clone(), move |_, reply| reply.refuse(status, "later"));
        kit.refused(&server.url(), &format!("the server answered {status}"));
        assert_eq!(server.asked().len(), 3, "{status}");
    }
}

#[test]
fn a_server_that_is_busy_in_the_middle() {
    let (requests, _) = read_all_the_same(1000, |asked, reply| {
        if asked.number == 1 {
            reply.refuse(503, "busy");
            reply.set("Retry-After", "1");
        } else if asked.number == 2 {
            reply.refuse(429, "busy");
        }
    });
    assert!(requests <= 8, "{requests}");
}

#[test]
fn a_range_that_cannot_be_satisfied_in_the_middle() {
    reading_fails("the server answered 416 (no such range)", |_, reply| reply.refuse(416, ""));
}

#[test]
fn redirects_in_a_circle() {
    opening_fails("more than 5 redirects", |_, reply| reply.redirect("/bundle.tiu"));
}

#[test]
fn redirects_that_lead_nowhere() {
    opening_fails("a redirect leads nowhere: no header Location", |_, reply| reply.refuse(302, ""));
    opening_fails("a redirect leads nowhere: ftp://example.org/x", |_, reply| {
        reply.redirect("ftp://example.org/x")
    });
    opening_fails("a redirect leads nowhere: http:///x", |_, reply| reply.redirect("http:///x"));
}

#[test]
fn more_headers_than_are_read() {
    opening_fails("the answer is malformed: ", |_, reply| {
        for number in 0..3000 {
            reply.headers.push((format!("X-Header-{number}"), "x".repeat(100)));
        }
    });
}

#[test]
fn a_server_that_never_answers() {
    opening_fails("nothing arrived for too long (receive response)", |_, reply| {
        reply.delay = Some(Duration::from_secs(4));
    });
}

#[test]
fn a_server_that_sends_a_byte_from_time_to_time() {
    opening_fails("bytes arrived in", |_, reply| reply.drip = Some(Duration::from_millis(20)));
}

#[test]
fn a_server_that_stops_in_the_middle() {
    reading_fails("nothing arrived for too long", |_, reply| {
        reply.length = Some(Some(reply.body.len()));
        reply.body.truncate(1);
        reply.drip = Some(Duration::from_secs(3));
    });
}

#[test]
fn connections_that_break_in_the_middle() {
    let (requests, more) = read_all_the_same(3000, |asked, reply| {
        if asked.number > 0 {
            reply.cut = Some(300_000);
        }
    });
    assert!(requests < 60, "{requests}");
    // What has arrived is not fetched again.
    assert!(more <= END as i64, "{more} bytes twice");
}

#[test]
fn connections_that_break_after_a_byte() {
    reading_fails("the answer ended after", |_, reply| reply.cut = Some(1));
}

#[test]
fn a_connection_for_each_request() {
    read_all_the_same(1000, |_, reply| reply.close = true);
}

#[test]
fn http_of_1996() {
    read_all_the_same(1000, |_, reply| reply.old = true);
}

/// Changes one byte of the file at `at`, where a reply has it.
fn damage(at: usize, asked: &Asked, reply: &mut Reply) -> bool {
    let Some(range) = asked.range.clone().filter(|range| range.contains(&at)) else { return false };
    reply.body[at - range.start] ^= 1;
    true
}

#[test]
fn a_wrong_byte_once() {
    let kit = Kit::new(3000);
    let times = AtomicUsize::new(0);
    let server = later(&kit, move |asked, reply| {
        if times.load(Ordering::Relaxed) == 0 && damage(5_000_000, asked, reply) {
            times.fetch_add(1, Ordering::Relaxed);
        }
    });
    kit.read(&kit.open(&server.url()).unwrap()).unwrap();
    let asked = server.asked();
    let again: Vec<_> = asked.iter().filter(|asked| asked.header("cache-control").is_some()).collect();
    assert_eq!(again.len(), 1);
    let block = 5_000_000 / 4096 * 4096;
    assert_eq!(again[0].range, Some(block..block + 4096), "only the block");
}

#[test]
fn a_wrong_byte_of_the_hash_tree_once() {
    let kit = Kit::new(3000);
    let (times, at) = (AtomicUsize::new(0), kit.image_size + 4096 + 7);
    let server = later(&kit, move |asked, reply| {
        if times.load(Ordering::Relaxed) == 0 && damage(at, asked, reply) {
            times.fetch_add(1, Ordering::Relaxed);
        }
    });
    kit.read(&kit.open(&server.url()).unwrap()).unwrap();
    assert!(server.asked().iter().any(|asked| asked.header("cache-control").is_some()));
}

#[test]
fn a_wrong_byte_always() {
    reading_fails("block 500 of the image is damaged: its hash is", |asked, reply| {
        damage(500 * 4096 + 1, asked, reply);
    });
}

#[test]
fn a_file_that_is_replaced_between_requests() {
    let kit = Kit::new(3000);
    let server = Server::new(kit.bytes.clone());
    let bundle = kit.open(&server.url()).unwrap();
    server.replace(Kit::new(3000).bytes);
    kit.read_fails(&bundle, "the file on the server was changed while it was read");
}

#[test]
fn a_file_that_becomes_longer_between_requests_without_a_tag() {
    let kit = Kit::new(3000);
    let server = Server::with(kit.bytes.clone(), |_, reply| reply.remove("ETag"));
    let bundle = kit.open(&server.url()).unwrap();
    server.replace(Kit::new(4000).bytes);
    kit.read_fails(&bundle, "the file on the server was changed while it was read");
}

#[test]
fn ranges_that_end_in_the_middle() {
    let bytes = noise(3, MIB);
    reading_fails("the file on the server was changed while it was read", move |_, reply| {
        reply.whole(&bytes)
    });
}

#[test]
fn a_server_that_is_gone() {
    let kit = Kit::new(3000);
    let server = Server::with(kit.bytes.clone(), |_, reply| reply.close = true);
    let (url, bundle) = (server.url(), kit.open(&server.url()).unwrap());
    drop(server);
    std::thread::sleep(Duration::from_millis(50));
    kit.read_fails(&bundle, "Connection refused");
    kit.refused(&url, "Connection refused");
}

#[test]
fn a_host_that_does_not_exist() {
    Kit::new(3).refused(
        "http://no-such-host.invalid/x.tiu",
        "no-such-host.invalid/x.tiu: failed to lookup address information",
    );
}

#[test]
fn something_that_does_not_speak_http() {
    let kit = Kit::new(3);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = std::io::Write::write_all(&mut stream.unwrap(), b"220 mail.example.org ESMTP\r\n\r\n");
        }
    });
    kit.refused(&url, "the answer is malformed: ");
}
