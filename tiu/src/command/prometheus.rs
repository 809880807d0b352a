//! `tiu status --format prometheus`: the facts as metrics, for the textfile collector of
//! node_exporter.
//!
//! The format is the text format 0.0.4 of Prometheus: a comment with help and type, then one line
//! for each value.

use std::fmt::Write as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tiu::status::SnapshotFacts;
use tiu::update::{LastRun, UpdateResult};

/// The facts that are exported.
pub struct Metrics<'a> {
    /// The snapshot that runs.
    pub running: Option<&'a SnapshotFacts>,
    /// The snapshot that boots next.
    pub next: Option<&'a SnapshotFacts>,
    /// Number of snapshots that differ from what was signed.
    pub differs: usize,
    /// Number of unresolved conflicts in `/etc`.
    pub conflicts: usize,
    /// Number of unfinished snapshots.
    pub unfinished: usize,
    /// The last unattended update.
    pub last: Option<LastRun>,
}

/// All results, each of which is a label.
const RESULTS: [(UpdateResult, &str); 4] = [
    (UpdateResult::Updated, "updated"),
    (UpdateResult::NothingToDo, "nothing-to-do"),
    (UpdateResult::Failed, "failed"),
    (UpdateResult::Cancelled, "cancelled"),
];

impl Metrics<'_> {
    /// Returns the text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, help, snapshot) in [
            ("running", "The snapshot that runs, and its image.", self.running),
            ("next", "The snapshot that boots next, and its image.", self.next),
        ] {
            let Some(snapshot) = snapshot else { continue };
            let image = snapshot.image.as_ref();
            let labels = format!(
                "snapshot=\"{}\",compatible={},version={}",
                snapshot.number,
                quoted(image.map_or("", |image| &image.compatible)),
                quoted(image.map_or("", |image| &image.version)),
            );
            metric(&mut text, &format!("tiu_{name}_info"), help, &[(labels, 1.0)]);
        }
        let created = self.running.and_then(|running| running.image.as_ref());
        if let Some(created) = created.and_then(|image| seconds(&image.created)) {
            let help = "Time at which the image that runs was packed.";
            single(&mut text, "tiu_running_image_created_timestamp_seconds", help, created);
        }
        let number = |snapshot: Option<&SnapshotFacts>| snapshot.map(|snapshot| snapshot.number);
        let pending = number(self.running) != number(self.next);
        let pending = if pending { 1.0 } else { 0.0 };
        single(&mut text, "tiu_reboot_pending", "1 if another snapshot than what runs boots next.", pending);
        let lacks = self.next.is_none_or(|next| next.image.is_some() && !next.bootable);
        let lacks = if lacks { 1.0 } else { 0.0 };
        single(&mut text, "tiu_next_not_bootable", "1 if what boots next lacks what a boot needs.", lacks);
        for (name, help, value) in [
            ("differs", "Snapshots that differ from what was signed.", self.differs),
            ("etc_conflicts", "Unresolved conflicts in /etc of what boots next.", self.conflicts),
            ("unfinished", "Unfinished snapshots.", self.unfinished),
        ] {
            single(&mut text, &format!("tiu_{name}"), help, value as f64);
        }
        self.last_run(&mut text);
        text
    }

    fn last_run(&self, text: &mut String) {
        let Some(LastRun { result, time, last_update }) = &self.last else { return };
        let samples = RESULTS
            .map(|(known, name)| (format!("result=\"{name}\""), if known == *result { 1.0 } else { 0.0 }));
        metric(text, "tiu_update_last_result", "Result of the last unattended update.", &samples);
        if let Some(time) = seconds(time) {
            let help = "Time of the last unattended update, whatever it did.";
            single(text, "tiu_update_last_run_timestamp_seconds", help, time);
        }
        if let Some(time) = last_update.as_ref().and_then(|update| seconds(&update.time)) {
            let help = "Time of the last unattended update that applied an image.";
            single(text, "tiu_update_last_applied_timestamp_seconds", help, time);
        }
    }
}

fn single(text: &mut String, name: &str, help: &str, value: f64) {
    metric(text, name, help, &[(String::new(), value)]);
}

fn metric(text: &mut String, name: &str, help: &str, samples: &[(String, f64)]) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (labels, value) in samples {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}

/// Returns a value of a label.
fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("\"{escaped}\"")
}

/// Returns a time in RFC 3339 as seconds since 1970.
fn seconds(time: &str) -> Option<f64> {
    OffsetDateTime::parse(time, &Rfc3339).ok().map(|time| time.unix_timestamp() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_its_line_or_its_quotes() {
        assert_eq!(quoted("a\"} 1\nb\\"), r#""a\"} 1\nb\\""#);
    }

    #[test]
    fn a_host_of_which_nothing_is_known_has_metrics_too() {
        let metrics =
            Metrics { running: None, next: None, differs: 0, conflicts: 0, unfinished: 0, last: None };
        let text = metrics.text();
        assert!(
            text.contains("\ntiu_next_not_bootable 1\n") && text.contains("\ntiu_unfinished 0\n"),
            "{text}"
        );
        assert!(!text.contains("last"), "{text}");
    }
}
