//! Tasks: the prompt and the target that each makes of a row.

use clap::ValueEnum;
use std::collections::BTreeSet;

use super::answerable::answerable;
use super::{DataError, Row, Rows, Value, prompt};

/// Fields of a `describe` row that are no attributes of its product.
pub(super) const NOT_ATTRIBUTES: [&str; 6] =
    ["description", "id", "split", "origin", IDS, TARGET_IDS];
/// The field of token ids in place of the text that is read.
pub(super) const IDS: &str = "ids";
/// The field of token ids in place of the text that is learned.
const TARGET_IDS: &str = "target_ids";
/// The field of the places of hidden tokens among the ids.
const PLACES: &str = "places";

/// What a model is trained or measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Predict each next token of the row's `text`.
    LanguageModel,
    /// Fill in tokens of the row's `text` that are hidden, as BERT was pretrained.
    MaskedLanguageModel,
    /// Write a product's `description` from its attributes.
    Describe,
    /// Tell the `label` of a `text`.
    Classify,
    /// Write the `answer` to a `question`, with its `context` if there is one.
    Answer,
    /// Write the `target` of a `source`.
    Seq2seq,
}

/// A row as a model sees it: it is given the prompt and learns the target.
///
/// The end token belongs to the target too; it has no text, and is added with the tokenization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// What the model is given; empty for [`Task::LanguageModel`].
    pub prompt: String,
    /// What it is to write, with the space that parts it from the prompt, or the label it is to tell;
    /// empty when there are ids in its place.
    pub target: String,
    /// Token ids that stand in the row in place of the text that is read: of the whole text of a
    /// language model, of the prompt elsewhere.
    pub ids: Option<Vec<u32>>,
    /// Token ids that stand in the row in place of the target's text, its end token included.
    pub target_ids: Option<Vec<u32>>,
    /// The places among the ids that the target's ids were hidden at, in ascending order; `None` where
    /// none is hidden yet.
    pub places: Option<Vec<u32>>,
    /// The line of the file the row begins on, from 1.
    pub line: usize,
    /// The row's `category`, which groups scores.
    pub category: Option<String>,
    /// The product's attributes in the row's order, the category among them; empty for
    /// [`Task::LanguageModel`].
    pub attributes: Vec<(String, String)>,
    /// The question of an `answer` row of text.
    pub question: Option<String>,
    /// Its context, if it has one.
    pub context: Option<String>,
    /// Whether its context tells the answer, where the row's `answerable` says so.
    pub answerable: Option<bool>,
}

impl Example {
    /// The attributes' values that a description should mention: all but the category.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let named = self.attributes.iter().filter(|(field, _)| field != "category");
        named.map(|(_, value)| value.as_str())
    }

    /// The target's text as it stood in the row.
    pub fn target_text(&self) -> &str {
        self.target.strip_prefix(' ').unwrap_or(&self.target)
    }

    /// # Errors
    /// If one of its ids, in a file of this name, is not in the vocabulary.
    pub fn check_ids(&self, file: &str, vocab_size: usize) -> Result<(), DataError> {
        for (field, ids) in [(IDS, &self.ids), (TARGET_IDS, &self.target_ids)] {
            let mut ids = ids.iter().flatten();
            if let Some(&id) = ids.find(|&&id| id as usize >= vocab_size) {
                let (file, line) = (file.to_string(), self.line);
                return Err(DataError::BeyondVocabulary { file, line, field, id, vocab_size });
            }
        }
        Ok(())
    }
}

