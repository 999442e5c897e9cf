//! Tasks: the prompt and the target that each makes of a row.

use clap::ValueEnum;

use super::{DataError, Row, Rows, Value};

/// Fields of a `describe` row that are no attributes of its product.
const NOT_ATTRIBUTES: [&str; 5] = ["description", "id", "split", "origin", "ids"];

/// What a model is trained or measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Predict each next token of the row's `text`.
    LanguageModel,
    /// Write a product's `description` from its attributes.
    Describe,
}

/// A row as a model sees it: it is given the prompt and learns the target.
///
/// The end token belongs to the target too; it has no text, and is added with the tokenization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// What the model is given; empty for [`Task::LanguageModel`].
    pub prompt: String,
    /// What it is to write, with the space that parts it from the prompt; empty when there are
    /// `ids`.
    pub target: String,
    /// Token ids that stand in the row in place of the target's text.
    pub ids: Option<Vec<u32>>,
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

    /// # Errors
    /// If one of its `ids`, in a file of this name, is not in the vocabulary.
    pub fn check_ids(&self, file: &str, vocab_size: usize) -> Result<(), DataError> {
        let mut ids = self.ids.iter().flatten();
        match ids.find(|&&id| id as usize >= vocab_size) {
            None => Ok(()),
            Some(&id) => {
                let (file, line) = (file.to_string(), self.line);
                Err(DataError::BeyondVocabulary { file, line, id, vocab_size })
            }
        }
    }
}

impl Task {
    /// The example that the row makes.
    ///
    /// A `describe` prompt is a line `field: value` for each attribute, then `description:`; its
    /// target is a space and the description.
    ///
    /// # Errors
    /// A [`DataError`] that names file, line and field when a field is missing, empty or of a
    /// wrong type.
    pub fn example(self, row: &Row) -> Result<Example, DataError> {
        match self {
            Task::LanguageModel => language_model(row),
            Task::Describe => describe(row),
        }
    }

    /// What a row of the task holds.
    fn rule(self) -> &'static str {
        match self {
            Task::LanguageModel => "a language-model row holds \"text\" (or \"ids\")",
            Task::Describe => "a describe row holds \"description\" and the product's attributes",
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

fn language_model(row: &Row) -> Result<Example, DataError> {
    let ids = match row.get("ids") {
        Some(value) => Some(ids(row, value)?),
        None => None,
    };
    let target = match ids {
        Some(_) => String::new(),
        None => required(row, "text", Task::LanguageModel)?.to_string(),
    };
    let category = category(row)?;
    let (prompt, attributes) = (String::new(), Vec::new());
    Ok(Example { prompt, target, ids, line: row.line, category, attributes })
}

fn describe(row: &Row) -> Result<Example, DataError> {
    let target = format!(" {}", required(row, "description", Task::Describe)?);
    let fields = row.fields.iter().filter(|(field, _)| !NOT_ATTRIBUTES.contains(&field.as_str()));
    let attributes = fields
        .map(|(field, value)| Ok((field.clone(), text(row, field, value)?.to_string())))
        .collect::<Result<Vec<_>, DataError>>()?;
    let lines = attributes.iter().map(|(field, value)| format!("{field}: {value}\n"));
    let prompt = lines.collect::<String>() + "description:";
    let category = category(row)?;
    Ok(Example { prompt, target, ids: None, line: row.line, category, attributes })
}

/// The text of a field that must be there and may not be blank.
fn required<'a>(row: &'a Row, field: &str, task: Task) -> Result<&'a str, DataError> {
    let (file, line, name) = (row.file.to_string(), row.line, field.to_string());
    let Some(value) = row.get(field) else {
        return Err(DataError::MissingField { file, line, field: name, rule: task.rule() });
    };
    let text = text(row, field, value)?;
    if text.trim().is_empty() {
        return Err(DataError::EmptyField { file, line, field: name });
    }
    Ok(text)
}

fn text<'a>(row: &Row, field: &str, value: &'a Value) -> Result<&'a str, DataError> {
    value.text().ok_or_else(|| {
        let (file, field) = (row.file.to_string(), field.to_string());
        let rule = "write a text or a number";
        DataError::WrongType { file, line: row.line, field, found: value.kind(), rule }
    })
}

fn ids(row: &Row, value: &Value) -> Result<Vec<u32>, DataError> {
    let (file, line, field) = (row.file.to_string(), row.line, "ids".to_string());
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
             a describe row holds \"description\" and the product's attributes"
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
