//! Writing GGUF files.

use super::kind::Numbers;
use super::value::{Value, append_text};
use super::{ALIGNMENT, MAGIC};
use crate::packed::Format;
use crate::{Error, Float, Tensor};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// A tensor to be written.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name in the file.
    pub name: String,
    /// The tensor.
    pub tensor: Tensor,
    /// How its numbers are packed; as `f32` if `None`.
    pub format: Option<Format>,
}

/// Writes a GGUF file of version 3. Tensors are packed one at a time; one that lies packed in the
/// format asked for is written as it is, be it a format that is only read.
///
/// # Errors
/// If it can't be written, or a tensor can't be in the format that it is to have.
pub fn write(path: &Path, metadata: &[(String, Value)], tensors: &[Part]) -> Result<(), Error> {
    if let Some(part) = tensors.iter().find(|part| !part.can_be_written()) {
        let Part { name, tensor, format, .. } = part;
        let shape = tensor.shape();
        let reason = format!("cannot be written: tensor {name:?} {shape:?} cannot be {format:?}");
        return Err(crate::file::format_error(path, &reason));
    }
    let io = |source| Error::Io { path: path.into(), action: "write", source };
    // Under another name until it is whole: `path` may be the file that the tensors are read from.
    let partial = path.with_extension("gguf.partial");
    let written = write_to(&partial, metadata, tensors);
    let renamed = written.and_then(|()| std::fs::rename(&partial, path));
    renamed.map_err(|error| {
        let _ = std::fs::remove_file(&partial);
        io(error)
    })
}

fn write_to(path: &Path, metadata: &[(String, Value)], tensors: &[Part]) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut header = MAGIC.to_vec();
    header.extend(3u32.to_le_bytes());
    header.extend((tensors.len() as u64).to_le_bytes());
    header.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        append_text(key, &mut header);
        header.extend(value.kind().id().to_le_bytes());
        value.append_to(&mut header);
    }
    let mut offset = 0u64;
    for part in tensors {
        part.append_info(offset, &mut header);
        offset += part.byte_count().next_multiple_of(ALIGNMENT) as u64;
    }
    pad(&mut header);
    file.write_all(&header)?;
    for part in tensors {
        let mut bytes = part.bytes();
        pad(&mut bytes);
        file.write_all(&bytes)?;
    }
    file.flush()
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

impl Part {
    fn numbers(&self) -> Numbers {
        self.format.map_or(Numbers::F32, Numbers::Packed)
    }

    fn can_be_written(&self) -> bool {
        let Some(format) = self.format else { return true };
        let whole = crate::packed::whole_rows(format, self.tensor.shape());
        whole && (format.can_pack() || self.packed_bytes().is_some())
    }

    /// The bytes of a tensor that lies packed as it is to be.
    fn packed_bytes(&self) -> Option<&[u8]> {
        let packed = self.tensor.packed_bytes();
        packed.filter(|(format, _)| Some(*format) == self.format).map(|(_, bytes)| bytes)
    }

    fn byte_count(&self) -> usize {
        self.numbers().bytes_of(self.tensor.len()).expect("rows are whole blocks")
    }

    fn append_info(&self, offset: u64, header: &mut Vec<u8>) {
        append_text(&self.name, header);
        header.extend((self.tensor.rank() as u32).to_le_bytes());
        for &size in self.tensor.shape().iter().rev() {
            header.extend((size as u64).to_le_bytes());
        }
        header.extend(self.numbers().id().to_le_bytes());
        header.extend(offset.to_le_bytes());
    }

    fn bytes(&self) -> Vec<u8> {
        if let Some(bytes) = self.packed_bytes() {
            return bytes.to_vec();
        }
        let plain = self.tensor.unpacked().contiguous();
        match self.format {
            Some(format) => format.pack(plain.data()),
            None => plain.data().iter().flat_map(|&x: &Float| rounded(x).to_le_bytes()).collect(),
        }
    }
}

#[allow(clippy::unnecessary_cast)] // It is one in the f32 build only.
fn rounded(x: Float) -> f32 {
    x as f32
}
