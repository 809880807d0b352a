//! The pieces of the file that were fetched or will be, and which of them can go.

use super::ranges::{self, RangeRequest};
use crate::http::FetchError;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use tiu_bundle::read_at::Reads;

/// The most bytes that are fetched ahead of their reads.
const AHEAD: u64 = 24 << 20;
/// The most bytes of pieces that were read and are kept, as others may read them too.
const KEPT: u64 = 32 << 20;
/// The most bytes of all pieces. Then even those go that were not read yet.
const ALL: u64 = 64 << 20;

/// The state of a piece.
#[derive(Clone)]
pub(super) enum Content {
    /// Nobody fetches it yet.
    Waiting,
    /// A thread fetches it.
    Loading,
    /// Its bytes.
    Ready(Arc<Vec<u8>>),
    /// It could not be fetched. The next reader gets the error.
    Failed(FetchError),
}

/// A piece of the file.
pub(super) struct Piece {
    /// The end of its bytes.
    pub end: u64,
    /// Its state.
    pub content: Content,
    /// About the number of bytes that will still be read.
    unread: u64,
    /// True if it stays as long as the source is open.
    stays: bool,
    /// The time of the last read, as a number of reads.
    used: u64,
}

/// All pieces, by their first byte. They do not overlap.
#[derive(Default)]
pub(super) struct Pieces {
    pieces: BTreeMap<u64, Piece>,
    /// The first bytes of pieces to fetch ahead, in the order of need.
    queue: VecDeque<u64>,
    reads: u64,
}

impl Pieces {
    /// Adds bytes that were fetched. They are the first ones.
    pub fn add_ready(&mut self, start: u64, bytes: Vec<u8>) {
        let end = start + bytes.len() as u64;
        let content = Content::Ready(Arc::new(bytes));
        self.pieces.insert(start, Piece { end, content, unread: 0, stays: false, used: 0 });
    }

    /// Returns the piece with byte `at`, and its first byte.
    pub fn find(&mut self, at: u64) -> Option<(u64, &mut Piece)> {
        let (start, piece) = self.pieces.range_mut(..=at).next_back()?;
        (at < piece.end).then_some((*start, piece))
    }

    /// Adds a piece for a read that was not announced, of bytes that no piece has. Returns its
    /// range.
    pub fn add_for_read(&mut self, at: u64, length: u64, size: u64) -> Range<u64> {
        let mut range = ranges::whole_blocks(&(at..at.saturating_add(length.min(ranges::MOST))), size);
        if let Some((_, before)) = self.pieces.range(..=at).next_back() {
            range.start = range.start.max(before.end);
        }
        if let Some((after, _)) = self.pieces.range(at..).next() {
            range.end = range.end.min(*after);
        }
        let piece =
            Piece { end: range.end, content: Content::Waiting, unread: 0, stays: false, used: self.reads };
        self.pieces.insert(range.start, piece);
        range
    }

    /// Notes a read of `length` bytes of the piece at `start`.
    pub fn note_read(&mut self, start: u64, length: u64) {
        self.reads += 1;
        if let Some(piece) = self.pieces.get_mut(&start) {
            piece.unread = piece.unread.saturating_sub(length);
            piece.used = self.reads;
        }
    }

    /// Replaces what was announced before.
    pub fn announce(&mut self, wanted: &[Range<u64>], size: u64, reads: Reads) {
        for start in std::mem::take(&mut self.queue) {
            let waits = |piece: &Piece| matches!(piece.content, Content::Waiting) && !piece.stays;
            if self.pieces.get(&start).is_some_and(waits) {
                self.pieces.remove(&start);
            }
        }
        self.pieces.values_mut().for_each(|piece| piece.unread = 0);
        for range in wanted {
            let first = self.find(range.start).map_or(range.start, |(start, _)| start);
            for (start, piece) in self.pieces.range_mut(first..range.end) {
                let shared = piece.end.min(range.end).saturating_sub(range.start.max(*start));
                piece.unread = piece.unread.saturating_add(shared);
            }
        }
        for RangeRequest { range, wanted } in self.requests(wanted, size) {
            let stays = reads == Reads::Often;
            let piece =
                Piece { end: range.end, content: Content::Waiting, unread: wanted, stays, used: self.reads };
            self.pieces.insert(range.start, piece);
            self.queue.push_back(range.start);
        }
    }

    /// Returns the requests that announcing `wanted` would make.
    pub fn requests(&self, wanted: &[Range<u64>], size: u64) -> Vec<RangeRequest> {
        let taken: Vec<Range<u64>> = self.pieces.iter().map(|(start, piece)| *start..piece.end).collect();
        ranges::requests(wanted, &taken, size)
    }

    /// Returns true if nothing is to be fetched ahead.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns the number of pieces to fetch ahead.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Stops fetching ahead.
    pub fn stop(&mut self) {
        self.queue.clear();
    }

    /// Returns the next piece to fetch ahead, if there is room for it, and marks it as loading.
    pub fn take_next(&mut self) -> Option<Range<u64>> {
        loop {
            let start = *self.queue.front()?;
            let Some(piece) =
                self.pieces.get(&start).filter(|piece| matches!(piece.content, Content::Waiting))
            else {
                self.queue.pop_front();
                continue;
            };
            let (range, ahead) = (start..piece.end, self.ahead());
            if ahead > 0 && ahead + (range.end - range.start) > AHEAD {
                return None;
            }
            self.queue.pop_front();
            self.set(start, Content::Loading);
            return Some(range);
        }
    }

