//! The settings of the command line for every scenario.

use tiu_testing::random::Random;

/// The settings of a run.
pub struct Settings {
    /// True if full sizes are wanted.
    pub long: bool,
    /// Number of repetitions, instead of the scenario's default.
    pub runs: Option<usize>,
    /// The seed of all random moments.
    pub seed: u64,
}

impl Settings {
    /// Returns the number of repetitions: `short` by default, `long` with `--long`.
    pub fn runs(&self, short: usize, long: usize) -> usize {
        self.runs.unwrap_or(if self.long { long } else { short })
    }

    /// Random numbers of a scenario's own, so that each gives the same with the same seed, whether
    /// or not others run before it.
    pub fn random(&self, scenario: &str) -> Random {
        Random::new(scenario.bytes().fold(self.seed, |seed, byte| seed.rotate_left(8) ^ u64::from(byte)))
    }
}