impl Task {
    /// The example that the row makes.
    ///
    /// A `describe` prompt is a line `field: value` for each attribute, then `description:`; its
    /// target is a space and the description. Any field is an attribute, such as the `tone` or the
    /// `audience` of the text. An `answer` prompt is a line `context: …` if there is one, a line
    /// `question: …`, then `answer:`; its `answerable`, `yes` or `no`, may say whether the context tells
    /// the answer. Of `classify` and `seq2seq` the prompt is the text or the source as it stands; a text
    /// with a label may be blank, as reviews are that are but stars. A row of `ids` is taken as it is: of
    /// tasks that write, `target_ids` stand beside it; of a masked language model, `target_ids` and their
    /// `places` where tokens are hidden already.
    ///
    /// # Errors
    /// A [`DataError`] that names file, line and field when a field is missing, empty or of a
    /// wrong type.
    pub fn example(self, row: &Row) -> Result<Example, DataError> {
        let answerable = if self == Task::Answer { answerable(row)? } else { None };
        let (line, category) = (row.line, category(row)?);
        let example = Example { line, category, answerable, ..Example::default() };
        match (self, row.get(IDS)) {
            (_, Some(value)) => self.of_ids(row, ids(row, IDS, value)?, example),
            (Task::Describe, None) => {
                let target = format!(" {}", required(row, "description", self)?);
                prompt::describe(row, Example { target, ..example })
            }
            (Task::Answer, None) => {
                let target = format!(" {}", required(row, "answer", self)?);
                prompt::answer(row, Example { target, ..example })
            }
            (Task::LanguageModel, None) => {
                Ok(Example { target: self.text(row, "text")?, ..example })
            }
            (Task::MaskedLanguageModel, None) => {
                let prompt = present(row, "text", self)?.to_string(); // a blank one hides nothing
                Ok(Example { prompt, ..example })
            }
            (Task::Classify, None) => {
                let (prompt, target) = (given_text(row)?, self.text(row, "label")?);
                Ok(Example { prompt: prompt.to_string(), target, ..example })
            }
            (Task::Seq2seq, None) => {
                let (prompt, target) = (self.text(row, "source")?, self.text(row, "target")?);
                Ok(Example { prompt, target: format!(" {target}"), ..example })
            }
        }
    }

    fn of_ids(
        self,
        row: &Row,
        given: Vec<u32>,
        mut example: Example,
    ) -> Result<Example, DataError> {
        example.ids = Some(given);
        match self {
            Task::LanguageModel => {}
            Task::MaskedLanguageModel => hidden(row, &mut example)?,
            Task::Classify => example.target = self.text(row, "label")?,
            Task::Describe | Task::Answer | Task::Seq2seq => {
                let target = row.get(TARGET_IDS).ok_or_else(|| missing(row, TARGET_IDS, self))?;
                example.target_ids = Some(ids(row, TARGET_IDS, target)?);
            }
        }
        Ok(example)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Task::LanguageModel => "language-model",
            Task::MaskedLanguageModel => "masked-language-model",
            Task::Describe => "describe",
            Task::Classify => "classify",
            Task::Answer => "answer",
            Task::Seq2seq => "seq2seq",
        }
    }

    fn text(self, row: &Row, field: &str) -> Result<String, DataError> {
        required(row, field, self).map(str::to_string)
    }

    /// What a row of the task holds.
    fn rule(self) -> &'static str {
        match self {
            Task::LanguageModel => "a language-model row holds \"text\" (or \"ids\")",
            Task::MaskedLanguageModel => {
                "a masked-language-model row holds \"text\" (or \"ids\", with \"target_ids\" and \
                 \"places\" where tokens are hidden already)"
            }
            Task::Describe => {
                "a describe row holds \"description\" and the product's attributes \
                 (or \"ids\" and \"target_ids\")"
            }
            Task::Classify => "a classify row holds \"text\" (or \"ids\") and \"label\"",
            Task::Answer => {
                "an answer row holds \"question\", \"answer\" and perhaps \"context\" \
                 (or \"ids\" and \"target_ids\")"
            }
            Task::Seq2seq => {
                "a seq2seq row holds \"source\" and \"target\" (or \"ids\" and \"target_ids\")"
            }
        }
    }
}

impl Rows {
    /// Each row's example, in the file's order.
    ///
    /// # Errors
    /// The first row's [`DataError`] that the task cannot use.
    pub fn examples(&self, task: Task) -> Result<Vec<Example>, DataError> {
        self.rows.iter().map(|row| task.example(row)).collect()
    }
}

