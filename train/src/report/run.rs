//! What a run left in its folder.

use super::evaluation::{EVALUATION, Evaluation};
use crate::Error;
use crate::histogram::HistogramLine;
use crate::samples::Sample;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fs;
use std::io;
use std::path::Path;

/// A line of `metrics.jsonl`; a number that was not finite is null there.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Step {
    pub step: usize,
    pub loss: Option<f64>,
    pub lr: Option<f64>,
    pub grad_norm: Option<f64>,
    #[serde(default)]
    pub tokens: usize,
    #[serde(default)]
    pub seconds: f64,
    #[serde(default)]
    pub valid_loss: Option<f64>,
}

impl Step {
    pub fn tokens_per_second(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.tokens as f64 / self.seconds)
    }
}

/// Everything that is shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// The name of its folder.
    pub name: String,
    pub config: Option<String>,
    pub steps: Vec<Step>,
    pub samples: Vec<Sample>,
    pub histograms: Vec<HistogramLine>,
    pub result: Option<Map<String, Value>>,
    pub evaluation: Option<Evaluation>,
}

impl Run {
    pub fn read(folder: &Path) -> Result<Run, Error> {
        let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.into());
        let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Run {
            name,
            config: text(&folder.join("run.toml"))?,
            steps: lines(&folder.join("metrics.jsonl"))?,
            samples: lines(&folder.join("samples.jsonl"))?,
            histograms: lines(&folder.join("histograms.jsonl"))?,
            result: json(&folder.join("result.json"))?,
            evaluation: json(&folder.join(EVALUATION))?,
        })
    }
}

/// A file that may be absent.
fn text(path: &Path) -> Result<Option<String>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io { path: path.into(), action: "read", source }),
    }
}

/// A file of one value that may be absent.
fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    text(path)?.map(|text| parse(path, 1, &text)).transpose()
}

fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Error> {
    let text = text(path)?.unwrap_or_default();
    let mut found = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        match parse(path, index + 1, line) {
            Ok(value) => found.push(value),
            // A process that was killed may leave a part of a line.
            Err(_) if !line.ends_with('\n') => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn parse<T: DeserializeOwned>(path: &Path, line: usize, text: &str) -> Result<T, Error> {
    serde_json::from_str(text)
        .map_err(|error| Error::settings(format!("{}, line {line}: {error}", path.display())))
}
