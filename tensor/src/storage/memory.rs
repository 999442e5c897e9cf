//! Memory from the operating system.
//!
//! The processor remembers where a few thousand pages lie. Of 4 KiB each they are less than a layer's
//! activations, and a matrix product that reads rows of many pages waits for their addresses; so large
//! areas ask for pages of 2 MiB, of which also one is first touched where 512 were.

use memmap2::{MmapMut, MmapRaw};

/// Bytes of a large page of x86-64 and of most others.
pub(crate) const LARGE_PAGE: usize = 2 << 20;

/// Zeros in pages of [`LARGE_PAGE`] where the system has them; `None` if it refuses the memory.
pub(crate) fn large_pages(bytes: usize) -> Option<MmapMut> {
    let map = MmapMut::map_anon(bytes).ok()?;
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage); // Advice may be refused.
    Some(map)
}

/// Gives the pages that lie whole in these bytes of `map` back to the system, where it takes them:
/// they are zeros when they are touched again.
pub(super) fn give_back(map: &MmapRaw, start: usize, bytes: usize) {
    #[cfg(target_os = "linux")]
    {
        // No Linux has larger ones.
        const PAGE: usize = 64 << 10;
        let first = (map.as_ptr() as usize + start).next_multiple_of(PAGE) - map.as_ptr() as usize;
        let bytes = (start + bytes).saturating_sub(first) / PAGE * PAGE;
        if bytes > 0 {
            // SAFETY: nobody holds a reference to these bytes: the arena has them, free. Advice may
            // be refused.
            let _ = unsafe {
                map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, first, bytes)
            };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (map, start, bytes);
}
