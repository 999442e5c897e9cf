#![no_main]
//! Any bytes as `config.json` beside the weights of a model, whose name the first byte chooses.

use attendant_fuzz::{fixture, with_file};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::fs;
use transformer::{Input, Model, Padded};

const FIXTURES: [&str; 6] =
    ["gpt2_plain", "llama_grouped", "qwen3_tied", "bert_masked", "roberta_classify", "t5_flan"];

thread_local! {
    /// The fixture whose weights lie beside the configuration.
    static BESIDE: RefCell<&'static str> = const { RefCell::new("") };
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, config)) = bytes.split_first() else { return };
    let name = FIXTURES[first as usize % FIXTURES.len()];
    with_file("config.json", config, |path| {
        let folder = path.parent().expect("a file is in a folder");
        if BESIDE.replace(name) != name {
            // The fuzzer's timer interrupts `fs::copy`; reading and writing go on by themselves.
            let weights = fs::read(fixture(name).join("model.safetensors")).expect("a fixture");
            fs::write(folder.join("model.safetensors"), weights).expect("a fixture's copy");
        }
        let Ok(model) = Model::from_pretrained(folder) else { return };
        let Ok(text) = Padded::right(&[[1, 2, 3]], model.vocab_size()) else { return };
        let input = Input { text, token_types: None, target: None };
        std::hint::black_box(model.outputs(&input).ok());
    });
});
