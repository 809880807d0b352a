//! Damages inputs, the same way for the same number.

/// Values at the borders of what integers can hold.
const BORDERS: [u64; 12] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];
/// The most changes to an input.
const MAX_CHANGES: u64 = 6;
/// The longest piece that is copied, removed or repeated, in bytes.
const MAX_PIECE: usize = 512;

/// A source of damaged inputs.
pub struct Mutator<'a> {
    seeds: &'a [Vec<u8>],
    words: &'a [&'a str],
    max_size: usize,
}

/// Pseudo-random numbers: xorshift64*.
struct Numbers(u64);

impl<'a> Mutator<'a> {
    /// Returns a mutator of `seeds`. It inserts `words` too, and no input is larger than
    /// `max_size` bytes.
    pub fn new(seeds: &'a [Vec<u8>], words: &'a [&'a str], max_size: usize) -> Self {
        Mutator { seeds, words, max_size }
    }

    /// Returns the input with this number: a seed with one to six changes.
    pub fn input(&self, number: u64) -> Vec<u8> {
        let mut numbers = Numbers(number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // The first numbers after similar states are similar.
        for _ in 0..4 {
            numbers.next();
        }
        let mut input = numbers.pick(self.seeds).cloned().unwrap_or_default();
        for _ in 0..=numbers.next() % MAX_CHANGES {
            self.change(&mut input, &mut numbers);
        }
        input.truncate(self.max_size);
        input
    }

    fn change(&self, input: &mut Vec<u8>, numbers: &mut Numbers) {
        let at = numbers.below(input.len() + 1);
        let end = (at + 1 + numbers.below(MAX_PIECE)).min(input.len());
        match numbers.next() % 10 {
            0 | 1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << (numbers.next() % 8);
                }
            }
            2 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = numbers.next() as u8;
                }
            }
            3 | 4 => {
                let border = numbers.pick(&BORDERS).copied().unwrap_or_default();
                let width = 1 << (numbers.next() % 4);
                for (byte, new) in input.iter_mut().skip(at).zip(border.to_le_bytes()).take(width) {
                    *byte = new;
                }
            }
            5 => drop(input.drain(at..end)),
            6 => {
                let piece = input[at..end].to_vec();
                let to = numbers.below(input.len() + 1);
                input.splice(to..to, piece);
            }
            7 => {
                let other = numbers.pick(self.seeds).cloned().unwrap_or_default();
                let from = numbers.below(other.len() + 1);
                let until = (from + 1 + numbers.below(MAX_PIECE)).min(other.len());
                input.splice(at..end, other[from..until].iter().copied());
            }
            8 => {
                let word = numbers.pick(self.words).copied().unwrap_or("\0");
                input.splice(at..at, word.bytes());
            }
            _ => input.truncate(at),
        }
    }
}

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    /// Returns a number below `end`, or 0 if `end` is 0.
    fn below(&mut self, end: usize) -> usize {
        self.next().checked_rem(end as u64).unwrap_or(0) as usize
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_same_number_gives_the_same_input_and_others_differ() {
        let seeds = [b"some text that is long enough to change".to_vec(), vec![7; 300]];
        let mutator = Mutator::new(&seeds, &["word"], 1000);
        let all: HashSet<_> = (0..1000).map(|number| mutator.input(number)).collect();
        assert!(all.len() > 700, "only {} of 1000 inputs differ", all.len());
        assert!((0..1000).all(|number| all.contains(&mutator.input(number))));
        assert!(all.iter().all(|input| input.len() <= 1000));
    }
}
