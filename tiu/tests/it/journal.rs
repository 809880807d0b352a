//! The journal after the fact: stages, programs, warnings, and a record of each change.
//!
//! The journal is a socket of the test's own. It is mounted over `/run` in a mount namespace in
//! which tiu runs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tiu_testing::bundles::{Parts, image, tiny_index};
use tiu_testing::host::LoopHost;
use tiu_testing::kit::{Kit, Recipe};
use tiu_testing::program::{RunOutput, outcome};
use tiu_testing::system::dracut;
use tiu_testing::tree;

type Message = BTreeMap<String, String>;

/// A message in the journal's native protocol: `KEY=VALUE`, or `KEY`, a length of 8 bytes and the
/// value.
///
/// Source: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.
fn parse(mut bytes: &[u8]) -> Message {
    let mut message = Message::new();
    while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
        let (key, value, rest) = match line.iter().position(|byte| *byte == b'=') {
            Some(at) => (&line[..at], &line[at + 1..], rest),
            None => {
                let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
                (line, &rest[8..8 + length], &rest[8 + length + 1..])
            }
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        message.insert(text(key), text(value));
        bytes = rest;
    }
    message
}

/// Runs `tiu COMMAND --root HOST ARGUMENTS` as a user of sudo, with a journal. Returns the messages
/// that it got.
fn tiu(host: &LoopHost, command: &str, arguments: &[&OsStr]) -> (RunOutput, Vec<Message>) {
    let run = tempfile::tempdir().unwrap();
    let journal = run.path().join("systemd/journal");
    std::fs::create_dir_all(&journal).unwrap();
    let socket = UnixDatagram::bind(journal.join("socket")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let ended = ended.clone();
        move || {
            let (mut messages, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
            loop {
                let over = ended.load(Ordering::SeqCst);
                match socket.recv(&mut buffer) {
                    // The first one is empty: tracing-journald tries the socket.
                    Ok(0) => {}
                    Ok(length) => messages.push(parse(&buffer[..length])),
                    Err(_) if over => return messages,
                    Err(_) => {}
                }
            }
        }
    });
    let inner = host.command(command);
    let mut outer = Command::new("unshare");
    outer.args(["--mount", "sh", "-c", r#"mount --bind "$0" /run && exec "$@""#]).arg(run.path());
    outer.arg(inner.get_program()).args(inner.get_args()).args(arguments).env("SUDO_USER", "joe");
    let outcome = outcome(&mut outer);
    ended.store(true, Ordering::SeqCst);
    let messages = reader.join().unwrap();
    for message in &messages {
        println!("{} {}: {}", message["PRIORITY"], message["SYSLOG_IDENTIFIER"], message["MESSAGE"]);
    }
    (outcome, messages)
}

/// The only record, which must be of `operation`.
#[track_caller]
fn record<'a>(messages: &'a [Message], operation: &str) -> &'a Message {
    let found: Vec<_> = messages.iter().filter(|m| m.contains_key("TIU_OPERATION")).collect();
    assert_eq!(found.len(), 1, "{messages:?}");
    assert_eq!(found[0]["TIU_OPERATION"], operation);
    assert_eq!((&found[0]["TIU_UID"][..], &found[0]["TIU_SUDO_USER"][..]), ("0", "joe"));
    found[0]
}

fn path(path: &Path) -> &OsStr {
    path.as_os_str()
}

