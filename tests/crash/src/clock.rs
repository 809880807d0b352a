//! A clock that was set back: snapshots and files are from the future, and certificates are not yet
//! valid.

use crate::facts::{self, Closeness};
use crate::scene::{OLD, Setup};
use crate::settings::Settings;
use std::fs;
use std::time::{Duration, SystemTime};
use tiu_testing::pki::Certificate;

pub fn run(_: &Settings, setup: &Setup) -> String {
    let mut scene = setup.scene();
    let future = SystemTime::now() + Duration::from_secs(20 * 365 * 86_400);
    for number in [1, OLD] {
        let description = scene.host.root().join(format!(".snapshots/{number}/info.xml"));
        let text = fs::read_to_string(&description).unwrap();
        let date = text.find("<date>").unwrap() + "<date>".len();
        fs::write(&description, format!("{}2046{}", &text[..date], &text[date + 4..])).unwrap();
    }
    scene.host.edit(OLD, |root| {
        for path in ["etc/app.conf", "usr/lib/large-0", "usr/share/changed"] {
            fs::File::options().write(true).open(root.join(path)).unwrap().set_modified(future).unwrap();
        }
    });
    scene.old = facts::read(&scene.host.snapshot(OLD), Closeness::Untouched);
    scene.assert_recovers();
    let new = scene.host.default();
    let status = scene.host.tiu("status", ["--json"]).succeeded().stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["back"][0], OLD, "the way back: {status}");
    scene.host.reboot();
    // One more, from a base that is older than what it was made from.
    let third = setup.kit.bundle(3, |root| crate::scene::image(root, 3));
    scene.host.tiu("apply", [&third]).succeeded();
    assert!(scene.host.default() > new);
    scene.assert_verified();
    scene.host.tiu("rollback", [&new.to_string()]).succeeded();
    // snapper counts, and does not look at dates either.
    scene.host.snapper(&["cleanup", "number"]).succeeded();
    assert!(scene.host.snapshots().contains(&new));

    // Valid from 2090 on: what a clock in 1970 makes of any certificate.
    let late = Certificate::new("Late").usages(&["codeSigning"]).valid(3_786_912_000, 4_000_000_000);
    late.issued_by(&setup.kit.authority).write(scene.host.scratch(), "signer-late");
    let mut sign = std::process::Command::new(tiu_testing::program::path("tiu-create"));
    let (certificate, key) =
        (scene.host.scratch().join("signer-late.cert.pem"), scene.host.scratch().join("signer-late.key.pem"));
    let copy = scene.host.scratch().join("late.tiu");
    fs::copy(&setup.bundle, &copy).unwrap();
    sign.arg("sign")
        .arg("--allow-unverifiable")
        .arg("--cert")
        .arg(certificate)
        .arg("--key")
        .arg(key)
        .arg(&copy);
    tiu_testing::program::outcome(&mut sign).succeeded();
    scene.host.tiu("apply", [&copy]).refused(&["is not valid before 2090", "check this host's clock"]);
    "two updates of a host from the future, a way back, and a certificate that is not yet valid".into()
}
