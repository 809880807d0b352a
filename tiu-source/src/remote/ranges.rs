//! Joins wanted ranges into a few requests.

use std::ops::Range;

/// The most bytes between two wanted ranges that are fetched too, to save a request. A request
/// costs about as much as this on common links.
pub(super) const GAP: u64 = 128 * 1024;
/// The most bytes of one request.
pub(super) const MOST: u64 = 4 << 20;
/// Requests start and end at blocks of this size, which the hash tree vouches for.
const BLOCK: u64 = 4096;

/// A request for a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RangeRequest {
    /// The bytes that it fetches.
    pub range: Range<u64>,
    /// The number of them that are wanted.
    pub wanted: u64,
}

/// Widens a range to whole blocks of a file of `size` bytes. The part behind the end is left out.
pub(super) fn whole_blocks(range: &Range<u64>, size: u64) -> Range<u64> {
    if range.start >= range.end || range.start >= size {
        return 0..0;
    }
    let end = range.end.min(size);
    let end = end.checked_next_multiple_of(BLOCK).map_or(size, |end| end.min(size));
    range.start / BLOCK * BLOCK..end
}

/// Returns the requests for `wanted` of a file of `size` bytes, in the order in which they are
/// needed. Nothing in `taken`, which is sorted and does not overlap, is fetched again.
pub(super) fn requests(wanted: &[Range<u64>], taken: &[Range<u64>], size: u64) -> Vec<RangeRequest> {
    let mut parts: Vec<(Range<u64>, usize)> = Vec::new();
    for (order, range) in wanted.iter().enumerate() {
        let range = whole_blocks(range, size);
        parts.extend(without(range, taken).into_iter().map(|part| (part, order)));
    }
    parts.sort_by_key(|(range, order)| (range.start, *order));
    let mut done: Vec<(RangeRequest, usize)> = Vec::new();
    for (mut part, order) in parts {
        if let Some((last, first)) = done.last_mut() {
            part.start = part.start.max(last.range.end.min(part.end));
            if part.is_empty() {
                *first = order.min(*first);
                continue;
            }
            let near = part.start - last.range.end <= GAP;
            if near && part.end - last.range.start <= MOST && !touches(taken, last.range.end..part.start) {
                last.wanted += part.end - part.start;
                last.range.end = part.end;
                *first = order.min(*first);
                continue;
            }
        }
        while !part.is_empty() {
            let end = part.end.min(part.start.saturating_add(MOST));
            let request = RangeRequest { range: part.start..end, wanted: end - part.start };
            done.push((request, order));
            part.start = end;
        }
    }
    done.sort_by_key(|(request, order)| (*order, request.range.start));
    done.into_iter().map(|(request, _)| request).collect()
}

/// Returns the parts of `range` that are not in `taken`.
fn without(range: Range<u64>, taken: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut parts = Vec::new();
    let mut start = range.start;
    let first = taken.partition_point(|taken| taken.end <= range.start);
    for taken in taken.iter().skip(first).take_while(|taken| taken.start < range.end) {
        if taken.start > start {
            parts.push(start..taken.start);
        }
        start = start.max(taken.end);
    }
    if start < range.end {
        parts.push(start..range.end);
    }
    parts
}

fn touches(taken: &[Range<u64>], gap: Range<u64>) -> bool {
    let first = taken.partition_point(|taken| taken.end <= gap.start);
    taken.get(first).is_some_and(|taken| taken.start < gap.end)
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // One range is meant.
mod tests {
    use super::*;
    use proptest::prelude::*;

    const B: u64 = BLOCK;

    fn ranges(wanted: &[Range<u64>], taken: &[Range<u64>], size: u64) -> Vec<(Range<u64>, u64)> {
        requests(wanted, taken, size).into_iter().map(|request| (request.range, request.wanted)).collect()
    }

    #[test]
    fn near_ranges_are_one_request_and_far_ones_are_not() {
        let size = 1 << 30;
        assert_eq!(ranges(&[0..B, B..2 * B], &[], size), [(0..2 * B, 2 * B)]);
        assert_eq!(ranges(&[0..B, B + GAP..2 * B + GAP], &[], size), [(0..2 * B + GAP, 2 * B)]);
        let far = 2 * B + GAP;
        assert_eq!(ranges(&[far..far + B, 0..B], &[], size), [(far..far + B, B), (0..B, B)], "order of need");
        assert_eq!(ranges(&[100..101], &[], size), [(0..B, B)], "whole blocks");
        assert_eq!(ranges(&[0..B, 0..B, 10..20], &[], size), [(0..B, B)], "once");
        assert_eq!(ranges(&[0..MOST + B], &[], size), [(0..MOST, MOST), (MOST..MOST + B, B)]);
        assert_eq!(ranges(&[0..B], &[], 100), [(0..100, 100)], "not behind the end");
        assert_eq!(ranges(&[500..600], &[], 100), []);
    }

    #[test]
    fn what_is_there_is_not_fetched_again() {
        let taken = [B..2 * B];
        assert_eq!(ranges(&[0..3 * B], &taken, 1 << 20), [(0..B, B), (2 * B..3 * B, B)]);
        assert_eq!(ranges(&taken, &taken, 1 << 20), []);
    }

    fn some(count: usize) -> impl Strategy<Value = Vec<Range<u64>>> {
        let range = (0u64..20 << 20, 0u64..6 << 20).prop_map(|(start, length)| start..start + length);
        proptest::collection::vec(range, 0..count)
    }

    proptest! {
        #[test]
        fn requests_cover_what_is_wanted_once_and_stay_small(wanted in some(30), mut taken in some(5), size in 1u64..24 << 20) {
            taken.sort_by_key(|range| range.start);
            let mut end = 0;
            for range in &mut taken {
                range.start = range.start.max(end);
                range.end = range.end.max(range.start);
                end = range.end;
            }
            taken.retain(|range| !range.is_empty());
            let mut found: Vec<Range<u64>> = requests(&wanted, &taken, size).into_iter().map(|r| r.range).collect();
            found.sort_by_key(|range| range.start);
            for range in &found {
                prop_assert!(!range.is_empty() && range.end <= size && range.end - range.start <= MOST, "{:?}", range);
                prop_assert!(!touches(&taken, range.clone()), "{:?} is taken", range);
            }
            prop_assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start), "twice: {:?}", found);
            for range in &wanted {
                for part in without(whole_blocks(range, size), &taken) {
                    prop_assert!(without(part.clone(), &found).is_empty(), "{:?} is missing", part);
                }
            }
        }
    }
}
