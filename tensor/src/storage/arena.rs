//! Buffers cut from large segments of memory, and joined with their free neighbours when they are let go.
//!
//! A training step asks for much the same sizes again and again, and fresh memory from the operating
//! system costs its clearing. What was used before is taken first, the smallest free range that fits.

use super::memory::{LARGE_PAGE, give_back, large_pages};
use memmap2::MmapRaw;
use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;

/// Bytes of a cache line, and of the longest register. Buffers begin at multiples of it.
pub(super) const ALIGNMENT: usize = 64;
/// The smallest segment.
const SEGMENT: usize = 32 * LARGE_PAGE;

/// Segments of memory and their free ranges. Addresses are numbers here; neighbours of two segments
/// are not joined.
pub(super) struct Arena {
    segments: BTreeMap<usize, MmapRaw>,
    segment_bytes: usize,
    /// By address.
    free: BTreeMap<usize, Free>,
    /// The same: the used ones first, the smaller ones first.
    by_size: BTreeSet<(Pages, usize, usize)>,
    /// Bytes of free ranges that were used and not given back to the system since.
    used_free_bytes: usize,
}

#[derive(Clone, Copy)]
struct Free {
    bytes: usize,
    pages: Pages,
}

/// What lies behind a free range.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pages {
    /// Pages of the machine, with numbers of earlier use.
    Used,
    /// Perhaps nothing yet: where there is nothing, it will be cleared when it is touched.
    Fresh,
}

impl Arena {
    pub const fn new() -> Arena {
        Arena {
            segments: BTreeMap::new(),
            segment_bytes: 0,
            free: BTreeMap::new(),
            by_size: BTreeSet::new(),
            used_free_bytes: 0,
        }
    }

    /// Bytes that a buffer of so many takes.
    pub fn size(bytes: usize) -> Option<usize> {
        bytes.checked_next_multiple_of(ALIGNMENT)
    }

    /// `bytes` (of [`Arena::size`]) of memory that was used before, if a free range of it is long enough.
    pub fn take_used(&mut self, bytes: usize) -> Option<NonNull<u8>> {
        self.take(Pages::Used, bytes)
    }

    /// The same of memory that was not; `None` if the system has no more.
    pub fn take_fresh(&mut self, bytes: usize) -> Option<NonNull<u8>> {
        let grown = |arena: &mut Arena| {
            arena.grow(bytes)?;
            arena.take(Pages::Fresh, bytes)
        };
        self.take(Pages::Fresh, bytes).or_else(|| grown(self)).or_else(|| {
            // The system has refused more: neighbours that waited apart may be long enough together.
            self.keep_free(0);
            self.take(Pages::Fresh, bytes).or_else(|| {
                self.drop_free_segments();
                grown(self)
            })
        })
    }

    fn take(&mut self, pages: Pages, bytes: usize) -> Option<NonNull<u8>> {
        let &(found, len, address) = self.by_size.range((pages, bytes, 0)..).next()?;
        if found != pages {
            return None;
        }
        self.remove(address);
        if len > bytes {
            self.insert(address + bytes, Free { bytes: len - bytes, pages });
        }
        let (&start, map) = self.segments.range(..=address).next_back().expect("a segment");
        // SAFETY: the range lies in this segment.
        NonNull::new(unsafe { map.as_mut_ptr().add(address - start) })
    }

    /// Takes back what [`Arena::take_used`] or [`Arena::take_fresh`] gave.
    pub fn put(&mut self, buffer: NonNull<u8>, bytes: usize) {
        self.join(buffer.addr().get(), Free { bytes, pages: Pages::Used });
    }

    /// Gives used free memory back to the system, the largest ranges first, until no more than `bytes`
    /// of it are left.
    pub fn keep_free(&mut self, bytes: usize) {
        while self.used_free_bytes > bytes {
            let most = (Pages::Fresh, 0, 0);
            let Some(&(_, len, address)) = self.by_size.range(..most).next_back() else { return };
            let (&start, map) = self.segments.range(..=address).next_back().expect("a segment");
            give_back(map, address - start, len);
            self.remove(address);
            self.join(address, Free { bytes: len, pages: Pages::Fresh });
        }
    }

    /// Another segment, of at least `bytes`.
    fn grow(&mut self, bytes: usize) -> Option<()> {
        // A quarter of all, so that few buffers end at the end of a segment.
        let wanted = bytes.max(self.segment_bytes / 4).max(SEGMENT);
        let map = wanted
            .checked_next_multiple_of(LARGE_PAGE)
            .and_then(large_pages)
            .or_else(|| large_pages(bytes))
            .map(MmapRaw::from)?;
        let (address, bytes) = (map.as_ptr() as usize, map.len());
        self.segment_bytes += bytes;
        self.segments.insert(address, map);
        self.insert(address, Free { bytes, pages: Pages::Fresh });
        Some(())
    }

    /// Gives back to the system the segments that no buffer lies in.
    fn drop_free_segments(&mut self) {
        self.keep_free(0);
        let whole = |(&start, map): (&usize, &MmapRaw)| {
            (self.free.get(&start)?.bytes == map.len()).then_some(start)
        };
        let starts: Vec<usize> = self.segments.iter().filter_map(whole).collect();
        for start in starts {
            self.remove(start);
            let map = self.segments.remove(&start).expect("it was listed");
            self.segment_bytes -= map.len();
        }
    }

