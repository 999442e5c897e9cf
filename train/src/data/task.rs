//! Tasks: the prompt and the target that each makes of a row.

use clap::ValueEnum;

use super::{DataError, Row, Rows, Value};

/// Fields of a `describe` row that are no attributes of its product.
const NOT_ATTRIBUTES: [&str; 6] = ["description", "id", "split", "origin", IDS, TARGET_IDS];
/// The field of token ids in place of the text that is read.
const IDS: &str = "ids";
/// The field of token ids in place of the text that is learned.
const TARGET_IDS: &str = "target_ids";

/// What a model is trained or measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Predict each next token of the row's `text`.
    LanguageModel,
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
    /// The line of the file the row begins on, from 1.
    pub line: usize,
    /// The row's `category`, which groups scores.
    pub category: Option<String>,
    /// The product's attributes in the row's order, the category among them; empty for
    /// [`Task::LanguageModel`].
    pub attributes: Vec<(String, String)>,
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
    /// target is a space and the description. An `answer` prompt is a line `context: …` if there is
    /// one, a line `question: …`, then `answer:`. Of `classify` and `seq2seq` the prompt is the text or
    /// the source as it stands. A row of `ids` is taken as it is: of tasks that write, `target_ids`
    /// stand beside it.
    ///
    /// # Errors
    /// A [`DataError`] that names file, line and field when a field is missing, empty or of a
    /// wrong type.
    pub fn example(self, row: &Row) -> Result<Example, DataError> {
        let example = Example { line: row.line, category: category(row)?, ..Example::default() };
        match (self, row.get(IDS)) {
            (_, Some(value)) => self.of_ids(row, ids(row, IDS, value)?, example),
            (Task::Describe, None) => describe(row, example),
            (Task::Answer, None) => answer(row, example),
            (Task::LanguageModel, None) => {
                Ok(Example { target: self.text(row, "text")?, ..example })
            }
            (Task::Classify, None) => {
                let (prompt, target) = (self.text(row, "text")?, self.text(row, "label")?);
                Ok(Example { prompt, target, ..example })
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

fn describe(row: &Row, example: Example) -> Result<Example, DataError> {
    let target = format!(" {}", required(row, "description", Task::Describe)?);
    let fields = row.fields.iter().filter(|(field, _)| !NOT_ATTRIBUTES.contains(&field.as_str()));
    let attributes = fields
        .map(|(field, value)| Ok((field.clone(), text(row, field, value)?.to_string())))
        .collect::<Result<Vec<_>, DataError>>()?;
    let lines = attributes.iter().map(|(field, value)| format!("{field}: {value}\n"));
    let prompt = lines.collect::<String>() + "description:";
    Ok(Example { prompt, target, attributes, ..example })
}

fn answer(row: &Row, example: Example) -> Result<Example, DataError> {
    let target = format!(" {}", required(row, "answer", Task::Answer)?);
    let question = required(row, "question", Task::Answer)?;
    let context = match row.get("context").filter(|context| context.kind() != "null") {
        Some(context) => format!("context: {}\n", text(row, "context", context)?),
        None => String::new(),
    };
    let prompt = format!("{context}question: {question}\nanswer:");
    Ok(Example { prompt, target, ..example })
}

/// The text of a field that must be there and may not be blank.
fn required<'a>(row: &'a Row, field: &str, task: Task) -> Result<&'a str, DataError> {
    let value = row.get(field).ok_or_else(|| missing(row, field, task))?;
    let text = text(row, field, value)?;
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

fn text<'a>(row: &Row, field: &str, value: &'a Value) -> Result<&'a str, DataError> {
    value.text().ok_or_else(|| {
        let (file, field) = (row.file.to_string(), field.to_string());
        let rule = "write a text or a number";
        DataError::WrongType { file, line: row.line, field, found: value.kind(), rule }
    })
}

