//! Token ids with the tokenizer in SmolLM2's GGUF file, equal to llama.cpp's.
//!
//! The file is looked for in `ATTENDANT_MODELS`, texts in `ATTENDANT_DATA`; without them there is
//! nothing to compare.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use transformer::Tokenizer;

fn golden() -> Value {
    serde_json::from_str(include_str!("fixtures/gguf_tokens.json")).unwrap()
}

fn folder(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: {variable} names no folder");
    }
    folder
}

fn tokenizer() -> Option<Tokenizer> {
    let path = folder("ATTENDANT_MODELS")?.join("smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    Some(Tokenizer::from_pretrained(&path).unwrap())
}

#[test]
fn texts_of_all_kinds_have_llama_cpps_ids() {
    let Some(tokenizer) = tokenizer() else { return };
    let golden = golden();
    let texts = ["texts", "passages", "chats"].map(|name| golden[name].as_array().unwrap());
    for case in texts.into_iter().flatten() {
        let text = case["text"].as_str().unwrap();
        let expected: Vec<u64> =
            case["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
        let ids: Vec<u64> = tokenizer.encode(text).unwrap().into_iter().map(u64::from).collect();
        assert_eq!(ids, expected, "{text:?}");
    }
}

/// Calls `visit` with each string of a row, those of nested lists and objects too, in order.
fn each_string(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(parts) => parts.iter().for_each(|part| each_string(part, visit)),
        Value::Object(parts) => parts.values().for_each(|part| each_string(part, visit)),
        _ => {}
    }
}

fn hash(path: &Path, tokenizer: &Tokenizer) -> (u64, String) {
    let (mut digest, mut lines) = (Sha256::new(), 0);
    let text = std::fs::read_to_string(path).unwrap();
    for line in text.split('\n').filter(|line| !line.trim().is_empty()) {
        lines += 1;
        each_string(&serde_json::from_str(line).unwrap(), &mut |text| {
            let ids = tokenizer.encode(text).unwrap();
            let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
            digest.update(ids.join(" ") + "\n");
        });
    }
    let hex = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    (lines, hex)
}

#[test]
fn every_line_of_the_data_has_llama_cpps_ids() {
    let (Some(tokenizer), Some(data)) = (tokenizer(), folder("ATTENDANT_DATA")) else { return };
    for (file, expected) in golden()["files"].as_object().unwrap() {
        let (lines, hash) = hash(&data.join(file), &tokenizer);
        assert_eq!(Some(lines), expected["lines"].as_u64(), "{file}");
        assert_eq!(Some(hash.as_str()), expected["sha256"].as_str(), "{file}");
    }
}
