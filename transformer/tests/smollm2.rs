//! SmolLM2's GGUF file, weights packed: likelihoods and greedy texts as Transformers has them of the
//! same file dequantized (`fixtures/make_smollm2.py`).
//!
//! The file is looked for in `ATTENDANT_MODELS`; without it there is nothing to compare.

use serde_json::Value;
use tensor::Float;
use tensor::packed::Format;
use transformer::{Autoregressive, Generation, Input, Model, Module, Padded};

fn model() -> Option<Model> {
    let Some(folder) = std::env::var_os("ATTENDANT_MODELS") else {
        eprintln!("skipped: ATTENDANT_MODELS names no folder");
        return None;
    };
    let path = std::path::Path::new(&folder).join("smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    Some(Model::from_pretrained(path).unwrap())
}

fn golden() -> Value {
    serde_json::from_str(include_str!("fixtures/smollm2.json")).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

/// The log-likelihood of all tokens but the first, in nats.
fn log_likelihood(model: &Model, ids: &[u32]) -> f64 {
    let text = Padded::right(&[ids], model.vocab_size()).unwrap();
    let input = Input { text, token_types: None, target: None };
    let logits = model.outputs(&input).unwrap().logits.unwrap();
    let rows = logits.value().data().chunks_exact(model.vocab_size());
    let of_next = |(row, &id): (&[Float], &u32)| {
        let row: Vec<f64> = row.iter().map(|&x| x as f64).collect();
        let largest = row.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
        row[id as usize] - largest - sum.ln()
    };
    rows.zip(&ids[1..]).map(of_next).sum()
}

#[test]
fn likelihoods_are_within_a_thousandth_of_transformers() {
    let Some(model) = model() else { return };
    let (_, embedding) = model.parameters()[0];
    assert_eq!(embedding.value().packed_format(), Some(Format::Q8_0));
    for case in golden()["passages"].as_array().unwrap() {
        let expected = case["log_likelihood"].as_f64().unwrap();
        let found = log_likelihood(&model, &ids(&case["ids"]));
        let apart = ((found - expected) / expected).abs();
        println!("{found} where Transformers has {expected}: {apart:.1e} apart");
        assert!(apart < 1e-3, "{found} instead of {expected}");
    }
}

#[test]
fn greedy_texts_are_transformers() {
    let Some(model) = model() else { return };
    let golden = golden();
    let cases = golden["greedy"].as_array().unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let (prompt, new) = (ids(&case["prompt"]), ids(&case["new"]));
        let settings = Generation {
            max_new_tokens: Some(new.len()),
            end_tokens: Some(Vec::new()),
            ..Generation::default()
        };
        let found = model.generate(&prompt, &settings).unwrap();
        assert_eq!(found[prompt.len()..], new);
    }
}
