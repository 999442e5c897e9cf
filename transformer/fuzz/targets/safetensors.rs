#![no_main]
//! Any bytes as `model.safetensors`.

use attendant_fuzz::with_file;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    with_file("model.safetensors", bytes, |path| {
        let Ok(contents) = tensor::file::read(path) else { return };
        for tensor in contents.tensors.values() {
            std::hint::black_box(tensor.sum());
        }
    });
});
