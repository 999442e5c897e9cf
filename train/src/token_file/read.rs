//! Token files are read through a memory map of the block that is asked for.
//!
//! A map of the whole file would keep in the process what it has once read, as far as memory goes,
//! and would count against its address space; a block costs some microseconds to map.

use super::{IDS, VOCAB_SIZE};
use crate::Error;
use crate::data::open;
use crate::sequence::{Sequence, Sequences, check_block_fits};
use memmap2::MmapOptions;
use safetensors::tensor::{Dtype, Metadata};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The longest header: one tensor and two notes.
const MAX_HEADER: u64 = 1 << 20;

/// A token file.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    file: File,
    /// The byte at which the ids begin.
    start: u64,
    count: usize,
    /// Bytes of an id.
    id_bytes: usize,
    vocab_size: usize,
}

impl TokenFile {
    /// Opens a token file. The ids are not looked at yet.
    ///
    /// # Errors
    /// If it cannot be read, or is no whole token file.
    pub fn open(path: &Path) -> Result<TokenFile, Error> {
        let (mut file, len) = open(path)?;
        let wrong = |reason: String| broken(path, reason);
        let (start, header) = read_header(&mut file, len)
            .map_err(|error| wrong(format!("not a whole safetensors file: {error}")))?;
        let ids = header.info(IDS).ok_or_else(|| wrong("holds no tensor \"ids\"".into()))?;
        let id_bytes = match ids.dtype {
            Dtype::U16 => 2,
            Dtype::U32 => 4,
            other => return Err(wrong(format!("its ids are {other:?}, not U16 or U32"))),
        };
        let [count] = ids.shape[..] else {
            return Err(wrong(format!("its ids have the shape {:?}, not one axis", ids.shape)));
        };
        let named = header.metadata().as_ref().and_then(|metadata| metadata.get(VOCAB_SIZE));
        let vocab_size = named
            .and_then(|size| size.parse().ok())
            .ok_or_else(|| wrong("its metadata names no vocab_size".into()))?;
        let start = start + ids.data_offsets.0 as u64;
        Ok(TokenFile { path: path.into(), file, start, count, id_bytes, vocab_size })
    }

    /// The file as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many ids it holds.
    pub fn token_count(&self) -> usize {
        self.count
    }

    /// How many tokens the vocabulary has that it was made for.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The ids of a range.
    ///
    /// # Errors
    /// If one is not in the vocabulary, or the file has become shorter.
    ///
    /// # Panics
    /// If the range goes beyond the file.
    pub fn ids(&self, range: Range<usize>) -> Result<Vec<u32>, Error> {
        assert!(range.end <= self.count, "ids: {range:?} of {} ids", self.count);
        let bytes = self.map(&range).map_err(|source| Error::Io {
            path: self.path.clone(),
            action: "map",
            source,
        })?;
        let ids: Vec<u32> = match self.id_bytes {
            2 => bytes.as_chunks().0.iter().map(|&id| u16::from_le_bytes(id).into()).collect(),
            _ => bytes.as_chunks().0.iter().map(|&id| u32::from_le_bytes(id)).collect(),
        };
        match ids.iter().position(|&id| id as usize >= self.vocab_size) {
            None => Ok(ids),
            Some(position) => Err(broken(
                &self.path,
                format!(
                    "token id {} at position {} is beyond its vocabulary of {} tokens",
                    ids[position],
                    range.start + position,
                    self.vocab_size
                ),
            )),
        }
    }

    /// The bytes of a range of ids.
    fn map(&self, range: &Range<usize>) -> io::Result<memmap2::Mmap> {
        let first = self.start + (range.start * self.id_bytes) as u64;
        let len = range.len() * self.id_bytes;
        if self.file.metadata()?.len() < first + len as u64 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it was cut short"));
        }
        // SAFETY: a map is sound as long as no one truncates the file while it is used, which the
        // documentation of the module asks of the user; it is used for as long as ids are copied.
        unsafe { MmapOptions::new().offset(first).len(len).map(&self.file) }
    }

    /// Its ids as blocks of `seq_len + 1` tokens that overlap by one, as
    /// [`packed`](crate::sequence::packed) makes them; what does not fill a block is left out.
    ///
    /// # Errors
    /// If not one block is filled.
    pub fn blocks(self, seq_len: usize) -> Result<Blocks, Error> {
        check_block_fits(self.count, seq_len)?;
        Ok(Blocks { file: self, seq_len: seq_len.max(1) })
    }
}

/// The blocks of a token file, each read when it is asked for.
#[derive(Debug)]
pub struct Blocks {
    file: TokenFile,
    seq_len: usize,
}

impl Sequences for Blocks {
    fn count(&self) -> usize {
        (self.file.count - 1) / self.seq_len
    }

    /// Its `line` is the block's number, from 1.
    fn get(&self, index: usize) -> Result<Cow<'_, Sequence>, Error> {
        let start = index * self.seq_len;
        let ids = self.file.ids(start..start + self.seq_len + 1)?;
        Ok(Cow::Owned(Sequence::whole(ids, index + 1)))
    }
}

/// The byte at which the data begin, and the header of a safetensors file of `len` bytes.
fn read_header(file: &mut File, len: u64) -> Result<(u64, Metadata), String> {
    let mut header_len = [0; 8];
    file.read_exact(&mut header_len).map_err(|error| error.to_string())?;
    let header_len = u64::from_le_bytes(header_len);
    if header_len > MAX_HEADER.min(len - 8) {
        return Err(format!("its header of {header_len} bytes is too long"));
    }
    let mut json = vec![0; header_len as usize];
    file.read_exact(&mut json).map_err(|error| error.to_string())?;
    let header: Metadata = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    let (expected, start) = (header.data_len() as u64, 8 + header_len);
    if len - start != expected {
        return Err(format!("it holds {} bytes of data, not {expected}", len - start));
    }
    Ok((start, header))
}

