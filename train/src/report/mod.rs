//! A run as one page: `report.html`, which needs no network and no program but a browser.
//!
//! | file | what it holds |
//! |---|---|
//! | `run` | what a run left in its folder |
//! | `axis` | the range of a chart and its ticks |
//! | `curve` | many points as one line of few |
//! | `charts` | the charts of a run |
//! | `spread` | histograms over time |
//! | `machine` | what computed it |
//! | `evaluation` | what the model was measured to be worth |
//! | `scores` | the table of scores beside the baselines |
//! | `shown` | rows that went well and badly |
//! | `judged` | all that is shown of an evaluation |
//! | `card` | the model card, `README.md` |
//! | `page` | all of it, as the template shows it |

mod axis;
mod card;
mod charts;
mod curve;
mod evaluation;
mod judged;
mod machine;
mod page;
mod run;
mod scores;
mod shown;
mod spread;

pub use evaluation::{Evaluation, Group, Shown};
pub use shown::{shown_classes, shown_texts};

use crate::Error;
use minijinja::Environment;
use page::Page;
use run::Run;
use scores::Table;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;

/// Named `.html`, so that every text in it is escaped.
const NAME: &str = "report.html";
const SCORES: &str = "scores.html";

/// Writes `report.html` into a run's folder, from `run.toml`, `metrics.jsonl`, `samples.jsonl`,
/// `histograms.jsonl`, `result.json` and `evaluation.json`, each of which may be absent; and
/// `README.md`, the model card, once the run is finished or measured, unless one that is not ours
/// stands there.
///
/// # Errors
/// If a file can't be read or written, or a line is broken; a last line that was cut short is left
/// out.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let line = r#"{"step":1,"loss":5.5,"lr":1e-3,"grad_norm":2,"tokens":64,"seconds":0.5}"#;
/// std::fs::write(folder.path().join("metrics.jsonl"), line)?;
/// train::report::write(folder.path())?;
/// assert!(std::fs::read_to_string(folder.path().join("report.html"))?.contains("5.5000"));
/// # Ok(()) }
/// ```
pub fn write(folder: &Path) -> Result<(), Error> {
    let run = Run::read(folder)?;
    let page = Page::of(&run);
    let path = folder.join(NAME);
    fs::write(&path, render(&page)).map_err(Error::io(&path, "write"))?;
    if run.result.is_some() || run.evaluation.is_some() {
        card::write(folder, &run, &page)
    } else {
        Ok(())
    }
}

/// The figures that `attendant evaluate --json` prints, for people.
pub fn text(result: &Map<String, Value>) -> String {
    let table = Table::of(result);
    let mut text = table.to_string();
    for (name, value) in judged::details(result) {
        text += &format!("\n{name} {value}");
    }
    if !table.systems.is_empty() {
        text += "\n\n+ the model is better, - it is worse, = not told apart";
    }
    text
}

fn render(page: &Page) -> String {
    let mut templates = Environment::new();
    for (name, text) in [(NAME, include_str!("report.html")), (SCORES, include_str!("scores.html"))]
    {
        templates.add_template(name, text).expect("a fixed template");
    }
    let template = templates.get_template(NAME).expect("it was added");
    template.render(page).expect("the template's fields are the page's")
}

#[cfg(test)]
mod tests;
