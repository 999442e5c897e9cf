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
//! | `page` | all of it, as the template shows it |

mod axis;
mod charts;
mod curve;
mod machine;
mod page;
mod run;
mod spread;

use crate::Error;
use minijinja::Environment;
use page::Page;
use run::Run;
use std::fs;
use std::path::Path;

/// Named `.html`, so that every text in it is escaped.
const NAME: &str = "report.html";

/// Writes `report.html` into a run's folder, from `run.toml`, `metrics.jsonl`, `samples.jsonl`,
/// `histograms.jsonl` and `result.json`, each of which may be absent.
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
    let html = render(&Run::read(folder)?);
    let path = folder.join(NAME);
    fs::write(&path, html).map_err(|source| Error::Io { path, action: "write", source })
}

fn render(run: &Run) -> String {
    let mut templates = Environment::new();
    templates.add_template(NAME, include_str!("report.html")).expect("a fixed template");
    let template = templates.get_template(NAME).expect("it was added");
    template.render(Page::of(run)).expect("the template's fields are the page's")
}

#[cfg(test)]
mod tests;