#[test]
fn the_journal_tells_the_story_of_an_update() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |_| {});

    let (applied, messages) = tiu(&host, "apply", &[path(&bundle)]);
    let applied = applied.succeeded();
    assert!(messages.iter().all(|message| message["SYSLOG_IDENTIFIER"] == "tiu"), "{messages:?}");
    let stages: Vec<_> = messages.iter().filter_map(|m| m.get("TIU_STAGE")).map(String::as_str).collect();
    assert_eq!(stages, ["verify", "etc", "compare", "copy", "initrd", "check", "commit"]);
    for message in messages.iter().filter(|m| m.contains_key("TIU_STAGE")) {
        message["TIU_SECONDS"].parse::<f64>().unwrap();
        let made = ["copy", "initrd", "check", "commit"].contains(&message["TIU_STAGE"].as_str());
        assert_eq!(message.get("TIU_SNAPSHOT").map(String::as_str), made.then_some("2"), "{message:?}");
    }
    let programs: Vec<_> = messages.iter().filter(|m| m.contains_key("TIU_PROGRAM")).collect();
    let create = programs.iter().find(|m| m["TIU_ARGUMENTS"].contains("create")).expect("snapper made it");
    assert!(create["TIU_PROGRAM"].ends_with("snapper") && create["TIU_EXIT"] == "0", "{create:?}");
    create["TIU_SECONDS"].parse::<f64>().unwrap();
    let done = record(&messages, "apply");
    let fingerprint = done["TIU_FINGERPRINT"].clone();
    for (key, value) in
        [("TIU_RESULT", "done"), ("TIU_SNAPSHOT", "2"), ("TIU_VERSION", "1"), ("PRIORITY", "6")]
    {
        assert_eq!(done[key], value, "{done:?}");
    }
    assert!(done["TIU_SIGNER"].contains("CN"), "{done:?}");
    assert_eq!(done["TIU_FINGERPRINT"].len(), 64, "{done:?}");
    assert!(done["MESSAGE"].starts_with("apply: snapshot 2 is ") && done["MESSAGE"].contains("boots next"));
    // The terminal shows progress and result alone.
    assert!(!applied.stderr.contains("snapper") && !applied.stderr.contains("apply:"), "{}", applied.stderr);

    let (again, messages) = tiu(&host, "apply", &[path(&bundle)]);
    assert_eq!(again.code, Some(77));
    let same = record(&messages, "apply");
    assert_eq!((&same["TIU_RESULT"][..], &same["TIU_VERSION"][..]), ("nothing-to-do", "1"));
    assert_eq!(same["TIU_FINGERPRINT"], done["TIU_FINGERPRINT"]);

    let stranger = Kit::new();
    let other = stranger.keyring();
    let (_, messages) =
        tiu(&host, "apply", &["--force".as_ref(), "--keyring".as_ref(), path(&other), path(&bundle)]);
    let failed = record(&messages, "apply");
    assert_eq!((&failed["TIU_RESULT"][..], &failed["PRIORITY"][..]), ("failed", "3"), "{failed:?}");
    assert_eq!(failed["TIU_BUNDLE"], bundle.to_str().unwrap());
    assert!(!failed["TIU_HINT"].is_empty() && failed["MESSAGE"].starts_with("apply of /"), "{failed:?}");

    host.tiu("apply", [kit.bundle(2, |_| {})]).succeeded();
    let (_, messages) = tiu(&host, "rollback", &["2".as_ref()]);
    let back = record(&messages, "rollback");
    assert_eq!((&back["TIU_FINGERPRINT"], &back["TIU_VERSION"][..]), (&fingerprint, "1"));
    assert_eq!((&back["TIU_RESULT"][..], &back["TIU_SNAPSHOT"][..]), ("done", "2"), "{back:?}");
    assert!(back["MESSAGE"].ends_with("boots next instead of snapshot 3"), "{back:?}");

    let (_, messages) = tiu(&host, "pin", &["2".as_ref()]);
    assert_eq!(record(&messages, "pin")["MESSAGE"], "pin: snapshot 2 is pinned");
    let (_, messages) = tiu(&host, "pin", &["2".as_ref()]);
    assert_eq!(record(&messages, "pin")["TIU_RESULT"], "nothing-to-do");
    let (_, messages) = tiu(&host, "pin", &["--remove".as_ref(), "2".as_ref()]);
    let unpinned = record(&messages, "unpin");
    assert_eq!((&unpinned["TIU_SNAPSHOT"][..], &unpinned["TIU_RESULT"][..]), ("2", "done"));
    let (_, messages) = tiu(&host, "pin", &["99".as_ref()]);
    let failed = record(&messages, "pin");
    assert_eq!((&failed["TIU_SNAPSHOT"][..], &failed["TIU_RESULT"][..]), ("99", "failed"));
    let (_, messages) = tiu(&host, "verify", &["2".as_ref()]);
    assert_eq!(record(&messages, "verify")["TIU_RESULT"], "done");
    host.snapper(&["create", "--userdata", "tiu-state=in-progress"]).succeeded();
    let (_, messages) = tiu(&host, "cleanup", &[]);
    assert_eq!(record(&messages, "cleanup")["MESSAGE"], "cleanup: removed the unfinished snapshot 4");
    let (_, messages) = tiu(&host, "cleanup", &[]);
    let nothing = record(&messages, "cleanup");
    assert_eq!(nothing["MESSAGE"], "cleanup: nothing to do: nothing to remove");
    assert_eq!(nothing["TIU_RESULT"], "nothing-to-do");
    for command in ["status", "list"] {
        assert_eq!(tiu(&host, command, &[]).1, [], "{command} changes nothing");
    }
}

