//! Broken files: a clear error or, where only what does not count was changed, the same numbers. No
//! panic, and no memory beyond the files' size and a fixed sum.

mod adapters;
mod copy;
mod gguf;

use copy::*;
use serde_json::{Value, json};
use std::fs;
use tensor::{Float, Tensor};
use transformer::{Autoregressive, Generation, Model};

#[test]
fn files_that_end_early() {
    let _alone = alone();
    for fixture in FIXTURES {
        let copy = Copy::of(fixture);
        for file in [weights(&copy), "config.json"] {
            let bytes = fs::read(copy.path(file)).unwrap();
            for percent in 0..100 {
                let what = format!("{fixture}: {file} at {percent} %");
                let outcome = copy.with(file, &bytes[..bytes.len() * percent / 100], &what);
                check_text(&outcome.expect_err(&what), &what);
            }
        }
    }
}

#[test]
fn each_byte_of_a_header_flipped() {
    let _alone = alone();
    for fixture in ["gpt2_plain", "llama_sharded"] {
        let copy = Copy::of(fixture);
        let file = weights(&copy);
        let bytes = fs::read(copy.path(file)).unwrap();
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        for at in 0..header {
            for mask in [0x01, 0x80, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                let what = format!("{fixture}: {file}: byte {at} ^ {mask:#x}");
                copy.check(&copy.with(file, &flipped, &what), &what);
            }
        }
    }
}

#[test]
fn each_byte_of_a_configuration_flipped() {
    let _alone = alone();
    for fixture in FIXTURES {
        let copy = Copy::of(fixture);
        let bytes = fs::read(copy.path("config.json")).unwrap();
        for at in 0..bytes.len() {
            for mask in [0x01, 0xff] {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                let what = format!("{fixture}: config.json: byte {at} ^ {mask:#x}");
                // Another number of heads, say, is another model: no error is due.
                if let Err(error) = copy.with("config.json", &flipped, &what) {
                    check_text(&error, &what);
                }
            }
        }
    }
}

#[test]
fn counts_that_are_absurd() {
    let _alone = alone();
    for fixture in FIXTURES {
        let copy = Copy::of(fixture);
        let text = fs::read(copy.path("config.json")).unwrap();
        let config: Value = serde_json::from_slice(&text).unwrap();
        for (key, _) in config.as_object().unwrap() {
            for value in ABSURD {
                let value: Value = serde_json::from_str(value).unwrap();
                let what = format!("{fixture}: {key} = {value}");
                if let Err(error) = copy.with_config(json!({ key.as_str(): value })) {
                    check_text(&error, &what);
                }
            }
        }
    }
}

