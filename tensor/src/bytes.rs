//! Bytes that several values share: of our own, or a part of a memory map.

use memmap2::Mmap;
use std::sync::Arc;

#[derive(Clone)]
pub(crate) enum Bytes {
    Owned(Arc<[u8]>),
    /// `len` bytes from `start`, which were checked to lie in the map.
    Mapped {
        map: Arc<Mmap>,
        start: usize,
        len: usize,
    },
}

impl Bytes {
    /// `len` bytes from `start`, or `None` where they do not lie in the map.
    pub fn mapped(map: Arc<Mmap>, start: usize, len: usize) -> Option<Bytes> {
        let inside = start.checked_add(len)? <= map.len();
        inside.then_some(Bytes::Mapped { map, start, len })
    }

    pub fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped { map, start, len } => &map[*start..start + len],
        }
    }
}
