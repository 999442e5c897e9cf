//! Prompts: what a row gives a model, whether or not its target is known.

use super::task::{IDS, NOT_ATTRIBUTES, category, ids, required, text};
use super::{DataError, Example, Row, Task};

impl Task {
    /// The example of a row that is to be written: the prompt as [`Task::example`] makes it in training,
    /// and no target, even if the row has one. The prompt of a language model is its `text`.
    ///
    /// # Errors
    /// A [`DataError`] that names file, line and field when a field of the prompt is missing, empty or
    /// of a wrong type.
    pub fn prompt(self, row: &Row) -> Result<Example, DataError> {
        let example = Example { line: row.line, category: category(row)?, ..Example::default() };
        let of_field = |field| {
            let prompt = required(row, field, self)?.to_string();
            Ok(Example { prompt, ..example.clone() })
        };
        match (self, row.get(IDS)) {
            (_, Some(value)) => Ok(Example { ids: Some(ids(row, IDS, value)?), ..example }),
            (Task::Describe, None) => describe(row, example),
            (Task::Answer, None) => answer(row, example),
            (Task::LanguageModel | Task::MaskedLanguageModel | Task::Classify, None) => {
                of_field("text")
            }
            (Task::Seq2seq, None) => of_field("source"),
        }
    }
}

/// A line for each attribute. A row tells tone and audience as it does colour and size: in a field of
/// that name, which a model understands that was trained with it.
pub(super) fn describe(row: &Row, example: Example) -> Result<Example, DataError> {
    let fields = row.fields.iter().filter(|(field, _)| !NOT_ATTRIBUTES.contains(&field.as_str()));
    let attributes = fields
        .map(|(field, value)| Ok((field.clone(), text(row, field, value)?.to_string())))
        .collect::<Result<Vec<_>, DataError>>()?;
    let lines = attributes.iter().map(|(field, value)| format!("{field}: {value}\n"));
    let prompt = lines.collect::<String>() + "description:";
    Ok(Example { prompt, attributes, ..example })
}

pub(super) fn answer(row: &Row, example: Example) -> Result<Example, DataError> {
    let question = required(row, "question", Task::Answer)?.to_string();
    let context = match row.get("context").filter(|context| context.kind() != "null") {
        Some(context) => Some(text(row, "context", context)?.to_string()),
        None => None,
    };
    let prompt = answer_prompt(context.as_deref(), &question);
    Ok(Example { prompt, question: Some(question), context, ..example })
}

/// The prompt of a question.
pub(crate) fn answer_prompt(context: Option<&str>, question: &str) -> String {
    let context = context.map_or(String::new(), |context| format!("context: {context}\n"));
    format!("{context}question: {question}\nanswer:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::json;

    fn row(line: &str) -> Row {
        json::row(&"data.jsonl".into(), 3, line).unwrap()
    }

    #[test]
    fn the_prompt_is_that_of_training() {
        for (task, line) in [
            (Task::Describe, r#"{"name": "Lamp", "tone": "warm", "description": "A lamp."}"#),
            (Task::Answer, r#"{"question": "Soft?", "context": "Wool.", "answer": "Yes."}"#),
            (Task::Answer, r#"{"question": "Soft?", "answer": "Yes."}"#),
            (Task::Classify, r#"{"text": "Broke.", "label": "bad"}"#),
            (Task::Seq2seq, r#"{"source": "a", "target": "b", "category": "c"}"#),
            (Task::Seq2seq, r#"{"ids": [5, 6], "target_ids": [7]}"#),
        ] {
            let trained = task.example(&row(line)).unwrap();
            let untold = Example { target: String::new(), target_ids: None, ..trained };
            assert_eq!(task.prompt(&row(line)).unwrap(), untold);
        }
    }

    #[test]
    fn a_target_may_be_absent_or_empty() {
        let prompt = |task: Task, line| task.prompt(&row(line)).map(|example| example.prompt);
        let described = prompt(Task::Describe, r#"{"tone": "warm", "description": ""}"#).unwrap();
        assert_eq!(described, "tone: warm\ndescription:");
        let asked = prompt(Task::Answer, r#"{"question": "Soft?"}"#).unwrap();
        assert_eq!(asked, "question: Soft?\nanswer:");
        assert_eq!(
            prompt(Task::Answer, r#"{"context": "Wool."}"#).unwrap_err().to_string(),
            "data.jsonl, line 3: field \"question\" is missing; an answer row holds \"question\", \
             \"answer\" and perhaps \"context\" (or \"ids\" and \"target_ids\")"
        );
    }
}
