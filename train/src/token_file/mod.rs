//! Token files: ids of joined rows on disk, for data larger than memory.
//!
//! A token file is a safetensors file with one tensor `ids` of one axis, `U16` where the
//! vocabulary has at most 65,536 tokens and `U32` elsewhere. Its metadata names `vocab_size`,
//! below which every id lies, and what it was `made_from`. [`prepare`] writes one from rows that
//! are read one by one; [`TokenFile`] maps what is asked for into memory, and [`Blocks`] are the
//! sequences of a run. A file must not be changed while it is used.
//!
//! ```
//! use train::sequence::Sequences;
//! use train::token_file::{TokenFile, TokenWriter};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("ids.safetensors");
//! let mut writer = TokenWriter::create(&path, 10, "two rows")?;
//! writer.push(&[1, 2, 3, 0])?;
//! writer.push(&[4, 5, 0])?;
//! writer.finish()?;
//! let blocks = TokenFile::open(&path)?.blocks(3)?;
//! assert_eq!((blocks.count(), &blocks.get(1)?.ids[..]), (2, &[0, 4, 5, 0][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod prepare;
mod read;
mod write;

pub use prepare::{Prepared, prepare};
pub use read::{Blocks, TokenFile};
pub use write::TokenWriter;

/// The name of the one tensor.
const IDS: &str = "ids";
const VOCAB_SIZE: &str = "vocab_size";
const MADE_FROM: &str = "made_from";
/// The largest vocabulary whose ids fit in 16 bits.
const LARGEST_OF_U16: usize = 1 << 16;
