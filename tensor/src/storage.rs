//! Storage: a 64-byte aligned buffer, reused from step to step, a slice of a memory map,
//! or packed numbers.
//!
//! A training step asks for the same sizes again and again. Fresh memory from the operating
//! system costs a page fault every 4 KiB, so a buffer that is let go waits in a pool for the next
//! request of its size. The pool and the live buffers together never hold more than the live
//! buffers once held at their peak, plus an eighth or 64 MiB.

use crate::Float;
use crate::packed::Packed;
use memmap2::Mmap;
use memory::{Memory, allocate, try_allocate};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) mod memory;

/// Buffers below this many numbers are not worth a place in the pool.
const SMALLEST_POOLED: usize = 1024;
/// So many numbers may always wait: 64 MiB, so that small programs ask the system once.
const SPARE: usize = 16 << 20;

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

/// The panic payload of an allocation that the system refused.
#[derive(Debug, Clone, Copy)]
pub struct OutOfMemory {
    /// Bytes that were asked for.
    pub bytes: usize,
}

/// An owned, aligned run of numbers.
pub(crate) struct Buffer {
    /// Taken when it is dropped, not before.
    memory: Option<Memory>,
    len: usize,
}

impl Buffer {
    /// A buffer of `len` numbers whose values are left over from earlier use.
    pub fn stale(len: usize) -> Buffer {
        let memory = if len < SMALLEST_POOLED { allocate(len) } else { pool().take(len) };
        Buffer { memory: Some(memory), len }
    }

    pub fn zeros(len: usize) -> Buffer {
        let mut buffer = Buffer::stale(len);
        buffer.as_mut_slice().fill(0.0);
        buffer
    }

    pub fn as_slice(&self) -> &[Float] {
        &self.memory.as_ref().expect(ALIVE).as_slice()[..self.len]
    }

    pub fn as_mut_slice(&mut self) -> &mut [Float] {
        &mut self.memory.as_mut().expect(ALIVE).as_mut_slice()[..self.len]
    }
}

const ALIVE: &str = "memory is there until the buffer is dropped";

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = self.memory.take().expect(ALIVE);
        if memory.capacity() >= SMALLEST_POOLED {
            pool().give_back(memory, self.len);
        }
    }
}

/// Buffers that wait for their next use, by capacity, and the count of numbers in use.
struct Pool {
    waiting: BTreeMap<usize, Vec<Memory>>,
    waiting_numbers: usize,
    /// What was asked for; `live_numbers` counts the larger buffers that were at hand.
    asked_numbers: usize,
    live_numbers: usize,
    peak_live_numbers: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    waiting: BTreeMap::new(),
    waiting_numbers: 0,
    asked_numbers: 0,
    live_numbers: 0,
    peak_live_numbers: 0,
});

/// Bytes of the numbers that tensors hold just now, where there are 1,024 or more of them; buffers that
/// wait in the pool are not among them, nor is what a reused buffer is larger than its tensor.
pub fn live_bytes() -> usize {
    pool().asked_numbers * size_of::<Float>()
}

fn pool() -> MutexGuard<'static, Pool> {
    // A refused allocation panics while the lock is held; the pool is whole all the same.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// The smallest waiting buffer of `len` to 1.25 × `len` numbers, or a new one.
    fn take(&mut self, len: usize) -> Memory {
        let fitting = self
            .waiting
            .range(len..=len.saturating_add(len / 4))
            .next()
            .map(|(&capacity, _)| capacity);
        let memory = match fitting {
            Some(capacity) => self.remove(capacity),
            None => {
                self.trim(len);
                try_allocate(len).unwrap_or_else(|| {
                    self.release_waiting();
                    allocate(len)
                })
            }
        };
        self.asked_numbers += len;
        self.live_numbers += memory.capacity();
        self.peak_live_numbers = self.peak_live_numbers.max(self.live_numbers);
        memory
    }

    fn give_back(&mut self, memory: Memory, len: usize) {
        let capacity = memory.capacity();
        self.waiting.entry(capacity).or_default().push(memory);
        self.waiting_numbers += capacity;
        self.asked_numbers -= len;
        self.live_numbers -= capacity;
    }

    fn remove(&mut self, capacity: usize) -> Memory {
        let list = self.waiting.get_mut(&capacity).expect("a list of this capacity");
        let memory = list.pop().expect("no empty list is kept");
        if list.is_empty() {
            self.waiting.remove(&capacity);
        }
        self.waiting_numbers -= capacity;
        memory
    }

    /// Gives all waiting buffers back to the system, which has refused another.
    fn release_waiting(&mut self) {
        while let Some((&capacity, _)) = self.waiting.last_key_value() {
            self.remove(capacity);
        }
    }

    /// Frees waiting buffers, largest first, until a new one of `len` keeps the promised bound.
    fn trim(&mut self, len: usize) {
        let wanted = self.live_numbers.saturating_add(len);
        let peak = self.peak_live_numbers.max(wanted);
        let bound = peak.saturating_add((peak / 8).max(SPARE));
        while wanted.saturating_add(self.waiting_numbers) > bound {
            let Some((&capacity, _)) = self.waiting.last_key_value() else { break };
            self.remove(capacity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_reused() {
        let first = Buffer::stale(54_321);
        let address = first.as_slice().as_ptr() as usize;
        assert_eq!(address % memory::ALIGNMENT, 0);
        drop(first);
        // Other tests share the pool, so that only "some buffer came back" can be asserted.
        assert!(pool().waiting_numbers > 0);
        assert_eq!(Buffer::zeros(54_321).as_slice().iter().sum::<Float>(), 0.0);
    }

    #[test]
    fn an_allocation_refused_by_the_system_panics_with_its_size() {
        let panic = std::panic::catch_unwind(|| Buffer::stale(usize::MAX / 16)).err().unwrap();
        assert!(panic.downcast_ref::<OutOfMemory>().unwrap().bytes > 1 << 50);
    }
}
