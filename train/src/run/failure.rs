//! A step that could not be taken is left in a folder, with the weights before it, and a command that
//! takes it again.

use super::{Plan, Saved, save_model};
use crate::Error;
use crate::sequence::{Sequence, Target};
use crate::training::Trainer;
use autograd::detect_anomaly;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use transformer::Model;

/// The file of the step's rows.
const ROWS: &str = "rows.jsonl";

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
    let reason = match write(&folder, &rows, trainer, saved, plan) {
        Ok(()) => format!(
            "{reason}{origin}; its rows and the weights before it are in {0}; repeat it with: \
             attendant train --config {0}/run.toml --output NEW",
            folder.display(),
        ),
        Err(error) => format!("{reason}{origin}; its rows could not be written: {error}"),
    };
    Error::Step { step, lines, reason }
}

/// The run's options, as they are for one step from `folder`: what is about the model's making, about
/// measuring, and about the course of the learning rate goes.
fn options(plan: &Plan, folder: &Path, rows: &[Sequence]) -> String {
    const GO: [&str; 16] = [
        "output",
        "valid",
        "evaluate-every",
        "patience",
        "best",
        "epochs",
        "lora",
        "tokenizer",
        "vocab-size",
        "n-layers",
        "d-model",
        "n-heads",
        "resume",
        "checkpoint-every",
        "warmup",
        "cut",
    ];
    let mut table: toml::Table = plan.options.parse().unwrap_or_default();
    GO.iter().for_each(|name| drop(table.remove(*name)));
    let path = |path: &Path| toml::Value::String(path.display().to_string());
    table.insert("task".into(), task(rows, plan).into());
    table.insert("model".into(), path(folder));
    table.insert("data".into(), path(&folder.join(ROWS)));
    table.insert("steps".into(), 1.into());
    table.insert("schedule".into(), "constant".into());
    table.insert("no-shuffle".into(), true.into());
    table.to_string()
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
    plan: &Plan,
) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    let labels = trainer.model().labels();
    let lines: String = rows.iter().map(|row| of_ids(row, labels).to_string() + "\n").collect();
    for (name, text) in [(ROWS, lines), ("run.toml", options(plan, folder, rows))] {
        let path = folder.join(name);
        fs::write(&path, text).map_err(Error::io(&path, "write"))?;
    }
    save_model(trainer.model(), saved, folder)
}

/// A row of ids, and of what is to be told of them.
fn of_ids(row: &Sequence, labels: &[String]) -> Value {
    match &row.target {
        Target::From(first) => json!({ "ids": row.ids[..*first], "target_ids": row.ids[*first..] }),
        Target::Text(text) => json!({ "ids": row.ids, "target_ids": text }),
        Target::Hidden(hidden) => {
            let (places, ids): (Vec<u32>, Vec<u32>) = hidden.iter().copied().unzip();
            json!({ "ids": row.ids, "target_ids": ids, "places": places })
        }
        Target::Class(class) => json!({ "ids": row.ids, "label": labels.get(*class as usize) }),
    }
}
