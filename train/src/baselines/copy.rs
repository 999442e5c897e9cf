//! Copying: a part of the prompt in place of an answer.

use crate::data::{Example, Task};

/// The part of the prompt that is most like an answer, word for word.
///
/// Of a product its name: the attribute `name` or `title`, else the first that is not blank. Of a
/// question its context, or, where there is none, the question. Elsewhere the whole prompt, of
/// `seq2seq` the source. A row of token ids has nothing to copy and gives an empty text. Texts that
/// share words with their prompt are half right this way without a word written.
pub fn copy(task: Task, example: &Example) -> &str {
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
    match task {
        Task::Describe => name(example).map_or("", |(_, value)| value),
        Task::Answer if given(&example.context) => example.context.as_deref().unwrap_or_default(),
        Task::Answer => example.question.as_deref().unwrap_or_default(),
        Task::LanguageModel | Task::MaskedLanguageModel | Task::Classify | Task::Seq2seq => {
            &example.prompt
        }
    }
}

/// The product's name and the field it stands in.
pub(super) fn name(product: &Example) -> Option<(&str, &str)> {
    let filled = || {
        let pairs = product.attributes.iter().map(|(field, value)| (&field[..], &value[..]));
        pairs.filter(|(_, value)| !value.trim().is_empty())
    };
    let is_name = |field: &str| ["name", "title"].contains(&&field.to_lowercase()[..]);
    filled().find(|(field, _)| is_name(field)).or_else(|| filled().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::parse_rows;

    fn copied(task: Task, row: &str) -> String {
        let rows = parse_rows("rows.jsonl", row.as_bytes()).unwrap();
        copy(task, &rows.examples(task).unwrap()[0]).to_string()
    }

    #[test]
    fn a_products_name_is_copied() {
        for (row, name) in [
            (r#"{"brand": "Sol", "name": "Lamp", "description": "x"}"#, "Lamp"),
            (r#"{"brand": "Sol", "Title": "Big Lamp", "description": "x"}"#, "Big Lamp"),
            (r#"{"品牌": " ", "商品": "台灯", "颜色": "白", "description": "x"}"#, "台灯"),
            (r#"{"name": "", "brand": "Sol", "description": "x"}"#, "Sol"),
            (r#"{"description": "x"}"#, ""),
        ] {
            assert_eq!(copied(Task::Describe, row), name, "{row}");
        }
    }

    #[test]
    fn the_context_is_copied_or_the_question() {
        for (row, text) in [
            (r#"{"question": "Soft?", "context": "A wool rug.", "answer": "Yes."}"#, "A wool rug."),
            (r#"{"question": "Soft?", "context": " ", "answer": "Yes."}"#, "Soft?"),
            (r#"{"question": "Soft?", "answer": "Yes."}"#, "Soft?"),
            (r#"{"ids": [1], "target_ids": [2]}"#, ""),
        ] {
            assert_eq!(copied(Task::Answer, row), text, "{row}");
        }
    }

    #[test]
    fn a_source_is_copied_whole() {
        assert_eq!(copied(Task::Seq2seq, r#"{"source": "a b", "target": "c"}"#), "a b");
        assert_eq!(copied(Task::Seq2seq, r#"{"ids": [1], "target_ids": [2]}"#), "");
    }
}
