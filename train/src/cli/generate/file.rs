//! A file's rows, written to another with what the model makes of them.

use super::faults::Faults;
use super::source::columns;
use super::writer::{Prompt, Told, Writer, shown};
use crate::Error;
use crate::cli::output::{lines, print};
use crate::data::{RowWriter, Rows, Value};
use crate::progress::duration;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, json};
use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

/// Rows that are written before the next are read: few enough to see them come, many enough that some
/// are of one length.
const AT_ONCE: usize = 128;

impl Writer<'_> {
    /// Writes the rows in their order, those that are done as soon as they are.
    pub fn file(&self, rows: &Rows, prompts: &[Prompt], path: &Path) -> Result<(), Error> {
        let failed = Error::io(path, "write");
        let added = columns(&self.arguments.rules);
        let mut writer = RowWriter::create(path, rows, added).map_err(&failed)?;
        let (mut faults, mut count, mut number) = (Faults::new(), 0, 0);
        let progress = Progress::new(rows.rows.len());
        let parts = rows.rows.chunks(AT_ONCE).zip(prompts.chunks(AT_ONCE));
        for (rows, prompts) in parts {
            let (told, tokens) = self.write(prompts)?;
            count += tokens;
            for (row, told) in rows.iter().zip(&told) {
                number += 1;
                faults.note(number, told.iter().map(|told| &told.written));
                writer.write(row, &added_values(told)).map_err(&failed)?;
            }
            writer.flush().map_err(&failed)?;
            progress.told(number);
        }
        let seconds = progress.finish();
        faults.warn();
        let mut result = Map::new();
        result.insert("rows".into(), json!(number));
        result.insert("seconds".into(), json!(seconds));
        result.insert("tokens_per_second".into(), json!(count as f64 / seconds.max(1e-9)));
        result.extend(faults.fields());
        result.insert("output".into(), json!(path.display().to_string()));
        let result = result.into();
        print(if self.json { format!("{result}") } else { lines(&result) })
    }
}

/// The values of the columns that are added to a row.
fn added_values(told: &[Told]) -> Vec<Value> {
    let texts = told.iter().map(|told| shown(&told.written.text, true));
    let texts = texts.map(|text| Value::Text(text.to_string()));
    let numbers = told.iter().filter_map(|told| told.confidence);
    let numbers = numbers.map(|number| Value::Number(format!("{number:.4}")));
    let cited = told.iter().filter_map(|told| told.cited.clone()).map(Value::Text);
    texts.chain(numbers).chain(cited).collect()
}

/// How far a file is: a bar where a person sees it, else a line now and then.
struct Progress {
    bar: Option<ProgressBar>,
    rows: usize,
    start: Instant,
}

impl Progress {
    fn new(rows: usize) -> Progress {
        let is_seen = rows > AT_ONCE && std::io::stderr().is_terminal();
        let style = ProgressStyle::with_template("{bar:16} {pos}/{len} rows · {msg}");
        let bar = is_seen
            .then(|| ProgressBar::new(rows as u64).with_style(style.expect("a fixed template")));
        Progress { bar, rows, start: Instant::now() }
    }

    fn told(&self, done: usize) {
        let left = self.left(done, self.start.elapsed().as_secs_f64());
        match &self.bar {
            Some(bar) => {
                bar.set_message(left);
                bar.set_position(done as u64);
            }
            None if self.rows > AT_ONCE => eprintln!("{done}/{} rows · {left}", self.rows),
            None => {}
        }
    }

    fn left(&self, done: usize, seconds: f64) -> String {
        let left = (self.rows - done) as f64 * seconds / done.max(1) as f64;
        format!("{} left", duration(left))
    }

    /// The seconds it took.
    fn finish(self) -> f64 {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.start.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_by_hand() {
        let progress = Progress::new(500);
        assert_eq!(progress.left(100, 30.0), "2 min 0 s left");
        assert_eq!(progress.left(500, 30.0), "0 s left");
    }
}
