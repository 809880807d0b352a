//! Random numbers that follow from a seed (SplitMix64, Steele, Lea and Flood 2014): a run that
//! failed can be repeated.

/// A source of random numbers.
pub struct Random(u64);

impl Random {
    /// A source whose numbers follow from `seed`.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % end as u64) as usize
    }

    /// One of `list`, if there is one.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        (!list.is_empty()).then(|| &list[self.below(list.len())])
    }

    /// From 0 to below 1.
    pub fn fraction(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns one number from each of `count` equal parts of 0 to 1, in random order.
    pub fn strata(&mut self, count: usize) -> Vec<f64> {
        let mut numbers: Vec<f64> =
            (0..count).map(|part| (part as f64 + self.fraction()) / count as f64).collect();
        // Fisher and Yates.
        for last in (1..count).rev() {
            numbers.swap(last, self.below(last + 1));
        }
        numbers
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn strata_have_one_number_in_each_part() {
        for seed in 0..100 {
            let mut numbers = Random::new(seed).strata(40);
            assert!(numbers.windows(2).any(|pair| pair[0] > pair[1]), "in order");
            numbers.sort_by(f64::total_cmp);
            for (part, number) in numbers.iter().enumerate() {
                assert_eq!((number * 40.0) as usize, part, "seed {seed}: {numbers:?}");
            }
            // Of moments up to 1.1 lengths of a run, no chance makes fewer than 36 of 40 early.
            assert!(numbers.iter().filter(|number| **number * 1.1 < 1.0).count() >= 36);
        }
    }
}
