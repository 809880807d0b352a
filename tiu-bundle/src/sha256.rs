//! SHA-256, the only hash of the format: its text form, and the two ways in which blocks are
//! hashed.
//!
//! The `sha2` crate uses the processor's SHA instructions if they exist.

use crate::BLOCK_SIZE;
use sha2::Digest as _;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

/// A SHA-256 value; shown and parsed as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Length in bytes.
    pub const SIZE: usize = 32;

    /// Returns the plain SHA-256 of `data`.
    pub fn compute(data: &[u8]) -> Self {
        sha256(data)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(to_hex(&self.0, &mut [0; 64]))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is not 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 value: found {0:?}, expected 64 lower-case hex digits")]
#[non_exhaustive]
pub struct DigestParseError(pub String);

impl FromStr for Digest {
    type Err = DigestParseError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        from_hex(s.as_bytes()).map(Digest).ok_or_else(|| DigestParseError(s.chars().take(80).collect()))
    }
}

/// Writes `bytes` as lower-case hex digits.
pub(crate) fn to_hex<'a>(bytes: &[u8; 32], out: &'a mut [u8; 64]) -> &'a str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    std::str::from_utf8(out).unwrap_or_default()
}

/// Returns 32 bytes from exactly 64 lower-case hex digits.
pub(crate) fn from_hex(text: &[u8]) -> Option<[u8; 32]> {
    let text: &[u8; 64] = text.try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
        *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
    }
    Some(bytes)
}

/// Returns the value of a lower-case hex digit.
pub(crate) fn hex_digit(c: u8) -> Option<u8> {
    match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    }
}

/// Returns the SHA-256 of `data`.
pub(crate) fn sha256(data: &[u8]) -> Digest {
    Digest(sha2::Sha256::digest(data).into())
}

/// Returns the SHA-256 of `salt` followed by `data`.
pub(crate) fn sha256_salted(salt: &[u8; 32], data: &[u8]) -> Digest {
    Digest(sha2::Sha256::new().chain_update(salt).chain_update(data).finalize().into())
}

/// Returns the SHA-256 of a block. The value of a zero block, of which images and sparse files have
/// many, is computed once.
pub(crate) fn sha256_of_block(block: &[u8]) -> Digest {
    static OF_ZEROS: LazyLock<Digest> = LazyLock::new(|| sha256(&[0; BLOCK_SIZE]));
    if block.len() == BLOCK_SIZE && is_zero(block) { *OF_ZEROS } else { sha256(block) }
}

/// Returns whether all bytes are zero. Other data ends the search within its first sixteen bytes,
/// nearly always.
pub(crate) fn is_zero(data: &[u8]) -> bool {
    let (words, rest) = data.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_digits_both_ways() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::compute(b"").to_string(), text);
        assert_eq!(text.parse::<Digest>(), Ok(Digest::compute(b"")));
    }

    #[test]
    fn only_64_lower_case_digits_are_a_digest() {
        let good = Digest::compute(b"").to_string();
        for bad in ["", &good[1..], &good.to_uppercase(), &format!("{good}0"), &good.replace('e', "g")] {
            assert_eq!(bad.parse::<Digest>(), Err(DigestParseError(bad.to_owned())));
        }
    }

    #[test]
    fn salt_comes_first() {
        assert_eq!(sha256_salted(&[7; 32], b"block"), sha256(&[[7; 32].as_slice(), b"block"].concat()));
    }

    #[test]
    fn a_single_bit_is_not_zero() {
        for at in [0, 15, 16, 4095] {
            let mut block = [0; BLOCK_SIZE];
            assert!(is_zero(&block));
            block[at] = 1;
            assert!(!is_zero(&block));
            assert_eq!(sha256_of_block(&block), sha256(&block));
        }
        assert_eq!(sha256_of_block(&[0; BLOCK_SIZE]), sha256(&[0; BLOCK_SIZE]));
    }
}
