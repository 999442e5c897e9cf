//! Safetensors files: read through a memory map, written whole.

use crate::storage::Storage;
use crate::{Error, Float, Tensor};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
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

/// Reads a safetensors file. Tensors of this build's [`Float`] stay in the memory map; others are
/// converted.
///
/// # Errors
/// If the file can't be read or is not safetensors.
pub fn read(path: &Path) -> Result<Contents, Error> {
    let map = map(path)?;
    let broken = |error| format_error(path, &format!("not a safetensors file: {error}"));
    let (_, header) = SafeTensors::read_metadata(&map).map_err(broken)?;
    let parsed = SafeTensors::deserialize(&map).map_err(broken)?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let mut contents = Contents { metadata, ..Contents::default() };
    for (name, view) in parsed.iter() {
        let name = name.to_string();
        if view.dtype() == Dtype::I64 {
            let values = words(view.data()).map(i64::from_le_bytes).collect();
            contents.integers.insert(name, (view.shape().to_vec(), values));
        } else if let Some(tensor) = tensor_of(&map, &view) {
            contents.tensors.insert(name, tensor);
        } else {
            contents.unsupported.insert(name, format!("{:?}", view.dtype()));
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

fn tensor_of(map: &Arc<Mmap>, view: &TensorView<'_>) -> Option<Tensor> {
    let shape = view.shape();
    let start = view.data().as_ptr() as usize - map.as_ptr() as usize;
    let len = shape.iter().product();
    if view.dtype() == FLOAT
        && cfg!(target_endian = "little")
        && let Some(storage) = Storage::mapped(map.clone(), start, len)
    {
        return Some(Tensor::from_storage(storage, shape));
    }
    let values: Vec<Float> = match view.dtype() {
        Dtype::F32 => words(view.data()).map(|x| f32::from_le_bytes(x) as Float).collect(),
        Dtype::F64 => words(view.data()).map(|x| f64::from_le_bytes(x) as Float).collect(),
        _ => return None,
    };
    Some(Tensor::new(values, shape))
}

#[cfg(not(attendant_f64))]
const FLOAT: Dtype = Dtype::F32;
#[cfg(attendant_f64)]
const FLOAT: Dtype = Dtype::F64;

/// Writes a safetensors file of this build's [`Float`].
///
/// # Errors
/// If it can't be written.
pub fn write<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
    metadata: HashMap<String, String>,
) -> Result<(), Error> {
    let named: Vec<(String, Tensor)> =
        tensors.into_iter().map(|(name, tensor)| (name, tensor.contiguous())).collect();
    let views: Vec<(&str, TensorView<'_>)> = named
        .iter()
        .map(|(name, tensor)| {
            let view = TensorView::new(FLOAT, tensor.shape().to_vec(), bytes_of(tensor.data()));
            (name.as_str(), view.expect("as many bytes as the shape says"))
        })
        .collect();
    let io = |source| Error::Io { path: path.into(), action: "write", source };
    safetensors::serialize_to_file(views, Some(metadata), path).map_err(|error| match error {
        safetensors::SafeTensorError::IoError(source) => io(source),
        other => format_error(path, &format!("cannot be written: {other}")),
    })?;
    readable_by_all(path).map_err(io)
}

/// The crate writes a temporary file, which only its owner may read, and renames it.
fn readable_by_all(path: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}

fn bytes_of(x: &[Float]) -> &[u8] {
    // SAFETY: floats have no padding, any byte may be read.
    unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), size_of_val(x)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let x = Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]).transpose(0, 1);
        let note = HashMap::from([("format".to_string(), "pt".to_string())]);
        write(&path, [("x".to_string(), &x)], note.clone()).unwrap();
        let contents = read(&path).unwrap();
        assert_eq!(contents.metadata, note);
        assert_eq!(contents.tensors["x"].shape(), [3, 2]);
        assert_eq!(contents.tensors["x"].to_vec(), x.to_vec());
        let mut mapped = contents.tensors["x"].clone();
        mapped.data_mut()[0] = 9.0;
        assert_eq!(read(&path).unwrap().tensors["x"].data()[0], 1.0);
    }

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
