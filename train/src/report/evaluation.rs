//! What a model was measured to be worth: `evaluation.json`, beside what the run left.

use crate::Error;
use crate::saliency::Word;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// The file's name.
pub(super) const EVALUATION: &str = "evaluation.json";

/// What was measured, on what, and some of the rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Evaluation {
    /// The task's name on the command line.
    pub task: String,
    /// The command that repeats it.
    pub command: String,
    /// The file of the rows.
    pub data: String,
    /// The file that the baselines were fitted on, if one was named.
    pub train: Option<String>,
    /// Rows that were measured.
    pub rows: usize,
    /// How many of them stand in `train` too.
    pub rows_in_train: Option<usize>,
    /// What `attendant evaluate --json` prints.
    pub result: Map<String, Value>,
    /// Some of the rows.
    pub groups: Vec<Group>,
}

/// Rows that have something in common.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Group {
    /// What they have in common.
    pub title: String,
    /// The rows.
    pub rows: Vec<Shown>,
}

/// A row with what the model made of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shown {
    /// The line of the file, from 1.
    pub line: usize,
    /// What the model was given, piece by piece, each with how far it speaks for what was told;
    /// one piece of 0 where that was not measured.
    pub given: Vec<Word>,
    /// What was wanted.
    pub wanted: String,
    /// What the model wrote or told.
    pub written: String,
    /// The name of `score`.
    pub score_name: String,
    /// How sure the model was, or how good its text is, from 0 to 1.
    pub score: f64,
}

impl Evaluation {
    /// Writes it into a model's folder.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(EVALUATION);
        let text = serde_json::to_string_pretty(self).expect("texts and numbers");
        fs::write(&path, text + "\n").map_err(Error::io(&path, "write"))
    }

    /// The rows of all groups.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Shown> {
        self.groups.iter().flat_map(|group| &group.rows)
    }

    /// What was measured on what, in a sentence.
    pub(super) fn what(&self) -> String {
        let known = match self.rows_in_train {
            None => String::new(),
            Some(0) => ", none of which stands in the training rows".into(),
            Some(1) => ", one of which stands in the training rows too".into(),
            Some(known) => format!(", {known} of which stand in the training rows too"),
        };
        let baselines = match &self.train {
            Some(train) => format!("Baselines were fitted on {train}."),
            None => "No baseline was fitted: --train names the rows for one.".into(),
        };
        let (task, rows, data) = (&self.task, self.rows, &self.data);
        format!("Task {task}, {rows} rows of {data}{known}. {baselines}")
    }
}