#[test]
fn shapes_that_disagree_are_told() {
    let _alone = alone();
    let copy = Copy::of("gpt2_plain");
    let path = copy.path("model.safetensors").display().to_string();
    let config = fs::read(copy.path("config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    let vocab = config["vocab_size"].as_u64().unwrap();
    // A vocabulary larger than the matrix.
    let error = copy.with_config(json!({ "vocab_size": vocab + 1 })).unwrap_err();
    let d_model = config["n_embd"].as_u64().unwrap();
    let expected = format!(
        "transformer.wte.weight is [{vocab}, {d_model}] where [{}, {d_model}] is expected",
        vocab + 1
    );
    assert!(error.starts_with(&path) && error.contains(&expected), "{error}");
    let error = copy.with_config(json!({ "n_layer": 5 })).unwrap_err();
    assert!(error.contains("tensors missing, the first is transformer.h."), "{error}");
    let error = copy.with_config(json!({ "n_layer": 1 })).unwrap_err();
    assert!(error.contains("tensors unexpected, the first is "), "{error}");
}

/// A safetensors file with this header and as many bytes of zeros.
fn with_header(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn offsets_that_lie_and_sizes_that_overflow() {
    let _alone = alone();
    let copy = Copy::of("gpt2_plain");
    let name = "transformer.wte.weight";
    let tensor = |shape: &str, offsets: &str| {
        format!("{{\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    };
    let huge = "[4294967296,4294967296]";
    for header in [
        tensor("[2,2]", "[0,15]"),
        tensor("[2,2]", "[16,0]"),
        tensor("[2,2]", "[16,32]"),
        tensor("[2,2]", "[0,18446744073709551615]"),
        tensor("[2,2]", "[18446744073709551600,18446744073709551615]"),
        tensor(huge, "[0,16]"),
        tensor("[18446744073709551615,18446744073709551615]", "[0,16]"),
        tensor("[0,18446744073709551615,18446744073709551615]", "[0,0]"),
        format!("{{\"{name}\":{}", "[".repeat(100_000)),
        format!("{{\"a\":{}}}", "{\"a\":".repeat(100_000)),
        "[]".into(),
        "{}".into(),
        String::new(),
    ] {
        let what = header.chars().take(120).collect::<String>();
        let outcome = copy.with("model.safetensors", &with_header(&header, 16), &what);
        check_text(&outcome.expect_err(&what), &what);
    }
    for len in [u64::MAX, u64::MAX - 7, 1 << 62, 1 << 40, 100_000_000, 17] {
        let bytes = [&len.to_le_bytes()[..], b"{}              "].concat();
        let what = format!("a header of {len} bytes");
        let outcome = copy.with("model.safetensors", &bytes, &what);
        check_text(&outcome.expect_err(&what), &what);
    }
}

#[test]
fn indices_that_lie() {
    let _alone = alone();
    let copy = Copy::of("llama_sharded");
    let file = "model.safetensors.index.json";
    let bytes = fs::read(copy.path(file)).unwrap();
    for percent in 0..100 {
        let what = format!("{file} at {percent} %");
        let outcome = copy.with(file, &bytes[..bytes.len() * percent / 100], &what);
        check_text(&outcome.expect_err(&what), &what);
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x01;
        let what = format!("{file}: byte {at}");
        copy.check(&copy.with(file, &flipped, &what), &what);
    }
    for map in
        [json!({}), json!({ "a": "../../etc/passwd" }), json!({ "a": "" }), json!([]), json!(7)]
    {
        let what = map.to_string();
        let text = json!({ "weight_map": map }).to_string();
        let outcome = copy.with(file, text.as_bytes(), &what);
        check_text(&outcome.expect_err(&what), &what);
    }
}

#[test]
fn weights_that_are_not_numbers_are_named_when_they_are_used() {
    let _alone = alone();
    for (fixture, token) in [("gpt2_plain", "0"), ("llama_grouped", "0")] {
        let copy = Copy::of(fixture);
        let path = copy.path("model.safetensors");
        let mut contents = tensor::file::read(&path).unwrap().tensors;
        let matrix =
            |name: &str| name.ends_with("mlp.c_proj.weight") || name.ends_with("down_proj.weight");
        let name = contents.keys().find(|name| matrix(name)).unwrap().clone();
        let mut numbers = contents[&name].to_vec();
        numbers[3] = Float::NAN;
        let shape = contents[&name].shape().to_vec();
        contents.insert(name.clone(), Tensor::new(numbers, &shape));
        let named = contents.iter().map(|(name, tensor)| (name.clone(), tensor));
        tensor::file::write(&path.with_extension("new"), named, Default::default()).unwrap();
        fs::rename(path.with_extension("new"), &path).unwrap();
        let model = Model::from_pretrained(copy.folder.path()).unwrap();
        for num_beams in [1, 2] {
            let settings = Generation { num_beams, ..Generation::default() };
            let error = model.generate_batch(&[[1, 2, 3]], &settings).unwrap_err().to_string();
            let expected = format!(
                "the model gives token {token} the score NaN; its weights are broken: {name} holds \
                 NaN or infinity"
            );
            assert_eq!(error, expected);
        }
    }
}
