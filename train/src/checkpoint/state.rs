//! What a run knows besides weights and the optimizer's memory.

use super::write_file;
use crate::Error;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The version of the file.
const FORMAT: u32 = 1;

/// Where a run stands. All else that a step needs is drawn from the seed and its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    format: u32,
    /// Steps taken.
    pub step: usize,
    /// What tells the rows of the run from others.
    pub fingerprint: String,
    /// The lowest loss on the rows held back.
    pub best_loss: Option<f64>,
    /// Measurements since that brought nothing better.
    pub without_improvement: usize,
}

impl State {
    /// Before the first step.
    pub fn new(fingerprint: &str) -> State {
        State {
            format: FORMAT,
            step: 0,
            fingerprint: fingerprint.into(),
            best_loss: None,
            without_improvement: 0,
        }
    }

    /// Takes in a loss on the rows held back; whether it is the lowest so far.
    pub fn measured(&mut self, loss: f64) -> bool {
        let is_best = self.best_loss.is_none_or(|best| loss < best);
        if is_best {
            (self.best_loss, self.without_improvement) = (Some(loss), 0);
        } else {
            self.without_improvement += 1;
        }
        is_best
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write_file(path, &(serde_json::to_string_pretty(self).expect("plain numbers") + "\n"))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// If it can't be read, is broken, or is of another version.
    pub fn read(path: &Path) -> Result<State, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        let wrong = |reason: String| Error::settings(format!("{}: {reason}", path.display()));
        let state: State = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("is no state of a run: {error}")))?;
        match state.format {
            FORMAT => Ok(state),
            other => Err(wrong(format!("is of version {other}; this program reads {FORMAT}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_loss_counts_and_a_file_brings_all_back() {
        let mut state = State::new("rows");
        for (step, loss, is_best) in
            [(2, 3.0, true), (4, 3.0, false), (6, 2.5, true), (8, 9.0, false)]
        {
            state.step = step;
            assert_eq!(state.measured(loss), is_best);
        }
        assert_eq!((state.best_loss, state.without_improvement), (Some(2.5), 1));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        state.write(&path).unwrap();
        assert_eq!(State::read(&path).unwrap(), state);
        std::fs::write(&path, "{}").unwrap();
        let error = State::read(&path).unwrap_err().to_string();
        assert!(error.contains("state.json: is no state of a run: missing field"), "{error}");
    }
}
