//! Progress on a terminal, in a log, or for programs.
//!
//! The progress shows one step: the outermost phase. Phases inside it add to it where they count in
//! the same unit, and their names are not shown.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tiu_system::progress::{Progress, Silent, Unit};

/// `--progress`: the form in which long work shows its progress, always on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// Bars on a terminal, plain lines otherwise.
    #[default]
    Auto,
    /// Bars.
    Bar,
    /// A line every ten seconds, and when a step ends.
    Plain,
    /// One JSON object on each line, for programs (docs/format/json.md).
    Json,
    /// Nothing.
    None,
}

/// Returns the progress display for `mode`.
pub fn progress(mode: ProgressMode) -> Box<dyn Progress> {
    let mode = match mode {
        ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressMode::Bar,
        ProgressMode::Auto => ProgressMode::Plain,
        other => other,
    };
    match mode {
        ProgressMode::None => Box::new(Silent),
        ProgressMode::Bar => Box::new(Bar::default()),
        ProgressMode::Json => Box::new(Lines::new(true, Duration::from_millis(500), to_stderr)),
        _ => Box::new(Lines::new(false, Duration::from_secs(10), to_stderr)),
    }
}

fn to_stderr(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The phases that are open, one inside another. The outermost is the step that is shown; the
/// phases inside it add to it.
#[derive(Default)]
struct Nesting {
    units: Vec<Unit>,
}

impl Nesting {
    /// Opens a phase. Returns true if it is a step.
    fn begin(&mut self, unit: Unit) -> bool {
        self.units.push(unit);
        self.units.len() == 1
    }

    /// Closes a phase. Returns true if it was the step.
    fn end(&mut self) -> bool {
        self.units.pop();
        self.units.is_empty()
    }

    /// Returns true if the innermost phase counts in the unit of the step.
    fn counts(&self) -> bool {
        self.units.last() == self.units.first()
    }
}

#[derive(Default)]
struct Bar(Mutex<BarState>);

#[derive(Default)]
struct BarState {
    nesting: Nesting,
    bar: Option<ProgressBar>,
}

impl Bar {
    fn with(&self, change: impl FnOnce(&mut BarState)) {
        if let Ok(mut state) = self.0.lock() {
            change(&mut state);
        }
    }
}

/// Returns the style of a bar of `total` units, or of a spinner where 0 says that the total is not
/// known.
fn style(total: u64, unit: Unit) -> ProgressStyle {
    let counter = match unit {
        Unit::Bytes => "{bytes}/{total_bytes} {bytes_per_sec}",
        Unit::Items => "{pos}/{len}",
    };
    let template = match total {
        0 => "{spinner} {msg}".to_owned(),
        _ => format!("{{msg:<26}} [{{bar:30}}] {counter} {{eta}}"),
    };
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}

impl Progress for Bar {
    fn begin(&self, phase: &str, total: u64, unit: Unit) {
        self.with(|state| {
            if state.nesting.begin(unit) {
                let bar =
                    ProgressBar::new(total).with_message(phase.to_owned()).with_style(style(total, unit));
                // A spinner turns also where nothing is counted: while dracut runs.
                bar.enable_steady_tick(Duration::from_millis(250));
                state.bar = Some(bar);
            } else if let Some(bar) = &state.bar
                && state.nesting.counts()
                && total > 0
            {
                let sum = bar.length().unwrap_or_default().saturating_add(total);
                bar.set_length(sum);
                bar.set_style(style(sum, unit));
            }
        });
    }
    fn advance(&self, n: u64) {
        self.with(|state| {
            if let Some(bar) = &state.bar
                && state.nesting.counts()
            {
                bar.inc(n);
            }
        });
    }
    fn end(&self) {
        self.with(|state| {
            if state.nesting.end()
                && let Some(bar) = state.bar.take()
            {
                bar.finish_and_clear();
            }
        });
    }
}

/// The step that is shown.
struct Step {
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
    /// True while the innermost phase counts in the unit of the step.
    counts: AtomicBool,
    state: Mutex<(Nesting, Option<Step>)>,
    out: Box<dyn Fn(&str) + Send + Sync>,
}

impl Lines {
    fn new(json: bool, every: Duration, out: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Lines {
            json,
            every,
            done: AtomicU64::new(0),
            counts: AtomicBool::new(true),
            state: Mutex::default(),
            out: Box::new(out),
        }
    }

    fn show(&self, step: &Step, ended: bool) {
        let done = self.done.load(Ordering::Relaxed);
        let line = if self.json {
            let unit = match step.unit {
                Unit::Bytes => "bytes",
                Unit::Items => "items",
            };
            json!({"version": 1, "phase": step.name, "unit": unit, "done": done, "total": step.total, "ended": ended})
                .to_string()
        } else {
            let amount = match (step.unit, step.total) {
                (_, 0) if done == 0 => String::new(),
                (Unit::Bytes, 0) => indicatif::HumanBytes(done).to_string(),
                (Unit::Bytes, total) => {
                    format!("{} of {}", indicatif::HumanBytes(done), indicatif::HumanBytes(total))
                }
                (Unit::Items, 0) => done.to_string(),
                (Unit::Items, total) => format!("{done} of {total}"),
            };
            let seconds = step.started.elapsed().as_secs_f64();
            match (ended, amount.as_str()) {
                (true, "") => format!("{}: {seconds:.1} s", step.name),
                (true, amount) => format!("{}: {amount} in {seconds:.1} s", step.name),
                (false, "") => step.name.clone(),
                (false, amount) => format!("{}: {amount}", step.name),
            }
        };
        (self.out)(&line);
    }
}

impl Progress for Lines {
    fn begin(&self, phase: &str, total: u64, unit: Unit) {
        let Ok(mut state) = self.state.lock() else { return };
        let (nesting, step) = &mut *state;
        if nesting.begin(unit) {
            self.done.store(0, Ordering::Relaxed);
            let now = Instant::now();
            let opened = Step { name: phase.to_owned(), total, unit, started: now, shown: now };
            if self.json {
                self.show(&opened, false);
            }
            *step = Some(opened);
        } else if let Some(step) = step
            && nesting.counts()
        {
            step.total = step.total.saturating_add(total);
        }
        self.counts.store(nesting.counts(), Ordering::Relaxed);
    }
    fn advance(&self, n: u64) {
        if !self.counts.load(Ordering::Relaxed) {
            return;
        }
        self.done.fetch_add(n, Ordering::Relaxed);
        // The thread that holds the lock also shows this advance.
        if let Ok(mut state) = self.state.try_lock()
            && let Some(step) = &mut state.1
            && step.shown.elapsed() >= self.every
        {
            step.shown = Instant::now();
            self.show(step, false);
        }
    }
    fn end(&self) {
        let Ok(mut state) = self.state.lock() else { return };
        let (nesting, step) = &mut *state;
        if nesting.end()
            && let Some(step) = step.take()
        {
            self.show(&step, true);
        }
        self.counts.store(nesting.counts(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn shown(json: bool, run: impl FnOnce(&dyn Progress)) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let every = Duration::from_secs(3600);
        let out = move |line: &str| sink.lock().expect("a whole list").push(line.to_owned());
        run(&Lines::new(json, every, out));
        let lines = lines.lock().expect("a whole list");
        lines.clone()
    }

    #[test]
    fn phases_inside_a_step_add_to_it_where_they_count_the_same() {
        let run = |progress: &dyn Progress| {
            progress.begin("Copying files", 0, Unit::Bytes);
            progress.begin("Looking", 0, Unit::Items);
            progress.advance(7);
            progress.end();
            for total in [300, 700] {
                progress.begin("Writing", total, Unit::Bytes);
                progress.advance(total);
                progress.end();
            }
            progress.end();
        };
        let lines = shown(false, run);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("Copying files: 1000 B of 1000 B in 0."), "{lines:?}");
        let lines = shown(true, run);
        let line = |done: u64, total: u64, ended: bool| {
            json!({"version": 1, "phase": "Copying files", "unit": "bytes", "done": done, "total": total, "ended": ended})
                .to_string()
        };
        assert_eq!(lines, [line(0, 0, false), line(1000, 1000, true)]);
    }

    #[test]
    fn a_step_that_counted_nothing_shows_its_time_only() {
        let lines = shown(false, |progress| {
            progress.begin("Merging /etc", 0, Unit::Bytes);
            progress.end();
        });
        assert_eq!(lines, ["Merging /etc: 0.0 s"]);
    }
}
