//! Real product text, where there is any: the folder that the variable `ATTENDANT_DATA` names.

use std::path::PathBuf;
use train::bpe::train_bpe;
use train::data::{Example, Task, read_rows};

/// The path of a file of real data, or a word that the test is skipped.
fn file(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("ATTENDANT_DATA").map(|folder| PathBuf::from(folder).join(name));
    if path.is_none() {
        eprintln!("skipped: ATTENDANT_DATA names no folder with {name}");
    }
    path
}

fn texts(examples: &[Example]) -> Vec<&str> {
    examples.iter().flat_map(|example| [&example.prompt[..], &example.target]).collect()
}

#[test]
fn english_product_rows_become_prompts_and_come_back_from_tokens() {
    let Some(path) = file("retail-descriptions/train.jsonl") else { return };
    let examples = read_rows(path).unwrap().examples(Task::Describe).unwrap();
    assert!(examples.len() > 1000);
    assert!(examples.iter().all(|example| example.prompt.ends_with("\ndescription:")));
    let tokenizer = train_bpe(&texts(&examples), 2000).unwrap();
    for text in texts(&examples) {
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

#[test]
fn chinese_review_rows_come_back_from_tokens() {
    let Some(path) = file("reviews-zh/valid.jsonl") else { return };
    let examples = read_rows(path).unwrap().examples(Task::LanguageModel).unwrap();
    assert!(examples.len() > 1000);
    let tokenizer = train_bpe(&texts(&examples[..500]), 1000).unwrap();
    for example in &examples {
        let ids = tokenizer.encode(&example.target).unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), example.target);
    }
}
