//! Progress on a terminal, in a log, or for programs.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tiu_system::progress::{Progress, Silent, Unit};

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
