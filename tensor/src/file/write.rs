//! Writing safetensors files.

use super::format_error;
use crate::packed::Format;
use crate::{Error, Float, Tensor};
use safetensors::tensor::{Dtype, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

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
    write_all(path, None, tensors, metadata)
}

/// Writes a safetensors file of numbers of two bytes: F16 or BF16.
///
/// # Errors
/// If it can't be written, or the format is one that safetensors files do not have.
pub fn write_as<'a>(
    path: &Path,
    format: Format,
    tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
    metadata: HashMap<String, String>,
) -> Result<(), Error> {
    if !matches!(format, Format::F16 | Format::BF16) {
        let reason = format!("cannot be written: safetensors files have no {format:?}");
        return Err(format_error(path, &reason));
    }
    write_all(path, Some(format), tensors, metadata)
}

fn write_all<'a>(
    path: &Path,
    format: Option<Format>,
    tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
    metadata: HashMap<String, String>,
) -> Result<(), Error> {
    let views = tensors.into_iter().map(|(name, tensor)| (name, Written { tensor, format }));
    let io = |source| Error::Io { path: path.into(), action: "write", source };
    safetensors::serialize_to_file(views, Some(metadata), path).map_err(|error| match error {
        safetensors::SafeTensorError::IoError(source) => io(source),
        other => format_error(path, &format!("cannot be written: {other}")),
    })?;
    readable_by_all(path).map_err(io)
}

/// A tensor that is brought into the file's order and format when its turn comes.
struct Written<'a> {
    tensor: &'a Tensor,
    format: Option<Format>,
}

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        match self.format {
            None => FLOAT,
            Some(Format::F16) => Dtype::F16,
            Some(_) => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        self.tensor.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let Some(format) = self.format else {
            return match self.tensor.as_plain_slice() {
                Some(numbers) => bytes_of(numbers).into(),
                None => bytes_of(self.tensor.unpacked().contiguous().data()).to_vec().into(),
            };
        };
        match self.tensor.packed_bytes() {
            Some((own, bytes)) if own == format => bytes.into(),
            _ => format.pack(self.tensor.unpacked().contiguous().data()).into(),
        }
    }

    fn data_len(&self) -> usize {
        self.tensor.len() * self.format.map_or(size_of::<Float>(), Format::block_bytes)
    }
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
    use crate::file::read;

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
    fn two_bytes_a_number_are_written_and_stay_packed_in_the_map() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let x = Tensor::new([1.0, -2.5, 3.0, 0.1, 5.0, 6.0], &[2, 3]);
        let scalar = Tensor::scalar(7.0);
        for format in [Format::F16, Format::BF16] {
            let (turned, packed) = (x.transpose(0, 1), x.pack(format));
            let named = [("turned", &turned), ("packed", &packed), ("scalar", &scalar)];
            let named = named.map(|(name, tensor)| (name.to_string(), tensor));
            write_as(&path, format, named.clone(), HashMap::new()).unwrap();
            let tensors = read(&path).unwrap().tensors;
            assert!(tensors.values().all(|x| x.packed_format() == Some(format)));
            assert_eq!(tensors["packed"].to_vec(), packed.to_vec());
            assert_eq!(tensors["turned"].to_vec(), packed.transpose(0, 1).to_vec());
            assert_eq!(tensors["scalar"].item(), 7.0);

            write(&path, named, HashMap::new()).unwrap();
            let tensors = read(&path).unwrap().tensors;
            assert!(tensors.values().all(|x| x.packed_format().is_none()));
            assert_eq!(tensors["packed"].to_vec(), packed.to_vec());
        }
        let error = write_as(&path, Format::Q8_0, [], HashMap::new()).unwrap_err().to_string();
        assert!(error.ends_with("cannot be written: safetensors files have no Q8_0"), "{error}");
    }
}