fn ids(row: &Row, field: &str, value: &Value) -> Result<Vec<u32>, DataError> {
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

/// The row's category; a null is none.
fn category(row: &Row) -> Result<Option<String>, DataError> {
    match row.get("category") {
        None => Ok(None),
        Some(value) if value.kind() == "null" => Ok(None),
        Some(value) => Ok(Some(text(row, "category", value)?.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::json;

    fn example(task: Task, line: &str) -> Result<Example, DataError> {
        task.example(&json::row(&"data.jsonl".into(), 3, line).unwrap())
    }

    fn error(task: Task, line: &str) -> String {
        example(task, line).unwrap_err().to_string()
    }

    #[test]
    fn describe_lists_the_attributes_in_the_rows_order() {
        let row = r#"{"id": 7, "name": "Lamp", "price": 129.90, "description": "A lamp.",
            "category": "light", "dimmable": true, "gender": "", "split": "x", "origin": "y"}"#;
        let example = example(Task::Describe, &row.replace('\n', " ")).unwrap();
        let prompt =
            "name: Lamp\nprice: 129.90\ncategory: light\ndimmable: true\ngender: \ndescription:";
        assert_eq!(example.prompt, prompt);
        assert_eq!(example.target, " A lamp.");
        assert_eq!(example.category.as_deref(), Some("light"));
        assert_eq!(example.values().collect::<Vec<_>>(), ["Lamp", "129.90", "true", ""]);
        assert_eq!(example.line, 3);
    }

    #[test]
    fn a_language_model_takes_text_or_ids() {
        let row = r#"{"text": "a\nb", "tags": null, "category": null}"#;
        let text = example(Task::LanguageModel, row).unwrap();
        assert_eq!((text.prompt.as_str(), text.target.as_str(), text.category), ("", "a\nb", None));
        let ids = example(Task::LanguageModel, r#"{"ids": [5, 0], "category": "c"}"#).unwrap();
        assert_eq!((ids.ids, ids.category), (Some(vec![5, 0]), Some("c".to_string())));
    }

    #[test]
    fn an_answer_follows_its_question_and_context() {
        let row = r#"{"question": "Is it soft?", "context": "A wool rug.", "answer": "Yes."}"#;
        let with = example(Task::Answer, row).unwrap();
        assert_eq!(with.prompt, "context: A wool rug.\nquestion: Is it soft?\nanswer:");
        assert_eq!((&with.target[..], with.target_text()), (" Yes.", "Yes."));
        let row = r#"{"question": "Is it soft?", "context": null, "answer": "Yes."}"#;
        let without = example(Task::Answer, row).unwrap();
        assert_eq!(without.prompt, "question: Is it soft?\nanswer:");
    }

    #[test]
    fn a_label_may_be_a_number_and_a_target_ids() {
        let row = r#"{"text": "Broke at once.", "label": 0}"#;
        let labelled = example(Task::Classify, row).unwrap();
        assert_eq!((&labelled.prompt[..], &labelled.target[..]), ("Broke at once.", "0"));
        let row = r#"{"ids": [3, 4], "target_ids": [5]}"#;
        for task in [Task::Describe, Task::Answer, Task::Seq2seq] {
            let ids = example(task, row).unwrap();
            assert_eq!((ids.ids, ids.target_ids), (Some(vec![3, 4]), Some(vec![5])));
        }
        let ids = example(Task::Seq2seq, row).unwrap();
        assert!(ids.check_ids("x", 6).is_ok());
        assert_eq!(
            ids.check_ids("x", 5).unwrap_err().to_string(),
            "x, line 3: field \"target_ids\": token id 5 is beyond the vocabulary of 5 tokens"
        );
    }

    #[test]
    fn rows_without_a_target_name_what_is_missing() {
        for (task, row, message) in [
            (
                Task::Classify,
                r#"{"text": "x"}"#,
                "\"label\" is missing; a classify row holds \"text\" (or \"ids\") and \"label\"",
            ),
            (
                Task::Seq2seq,
                r#"{"source": "x"}"#,
                "\"target\" is missing; a seq2seq row holds \"source\" and \"target\" \
                 (or \"ids\" and \"target_ids\")",
            ),
            (
                Task::Answer,
                r#"{"ids": [1]}"#,
                "\"target_ids\" is missing; an answer row holds \"question\", \"answer\" and perhaps \
                 \"context\" (or \"ids\" and \"target_ids\")",
            ),
            (
                Task::Answer,
                r#"{"question": "x", "answer": " "}"#,
                "\"answer\" is empty; fill it in or remove the row",
            ),
        ] {
            assert_eq!(error(task, row), format!("data.jsonl, line 3: field {message}"));
        }
    }

    #[test]
    fn bad_language_model_rows_name_file_line_and_field() {
        for (row, message) in [
            ("{}", r#""text" is missing; a language-model row holds "text" (or "ids")"#),
            (r#"{"text": " "}"#, r#""text" is empty; fill it in or remove the row"#),
            (r#"{"text": ["a"]}"#, r#""text" is an array; write a text or a number"#),
            (r#"{"ids": []}"#, r#""ids" is empty; fill it in or remove the row"#),
            (r#"{"ids": 5}"#, r#""ids" is a number; write an array of whole numbers from 0"#),
            (
                r#"{"ids": [1, -1]}"#,
                r#""ids" is an array of something else; write an array of whole numbers from 0"#,
            ),
        ] {
            let expected = format!("data.jsonl, line 3: field {message}");
            assert_eq!(error(Task::LanguageModel, row), expected);
        }
    }

    #[test]
    fn bad_describe_rows_name_file_line_and_field() {
        assert_eq!(
            error(Task::Describe, r#"{"name": "Lamp"}"#),
            "data.jsonl, line 3: field \"description\" is missing; \
             a describe row holds \"description\" and the product's attributes \
             (or \"ids\" and \"target_ids\")"
        );
        assert_eq!(
            error(Task::Describe, r#"{"brand": null, "description": "x"}"#),
            "data.jsonl, line 3: field \"brand\" is null; write a text or a number"
        );
        assert_eq!(
            error(Task::Describe, r#"{"brand": "x", "description": ""}"#),
            "data.jsonl, line 3: field \"description\" is empty; fill it in or remove the row"
        );
    }
}
