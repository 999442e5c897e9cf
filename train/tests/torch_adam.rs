//! Ten Adam steps of encoder–decoders and of the masked language model against PyTorch's, on the
//! fixtures that `make_encoder_decoder.py` and `make_masked_language_model.py` in
//! `transformer/tests/fixtures` make.

use autograd::{Var, cross_entropy, cross_entropy_smoothed};
use serde::de::DeserializeOwned;
use std::fs;
use std::path::PathBuf;
use tensor::{Float, Rng, Targets, Tokens, file::Contents};
use train::optimizer::{Adam, Optimizer};
use transformer::{EncoderDecoder, MaskedLanguageModel, Module, Padded, state};

const VOCAB_SIZE: usize = 23;
const TOLERANCE: f64 = if size_of::<Float>() == 8 { 1e-9 } else { 1e-4 };

fn fixture(path: &str) -> PathBuf {
    let fixtures = "../transformer/tests/fixtures";
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(fixtures).join(path)
}

fn config<C: DeserializeOwned>(path: &str) -> C {
    serde_json::from_str(&fs::read_to_string(fixture(path)).unwrap()).unwrap()
}

/// A matrix of ids, padded with token 0.
fn padded(golden: &Contents, name: &str) -> Padded {
    let (shape, values) = &golden.integers[name];
    let ids: Vec<u32> = values.iter().map(|&id| id as u32).collect();
    let is_token = ids.iter().map(|&id| id != 0).collect();
    Padded { tokens: Tokens::new(ids, VOCAB_SIZE).unwrap().reshape(shape), is_token }
}

fn targets(golden: &Contents) -> Targets {
    let id = |&label: &i64| if label < 0 { Targets::IGNORED } else { label as u32 };
    let labels = golden.integers["labels"].1.iter().map(id);
    Targets::new(labels.collect::<Vec<_>>(), VOCAB_SIZE).unwrap()
}

fn assert_ten_steps<M: Module>(
    model: &mut M,
    mut optimizer: Adam,
    loss: impl Fn(&M) -> Var,
    golden: &Contents,
) {
    for (step, expected) in golden.tensors["adam.losses"].to_vec().into_iter().enumerate() {
        let loss = loss(model);
        let difference = f64::from((loss.item() - expected).abs());
        assert!(difference < TOLERANCE, "step {step}: {} {expected}", loss.item());
        optimizer.step(model, &loss.backward().unwrap(), 1e-2).unwrap();
    }
}

#[test]
fn losses_of_encoder_decoders_equal_pytorchs() {
    for placement in ["pre", "post"] {
        let path = |kind| format!("encoder_decoder_tiny/{placement}{kind}");
        let mut model = EncoderDecoder::new(config(&path(".json")), &mut Rng::seeded(1)).unwrap();
        state::load_file(&mut model, &fixture(&path(".safetensors"))).unwrap();
        let golden = tensor::file::read(&fixture(&path("_golden.safetensors"))).unwrap();
        let (source, target) = (padded(&golden, "source"), padded(&golden, "target").tokens);
        let targets = targets(&golden);
        let loss = |model: &EncoderDecoder| {
            cross_entropy_smoothed(&model.forward(&source, &target), &targets, 0.1)
        };
        let optimizer = Adam { beta2: 0.98, eps: 1e-9, ..Adam::new(0.0) };
        assert_ten_steps(&mut model, optimizer, loss, &golden);
    }
}

#[test]
fn losses_of_the_masked_language_model_equal_pytorchs() {
    let path = |name: &str| format!("masked_language_model_tiny/{name}");
    let config = config(&path("config.json"));
    let mut model = MaskedLanguageModel::new(config, &mut Rng::seeded(1)).unwrap();
    state::load_file(&mut model, &fixture(&path("model.safetensors"))).unwrap();
    let golden = tensor::file::read(&fixture(&path("golden.safetensors"))).unwrap();
    let (text, targets) = (padded(&golden, "text"), targets(&golden));
    let loss = |model: &MaskedLanguageModel| cross_entropy(&model.forward(&text), &targets);
    assert_ten_steps(&mut model, Adam::new(0.0), loss, &golden);
}
