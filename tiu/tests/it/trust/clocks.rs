//! The two clocks: now, and the signing time.

use std::ffi::OsStr;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tiu_testing::kit::Kit;
use tiu_testing::pki::Certificate;
use tiu_testing::program::{json, tool};

#[test]
fn an_image_whose_signer_s_certificate_expired_since_is_not_distrusted_at_rest() {
    let kit = Kit::new();
    let host = kit.host();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let short = Certificate::new("Short").usages(&["codeSigning"]).valid(now - 86400, now + 15);
    short.issued_by(&kit.authority).write(&kit.path(""), "signer");
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    let left = u64::try_from(now + 17).unwrap();
    let wait = left.saturating_sub(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    std::thread::sleep(Duration::from_secs(wait));
    let status = host.tiu::<&str>("status", []).succeeded();
    assert!(
        status.stdout.contains("as signed by CN=Short, O=tiu test, expired since 20"),
        "{}",
        status.stdout
    );
    assert!(!status.stdout.contains("NOT TRUSTED"), "{}", status.stdout);
    let verified = host.tiu("verify", ["2"]).succeeded();
    assert!(verified.stdout.contains("expired since 20"), "{}", verified.stdout);
    let verified = json(&host.tiu("verify", ["2", "--json"]).succeeded());
    assert!(verified["expired_since"].is_string());
    // It still is what an image must not be older than.
    kit.signer.write(&kit.path(""), "signer");
    host.tiu("apply", [kit.bundle(0, |_| {})]).refused(&["the host has 1: that is a downgrade"]);
}

#[test]
fn where_the_signing_time_counts_an_earlier_signature_is_a_downgrade() {
    let kit = Kit::new();
    let host = kit.host_with(512, |root| {
        let path = root.join("etc/tiu/tiu.yaml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, text + "valid-at: signing-time\n").unwrap();
    });
    let second = kit.bundle(2, |_| {});
    std::thread::sleep(Duration::from_millis(1100));
    host.tiu("apply", [kit.bundle(1, |_| {})]).succeeded();
    host.tiu("apply", [&second]).refused(&["the image was signed at", "that is a downgrade"]);
    host.tiu("apply", [second.as_os_str(), "--allow-downgrade".as_ref()]).succeeded();
}

#[test]
fn the_moment_of_validity_is_configured_in_each_of_its_forms() {
    let kit = Kit::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let short = Certificate::new("Short").usages(&["codeSigning"]).valid(now - 600, now + 600);
    short.issued_by(&kit.authority).write(&kit.path(""), "signer");
    let bundle = kit.bundle(1, |_| {});
    let host = kit.host();
    let dry_run = |moment: &str| {
        host.edit(1, |root| {
            kit.configure(root);
            let path = root.join("etc/tiu/tiu.yaml");
            let text = fs::read_to_string(&path).unwrap();
            fs::write(path, format!("{text}valid-at: {moment}\n")).unwrap();
        });
        host.tiu("apply", ["--dry-run".as_ref(), bundle.as_os_str()])
    };
    let utc = |time: i64| {
        let form = ["-u".into(), format!("-d@{time}"), "+%Y-%m-%dT%H:%M:%SZ".into()];
        let arguments: Vec<&OsStr> = form.iter().map(AsRef::as_ref).collect();
        tool("date", "coreutils", &arguments).succeeded().stdout.trim().to_owned()
    };
    for moment in ["now".to_owned(), "signing-time".into(), utc(now), now.to_string(), format!("\"{now}\"")] {
        dry_run(&moment).succeeded();
    }
    for moment in [utc(now - 86_400), (now - 86_400).to_string()] {
        dry_run(&moment).refused(&["is not valid before"]);
    }
    for moment in ["yesterday", "2026-01-31", "1.5", "Now", "\"\""] {
        dry_run(moment).refused(&["tiu.yaml", "valid-at", "signing-time"]);
    }
}
