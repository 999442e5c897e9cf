#![no_main]
//! Any bytes as a GGUF file: its tensors, its tokenizer, and the model that it describes.

use attendant_fuzz::with_file;
use libfuzzer_sys::fuzz_target;
use transformer::{Model, Tokenizer};

fuzz_target!(|bytes: &[u8]| {
    with_file("model.gguf", bytes, |path| {
        let Ok(contents) = tensor::gguf::read(path) else { return };
        for tensor in contents.tensors.values() {
            std::hint::black_box(tensor.sum());
        }
        if let Ok(tokenizer) = Tokenizer::from_pretrained(path) {
            std::hint::black_box(tokenizer.encode("Two 12 cm\n lamps").ok());
        }
        std::hint::black_box(Model::from_pretrained(path).ok());
    });
});
