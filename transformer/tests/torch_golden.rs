//! Encoder–decoders and the masked language model against the same models made of PyTorch's own
//! layers, on the fixtures that `fixtures/make_encoder_decoder.py` and
//! `fixtures/make_masked_language_model.py` make.

mod golden;

use autograd::{Var, cross_entropy, cross_entropy_smoothed};
use golden::{assert_close, ids, targets};
use serde::de::DeserializeOwned;
use std::fs;
use std::path::PathBuf;
use tensor::{Rng, Tensor, Tokens, file::Contents};
use transformer::{
    Autoregressive, EncoderDecoder, Generation, MaskedLanguageModel, Module, Padded, state,
};

const VOCAB_SIZE: usize = 23;

fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

fn config<C: DeserializeOwned>(path: &str) -> C {
    serde_json::from_str(&fs::read_to_string(fixture(path)).unwrap()).unwrap()
}

fn encoder_decoder(name: &str) -> (EncoderDecoder, Contents) {
    let config = config(&format!("encoder_decoder_tiny/{name}.json"));
    let mut model = EncoderDecoder::new(config, &mut Rng::seeded(1)).unwrap();
    let path = |kind| fixture(&format!("encoder_decoder_tiny/{name}{kind}.safetensors"));
    state::load_file(&mut model, &path("")).unwrap();
    (model, tensor::file::read(&path("_golden")).unwrap())
}

fn masked_language_model() -> (MaskedLanguageModel, Contents) {
    let config = config("masked_language_model_tiny/config.json");
    let mut model = MaskedLanguageModel::new(config, &mut Rng::seeded(1)).unwrap();
    let path = |name| fixture("masked_language_model_tiny").join(name);
    state::load_file(&mut model, &path("model.safetensors")).unwrap();
    (model, tensor::file::read(&path("golden.safetensors")).unwrap())
}

/// The rows of a padded matrix of ids without their padding, token 0.
fn unpadded(golden: &Contents, name: &str) -> Padded {
    let mut rows = ids(golden, name);
    for row in &mut rows {
        row.truncate(row.iter().position(|&id| id == 0).unwrap_or(row.len()));
    }
    Padded::right(&rows, VOCAB_SIZE).unwrap()
}

/// The numbers at real tokens: `[batch_size, seq_len, ..]` → `[count, ..]`
fn at_tokens(x: &Tensor, padded: &Padded) -> Tensor {
    let [batch_size, seq_len, width] = *x.shape() else { panic!("{:?}", x.shape()) };
    let rows = x.reshape(&[batch_size * seq_len, width]);
    let real = (0..batch_size * seq_len).filter(|&row| padded.is_token[row]);
    let real: Vec<Tensor> = real.map(|row| rows.narrow(0, row, 1)).collect();
    Tensor::concat(&real.iter().collect::<Vec<_>>(), 0)
}

#[track_caller]
fn assert_loss_and_gradients(model: &impl Module, loss: &Var, golden: &Contents) {
    assert_close("loss", &loss.value().reshape(&[1]), &golden.tensors["loss"]);
    let gradients = loss.backward().unwrap();
    let parameters = model.parameters();
    let expected = golden.tensors.keys().filter(|name| name.starts_with("grad."));
    assert_eq!(parameters.len(), expected.count());
    for (name, parameter) in parameters {
        let gradient = gradients.get(parameter).expect(&name);
        assert_close(&name, gradient, &golden.tensors[&format!("grad.{name}")]);
    }
}

#[test]
fn encoder_decoders_equal_pytorchs() {
    for placement in ["pre", "post"] {
        let (model, golden) = encoder_decoder(placement);
        let source = unpadded(&golden, "source");
        let memory = model.encode(&source);
        let expected = at_tokens(&golden.tensors["memory"], &source);
        assert_close("memory", &at_tokens(memory.states.value(), &source), &expected);
        let target = Tokens::batch(&ids(&golden, "target"), VOCAB_SIZE).unwrap();
        let logits = model.forward(&source, &target);
        assert_close("logits", logits.value(), &golden.tensors["logits"]);
        let loss = cross_entropy_smoothed(&logits, &targets(&golden, VOCAB_SIZE), 0.1);
        assert_loss_and_gradients(&model, &loss, &golden);
    }
}

#[test]
fn greedy_ids_equal_pytorchs() {
    for placement in ["pre", "post"] {
        let (model, golden) = encoder_decoder(placement);
        let settings = Generation {
            max_new_tokens: Some(8),
            end_tokens: Some(vec![]),
            ..Generation::default()
        };
        let mut sources = ids(&golden, "source");
        for source in &mut sources {
            source.retain(|&id| id != 0);
        }
        assert_eq!(model.generate_batch(&sources, &settings).unwrap(), ids(&golden, "greedy"));
    }
}

#[test]
fn teacher_forcing_is_what_the_fixture_trains_with() {
    let (model, golden) = encoder_decoder("pre");
    let labels = targets(&golden, VOCAB_SIZE);
    let end = model.config.end_token;
    let rows = labels.ids().chunks(5).map(|row| row.iter().copied().take_while(|&id| id != end));
    let rows: Vec<Vec<u32>> = rows.map(Iterator::collect).collect();
    let (given, expected) = model.teacher_forcing(&rows).unwrap();
    assert_eq!(given.ids(), ids(&golden, "target").concat());
    assert_eq!(expected.ids(), labels.ids());
}

#[test]
fn the_masked_language_model_equals_pytorchs() {
    let (model, golden) = masked_language_model();
    let text = unpadded(&golden, "text");
    let hidden = model.hidden(&text, None);
    let logits = model.logits(&hidden);
    for (name, ours) in [("hidden", &hidden), ("logits", &logits)] {
        let expected = at_tokens(&golden.tensors[name], &text);
        assert_close(name, &at_tokens(ours.value(), &text), &expected);
    }
    let loss = cross_entropy(&logits, &targets(&golden, VOCAB_SIZE));
    assert_loss_and_gradients(&model, &loss, &golden);
}
