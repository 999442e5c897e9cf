//! Memory from the operating system, aligned and of numbers from the start.
//!
//! The processor remembers where a few thousand pages lie. Of 4 KiB each they are less than a layer's
//! activations, and a matrix product that reads rows of many pages waits for their addresses; so large
//! buffers ask for pages of 2 MiB, of which also one is first touched where 512 were.

use super::OutOfMemory;
use crate::Float;
use memmap2::MmapMut;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Bytes of a cache line, and of the longest register.
pub(super) const ALIGNMENT: usize = 64;
/// Bytes of a large page of x86-64 and of most others.
pub(crate) const LARGE_PAGE: usize = 2 << 20;

/// Memory for some numbers, which is given back when it is dropped.
pub(super) struct Memory {
    start: NonNull<Float>,
    capacity: usize,
    /// Where `start` points to, unless it is smaller than a large page.
    map: Option<MmapMut>,
}

// SAFETY: it owns its numbers; shared access only reads.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

/// Memory for so many numbers.
///
/// # Panics
/// With [`OutOfMemory`] if the system refuses it.
pub(super) fn allocate(capacity: usize) -> Memory {
    try_allocate(capacity).unwrap_or_else(|| {
        let bytes = capacity.saturating_mul(size_of::<Float>());
        std::panic::panic_any(OutOfMemory { bytes })
    })
}

/// Memory for so many numbers, or `None` if the system refuses it.
pub(super) fn try_allocate(capacity: usize) -> Option<Memory> {
    let layout = layout(capacity)?;
    if layout.size() < LARGE_PAGE {
        // SAFETY: the layout's size is not zero. Zeroed, so that stale contents are always numbers.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }.cast())?;
        return Some(Memory { start, capacity, map: None });
    }
    let mut map = large_pages(layout.size())?;
    let start = NonNull::new(map.as_mut_ptr().cast())?;
    Some(Memory { start, capacity, map: Some(map) })
}

/// Zeros in pages of [`LARGE_PAGE`] where the system has them; `None` if it refuses the memory.
pub(crate) fn large_pages(bytes: usize) -> Option<MmapMut> {
    let map = MmapMut::map_anon(bytes).ok()?;
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage); // Advice may be refused.
    Some(map)
}

fn layout(capacity: usize) -> Option<Layout> {
    let bytes = capacity.max(1).checked_mul(size_of::<Float>())?;
    Layout::from_size_align(bytes, ALIGNMENT).ok()
}

impl Memory {
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn as_slice(&self) -> &[Float] {
        // SAFETY: `start` points to so many numbers, zero from the beginning.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.capacity) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [Float] {
        // SAFETY: as above, and `&mut self` makes this the only access.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.capacity) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.map.is_none() {
            let layout = layout(self.capacity).expect("it was allocated with this layout");
            // SAFETY: `try_allocate` made it with the same layout, and its owner lets go of it here.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) }
        }
    }
}