#[test]
fn without_a_journal_the_terminal_shows_it_on_demand() {
    let host = LoopHost::new();
    let listed = outcome(host.command("list").arg("-v")).succeeded();
    assert!(listed.stderr.lines().any(|line| line.contains("ran /usr/bin/snapper")), "{}", listed.stderr);
    let listed = outcome(host.command("list").env("TIU_LOG", "info")).succeeded();
    assert!(listed.stderr.contains("ran /usr/bin/snapper"), "{}", listed.stderr);
    assert_eq!(outcome(&mut host.command("list")).succeeded().stderr, "");
}

/// The record of a bundle that was refused, for a reason with `why` in it.
#[track_caller]
fn refused(host: &LoopHost, bundle: &Path, why: &str) -> Message {
    let (outcome, messages) = tiu(host, "apply", &[path(bundle)]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let failed = record(&messages, "apply");
    assert_eq!((&failed["TIU_RESULT"][..], &failed["PRIORITY"][..]), ("failed", "3"), "{failed:?}");
    assert_eq!(failed["TIU_BUNDLE"], bundle.to_str().unwrap());
    assert!(failed["MESSAGE"].contains(why), "{why}: {failed:?}");
    failed.clone()
}

#[test]
fn every_kind_of_refused_bundle_is_recorded_with_its_signer_if_the_signature_is_good() {
    let kit = Kit::new();
    let host = kit.host();
    let first = kit.bundle(2, |_| {});
    let (_, messages) = tiu(&host, "apply", &[path(&first)]);
    let fingerprint = record(&messages, "apply")["TIU_FINGERPRINT"].clone();
    let signed = |failed: &Message, version: Option<&str>| {
        assert_eq!(failed.get("TIU_FINGERPRINT"), Some(&fingerprint), "{failed:?}");
        assert!(failed["TIU_SIGNER"].contains("CN=Test Signer"), "{failed:?}");
        assert_eq!(failed.get("TIU_VERSION").map(String::as_str), version, "{failed:?}");
    };

    let unknown = |failed: &Message| {
        assert!(!failed.contains_key("TIU_SIGNER") && !failed.contains_key("TIU_VERSION"), "{failed:?}");
    };
    unknown(&refused(&host, &Kit::new().bundle(3, |_| {}), "Test Root"));
    let empty = kit.path("empty.tiu");
    std::fs::write(&empty, "").unwrap();
    unknown(&refused(&host, &empty, "the file is empty"));
    unknown(&refused(&host, &kit.path("absent.tiu"), "No such file"));

    signed(&refused(&host, &kit.bundle(1, |_| {}), "downgrade"), Some("1"));
    let recipe = Recipe { compatible: "other", version: "3", more: "" };
    signed(&refused(&host, &kit.bundle_of(3, recipe, |_| {}), "other"), Some("3"));
    let damaged = kit.bundle(3, |_| {});
    let mut bytes = std::fs::read(&damaged).unwrap();
    let half = bytes.len() / 2;
    bytes[4096..half].fill(0xff);
    std::fs::write(&damaged, bytes).unwrap();
    signed(&refused(&host, &damaged, "block"), Some("3"));
    // What is signed is not a manifest.
    let tree = tempfile::tempdir().unwrap();
    tree::file(tree.path(), "a", "content");
    let parts = Parts::new(image(tree.path(), None), &tiny_index(b"content"));
    let parts = Parts { text: Some("no manifest".into()), ..parts };
    let wrong = parts.write(&kit.path("wrong.tiu"), &kit.signer.certificate, &kit.signer.key);
    signed(&refused(&host, &wrong, "manifest"), None);
}

#[test]
fn the_warnings_of_an_update_are_in_the_journal() {
    let kit = Kit::new();
    let host = kit.host();
    let bundle = kit.bundle(1, |root| {
        dracut(root, "echo 'dracut[E]: no driver x' >&2; cat /usr/lib/dracut/initrd-$kernel >\"$image\"\n");
    });
    let (outcome, messages) = tiu(&host, "apply", &[path(&bundle)]);
    outcome.succeeded();
    let warning = messages.iter().find(|m| m["MESSAGE"].contains("no driver x")).expect("the warning");
    assert_eq!(warning["MESSAGE"], "warning: dracut reports: dracut[E]: no driver x");
    assert_eq!((&warning["PRIORITY"][..], &warning["TIU_SNAPSHOT"][..]), ("4", "2"));
}
