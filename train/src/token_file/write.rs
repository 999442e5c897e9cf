//! Token files are written as ids come, their number unknown until the end.

use super::{IDS, LARGEST_OF_U16, MADE_FROM, VOCAB_SIZE};
use crate::Error;
use serde_json::json;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Writes a token file. Until it is finished it stands beside its place, as `FILE.partial`, which
/// is removed when it is given up.
pub struct TokenWriter {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    vocab_size: usize,
    made_from: String,
    count: u64,
    is_finished: bool,
}

impl TokenWriter {
    /// Begins a file of ids below `vocab_size`; `made_from` is a note for people.
    ///
    /// # Errors
    /// If there is such a file already, or it cannot be written.
    pub fn create(path: &Path, vocab_size: usize, made_from: &str) -> Result<TokenWriter, Error> {
        if path.exists() {
            return Err(Error::settings(format!(
                "{}: exists already; name a new file, or remove it",
                path.display()
            )));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial).map_err(|source| unwritable(path, source))?;
        let mut writer = TokenWriter {
            path: path.into(),
            partial,
            file: BufWriter::with_capacity(1 << 16, file),
            vocab_size,
            made_from: made_from.into(),
            count: 0,
            is_finished: false,
        };
        let room = vec![b' '; writer.header_len()];
        writer.write(|file| file.write_all(&room))?;
        Ok(writer)
    }

    /// Adds ids.
    ///
    /// # Errors
    /// If one is not in the vocabulary, or the file cannot be written.
    pub fn push(&mut self, ids: &[u32]) -> Result<(), Error> {
        let vocab_size = self.vocab_size;
        if let Some(position) = ids.iter().position(|&id| id as usize >= vocab_size) {
            let (id, position) = (ids[position], self.count as usize + position);
            return Err(tensor::Error::TokenBeyondVocabulary { id, position, vocab_size }.into());
        }
        self.count += ids.len() as u64;
        let narrow = self.id_bytes() == 2;
        self.write(|file| {
            ids.iter().try_for_each(|&id| match narrow {
                true => file.write_all(&(id as u16).to_le_bytes()),
                false => file.write_all(&id.to_le_bytes()),
            })
        })
    }

    /// Writes the header and puts the file in its place; returns how many ids it holds.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self) -> Result<u64, Error> {
        let header = self.header();
        self.write(|file| {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&header)?;
            file.flush()?;
            file.get_ref().sync_all()
        })?;
        fs::rename(&self.partial, &self.path).map_err(|source| unwritable(&self.path, source))?;
        self.is_finished = true;
        Ok(self.count)
    }

    /// The size of the vocabulary.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    fn id_bytes(&self) -> u64 {
        if self.vocab_size <= LARGEST_OF_U16 { 2 } else { 4 }
    }

    /// The header's JSON for `count` ids.
    fn json(&self, count: u64) -> String {
        let bytes = count.saturating_mul(self.id_bytes());
        let dtype = if self.id_bytes() == 2 { "U16" } else { "U32" };
        json!({
            "__metadata__": {
                (VOCAB_SIZE): self.vocab_size.to_string(),
                (MADE_FROM): self.made_from,
            },
            (IDS): { "dtype": dtype, "shape": [count], "data_offsets": [0, bytes] },
        })
        .to_string()
    }

    /// Bytes before the ids, the same for any number of them: room for the longest number, and
    /// ids that begin at a multiple of 8.
    fn header_len(&self) -> usize {
        8 + self.json(u64::MAX).len().next_multiple_of(8)
    }

    /// The length of the JSON, and the JSON filled up with spaces.
    fn header(&self) -> Vec<u8> {
        let len = self.header_len();
        let mut header = ((len - 8) as u64).to_le_bytes().to_vec();
        header.extend(self.json(self.count).into_bytes());
        header.resize(len, b' ');
        header
    }

    fn write(
        &mut self,
        action: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), Error> {
        action(&mut self.file).map_err(|source| unwritable(&self.path, source))
    }
}

impl Drop for TokenWriter {
    fn drop(&mut self) {
        if !self.is_finished {
            // What cannot be removed is written over the next time.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

fn unwritable(path: &Path, source: io::Error) -> Error {
    Error::Io { path: path.into(), action: "write", source }
}

#[cfg(test)]
mod tests {
    use super::super::TokenFile;
    use super::*;

    #[test]
    fn what_is_written_is_read_back_in_either_width() {
        let folder = tempfile::tempdir().unwrap();
        for (vocab_size, largest) in [(1 << 16, 65_535), ((1 << 16) + 1, 65_536)] {
            let path = folder.path().join(format!("{vocab_size}.safetensors"));
            let mut writer = TokenWriter::create(&path, vocab_size, "a \"test\"").unwrap();
            for row in [&[0, 7, largest][..], &[], &[3; 40_000]] {
                writer.push(row).unwrap();
            }
            assert_eq!(writer.finish().unwrap(), 40_003);
            let file = TokenFile::open(&path).unwrap();
            assert_eq!((file.token_count(), file.vocab_size()), (40_003, vocab_size));
            assert_eq!(file.ids(0..4).unwrap(), [0, 7, largest, 3]);
            let bytes = fs::read(&path).unwrap();
            let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            assert_eq!(read.tensor("ids").unwrap().shape(), [40_003]);
            let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
            assert_eq!(header.metadata().as_ref().unwrap()["made_from"], "a \"test\"");
        }
    }

    #[test]
    fn a_file_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let mut writer = TokenWriter::create(&path, 10, "").unwrap();
        writer.push(&[1, 2]).unwrap();
        assert_eq!(
            writer.push(&[3, 10]).unwrap_err().to_string(),
            "token id 10 at position 3 is beyond the vocabulary of 10 tokens (ids 0 to 9)"
        );
        drop(writer);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_exists_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        fs::write(&path, "mine").unwrap();
        assert_eq!(
            TokenWriter::create(&path, 10, "").err().unwrap().to_string(),
            format!("{}: exists already; name a new file, or remove it", path.display())
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
