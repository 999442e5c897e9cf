//! Broken adapters.

use crate::copy::*;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Adapters of PEFT's with their base where it lies.
fn adapters(name: &str, base: &str) -> Copy {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let from = fixtures.join("adapters").join(name);
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read(from.join("adapter_config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&text).unwrap();
    config["base_model_name_or_path"] = fixtures.join("models").join(base).to_str().into();
    fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
    let weights = "adapter_model.safetensors";
    fs::copy(from.join(weights), folder.path().join(weights)).unwrap();
    let whole = attempt(folder.path(), name).unwrap();
    Copy { folder, whole }
}

#[test]
fn adapters_that_are_broken() {
    let _alone = alone();
    for (name, base) in [("gpt2", "gpt2_plain"), ("bert_new_head", "bert_masked")] {
        let copy = adapters(name, base);
        for file in ["adapter_config.json", "adapter_model.safetensors"] {
            let bytes = fs::read(copy.path(file)).unwrap();
            for percent in 0..100 {
                let what = format!("{name}: {file} at {percent} %");
                let outcome = copy.with(file, &bytes[..bytes.len() * percent / 100], &what);
                check_text(&outcome.expect_err(&what), &what);
            }
            let is_json = file.ends_with("json");
            let header = match is_json {
                true => bytes.len(),
                false => 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize,
            };
            for at in 0..header {
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x01;
                let what = format!("{name}: {file}: byte {at}");
                // Another scale, or a task left unsaid, is no error.
                match copy.with(file, &flipped, &what) {
                    Ok(_) if is_json => {}
                    outcome => copy.check(&outcome, &what),
                }
            }
        }
        let text = fs::read(copy.path("adapter_config.json")).unwrap();
        let config: Value = serde_json::from_slice(&text).unwrap();
        for key in config.as_object().unwrap().keys() {
            for value in ABSURD {
                let mut config = config.clone();
                config[key] = serde_json::from_str(value).unwrap();
                let what = format!("{name}: {key} = {value}");
                let bytes = config.to_string().into_bytes();
                if let Err(error) = copy.with("adapter_config.json", &bytes, &what) {
                    check_text(&error, &what);
                }
            }
        }
    }
}
