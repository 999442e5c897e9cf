//! Storage: a 64-byte aligned buffer, reused from step to step, a slice of a memory map,
//! or packed numbers.

use crate::Float;
use crate::packed::Packed;
use memmap2::Mmap;
use std::sync::Arc;

pub(crate) use buffer::Buffer;
pub use buffer::{OutOfMemory, live_bytes};

mod arena;
mod buffer;
pub(crate) mod memory;

/// Where a tensor's numbers lie.
pub(crate) enum Storage {
    Owned(Buffer),
    Mapped(Mapped),
    /// Numbers in fewer bits, unpacked as a whole only if someone asks for all of them.
    Packed(Packed),
}

impl Storage {
    pub fn as_slice(&self) -> &[Float] {
        match self {
            Storage::Owned(buffer) => buffer.as_slice(),
            Storage::Packed(packed) => packed.as_slice(),
            Storage::Mapped(mapped) => mapped.as_slice(),
        }
    }

    /// `len` numbers from byte `start` of `map`, which is that of a file, or `None` where they are not aligned or inside.
    pub fn mapped(map: Arc<Mmap>, start: usize, len: usize) -> Option<Storage> {
        let end = start.checked_add(len.checked_mul(size_of::<Float>())?)?;
        let aligned = (map.as_ptr() as usize + start).is_multiple_of(align_of::<Float>());
        let inside = aligned && end <= map.len();
        inside.then_some(Storage::Mapped(Mapped { map, start, len }))
    }
}

/// `len` numbers from byte `start` of a file that is mapped to be read; alignment and bounds were
/// checked when it was made.
pub(crate) struct Mapped {
    map: Arc<Mmap>,
    start: usize,
    len: usize,
}

impl Mapped {
    fn as_slice(&self) -> &[Float] {
        // SAFETY: `Storage::mapped` checked that the range lies in the map and is aligned; any bit
        // pattern is a float; the map lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(self.start).cast(), self.len) }
    }
}

/// Its pages are let go at once: a parameter that is trained has become a copy, and others of the
/// file may keep the map for long.
impl Drop for Mapped {
    fn drop(&mut self) {
        #[cfg(unix)]
        if self.len > 0 {
            let bytes = self.len * size_of::<Float>();
            // SAFETY: the file's own pages, which nobody writes to: whoever still reads them reads
            // them from the file again. Advice may be refused.
            let _ = unsafe {
                let advice = memmap2::UncheckedAdvice::DontNeed;
                self.map.unchecked_advise_range(advice, self.start, bytes)
            };
        }
    }
}
