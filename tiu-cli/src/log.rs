//! The log of the programs: in the journal for later, and on the terminal for an administrator who
//! watches.
//!
//! Libraries log with `tracing`, and never secrets: no passphrase, no PIN, no key URI.

use std::io;
use std::str::FromStr;
use tiu_system::text::printable_lines;
use tracing::level_filters::LevelFilter;
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// The target of records: messages for the journal only, because the program prints the same by
/// itself.
pub const RECORD: &str = "record";
/// The environment variable that says what is logged to standard error: a level, or
/// `TARGET=LEVEL,...`.
pub const VARIABLE: &str = "TIU_LOG";

/// The extent of a run's log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Logging {
    /// Number of `-v` on the command line: 1 logs what is done to standard error, 2 details.
    pub verbose: u8,
    /// Identifier of the messages in the journal (`journalctl -t IDENTIFIER`), if the run is to be
    /// recorded there.
    pub journal: Option<&'static str>,
}

impl Logging {
    /// Starts logging, once for the life of the process. Without a journal, nothing is recorded.
    pub fn start(self) {
        let messages_only = format::debug_fn(|writer, field, value| match field.name() {
            "message" => writer.write_str(&printable_lines(&format!("{value:?}"))),
            _ => Ok(()),
        });
        let terminal = fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .fmt_fields(messages_only)
            .with_filter(self.terminal().with_target(RECORD, LevelFilter::OFF));
        let journal = self.journal.and_then(|identifier| {
            let levels = PriorityMappings {
                info: Priority::Informational,
                debug: Priority::Debug,
                ..PriorityMappings::new()
            };
            // Where no journal runs, there is no socket.
            let layer = tracing_journald::layer().ok()?;
            Some(
                layer
                    .with_syslog_identifier(identifier.to_owned())
                    .with_field_prefix(Some("TIU".to_owned()))
                    .with_priority_mappings(levels)
                    .with_filter(LevelFilter::INFO),
            )
        });
        // Fails only if logging was started before.
        let _ = tracing_subscriber::registry().with(terminal).with(journal).try_init();
    }

    /// Returns what is logged to standard error. The environment variable is ignored if it cannot
    /// be read.
    fn terminal(self) -> Targets {
        let given = std::env::var(VARIABLE).ok().and_then(|text| Targets::from_str(&text).ok());
        let level = match self.verbose {
            0 => LevelFilter::OFF,
            1 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        };
        given.filter(|_| self.verbose == 0).unwrap_or_else(|| Targets::new().with_default(level))
    }
}
