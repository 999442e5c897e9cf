//! Files of JSON lines that tell of steps, such as `metrics.jsonl`, and what a run that goes on keeps
//! of them.

use crate::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file of lines, each of which tells of a step and names it in `step`.
#[derive(Debug)]
pub struct StepLog {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

/// What every line has.
#[derive(Deserialize)]
struct Named {
    step: usize,
}

impl StepLog {
    /// Goes on with a file after `step`: lines of later steps, and a line that was cut short, go. The
    /// file is made with the first line that is written.
    ///
    /// # Errors
    /// If it can't be read or cut.
    pub fn open_after(path: &Path, step: usize) -> Result<StepLog, Error> {
        let failed = |action| Error::io(path, action);
        if path.exists() {
            let text = fs::read(path).map_err(failed("read"))?;
            let kept = kept(&text, step);
            if kept < text.len() {
                let file = OpenOptions::new().write(true).open(path).map_err(failed("write"))?;
                file.set_len(kept as u64).and_then(|()| file.sync_all()).map_err(failed("cut"))?;
            }
        }
        Ok(StepLog { path: path.into(), file: None })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&mut self, line: &impl Serialize) -> Result<(), Error> {
        let line = serde_json::to_string(line).expect("numbers and texts") + "\n";
        let path = &self.path;
        let failed = Error::io(path, "write");
        if self.file.is_none() {
            let file = OpenOptions::new().create(true).append(true).open(path).map_err(&failed)?;
            self.file = Some(BufWriter::new(file));
        }
        let file = self.file.as_mut().expect("it was opened");
        // Each line is whole in the file before the next step is begun.
        file.write_all(line.as_bytes()).and_then(|()| file.flush()).map_err(failed)
    }

    /// Brings what was written to the disk.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn sync(&mut self) -> Result<(), Error> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.get_ref().sync_all().map_err(Error::io(&self.path, "write"))
    }
}

/// The bytes of the lines, whole and in the order of their steps, up to those of `step`.
fn kept(text: &[u8], step: usize) -> usize {
    let mut kept = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let named = line.ends_with(b"\n").then(|| serde_json::from_slice::<Named>(line).ok());
        match named.flatten() {
            Some(named) if named.step <= step => kept += line.len(),
            _ => break,
        }
    }
    kept
}

/// The lines of a file; none where there is no such file.
///
/// # Errors
/// If it can't be read, or a line is broken.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    let line = |(index, line)| {
        serde_json::from_str(line).map_err(|error| {
            Error::settings(format!("{}, line {}: {error}", path.display(), index + 1))
        })
    };
    text.lines().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Line {
        step: usize,
        text: String,
    }

    fn line(step: usize) -> Line {
        Line { step, text: format!("of {step}\n") }
    }

    #[test]
    fn what_came_after_the_step_and_what_was_cut_short_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let mut log = StepLog::open_after(&path, 0).unwrap();
        assert!(!path.exists());
        for step in [1, 2, 2, 3, 4] {
            log.write(&line(step)).unwrap();
        }
        log.sync().unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"step\":5,\"te").unwrap();
        let mut log = StepLog::open_after(&path, 3).unwrap();
        log.write(&line(4)).unwrap();
        let found: Vec<Line> = read(&path).unwrap();
        assert_eq!(found, [1, 2, 2, 3, 4].map(line));
        StepLog::open_after(&path, 0).unwrap();
        assert_eq!(read::<Line>(&path).unwrap(), []);
        assert_eq!(read::<Line>(&folder.path().join("none")).unwrap(), []);
    }

    #[test]
    fn a_broken_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        fs::write(&path, "{\"step\":1,\"text\":\"\"}\n{}\n").unwrap();
        let error = read::<Line>(&path).unwrap_err().to_string();
        assert!(error.contains("a.jsonl, line 2: missing field `step`"), "{error}");
    }
}