    /// A free range, joined with the free ones around it of the same kind.
    fn join(&mut self, mut address: usize, mut range: Free) {
        let after = address + range.bytes;
        if let Some(next) = self.free.get(&after).copied()
            && next.pages == range.pages
            && !self.segments.contains_key(&after)
        {
            self.remove(after);
            range.bytes += next.bytes;
        }
        if let Some((&before, &previous)) = self.free.range(..address).next_back()
            && previous.pages == range.pages
            && before + previous.bytes == address
            && !self.segments.contains_key(&address)
        {
            self.remove(before);
            (address, range.bytes) = (before, range.bytes + previous.bytes);
        }
        self.insert(address, range);
    }

    fn insert(&mut self, address: usize, range: Free) {
        self.free.insert(address, range);
        self.by_size.insert((range.pages, range.bytes, address));
        if range.pages == Pages::Used {
            self.used_free_bytes += range.bytes;
        }
    }

    fn remove(&mut self, address: usize) {
        let range = self.free.remove(&address).expect("a free range begins here");
        self.by_size.remove(&(range.pages, range.bytes, address));
        if range.pages == Pages::Used {
            self.used_free_bytes -= range.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    fn address(buffer: NonNull<u8>) -> usize {
        buffer.addr().get()
    }

    #[test]
    fn neighbours_are_joined_when_they_are_let_go() {
        let mut arena = Arena::new();
        let buffers = [64, 4096, 128].map(|bytes| (arena.take_fresh(bytes).unwrap(), bytes));
        let [first, middle, last] = buffers;
        for (buffer, bytes) in [first, last, middle] {
            assert_eq!(arena.take_used(bytes), None);
            arena.put(buffer, bytes);
        }
        assert_eq!(arena.take_used(64 + 4096 + 128), Some(first.0));
        assert_eq!(arena.take_used(64), None);
    }

    #[test]
    fn buffers_lie_apart_and_as_much_is_free_as_was_let_go() {
        let (mut arena, mut rng) = (Arena::new(), Rng::seeded(3));
        let mut live: Vec<(NonNull<u8>, usize)> = Vec::new();
        for round in 0..2000 {
            if round % 2 == 0 || rng.below(3) == 0 {
                let bytes = Arena::size(1 + rng.below(4 << 20)).unwrap();
                let buffer = arena.take_used(bytes).or_else(|| arena.take_fresh(bytes)).unwrap();
                let (start, end) = (address(buffer), address(buffer) + bytes);
                assert_eq!(start % ALIGNMENT, 0);
                for &(other, len) in &live {
                    assert!(end <= address(other) || address(other) + len <= start);
                }
                live.push((buffer, bytes));
            } else if !live.is_empty() {
                let (buffer, bytes) = live.swap_remove(rng.below(live.len()));
                arena.put(buffer, bytes);
            }
        }
        let held: usize = live.iter().map(|(_, bytes)| bytes).sum();
        let free: usize = arena.free.values().map(|range| range.bytes).sum();
        assert_eq!(held + free, arena.segment_bytes);
        live.into_iter().for_each(|(buffer, bytes)| arena.put(buffer, bytes));
        arena.drop_free_segments();
        assert_eq!((arena.segments.len(), arena.free.len(), arena.by_size.len()), (0, 0, 0));
    }

    #[test]
    fn a_used_and_a_fresh_neighbour_are_long_enough_together_where_the_system_refuses_more() {
        let mut arena = Arena::new();
        let bytes = SEGMENT / 2;
        let buffer = arena.take_fresh(bytes).unwrap();
        arena.put(buffer, bytes);
        assert_eq!(arena.take(Pages::Fresh, SEGMENT), None);
        arena.keep_free(0);
        assert_eq!(arena.take(Pages::Fresh, SEGMENT), Some(buffer));
        let refused = Arena::size(usize::MAX / 4).unwrap();
        assert_eq!(arena.take_fresh(refused), None);
        arena.put(buffer, SEGMENT);
        assert_eq!(arena.take_fresh(refused), None);
        assert!(arena.segments.is_empty());
    }

    #[test]
    fn what_is_given_back_is_zeros_when_it_is_taken_again() {
        let mut arena = Arena::new();
        let bytes = 1 << 20;
        let buffer = arena.take_fresh(bytes).unwrap();
        // SAFETY: the buffer is ours and so long.
        unsafe { buffer.write_bytes(7, bytes) };
        arena.put(buffer, bytes);
        arena.keep_free(0);
        assert_eq!((arena.used_free_bytes, arena.take_used(64)), (0, None));
        let again = arena.take_fresh(bytes).unwrap();
        // SAFETY: as above.
        let numbers = unsafe { std::slice::from_raw_parts(again.as_ptr(), bytes) };
        assert!(
            again != buffer || cfg!(not(target_os = "linux")) || numbers.iter().all(|x| *x == 0)
        );
    }
}
