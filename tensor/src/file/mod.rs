//! Safetensors files: read through a memory map, written one tensor at a time.

mod header;
mod write;

pub use write::{write, write_as};

use crate::packed::{Format, Packed};
use crate::storage::Storage;
use crate::{Error, Float, Tensor};
use header::{Entry, Header};
use memmap2::Mmap;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Tensors by name, with the file's text metadata.
#[derive(Debug, Default)]
pub struct Contents {
    /// The tensors.
    pub tensors: BTreeMap<String, Tensor>,
    /// The integer tensors (token ids of fixtures), as shape and values.
    pub integers: BTreeMap<String, (Vec<usize>, Vec<i64>)>,
    /// Tensors of types that are not supported, by name: the type. Some files hold such buffers,
    /// which no model needs.
    pub unsupported: BTreeMap<String, String>,
    /// The file's own key–value texts.
    pub metadata: HashMap<String, String>,
}

/// Reads a safetensors file. Tensors of this build's [`Float`] and those of two bytes (f16, bf16:
/// see [`crate::packed`]) stay in the memory map; others are converted.
///
/// # Errors
/// If the file can't be read or is not safetensors: each tensor must lie inside the file, as long
/// as its shape says, behind the one before it without a gap.
pub fn read(path: &Path) -> Result<Contents, Error> {
    let map = map(path)?;
    let broken = |reason| format_error(path, &format!("not a safetensors file: {reason}"));
    let Header { metadata, entries } = Header::parse(&map).map_err(broken)?;
    let mut contents = Contents { metadata, ..Contents::default() };
    for entry in entries {
        if entry.dtype == "I64" {
            let values = words(&map[entry.bytes.clone()]).map(i64::from_le_bytes).collect();
            contents.integers.insert(entry.name, (entry.shape, values));
        } else if let Some(tensor) = tensor_of(&map, &entry) {
            contents.tensors.insert(entry.name, tensor);
        } else {
            contents.unsupported.insert(entry.name, entry.dtype);
        }
    }
    Ok(contents)
}

/// A file's bytes, mapped.
pub(crate) fn map(path: &Path) -> Result<Arc<Mmap>, Error> {
    let io = |source| Error::Io { path: path.into(), action: "read", source };
    // A pipe would make the program wait for ever.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(format_error(path, "is not a regular file"));
    }
    let file = File::open(path).map_err(io)?;
    // SAFETY: a map is sound as long as no one truncates the file while it is read, which the
    // documentation of `attendant` asks of the user.
    Ok(Arc::new(unsafe { Mmap::map(&file) }.map_err(io)?))
}

pub(crate) fn format_error(path: &Path, reason: &str) -> Error {
    Error::Format { path: path.into(), reason: reason.into() }
}

pub(crate) fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

fn tensor_of(map: &Arc<Mmap>, entry: &Entry) -> Option<Tensor> {
    // Of types that are not known, the shape was not held against the file's size.
    let size = header::size_of_dtype(&entry.dtype)?;
    let (start, len) = (entry.bytes.start, entry.bytes.len() / size);
    let packed = match entry.dtype.as_str() {
        "F16" => Some(Format::F16),
        "BF16" => Some(Format::BF16),
        _ => None,
    };
    if let Some(format) = packed {
        let packed = Packed::mapped(map.clone(), start, format, len)?;
        return Some(Tensor::from_storage(Storage::Packed(packed), &entry.shape));
    }
    if entry.dtype == FLOAT
        && cfg!(target_endian = "little")
        && let Some(storage) = Storage::mapped(map.clone(), start, len)
    {
        return Some(Tensor::from_storage(storage, &entry.shape));
    }
    let data = &map[entry.bytes.clone()];
    let values: Vec<Float> = match entry.dtype.as_str() {
        "F32" => words(data).map(|x| f32::from_le_bytes(x) as Float).collect(),
        "F64" => words(data).map(|x| f64::from_le_bytes(x) as Float).collect(),
        _ => return None,
    };
    Some(Tensor::new(values, &entry.shape))
}

#[cfg(not(attendant_f64))]
const FLOAT: &str = "F32";
#[cfg(attendant_f64)]
const FLOAT: &str = "F64";

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::tensor::{Dtype, TensorView};

    #[test]
    fn a_tensor_of_an_unsupported_type_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let view = TensorView::new(Dtype::BOOL, vec![2], &[0, 1]).unwrap();
        safetensors::serialize_to_file([("mask", view)], None, &path).unwrap();
        let contents = read(&path).unwrap();
        assert_eq!(contents.unsupported["mask"], "BOOL");
        assert!(contents.tensors.is_empty());
        let error = read(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("is not a regular file"));
    }

    #[test]
    fn broken_and_missing_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.ends_with("x.safetensors: cannot read: No such file or directory (os error 2)")
        );
        for bytes in [&b""[..], b"\x08", b"\xff\xff\xff\xff\xff\xff\xff\xff{}"] {
            std::fs::write(&path, bytes).unwrap();
            assert!(read(&path).unwrap_err().to_string().contains("not a safetensors file"));
        }
    }
}
