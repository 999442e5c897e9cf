//! What settings do to scores, against Transformers', on the fixture that
//! `fixtures/make_processors.py` makes.

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use tensor::{Float, Tensor};
use transformer::Generation;
use transformer::generate::sampling;

const TOLERANCE: f64 = if size_of::<Float>() == 8 { 1e-12 } else { 1e-5 };

/// The settings of a case, read as `generation_config.json` is.
fn settings(case: &Value) -> Generation {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("generation_config.json"), case.to_string()).unwrap();
    Generation::from_pretrained(folder.path()).unwrap()
}

/// Ours of one row, and Transformers' `[vocab_size]`: scores; where it samples, of the candidates.
fn assert_equal(case: &Value, row: usize, scores: &[Float], expected: &[Float]) {
    let settings = settings(case);
    if !settings.do_sample {
        for (ours, theirs) in scores.iter().zip(expected) {
            let near = f64::from(ours - theirs).abs() < TOLERANCE;
            assert!(near || ours == theirs, "{case}, row {row}: {ours} {theirs}");
        }
        return;
    }
    let ours = sampling::candidates(scores, &settings);
    let theirs = sampling::probabilities(expected, 1.0);
    assert_eq!(ours.len(), theirs.len(), "{case}, row {row}");
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!((ours.1 - theirs.1).abs() < TOLERANCE, "{case}, row {row}: {ours:?} {theirs:?}");
        // Which of equal scores at a threshold are kept is open.
        assert!(row == 5 || ours.0 == theirs.0, "{case}, row {row}: {ours:?} {theirs:?}");
    }
}

#[test]
fn scores_equal_transformers() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/processors");
    let golden = tensor::file::read(&folder.join("golden.safetensors")).unwrap();
    let text = fs::read_to_string(folder.join("cases.json")).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    let prompt_len = cases["prompt_len"].as_u64().unwrap() as usize;
    let row = |tensor: &Tensor, row: usize| tensor.narrow(0, row, 1).to_vec();
    let (shape, histories) = &golden.integers["histories"];
    let mut count = 0;
    for (index, case) in cases["cases"].as_array().unwrap().iter().enumerate() {
        let expected = &golden.tensors[&format!("processed.{index}")];
        for (i, history) in histories.chunks_exact(shape[1]).enumerate() {
            let history: Vec<u32> = history.iter().map(|&id| id as u32).collect();
            let mut scores = row(&golden.tensors["scores"], i);
            settings(case).process(&history, prompt_len, &mut scores).unwrap();
            assert_equal(case, i, &scores, &row(expected, i));
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}