    /// Returns the bytes that were fetched, or are being fetched, and not read.
    fn ahead(&self) -> u64 {
        let ahead = |(start, piece): (&u64, &Piece)| match piece.content {
            Content::Loading | Content::Ready(_) if piece.unread > 0 && !piece.stays => piece.end - start,
            _ => 0,
        };
        self.pieces.iter().map(ahead).sum()
    }

    /// Sets the state of the piece at `start`.
    pub fn set(&mut self, start: u64, content: Content) {
        if let Some(piece) = self.pieces.get_mut(&start) {
            piece.content = content;
        }
    }

    /// Sets the bytes of the piece at `start`, and lets older pieces go if there are too many.
    pub fn finish(&mut self, start: u64, bytes: Vec<u8>) {
        self.set(start, Content::Ready(Arc::new(bytes)));
        let of = |piece: &Piece, start: u64| match piece.content {
            Content::Ready(_) if !piece.stays => piece.end - start,
            _ => 0,
        };
        let sum = |pieces: &BTreeMap<u64, Piece>, read: bool| -> u64 {
            pieces
                .iter()
                .filter(|(_, piece)| !read || piece.unread == 0)
                .map(|(start, piece)| of(piece, *start))
                .sum()
        };
        loop {
            let (read, all) = (sum(&self.pieces, true), sum(&self.pieces, false));
            if read <= KEPT && all <= ALL {
                return;
            }
            let others =
                self.pieces.iter().filter(|(other, piece)| **other != start && of(piece, **other) > 0);
            let oldest =
                others.min_by_key(|(_, piece)| (piece.unread > 0, piece.used)).map(|(start, _)| *start);
            let Some(oldest) = oldest else { return };
            self.pieces.remove(&oldest);
        }
    }

    /// Replaces bytes of pieces that are ready.
    pub fn replace(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        let first = self.find(at).map_or(at, |(start, _)| start);
        for (start, piece) in self.pieces.range_mut(first..end) {
            let Content::Ready(old) = &mut piece.content else { continue };
            let (from, to) = (at.max(*start), end.min(piece.end));
            let place = (from - start) as usize..(to.max(from) - start) as usize;
            let source = (from - at) as usize..(to.max(from) - at) as usize;
            if let (Some(old), Some(new)) = (Arc::make_mut(old).get_mut(place), bytes.get(source)) {
                old.copy_from_slice(new);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // One range is meant.
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const SIZE: u64 = 1 << 30;

    fn fetch(pieces: &mut Pieces) -> Vec<Range<u64>> {
        let mut fetched = Vec::new();
        while let Some(range) = pieces.take_next() {
            pieces.finish(range.start, vec![1; (range.end - range.start) as usize]);
            fetched.push(range);
        }
        fetched
    }

    fn held(pieces: &Pieces) -> u64 {
        let ready = pieces.pieces.iter().filter(|(_, piece)| matches!(piece.content, Content::Ready(_)));
        ready.map(|(start, piece)| piece.end - start).sum()
    }

    #[test]
    fn only_so_much_is_fetched_ahead_of_the_reads() {
        let mut pieces = Pieces::default();
        pieces.announce(&[0..200 * MIB], SIZE, Reads::Once);
        let mut read = 0;
        while read < 200 * MIB {
            fetch(&mut pieces);
            assert!(held(&pieces) <= AHEAD + KEPT, "{} at {read}", held(&pieces));
            let (start, piece) = pieces.find(read).expect("a piece");
            assert!(matches!(piece.content, Content::Ready(_)), "nothing is ready at {read}");
            let end = piece.end;
            pieces.note_read(start, end - start);
            read = end;
        }
        assert!(pieces.is_idle());
    }

    #[test]
    fn reads_that_were_not_announced_do_not_fill_the_memory() {
        let mut pieces = Pieces::default();
        for number in 0..100 {
            let range = pieces.add_for_read(number * 8 * MIB, 100 * MIB, SIZE);
            pieces.finish(range.start, vec![1; (range.end - range.start) as usize]);
            assert!(held(&pieces) <= KEPT + ranges::MOST, "{}", held(&pieces));
        }
    }

    #[test]
    fn what_is_read_often_stays_and_a_new_announcement_ends_the_old() {
        let mut pieces = Pieces::default();
        pieces.announce(&[0..MIB], SIZE, Reads::Often);
        assert_eq!(fetch(&mut pieces), [0..MIB]);
        pieces.announce(&[10 * MIB..50 * MIB], SIZE, Reads::Once);
        fetch(&mut pieces);
        assert!(!pieces.is_idle());
        pieces.announce(&[100 * MIB..101 * MIB, 0..MIB], SIZE, Reads::Once);
        assert_eq!(fetch(&mut pieces), [100 * MIB..101 * MIB]);
        assert!(matches!(pieces.find(5).expect("a piece").1.content, Content::Ready(_)));
        assert!(pieces.find(49 * MIB).is_none(), "still waiting");
    }

    #[test]
    fn a_replaced_block_can_lie_in_two_pieces() {
        let mut pieces = Pieces::default();
        pieces.add_ready(0, vec![0; 6000]);
        pieces.add_ready(6000, vec![0; 6000]);
        pieces.replace(4096, &[7; 4096]);
        let mut at = |at: u64| match &pieces.find(at).expect("a piece") {
            (start, Piece { content: Content::Ready(bytes), .. }) => bytes[(at - start) as usize],
            _ => panic!("not ready"),
        };
        assert_eq!([4095, 4096, 5999, 6000, 8191, 8192].map(&mut at), [0, 7, 7, 7, 7, 0]);
    }
}
