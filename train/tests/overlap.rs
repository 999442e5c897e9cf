//! ROUGE-L, BLEU and SQuAD's scores agree with the reference programs on the texts of
//! `fixtures/overlap.json` (made by `fixtures/make_overlap.py`).

use serde_json::Value;
use train::metrics::{bleu, exact_match, rouge_l, token_f1};

const TOLERANCE: f64 = 1e-12;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/overlap.json")).unwrap()
}

fn texts(row: &Value) -> (&str, &str) {
    (row["reference"].as_str().unwrap(), row["prediction"].as_str().unwrap())
}

#[test]
fn each_text_scores_as_in_the_reference_programs() {
    let fixture = fixture();
    let rows = fixture["sentences"].as_array().unwrap();
    assert!(rows.len() >= 100);
    for row in rows {
        let (reference, prediction) = texts(row);
        for (name, score) in [
            ("rouge_l", rouge_l(reference, prediction)),
            ("bleu", bleu([(reference, prediction)])),
            ("exact_match", exact_match(reference, prediction)),
            ("token_f1", token_f1(reference, prediction)),
        ] {
            let expected = row[name].as_f64().unwrap();
            let difference = (score - expected).abs();
            assert!(difference < TOLERANCE, "{name}: {score}, expected {expected}, of {row:#}");
        }
    }
}

#[test]
fn bleu_of_many_rows_sums_their_counts() {
    let fixture = fixture();
    let rows = fixture["sentences"].as_array().unwrap();
    for corpus in fixture["corpora"].as_array().unwrap() {
        let bound = |name: &str| corpus[name].as_u64().unwrap() as usize;
        let score = bleu(rows[bound("start")..bound("end")].iter().map(texts));
        let expected = corpus["bleu"].as_f64().unwrap();
        assert!((score - expected).abs() < TOLERANCE, "{score}, expected {expected}");
    }
}
