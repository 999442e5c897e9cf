//! A step that could not be taken is left in a folder, with the weights before it, and a command that
//! takes it again.

use super::{Plan, Saved, save_model};
use crate::Error;
use crate::sequence::{Sequence, Target};
use crate::training::{Settings, Trainer};
use autograd::detect_anomaly;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tensor::Precision;
use transformer::Model;

/// Leaves the rows of the failed step and the model before it in `failure/`, and gives the error with
/// where the first NaN came from and how the step is taken again.
pub(super) fn leave(
    error: Error,
    trainer: &mut Trainer<'_, Model>,
    saved: &Saved<'_>,
    plan: &Plan,
) -> Error {
    let Error::Step { step, lines, reason } = error else { return error };
    let rows = match trainer.rows(step) {
        Ok(rows) => rows,
        Err(error) => return error,
    };
    let origin = match detect_anomaly(|| trainer.gradients(&rows, step).map(drop)) {
        Err(anomaly) => format!("; {anomaly}"),
        Ok(_) => String::new(),
    };
    let folder = plan.output.join("failure");
    let reason = match write(&folder, &rows, trainer, saved) {
        Ok(()) => format!(
            "{reason}{origin}; its rows and the weights before it are in {}: repeat it with \
             attendant train --task {} --model {} --data {} {} --steps 1 --no-shuffle --output NEW",
            folder.display(),
            task(&rows, plan),
            folder.display(),
            folder.join("rows.jsonl").display(),
            batch_options(trainer.settings()),
        ),
        Err(error) => format!("{reason}{origin}; its rows could not be written: {error}"),
    };
    Error::Step { step, lines, reason }
}

fn batch_options(settings: &Settings) -> String {
    let mut options = format!("--batch-size {}", settings.batch_size);
    if settings.accumulate > 1 {
        options += &format!(" --accumulate {}", settings.accumulate);
    }
    if settings.precision == Precision::Bf16 {
        options += " --precision bf16";
    }
    options
}

/// Blocks of a language model are no rows of text: each goes on from its first token.
fn task<'a>(rows: &[Sequence], plan: &'a Plan) -> &'a str {
    match rows.first().map(|row| &row.target) {
        Some(Target::From(_)) => "seq2seq",
        _ => plan.task,
    }
}

fn write(
    folder: &Path,
    rows: &[Sequence],
    trainer: &Trainer<'_, Model>,
    saved: &Saved<'_>,
) -> Result<(), Error> {
    let failed = |path: &Path, source| Error::Io { path: path.into(), action: "write", source };
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let labels = trainer.model().labels();
    let lines: String = rows.iter().map(|row| of_ids(row, labels).to_string() + "\n").collect();
    let path = folder.join("rows.jsonl");
    fs::write(&path, lines).map_err(|error| failed(&path, error))?;
    save_model(trainer.model(), saved, folder)
}

/// A row of ids, and of what is to be told of them.
fn of_ids(row: &Sequence, labels: &[String]) -> Value {
    match &row.target {
        Target::From(first) => json!({ "ids": row.ids[..*first], "target_ids": row.ids[*first..] }),
        Target::Text(text) => json!({ "ids": row.ids, "target_ids": text }),
        Target::Class(class) => json!({ "ids": row.ids, "label": labels.get(*class as usize) }),
    }
}
