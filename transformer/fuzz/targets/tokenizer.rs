#![no_main]
//! Any bytes as `tokenizer.json`.

use attendant_fuzz::with_file;
use libfuzzer_sys::fuzz_target;
use transformer::Tokenizer;

fuzz_target!(|bytes: &[u8]| {
    with_file("tokenizer.json", bytes, |path| {
        let Ok(tokenizer) = Tokenizer::from_file(path) else { return };
        for text in ["Two 12 cm\n lamps <s>", "灯 ✨\u{200d}é"] {
            let Ok(ids) = tokenizer.encode(text) else { continue };
            std::hint::black_box(tokenizer.decode(&ids).ok());
            std::hint::black_box(tokenizer.encode_special(text).ok());
        }
    });
});
