//! What a training run leaves behind: a model's folder and the metrics of each step.

use crate::Error;
use crate::training::StepReport;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// Prints a result on stdout.
///
/// # Errors
/// If stdout can't be written.
pub fn print(result: impl Display) -> Result<(), Error> {
    print_part(format_args!("{result}\n"))
}

/// Prints a part of a result on stdout, which is seen at once.
///
/// # Errors
/// If stdout can't be written.
pub fn print_part(part: impl Display) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    write!(stdout, "{part}").and_then(|()| stdout.flush()).map_err(|source| Error::Io {
        path: "stdout".into(),
        action: "write",
        source,
    })
}

/// A result for people: a line a field.
pub fn lines(result: &Value) -> String {
    let fields = result.as_object().into_iter().flatten();
    fields.map(|(name, value)| format!("{name:18} {value}")).collect::<Vec<_>>().join("\n")
}

/// The folder that a run writes.
pub struct Output {
    folder: PathBuf,
}

impl Output {
    /// # Errors
    /// If the folder holds something already.
    pub fn check(folder: &Path, option: &str) -> Result<Output, Error> {
        let taken = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if taken {
            return Err(Error::settings(format!(
                "{}: is not an empty folder; name a new one with {option}",
                folder.display()
            )));
        }
        Ok(Output { folder: folder.into() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of metrics, a line a step. Folder and file are made with the first line, so that
    /// a run that is refused leaves nothing.
    pub fn metrics(&self) -> Metrics {
        Metrics { folder: self.folder.clone(), file: None }
    }

    /// The SHA-256 of the weights' file, in hexadecimal.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn weights_sha256(&self) -> Result<String, Error> {
        let path = self.folder.join("model.safetensors");
        let failed = |source| Error::Io { path: path.clone(), action: "read", source };
        let mut file = BufReader::with_capacity(1 << 20, File::open(&path).map_err(failed)?);
        let mut hasher = Sha256::new();
        loop {
            let bytes = file.fill_buf().map_err(failed)?;
            if bytes.is_empty() {
                break;
            }
            hasher.update(bytes);
            let read = bytes.len();
            file.consume(read);
        }
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// `metrics.jsonl`.
pub struct Metrics {
    folder: PathBuf,
    file: Option<File>,
}

impl Metrics {
    /// Writes a step's line.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&mut self, report: &StepReport) -> Result<(), Error> {
        let line = serde_json::to_string(report).expect("plain numbers") + "\n";
        let path = self.folder.join("metrics.jsonl");
        let written = match &mut self.file {
            Some(file) => file.write_all(line.as_bytes()),
            None => fs::create_dir_all(&self.folder)
                .and_then(|()| File::create(&path))
                .and_then(|file| self.file.insert(file).write_all(line.as_bytes())),
        };
        written.map_err(|source| Error::Io { path, action: "write", source })
    }
}
