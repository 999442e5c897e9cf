//! An owned, aligned run of numbers; one that is let go waits for the next.

use super::arena::{ALIGNMENT, Arena};
use super::memory::LARGE_PAGE;
use crate::Float;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers below this many numbers are left to the program's allocator.
const SMALLEST_POOLED: usize = 1024;
/// So many bytes may always wait.
const SPARE: usize = 4 * LARGE_PAGE;

/// The panic payload of an allocation that the system refused.
#[derive(Debug, Clone, Copy)]
pub struct OutOfMemory {
    /// Bytes that were asked for.
    pub bytes: usize,
}

/// An owned, aligned run of numbers.
pub(crate) struct Buffer {
    start: NonNull<Float>,
    len: usize,
}

// SAFETY: it owns its numbers; shared access only reads.
unsafe impl Send for Buffer {}
// SAFETY: as above.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A buffer of `len` numbers whose values are left over from earlier use.
    ///
    /// # Panics
    /// With [`OutOfMemory`] if the system refuses it.
    pub fn stale(len: usize) -> Buffer {
        let start = if len < SMALLEST_POOLED { small(len) } else { pool().take(len) };
        let bytes = len.saturating_mul(size_of::<Float>());
        let start = start.unwrap_or_else(|| std::panic::panic_any(OutOfMemory { bytes }));
        Buffer { start, len }
    }

    pub fn as_slice(&self) -> &[Float] {
        // SAFETY: `start` points to so many numbers, zero from the beginning.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [Float] {
        // SAFETY: as above, and `&mut self` makes this the only access.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.len < SMALLEST_POOLED {
            // SAFETY: `small` made it with the same layout, and its owner lets go of it here.
            unsafe { dealloc(self.start.as_ptr().cast(), small_layout(self.len)) }
        } else {
            pool().put(self.start, self.len);
        }
    }
}

fn small(len: usize) -> Option<NonNull<Float>> {
    // SAFETY: the layout's size is not zero. Zeroed, so that stale contents are always numbers.
    NonNull::new(unsafe { alloc_zeroed(small_layout(len)) }.cast())
}

fn small_layout(len: usize) -> Layout {
    Layout::from_size_align(len.max(1) * size_of::<Float>(), ALIGNMENT).expect("a few KiB")
}

/// The arena of all buffers, and what they took. When more is asked of the system, the used memory that
/// waits and that of the live buffers are together no more than these once held at their peak, plus an
/// eighth or [`SPARE`]. Only Linux takes parts of a segment back.
struct Pool {
    arena: Arena,
    live_bytes: usize,
    peak_live_bytes: usize,
}

static POOL: Mutex<Pool> =
    Mutex::new(Pool { arena: Arena::new(), live_bytes: 0, peak_live_bytes: 0 });

/// Bytes of the numbers that tensors hold just now, where there are 1,024 or more of them, each
/// tensor's rounded up to 64; memory that waits for the next is not among them.
pub fn live_bytes() -> usize {
    pool().live_bytes
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// Memory for `len` numbers; `None` if the system refuses it.
    fn take(&mut self, len: usize) -> Option<NonNull<Float>> {
        let bytes = bytes(len)?;
        let wanted = self.live_bytes.checked_add(bytes)?;
        let peak = self.peak_live_bytes.max(wanted);
        let start = self.arena.take_used(bytes).or_else(|| {
            self.arena.keep_free(peak - wanted + (peak / 8).max(SPARE));
            self.arena.take_fresh(bytes)
        })?;
        (self.live_bytes, self.peak_live_bytes) = (wanted, peak);
        Some(start.cast())
    }

    fn put(&mut self, start: NonNull<Float>, len: usize) {
        let bytes = bytes(len).expect("it was taken with this size");
        self.arena.put(start.cast(), bytes);
        self.live_bytes -= bytes;
    }
}

/// Bytes that `len` numbers take in the arena.
fn bytes(len: usize) -> Option<usize> {
    Arena::size(len.checked_mul(size_of::<Float>())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_of_numbers() {
        for len in [0, 1, 1023, 1024, 54_321, 3 << 20] {
            let buffer = Buffer::stale(len);
            assert_eq!(buffer.as_slice().as_ptr() as usize % ALIGNMENT, 0);
            assert_eq!(buffer.as_slice().len(), len);
        }
    }

    #[test]
    fn an_allocation_refused_by_the_system_panics_with_its_size() {
        let panic = std::panic::catch_unwind(|| Buffer::stale(usize::MAX / 16)).err().unwrap();
        assert!(panic.downcast_ref::<OutOfMemory>().unwrap().bytes > 1 << 50);
    }
}
