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
fn a_masked_language_model_takes_text_or_ids_some_of_which_may_be_hidden() {
    let of = |row| example(Task::MaskedLanguageModel, row);
    let text = of(r#"{"text": "A lamp.", "label": 1}"#).unwrap();
    assert_eq!((&text.prompt[..], &text.target[..], text.places), ("A lamp.", "", None));
    let ids = of(r#"{"ids": [5, 0, 7]}"#).unwrap();
    assert_eq!((ids.ids, ids.target_ids), (Some(vec![5, 0, 7]), None));
    let hidden = of(r#"{"ids": [5, 0, 7], "target_ids": [3, 7], "places": [1, 2]}"#).unwrap();
    assert_eq!((hidden.target_ids, hidden.places), (Some(vec![3, 7]), Some(vec![1, 2])));
    for places in ["[1]", "[2, 1]", "[1, 1]", "[1, 3]"] {
        let row = r#"{"ids": [5, 0, 7], "target_ids": [3, 7], "places": PLACES}"#;
        assert_eq!(
            error(Task::MaskedLanguageModel, &row.replace("PLACES", places)),
            "data.jsonl, line 3: field \"places\" is not theirs; write the index among \"ids\" of \
             each of \"target_ids\", in ascending order"
        );
    }
    assert_eq!(
        error(Task::MaskedLanguageModel, r#"{"ids": [5, 0, 7], "target_ids": [3]}"#),
        "data.jsonl, line 3: field \"places\" is missing; a masked-language-model row holds \
         \"text\" (or \"ids\", with \"target_ids\" and \"places\" where tokens are hidden already)"
    );
}

#[test]
fn an_answer_follows_its_question_and_context() {
    let row = r#"{"question": "Is it soft?", "context": "A wool rug.", "answer": "Yes."}"#;
    let with = example(Task::Answer, row).unwrap();
    assert_eq!(with.prompt, "context: A wool rug.\nquestion: Is it soft?\nanswer:");
    assert_eq!((&with.target[..], with.target_text()), (" Yes.", "Yes."));
    assert_eq!(with.question.as_deref(), Some("Is it soft?"));
    assert_eq!((with.context.as_deref(), with.answerable), (Some("A wool rug."), None));
    let row = r#"{"question": "Is it soft?", "context": null, "answer": "Yes.",
        "answerable": "no"}"#;
    let without = example(Task::Answer, &row.replace('\n', " ")).unwrap();
    assert_eq!(without.prompt, "question: Is it soft?\nanswer:");
    assert_eq!((without.context, without.answerable), (None, Some(false)));
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
fn a_text_with_a_label_may_be_blank() {
    for text in ["", " "] {
        let row = format!(r#"{{"text": "{text}", "label": "no"}}"#);
        assert_eq!(example(Task::Classify, &row).unwrap().prompt, text);
    }
    assert_eq!(
        error(Task::Classify, r#"{"text": "x", "label": " "}"#),
        "data.jsonl, line 3: field \"label\" is empty; fill it in or remove the row"
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
