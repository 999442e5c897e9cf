//! What a training run leaves behind: a model's folder and the metrics of each step.

use crate::Error;
use crate::training::StepReport;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The folder that a run writes.
pub struct Output {
    folder: PathBuf,
}

impl Output {
    /// # Errors
    /// If the folder holds something already.
    pub fn check(folder: &Path) -> Result<Output, Error> {
        let taken = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if taken {
            return Err(Error::settings(format!(
                "{}: is not an empty folder; name a new one with --output",
                folder.display()
            )));
        }
        Ok(Output { folder: folder.into() })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder and the file of metrics, a line a step.
    ///
    /// # Errors
    /// If they can't be made.
    pub fn metrics(&self) -> Result<Metrics, Error> {
        fs::create_dir_all(&self.folder).map_err(|source| Error::Io {
            path: self.folder.clone(),
            action: "make",
            source,
        })?;
        let path = self.folder.join("metrics.jsonl");
        let file = File::create(&path).map_err(|source| Error::Io {
            path: path.clone(),
            action: "write",
            source,
        })?;
        Ok(Metrics { path, file: BufWriter::new(file) })
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
    path: PathBuf,
    file: BufWriter<File>,
}

impl Metrics {
    /// Writes a step's line.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&mut self, report: &StepReport) -> Result<(), Error> {
        let line = serde_json::to_string(report).expect("plain numbers");
        writeln!(self.file, "{line}").and_then(|()| self.file.flush()).map_err(|source| Error::Io {
            path: self.path.clone(),
            action: "write",
            source,
        })
    }
}
