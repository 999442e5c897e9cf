//! Packed numbers: weights as files hold them, in fewer bits, read where they lie.
//!
//! A tensor whose numbers lie packed behaves as any other. The matrix product and
//! [`Tensor::read_row`](crate::Tensor::read_row) unpack only what they are about to use; whatever
//! else asks for its numbers gets all of them unpacked, once.

mod blocks;
mod dots;
mod floats;
mod format;
mod rows;
mod super_blocks;
mod views;

pub(crate) use views::whole_rows;

pub use format::Format;
pub(crate) use rows::Rows;

use crate::Float;
use crate::bytes::Bytes;
use crate::storage::Buffer;
use memmap2::Mmap;
use std::sync::{Arc, OnceLock};

/// Numbers that lie packed, and the same numbers unpacked once someone has asked for them.
pub(crate) struct Packed {
    bytes: Bytes,
    format: Format,
    len: usize,
    plain: OnceLock<Buffer>,
}

impl Packed {
    /// All of `bytes` as `len` numbers, or `None` where they are not as many.
    pub fn owned(bytes: Arc<[u8]>, format: Format, len: usize) -> Option<Packed> {
        let fits = format.bytes_of(len) == Some(bytes.len());
        fits.then(|| {
            let bytes = Bytes::owned(bytes);
            Packed { bytes, format, len, plain: OnceLock::new() }
        })
    }

    /// `len` numbers from byte `start` of `map`, or `None` where they do not lie inside.
    pub fn mapped(map: Arc<Mmap>, start: usize, format: Format, len: usize) -> Option<Packed> {
        let bytes = Bytes::mapped(map, start, format.bytes_of(len)?)?;
        Some(Packed { bytes, format, len, plain: OnceLock::new() })
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// All numbers, unpacked by the first who asks. One thread unpacks: waiting for others inside
    /// the lock, it might be handed a task that asks for these very numbers.
    pub fn as_slice(&self) -> &[Float] {
        let unpacked = || {
            let mut plain = Buffer::stale(self.len);
            self.format.unpack(self.bytes(), plain.as_mut_slice());
            plain
        };
        self.plain.get_or_init(unpacked).as_slice()
    }
}
