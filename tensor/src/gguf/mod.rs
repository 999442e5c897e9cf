//! GGUF files: metadata and packed tensors in one file; read through a memory map, written whole.
//!
//! Format: github.com/ggml-org/ggml, `docs/gguf.md`. Read are versions 2 and 3, little-endian,
//! with tensors of the [formats](crate::packed::Format) known here, F32 and F64; written is
//! version 3. A file's sizes of a tensor begin with the length of a row; shapes here end with it,
//! as everywhere.

mod kind;
mod read;
mod value;
mod write;

pub use read::{Contents, read};
pub use value::{Array, Value};
pub use write::{Part, write};

const MAGIC: &[u8; 4] = b"GGUF";
/// Tensors start at multiples of this many bytes, unless `general.alignment` says otherwise.
const ALIGNMENT: usize = 32;
