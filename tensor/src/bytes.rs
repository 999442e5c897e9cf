//! Bytes that several values share: of our own, or a part of a memory map.

use crate::storage::memory::{LARGE_PAGE, large_pages};
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
    /// Bytes of our own; a matrix that is read through for each token is moved to large pages.
    pub fn owned(bytes: Arc<[u8]>) -> Bytes {
        in_large_pages(&bytes).unwrap_or(Bytes::Owned(bytes))
    }

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

/// The same bytes in large pages; `None` where they are few, or the system refuses.
fn in_large_pages(bytes: &[u8]) -> Option<Bytes> {
    if bytes.len() < LARGE_PAGE {
        return None;
    }
    let mut map = large_pages(bytes.len())?;
    map.copy_from_slice(bytes);
    Bytes::mapped(Arc::new(map.make_read_only().ok()?), 0, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_bytes_stay_what_they_are() {
        for len in [0, 5, LARGE_PAGE - 1, LARGE_PAGE, LARGE_PAGE + 4097] {
            let bytes: Arc<[u8]> = (0..len).map(|i| (i % 251) as u8).collect();
            let owned = Bytes::owned(bytes.clone());
            assert_eq!(owned.as_slice(), &*bytes);
            assert_eq!(matches!(owned, Bytes::Mapped { .. }), len >= LARGE_PAGE);
        }
    }
}
