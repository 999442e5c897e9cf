//! The lines of a text as they are read, so that a file need not fit in memory.

use super::DataError;
use super::rows::takes_too_much;
use std::io::BufRead;
use std::sync::Arc;

/// The lines that are not blank, each with its number from 1, without its end.
pub(super) struct Lines<R> {
    pub file: Arc<str>,
    pub bytes: R,
    /// The number of the line read last.
    pub line: usize,
}

impl<R: BufRead> Lines<R> {
    fn next_line(&mut self) -> Result<Option<String>, DataError> {
        let mut line = Vec::new();
        loop {
            let io = |source| DataError::Io { file: self.file.to_string(), source };
            let available = self.bytes.fill_buf().map_err(io)?;
            let end = available.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            if line.try_reserve(taken).is_err() {
                return Err(self.too_large(line.len()));
            }
            line.extend_from_slice(&available[..taken]);
            self.bytes.consume(taken);
            if taken == 0 && line.is_empty() {
                return Ok(None);
            }
            if end.is_some() || taken == 0 {
                break;
            }
        }
        self.line += 1;
        if takes_too_much(&line) {
            return Err(self.too_large(line.len()));
        }
        let file = || self.file.to_string();
        let mut text = String::from_utf8(line)
            .map_err(|_| DataError::NotUtf8 { file: file(), line: self.line })?;
        let end = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text));
        text.truncate(end.map_or(text.len(), str::len));
        Ok(Some(text))
    }

    fn too_large(&self, bytes: usize) -> DataError {
        DataError::TooLarge { file: self.file.to_string(), bytes: bytes as u64 }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<(usize, String), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_line().transpose()? {
                Ok(line) if line.trim().is_empty() => {}
                line => return Some(line.map(|line| (self.line, line))),
            }
        }
    }
}