fn broken(path: &Path, reason: String) -> Error {
    let reason = format!("{reason}; write it anew with attendant train --prepare");
    tensor::Error::Format { path: path.into(), reason }.into()
}

#[cfg(test)]
mod tests {
    use super::super::TokenWriter;
    use super::*;
    use crate::data::{Task, parse_rows};
    use crate::sequence::packed;
    use proptest::prelude::*;
    use safetensors::tensor::TensorView;
    use std::collections::HashMap;

    fn file(ids: &[u32], vocab_size: usize) -> (tempfile::TempDir, TokenFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let mut writer = TokenWriter::create(&path, vocab_size, "").unwrap();
        writer.push(ids).unwrap();
        writer.finish().unwrap();
        let file = TokenFile::open(&path).unwrap();
        (folder, file)
    }

    proptest! {
        #[test]
        fn blocks_are_those_of_rows_in_memory(len in 1usize..60, seq_len in 1usize..9) {
            let ids: Vec<u32> = (0..len as u32).map(|i| i * 7 % 300).collect();
            let row = format!("{{\"ids\":{ids:?}}}");
            let rows = parse_rows("x.jsonl", row.as_bytes()).unwrap();
            let expected = packed(&rows.examples(Task::LanguageModel).unwrap(), None, seq_len);
            let (_folder, file) = file(&ids, 300);
            match (file.blocks(seq_len), expected) {
                (Ok(blocks), Ok(expected)) => {
                    prop_assert_eq!(blocks.count(), expected.len());
                    for (i, expected) in expected.iter().enumerate() {
                        prop_assert_eq!(&blocks.get(i).unwrap().ids, &expected.ids);
                    }
                }
                (Err(a), Err(b)) => prop_assert_eq!(a.to_string(), b.to_string()),
                (a, b) => prop_assert!(false, "{a:?} {b:?}"),
            }
        }
    }

    /// The error of a file with these bytes, without its path.
    fn error(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, bytes).unwrap();
        let error = TokenFile::open(&path).unwrap_err().to_string();
        error.strip_prefix(&format!("{}: ", path.display())).unwrap().to_string()
    }

    fn safetensors(name: &str, dtype: Dtype, shape: &[usize], vocab_size: Option<&str>) -> Vec<u8> {
        let bytes = vec![0; shape.iter().product::<usize>() * dtype.bitsize() / 8];
        let view = TensorView::new(dtype, shape.to_vec(), &bytes).unwrap();
        let note = |size: &str| HashMap::from([("vocab_size".to_string(), size.to_string())]);
        safetensors::serialize([(name, view)], vocab_size.map(note)).unwrap()
    }

    #[test]
    fn a_broken_file_says_what_is_wrong() {
        let todo = "; write it anew with attendant train --prepare";
        let whole = safetensors("ids", Dtype::U16, &[50], Some("9"));
        for bytes in [&whole[..whole.len() - 1], &whole[..20], b"", b"\xff\xff\xff\xff\xff\xff\xff"]
        {
            let error = error(bytes);
            assert!(error.starts_with("not a whole safetensors file: "), "{error}");
            assert!(error.ends_with(todo), "{error}");
        }
        for (name, dtype, shape, vocab_size, expected) in [
            ("id", Dtype::U16, &[5][..], Some("9"), "holds no tensor \"ids\""),
            ("ids", Dtype::F32, &[5], Some("9"), "its ids are F32, not U16 or U32"),
            ("ids", Dtype::U16, &[5, 1], Some("9"), "its ids have the shape [5, 1], not one axis"),
            ("ids", Dtype::U32, &[5], None, "its metadata names no vocab_size"),
            ("ids", Dtype::U32, &[5], Some("many"), "its metadata names no vocab_size"),
        ] {
            let found = error(&safetensors(name, dtype, shape, vocab_size));
            assert_eq!(found, format!("{expected}{todo}"));
        }
    }

    #[test]
    fn an_id_beyond_the_vocabulary_is_told_when_its_block_is_read() {
        let (folder, _) = file(&[1, 2, 3, 4, 9, 6, 7], 10);
        let path = folder.path().join("x.safetensors");
        let text = std::fs::read(&path).unwrap();
        let place = text.windows(4).position(|bytes| bytes == b"\"10\"").unwrap();
        let mut smaller = text.clone();
        smaller[place..place + 4].copy_from_slice(b"\"9\" ");
        std::fs::write(&path, smaller).unwrap();
        let blocks = TokenFile::open(&path).unwrap().blocks(2).unwrap();
        assert_eq!(blocks.get(0).unwrap().ids, [1, 2, 3]);
        assert_eq!(
            blocks.get(1).unwrap_err().to_string(),
            format!(
                "{}: token id 9 at position 4 is beyond its vocabulary of 9 tokens; write it anew \
                 with attendant train --prepare",
                path.display()
            )
        );
    }

    #[test]
    fn a_file_that_is_cut_short_while_it_is_used_is_told() {
        let (folder, file) = file(&[1; 5000], 10);
        let path = folder.path().join("x.safetensors");
        let len = std::fs::metadata(&path).unwrap().len();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(len - 2).unwrap();
        assert!(file.ids(0..4999).is_ok());
        assert_eq!(
            file.ids(4990..5000).unwrap_err().to_string(),
            format!("{}: cannot map: it was cut short", path.display())
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        let error = TokenFile::open(Path::new("no/such.safetensors")).unwrap_err();
        assert_eq!(error.to_string(), "no/such.safetensors: no such file; check the path");
    }
}
