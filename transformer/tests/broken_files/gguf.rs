//! Broken GGUF files.

use crate::copy::*;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use transformer::pretrained::GgufOptions;
use transformer::{Model, Tokenizer};

/// A fixture as a GGUF file, and its bytes.
fn gguf(fixture: &str) -> (Copy, PathBuf, Vec<u8>) {
    let copy = Copy::of(fixture);
    let path = copy.path("model.gguf");
    let model = Model::from_pretrained(copy.folder.path()).unwrap();
    model.save_gguf(&path, &GgufOptions::default()).unwrap();
    let bytes = fs::read(&path).unwrap();
    (copy, path, bytes)
}

/// What a file with other bytes makes.
#[track_caller]
fn with_bytes(path: &Path, bytes: &[u8], what: &str) -> Outcome {
    fs::write(path, bytes).unwrap();
    let tokenizer = catch_unwind(|| Tokenizer::find(path).map(|_| ()));
    if let Err(error) = tokenizer.unwrap_or_else(|_| panic!("{what}: the tokenizer panicked")) {
        check_text(&error.to_string(), what);
    }
    attempt(path, what)
}

#[test]
fn gguf_files_that_are_broken() {
    let _alone = alone();
    for fixture in ["llama_grouped", "gpt2_plain"] {
        let (_copy, path, bytes) = gguf(fixture);
        assert!(with_bytes(&path, &bytes, fixture).is_ok());
        for percent in 0..100 {
            let what = format!("{fixture}: GGUF at {percent} %");
            let outcome = with_bytes(&path, &bytes[..bytes.len() * percent / 100], &what);
            check_text(&outcome.expect_err(&what), &what);
        }
        // To the end of the last name. What follows is its sizes, type and offset: behind the last
        // tensor bytes may be left over.
        let places = bytes.windows(7).rposition(|text| text == b".weight").unwrap() + 7;
        for at in 0..places.min(bytes.len()) {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                let what = format!("{fixture}: GGUF: byte {at} ^ {mask:#x}");
                // Sizes and settings make another model: no error is due.
                if let Err(error) = with_bytes(&path, &flipped, &what) {
                    check_text(&error, &what);
                }
            }
        }
    }
}

#[test]
fn gguf_counts_that_lie() {
    let _alone = alone();
    let (_copy, path, bytes) = gguf("llama_grouped");
    // Tensors, keys, the length of the first key.
    for at in [8, 16, 24] {
        for count in [u64::MAX, 1 << 62, 1 << 40, 1 << 32, 1 << 16, 0] {
            let mut lying = bytes.clone();
            lying[at..at + 8].copy_from_slice(&count.to_le_bytes());
            let what = format!("{count} at byte {at}");
            check_text(&with_bytes(&path, &lying, &what).expect_err(&what), &what);
        }
    }
}
