//! `tiu apply` from a web server.

use rustix::process::Signal;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tiu_testing::kit::Kit;
use tiu_testing::running::wait_for;
use tiu_testing::server::Server;

/// The bytes of the first request.
const END: u64 = 64 * 1024 + 8;

fn served(bundle: &std::path::Path) -> Server {
    Server::new(fs::read(bundle).unwrap())
}

#[test]
fn two_versions_from_a_server() {
    let kit = Kit::new();
    let mut host = kit.host();
    let first = served(&kit.bundle(1, |_| {}));
    host.tiu("apply", [first.url()]).succeeded();
    host.reboot();
    let bundle = kit.bundle(2, |_| {});
    let second = served(&bundle);
    let dry = host.tiu("apply", ["--dry-run".to_owned(), second.url()]).succeeded();
    let before = second.sent();
    assert!(dry.stdout.contains("usr/share/changed"), "{}", dry.stdout);
    host.tiu("apply", [second.url()]).succeeded();
    assert_eq!((host.snapshots(), host.default()), (vec![1, 2, 3], 3));
    assert_eq!(fs::read_to_string(host.snapshot(3).join("usr/share/only-2")).unwrap(), "here");
    host.tiu("verify", ["3"]).succeeded();
    let size = fs::metadata(&bundle).unwrap().len();
    let sent = second.sent() - before;
    assert!(sent < size + END, "{sent} of {size}");
    assert!(second.asked().len() < 40, "{} requests", second.asked().len());
}

#[test]
fn an_image_that_runs_costs_one_request() {
    let kit = Kit::new();
    let mut host = kit.host();
    let server = served(&kit.bundle(1, |_| {}));
    host.tiu("apply", [server.url()]).succeeded();
    host.reboot();
    let (requests, sent) = (server.asked().len(), server.sent());
    assert_eq!(host.tiu("apply", [server.url()]).code, Some(77));
    assert_eq!((server.asked().len() - requests, server.sent() - sent), (1, END));
}

#[test]
fn a_server_that_goes_away_in_the_middle_changes_nothing() {
    let kit = Kit::new();
    let host = kit.host();
    let before = host.outline();
    let bytes = fs::read(kit.bundle(1, |_| {})).unwrap();
    let at = bytes.len() / 3;
    // What is in the middle of the file is content: all that is read before has been there.
    let server = Server::with(bytes, move |asked, reply| {
        if asked.range.as_ref().is_some_and(|range| range.start < at && asked.number > 3) {
            reply.refuse(404, "gone");
        }
    });
    host.tiu("apply", [server.url()]).refused(&["the server answered 404 (not found)"]);
    assert_eq!(host.outline(), before);
}

#[test]
fn a_server_that_is_silent_in_the_middle_does_not_hold_up_a_cancellation() {
    let kit = Kit::new();
    let host = kit.host();
    let before = host.outline();
    // Content: what is read until then lies at the end of the file.
    let bytes = fs::read(kit.bundle(1, |_| {})).unwrap();
    let at = bytes.len() / 3;
    let stalled = Arc::new(AtomicBool::new(false));
    let seen = stalled.clone();
    let server = Server::with(bytes, move |asked, reply| {
        if asked.number > 3 && asked.range.as_ref().is_some_and(|range| range.start < at) {
            seen.store(true, Ordering::Relaxed);
            reply.delay = Some(Duration::from_secs(25));
        }
    });
    let mut running = host.start("apply", [server.url()]);
    wait_for("a request for content", || stalled.load(Ordering::Relaxed));
    running.signal(Signal::TERM);
    let began = Instant::now();
    let ended = running.end();
    assert_eq!(ended.outcome.code, Some(130), "{}", ended.outcome.stderr);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(host.outline(), before);
}
