//! The journal's record of a command that changes the host, or that checks a snapshot: who, what,
//! and the result.
//!
//! `journalctl -t tiu` shows the messages, `journalctl -t tiu -o verbose` the fields as well.

use tiu::status::{ImageFacts, SignerFacts};
use tiu_cli::{Failure, exit};
use tiu_system::text::printable;

/// Facts about a change. Those that are not known are left out.
#[derive(Default)]
pub struct RecordFacts<'a> {
    /// The snapshot that the command was about.
    pub snapshot: Option<u32>,
    /// The image in it.
    pub image: Option<&'a ImageFacts>,
    /// The image's signer.
    pub signer: Option<&'a SignerFacts>,
    /// The duration in seconds.
    pub seconds: Option<f64>,
}

/// The user who ran the command.
struct User {
    uid: u32,
    /// The user who logged in, also behind sudo and su. `None` where the kernel does not know.
    login_uid: Option<u32>,
    sudo_user: Option<String>,
}

impl User {
    fn current() -> Self {
        let login = std::fs::read_to_string("/proc/self/loginuid").ok();
        let login = login.and_then(|text| text.trim().parse().ok()).filter(|uid| *uid != u32::MAX);
        let sudo_user = std::env::var("SUDO_USER").ok().map(|name| printable(&name));
        User { uid: rustix::process::getuid().as_raw(), login_uid: login, sudo_user }
    }
}

/// Records that `operation` was done; `message` says what, in a sentence.
pub fn done(operation: &str, message: &str, facts: &RecordFacts) {
    let User { uid, login_uid, sudo_user } = User::current();
    let RecordFacts { snapshot, image, signer, seconds } = *facts;
    tracing::info!(
        target: tiu_cli::log::RECORD,
        operation,
        result = "done",
        uid,
        login_uid,
        sudo_user,
        snapshot,
        compatible = image.map(|image| image.compatible.as_str()),
        version = image.map(|image| image.version.as_str()),
        signer = signer.map(|signer| signer.subject.as_str()),
        fingerprint = signer.map(|signer| signer.fingerprint.as_str()),
        seconds,
        "{operation}: {}",
        printable(message)
    );
}

/// Records that an unfinished snapshot was removed.
pub fn removed(number: u32) {
    let facts = RecordFacts { snapshot: Some(number), ..RecordFacts::default() };
    done("cleanup", &format!("removed the unfinished snapshot {number}"), &facts);
}

/// Records that `operation` changed nothing, for the reason `why`.
pub fn nothing_to_do(operation: &str, why: &str, facts: &RecordFacts) {
    let User { uid, login_uid, sudo_user } = User::current();
    let RecordFacts { snapshot, image, signer, .. } = *facts;
    tracing::info!(
        target: tiu_cli::log::RECORD,
        operation,
        result = "nothing-to-do",
        uid,
        login_uid,
        sudo_user,
        snapshot,
        compatible = image.map(|image| image.compatible.as_str()),
        version = image.map(|image| image.version.as_str()),
        signer = signer.map(|signer| signer.subject.as_str()),
        fingerprint = signer.map(|signer| signer.fingerprint.as_str()),
        "{operation}: nothing to do: {}",
        printable(why)
    );
}

/// Records that `operation` failed or was cancelled. `bundle` is what it was given, if it was given
/// one.
pub fn failed(operation: &str, bundle: Option<&str>, facts: &RecordFacts, failure: &Failure) {
    // A wrong command line changed nothing and tried nothing.
    let Failure::Error { error, code } = failure else { return };
    let User { uid, login_uid, sudo_user } = User::current();
    let RecordFacts { snapshot, image, signer, .. } = *facts;
    let result = if *code == exit::CANCELLED { "cancelled" } else { "failed" };
    let mut text = error.to_string();
    for cause in tiu_cli::causes(&**error) {
        text += &format!(": {cause}");
    }
    // One line of the journal for each line of the error.
    let text = text.lines().map(printable).collect::<Vec<_>>().join("\n");
    let of = bundle.map(|bundle| format!(" of {}", printable(bundle))).unwrap_or_default();
    let hint = error.hint();
    tracing::error!(
        target: tiu_cli::log::RECORD,
        operation,
        result,
        uid,
        login_uid,
        sudo_user,
        bundle,
        snapshot,
        compatible = image.map(|image| image.compatible.as_str()),
        version = image.map(|image| image.version.as_str()),
        signer = signer.map(|signer| signer.subject.as_str()),
        fingerprint = signer.map(|signer| signer.fingerprint.as_str()),
        hint,
        "{operation}{of} {result}: {text}"
    );
}
