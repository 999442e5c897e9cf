//! The rows of a task that are to be written: a file's, or one that the command line tells.

use super::rules::Rules;
use crate::Error;
use crate::data::{Row, Rows, Task, Value, read_rows};
use clap::Args;
use std::path::{Path, PathBuf};

/// What is to be written.
#[derive(Args, Default)]
pub struct Source {
    /// Write what a task asks for, with prompts as in training: describe, answer or seq2seq
    #[arg(long, value_enum, hide_possible_values = true)]
    pub task: Option<Task>,
    /// The rows: JSON Lines or CSV; what they lack is written
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Where to write each row with its `prediction`: a new file that ends in .csv or .jsonl
    #[arg(long)]
    pub output: Option<PathBuf>,
    /// An attribute of a product, NAME=VALUE, in the order in which the model reads them; may be
    /// repeated. Any field is one: with rows that tell a `tone` or an `audience`, a model learns to
    /// write as they say
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Vec<(String, String)>,
    /// A question
    #[arg(long)]
    question: Option<String>,
    /// What the question is about
    #[arg(long)]
    context: Option<String>,
}

/// `name=value`
fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err(format!("{text:?} names no field; write 'colour=red'")),
    }
}

impl Source {
    /// # Errors
    /// If options contradict each other: says what to write instead.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::Usage(text.into()));
        let (is_product, is_question) = (!self.attribute.is_empty(), self.question.is_some());
        match (self.task, &self.data) {
            (None, Some(_)) => return wrong("--data needs a task; add --task describe"),
            (
                Some(task @ (Task::LanguageModel | Task::MaskedLanguageModel | Task::Classify)),
                _,
            ) => {
                let name = task.name();
                return wrong(&format!(
                    "--task {name} writes no text; take describe, answer or seq2seq"
                ));
            }
            (Some(Task::Seq2seq), None) => {
                return wrong(
                    "--task seq2seq needs rows; add --data, or give one text as --prompt",
                );
            }
            (Some(Task::Describe), None) if !is_product => {
                let text = "--task describe needs a product; add --attribute 'name=…', or --data";
                return wrong(text);
            }
            (Some(Task::Answer), None) if !is_question => {
                return wrong("--task answer needs a question; add --question, or --data");
            }
            _ => {}
        }
        let of_task = [
            ("--attribute", is_product, Task::Describe),
            ("--question", is_question, Task::Answer),
            ("--context", self.context.is_some(), Task::Answer),
        ];
        for (option, _, task) in of_task.into_iter().filter(|(_, is_given, _)| *is_given) {
            if self.task != Some(task) {
                let name = task.name();
                return wrong(&format!("{option} is for --task {name}; add it, or leave it out"));
            }
            if self.data.is_some() {
                return wrong(&format!("{option} tells one row, --data many; leave one out"));
            }
        }
        self.check_output()
    }

    fn check_output(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Usage(text));
        match (&self.data, &self.output) {
            (None, Some(_)) => {
                wrong("--output is for the rows of --data; add --data, or leave it out".into())
            }
            (Some(_), None) => wrong("--data needs a file to write; add --output OUT.csv".into()),
            (Some(_), Some(path)) if !is_table(path) => wrong(format!(
                "--output {} ends neither in .csv nor in .jsonl; name one that does",
                path.display()
            )),
            (Some(_), Some(path)) if path.exists() => Err(Error::settings(format!(
                "{}: is there already; name a new file with --output",
                path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// The rows that are to be written, if there is a task.
    ///
    /// # Errors
    /// If the file can't be read, or has a column that is to be added.
    pub fn rows(&self, rules: &Rules) -> Result<Option<Rows>, Error> {
        match (self.task, &self.data) {
            (None, _) => Ok(None),
            (Some(_), None) => self.told().map(Some),
            (Some(_), Some(path)) => {
                let rows = read_rows(path)?;
                refuse_columns(&rows, &columns(rules))?;
                Ok(Some(rows))
            }
        }
    }

    /// The row that the command line tells.
    fn told(&self) -> Result<Rows, Error> {
        let beside = [("context", &self.context), ("question", &self.question)];
        let beside =
            beside.into_iter().filter_map(|(name, text)| Some((name.into(), text.clone()?)));
        let fields: Vec<(String, String)> = self.attribute.iter().cloned().chain(beside).collect();
        for (place, (name, _)) in fields.iter().enumerate() {
            if fields[..place].iter().any(|(earlier, _)| earlier == name) {
                return Err(Error::Usage(format!("--attribute {name} stands twice; keep one")));
            }
        }
        let fields = fields.into_iter().map(|(name, text)| (name, Value::Text(text))).collect();
        let row = Row { file: "the command line".into(), line: 1, fields };
        if let (Some(Task::Describe), true) = (self.task, !self.attribute.is_empty()) {
            let read = Task::Describe.prompt(&row)?.attributes;
            let is_read = |name: &str| read.iter().any(|(read, _)| read == name);
            if let Some((name, _)) = self.attribute.iter().find(|(name, _)| !is_read(name)) {
                return Err(Error::Usage(format!(
                    "--attribute {name} is no attribute of a product; leave it out"
                )));
            }
        }
        Ok(Rows { file: row.file.clone(), rows: vec![row] })
    }
}

fn is_table(path: &Path) -> bool {
    let end = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    end == "csv" || end == "jsonl"
}

/// The columns that are added to a row.
pub fn columns(rules: &Rules) -> Vec<String> {
    let names = [("prediction", true), ("confidence", rules.confidence), ("cited", rules.cite)];
    let names = names.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(name, _)| name);
    let numbers = |name: &str| match rules.variants() {
        1 => vec![name.to_string()],
        variants => (1..=variants).map(|number| format!("{name}_{number}")).collect(),
    };
    names.flat_map(numbers).collect()
}

/// # Errors
/// If a row has one of the columns already.
fn refuse_columns(rows: &Rows, columns: &[String]) -> Result<(), Error> {
    for row in &rows.rows {
        if let Some(name) = columns.iter().find(|name| row.get(name).is_some()) {
            return Err(Error::settings(format!(
                "{}, line {}: field {name:?} is there already, and would be written; rename it, or \
                 remove it",
                rows.file, row.line
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_a_name_and_a_value() {
        assert_eq!(attribute("size = 3=4"), Ok(("size".into(), "3=4".into())));
        assert_eq!(attribute("gender="), Ok(("gender".into(), String::new())));
        let error = "\"red\" names no field; write 'colour=red'";
        assert_eq!(attribute("red"), Err(error.to_string()));
        assert!(attribute("=red").is_err());
    }

    #[test]
    fn the_row_of_the_command_line_is_read_as_a_file_s() {
        let pairs = [("name", "Lamp"), ("tone", "warm")];
        let attribute = pairs.map(|(name, value)| (name.to_string(), value.to_string())).to_vec();
        let source = Source { task: Some(Task::Describe), attribute, ..Source::default() };
        let row = source.told().unwrap().rows.remove(0);
        let prompt = Task::Describe.prompt(&row).unwrap().prompt;
        assert_eq!(prompt, "name: Lamp\ntone: warm\ndescription:");
        let source = Source {
            task: Some(Task::Answer),
            question: Some("Soft?".into()),
            context: Some("Wool.".into()),
            ..Source::default()
        };
        let row = source.told().unwrap().rows.remove(0);
        let prompt = Task::Answer.prompt(&row).unwrap().prompt;
        assert_eq!(prompt, "context: Wool.\nquestion: Soft?\nanswer:");
    }
}
