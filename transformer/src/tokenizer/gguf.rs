//! The tokenizer in a GGUF file's metadata.

use super::Tokenizer;
use crate::Error;
use std::path::Path;

/// # Errors
/// If the file can't be read, or holds no tokenizer that is supported.
pub(super) fn read(path: &Path) -> Result<Tokenizer, Error> {
    let reason = "the tokenizer of a GGUF file is not supported; give a tokenizer.json";
    Err(Error::Tokenizer { path: path.into(), reason: reason.into() })
}
