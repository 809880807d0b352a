//! What the command-line programs share: error reports, exit codes, and progress on a terminal, in a log, or for programs.

use crate::hint::Hint;
use crate::progress::{Progress, Silent, Unit};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Exit codes of all programs.
pub mod exit {
    /// Done.
    pub const DONE: u8 = 0;
    /// Failed; nothing was changed, or what was changed was undone.
    pub const FAILED: u8 = 1;
    /// The command line was wrong (clap's own code).
    pub const USAGE: u8 = 2;
    /// There was nothing to do.
    pub const NOTHING_TO_DO: u8 = 77;
    /// Cancelled by SIGINT or SIGTERM.
    pub const CANCELLED: u8 = 130;
}

/// Prints `error` with its causes and its hint on standard error:
///
/// ```text
/// tiu: error: what happened, found and expected
///   caused by: the cause
///   hint: what to do
/// ```
pub fn report(program: &str, error: &dyn Hint) {
    let mut text = format!("{program}: error: {error}\n");
    let mut shown = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        let message = e.to_string();
        if !shown.contains(&message) {
            text += &format!("  caused by: {message}\n");
            shown = message;
        }
        cause = e.source();
    }
    if let Some(hint) = error.hint() {
        text += &format!("  hint: {hint}\n");
    }
    // A closed standard error is no reason to fail in another way.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes `text` to standard output. A reader that left (`| head`) is no error.
pub fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e),
        _ => Ok(()),
    }
}

/// Text from outside on one line of a terminal: control characters, which could steer it, and those that turn the direction of writing
/// are escaped.
pub fn printable(text: &str) -> String {
    let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().flat_map(|c| if steers(c) { c.escape_default().collect() } else { vec![c] }).collect()
}

/// A number of bytes for people: `172.3 MiB`.
pub fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{number} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// `--progress`: how long work shows where it is, always on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// Bars on a terminal, plain lines otherwise.
    #[default]
    Auto,
    /// Bars.
    Bar,
    /// A line when a phase starts, every ten seconds, and when it ends.
    Plain,
    /// One JSON object a line, for programs: `{"version":1,"phase":...,"unit":"bytes"|"items","done":N,"total":N,"ended":bool}`.
    Json,
    /// Nothing.
    None,
}

/// The progress display for `mode`.
pub fn progress(mode: ProgressMode) -> Box<dyn Progress> {
    let mode = match mode {
        ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressMode::Bar,
        ProgressMode::Auto => ProgressMode::Plain,
        other => other,
    };
    match mode {
        ProgressMode::None => Box::new(Silent),
        ProgressMode::Bar => Box::new(Bar::default()),
        ProgressMode::Json => Box::new(Lines::new(true, Duration::from_millis(500))),
        _ => Box::new(Lines::new(false, Duration::from_secs(10))),
    }
}

#[derive(Default)]
struct Bar(Mutex<Option<ProgressBar>>);

impl Bar {
    fn with(&self, f: impl FnOnce(&mut Option<ProgressBar>)) {
        if let Ok(mut bar) = self.0.lock() {
            f(&mut bar);
        }
    }
}

impl Progress for Bar {
    fn begin(&self, phase: &str, total: u64, unit: Unit) {
        let counter = match unit {
            Unit::Bytes => "{bytes}/{total_bytes} {bytes_per_sec}",
            Unit::Items => "{pos}/{len}",
        };
        let template = match total {
            0 => format!("{{spinner}} {{msg:<24}} {}", counter.split('/').next().unwrap_or("")),
            _ => format!("{{msg:<26}} [{{bar:30}}] {counter} {{eta}}"),
        };
        let bar = ProgressBar::new(total).with_message(phase.to_owned());
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        self.with(|slot| *slot = Some(bar));
    }
    fn advance(&self, n: u64) {
        self.with(|slot| {
            if let Some(bar) = slot {
                bar.inc(n);
            }
        });
    }
    fn end(&self) {
        self.with(|slot| {
            if let Some(bar) = slot.take() {
                bar.finish_and_clear();
            }
        });
    }
}

struct Phase {
    name: String,
    total: u64,
    unit: Unit,
    started: Instant,
    shown: Instant,
}

struct Lines {
    json: bool,
    every: Duration,
    done: AtomicU64,
    phase: Mutex<Option<Phase>>,
}

impl Lines {
    fn new(json: bool, every: Duration) -> Self {
        Lines { json, every, done: AtomicU64::new(0), phase: Mutex::new(None) }
    }

    fn show(&self, phase: &Phase, ended: bool) {
        let done = self.done.load(Ordering::Relaxed);
        let line = if self.json {
            let unit = match phase.unit {
                Unit::Bytes => "bytes",
                Unit::Items => "items",
            };
            json!({"version": 1, "phase": phase.name, "unit": unit, "done": done, "total": phase.total, "ended": ended}).to_string()
        } else {
            let amount = match (phase.unit, phase.total) {
                (Unit::Bytes, 0) => indicatif::HumanBytes(done).to_string(),
                (Unit::Bytes, total) => {
                    format!("{} of {}", indicatif::HumanBytes(done), indicatif::HumanBytes(total))
                }
                (Unit::Items, 0) => done.to_string(),
                (Unit::Items, total) => format!("{done} of {total}"),
            };
            match ended {
                true => format!("{}: {amount} in {:.1} s", phase.name, phase.started.elapsed().as_secs_f64()),
                false => format!("{}: {amount}", phase.name),
            }
        };
        let _ = writeln!(std::io::stderr(), "{line}");
    }
}

impl Progress for Lines {
    fn begin(&self, phase: &str, total: u64, unit: Unit) {
        self.done.store(0, Ordering::Relaxed);
        let now = Instant::now();
        let phase = Phase { name: phase.to_owned(), total, unit, started: now, shown: now };
        if self.json {
            self.show(&phase, false);
        }
        if let Ok(mut slot) = self.phase.lock() {
            *slot = Some(phase);
        }
    }
    fn advance(&self, n: u64) {
        self.done.fetch_add(n, Ordering::Relaxed);
        // Whoever holds the lock shows this step too.
        if let Ok(mut slot) = self.phase.try_lock()
            && let Some(phase) = slot.as_mut()
            && phase.shown.elapsed() >= self.every
        {
            phase.shown = Instant::now();
            self.show(phase, false);
        }
    }
    fn end(&self) {
        if let Ok(mut slot) = self.phase.lock()
            && let Some(phase) = slot.take()
        {
            self.show(&phase, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_for_people() {
        let cases = [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (180_716_503, "172.3 MiB")];
        for (number, shown) in cases {
            assert_eq!(bytes(number), shown);
        }
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn text_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\nc\u{202e}d é"), "a\\u{1b}[31mb\\nc\\u{202e}d é");
    }
}