/// How many of the rows stand among `others` too.
pub fn count_in(rows: &[Example], others: &[Example]) -> usize {
    fn key(example: &Example) -> (&str, &str, Option<&[u32]>, Option<&[u32]>) {
        let Example { prompt, target, ids, target_ids, .. } = example;
        (prompt, target, ids.as_deref(), target_ids.as_deref())
    }
    let others: BTreeSet<_> = others.iter().map(key).collect();
    rows.iter().filter(|example| others.contains(&key(example))).count()
}

/// The `text` of a row whose label is to be told; it may be blank.
///
/// # Errors
/// If it is missing or of a wrong type.
pub fn given_text(row: &Row) -> Result<&str, DataError> {
    present(row, "text", Task::Classify)
}

/// The text of a field that must be there.
fn present<'a>(row: &'a Row, field: &str, task: Task) -> Result<&'a str, DataError> {
    text(row, field, row.get(field).ok_or_else(|| missing(row, field, task))?)
}

/// The text of a field that must be there and may not be blank.
pub(super) fn required<'a>(row: &'a Row, field: &str, task: Task) -> Result<&'a str, DataError> {
    let text = present(row, field, task)?;
    if text.trim().is_empty() {
        let (file, field) = (row.file.to_string(), field.to_string());
        return Err(DataError::EmptyField { file, line: row.line, field });
    }
    Ok(text)
}

fn missing(row: &Row, field: &str, task: Task) -> DataError {
    let (file, field) = (row.file.to_string(), field.to_string());
    DataError::MissingField { file, line: row.line, field, rule: task.rule() }
}

pub(super) fn text<'a>(row: &Row, field: &str, value: &'a Value) -> Result<&'a str, DataError> {
    value.text().ok_or_else(|| {
        let (file, field) = (row.file.to_string(), field.to_string());
        let rule = "write a text or a number";
        DataError::WrongType { file, line: row.line, field, found: value.kind(), rule }
    })
}

pub(super) fn ids(row: &Row, field: &str, value: &Value) -> Result<Vec<u32>, DataError> {
    let (file, line, field) = (row.file.to_string(), row.line, field.to_string());
    match value.ids() {
        Some(ids) if ids.is_empty() => Err(DataError::EmptyField { file, line, field }),
        Some(ids) => Ok(ids),
        None => {
            let found = match value.kind() {
                "an array" => "an array of something else",
                other => other,
            };
            let rule = "write an array of whole numbers from 0";
            Err(DataError::WrongType { file, line, field, found, rule })
        }
    }
}

/// The tokens that are hidden in a row of ids, and their places.
fn hidden(row: &Row, example: &mut Example) -> Result<(), DataError> {
    let (targets, places) = match (row.get(TARGET_IDS), row.get(PLACES)) {
        (None, None) => return Ok(()),
        (None, _) => return Err(missing(row, TARGET_IDS, Task::MaskedLanguageModel)),
        (_, None) => return Err(missing(row, PLACES, Task::MaskedLanguageModel)),
        (Some(targets), Some(places)) => (targets, places),
    };
    let (targets, places) = (ids(row, TARGET_IDS, targets)?, ids(row, PLACES, places)?);
    let len = example.ids.as_ref().map_or(0, Vec::len);
    let fit = places.len() == targets.len()
        && places.is_sorted_by(|a, b| a < b)
        && places.iter().all(|&place| (place as usize) < len);
    if !fit {
        let (file, line, field) = (row.file.to_string(), row.line, PLACES.to_string());
        let rule = "write the index among \"ids\" of each of \"target_ids\", in ascending order";
        let found = "not theirs";
        return Err(DataError::WrongType { file, line, field, found, rule });
    }
    (example.target_ids, example.places) = (Some(targets), Some(places));
    Ok(())
}

/// The row's category; a null is none.
pub(super) fn category(row: &Row) -> Result<Option<String>, DataError> {
    match row.get("category") {
        None => Ok(None),
        Some(value) if value.kind() == "null" => Ok(None),
        Some(value) => Ok(Some(text(row, "category", value)?.to_string())),
    }
}

#[cfg(test)]
mod tests;
