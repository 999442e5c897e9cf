//! `attendant convert`, called as a user calls it.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use transformer::Tokenizer;

fn attendant(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_attendant")).args(arguments).output().unwrap()
}

/// The one line of a failure, its exit status checked and stdout found empty.
#[track_caller]
fn failure(status: i32, arguments: &[&str]) -> String {
    let output = attendant(arguments);
    let error = String::from_utf8_lossy(&output.stderr).trim_end().to_string();
    assert_eq!(output.status.code(), Some(status), "{error}");
    assert!(output.stdout.is_empty());
    error.lines().find(|line| line.starts_with("error: ")).unwrap_or(&error).to_string()
}

#[track_caller]
fn json(arguments: &[&str]) -> Value {
    let output = attendant(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn fixture(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../transformer/tests/fixtures/models");
    root.join(name).display().to_string()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
    fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// What a model computes from a few ids.
    #[track_caller]
    fn numbers(&self, model: &str) -> Vec<f64> {
        let output = self.name("logits.safetensors");
        json(&["logits", "--model", model, "--ids", "1,2,3", "--output", &output]);
        let tensors = tensor::file::read(output.as_ref()).unwrap().tensors;
        let numbers = tensors.get("logits").or(tensors.get("last_hidden_state")).unwrap().to_vec();
        numbers.into_iter().map(f64::from).collect()
    }
}

/// Whether two are the same within `tolerance` of the largest.
#[track_caller]
fn check_near(a: &[f64], b: &[f64], tolerance: f64, what: &str) {
    let largest = a.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    assert_eq!(a.len(), b.len());
    let far = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(far <= tolerance * largest, "{what}: {far} of {largest}");
}

#[test]
fn a_folder_becomes_a_folder() {
    let folder = Folder::new();
    for name in
        ["gpt2_classify", "llama_llama3", "bert_masked", "roberta_answer", "distilbert_bare"]
    {
        let from = fixture(name);
        let whole = folder.numbers(&from);
        let to = folder.name(name);
        let result = json(&["convert", "--from", &from, "--to", &to]);
        assert!(result["parameters"].as_u64().unwrap() > 1000);
        assert_eq!(folder.numbers(&to), whole, "{name}");
        for (dtype, written, tolerance) in [("f16", "float16", 4e-3), ("bf16", "bfloat16", 3e-2)] {
            let to = folder.name(&format!("{name}_{dtype}"));
            json(&["convert", "--from", &from, "--to", &to, "--dtype", dtype]);
            check_near(&whole, &folder.numbers(&to), tolerance, &to);
            let config = fs::read(Path::new(&to).join("config.json")).unwrap();
            let config: Value = serde_json::from_slice(&config).unwrap();
            assert_eq!(config["dtype"], written);
        }
    }
}

#[test]
fn a_folder_becomes_a_file_and_the_file_a_folder() {
    let folder = Folder::new();
    for name in ["gpt2_plain", "llama_grouped", "llama_llama3", "qwen2_tied", "qwen3_untied"] {
        let from = fixture(name);
        let (file, back) = (folder.name(&format!("{name}.gguf")), folder.name(name));
        json(&["convert", "--from", &from, "--to", &file]);
        json(&["convert", "--from", &file, "--to", &back]);
        check_near(&folder.numbers(&from), &folder.numbers(&file), 1e-5, name);
        check_near(&folder.numbers(&from), &folder.numbers(&back), 1e-5, name);
    }
}

#[test]
fn what_stands_beside_the_weights_is_carried_along() {
    let folder = Folder::new();
    let from = folder.path("from");
    fs::create_dir_all(from.join("1_Pooling")).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(Path::new(&fixture("llama_grouped")).join(file), from.join(file)).unwrap();
    }
    // Byte-level pairs; two merges.
    let tokenizer = r#"{
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [{ "id": 0, "content": "<s>", "single_word": false, "lstrip": false,
                           "rstrip": false, "normalized": false, "special": true }],
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                           "use_regex": true },
        "post_processor": null,
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                     "use_regex": true },
        "model": { "type": "BPE", "unk_token": null,
                   "vocab": { "<s>": 0, "l": 1, "a": 2, "m": 3, "la": 4, "lam": 5 },
                   "merges": [["l", "a"], ["la", "m"]] }
    }"#;
    let beside = [
        ("tokenizer.json", tokenizer),
        ("generation_config.json", "{\"max_new_tokens\": 3}"),
        ("chat_template.jinja", "{{ messages[0]['content'] }}"),
        ("1_Pooling/config.json", "{}"),
    ];
    for (name, text) in beside {
        fs::write(from.join(name), text).unwrap();
    }
    let to = folder.path("to");
    json(&["convert", "--from", from.to_str().unwrap(), "--to", to.to_str().unwrap()]);
    for (name, text) in beside {
        assert_eq!(fs::read_to_string(to.join(name)).unwrap(), text);
    }
    let (file, back) = (folder.name("model.gguf"), folder.path("back"));
    json(&["convert", "--from", from.to_str().unwrap(), "--to", &file]);
    json(&["convert", "--from", &file, "--to", back.to_str().unwrap()]);
    let template = fs::read_to_string(back.join("chat_template.jinja")).unwrap();
    assert_eq!(template, beside[2].1);
    let tokenizer = Tokenizer::from_pretrained(back).unwrap();
    assert_eq!(tokenizer.encode("lamlaal<s>m").unwrap(), [5, 4, 2, 1, 0, 3]);
}

#[test]
fn what_cannot_be_written_is_told_and_leaves_nothing() {
    let folder = Folder::new();
    let (from, to) = (fixture("bert_masked"), folder.name("to"));
    assert_eq!(
        failure(2, &["convert", "--from", &from, "--to", &to, "--dtype", "q8_0"]),
        "error: --dtype q8-0 needs a file: name one that ends in .gguf with --to"
    );
    let file = folder.name("bert.gguf");
    assert_eq!(
        failure(1, &["convert", "--from", &from, "--to", &file]),
        format!("error: {file}: cannot be written: GGUF files of \"bert\" are not known here")
    );
    assert!(!folder.path("to").exists() && !folder.path("bert.gguf").exists());
    fs::write(&file, "something").unwrap();
    assert_eq!(
        failure(1, &["convert", "--from", &from, "--to", &file]),
        format!("error: {file}: is there already; name a new file with --to")
    );
    let taken = folder.0.path().display().to_string();
    assert_eq!(
        failure(1, &["convert", "--from", &from, "--to", &taken]),
        format!("error: {taken}: is not an empty folder; name a new one with --to")
    );
    let none = folder.name("none");
    let error = failure(1, &["convert", "--from", &none, "--to", &to]);
    assert!(error.starts_with(&format!("error: {none}: no such folder")), "{error}");
}

#[test]
fn adapters_are_read_where_a_model_is_and_merged_by_convert() {
    let folder = Folder::new();
    let adapters = fixture("../adapters/llama");
    let merged = folder.name("merged");
    json(&["convert", "--from", &adapters, "--to", &merged]);
    assert!(Path::new(&merged).join("model.safetensors").exists());
    let [apart, whole, base] =
        [&adapters, &merged, &fixture("llama_grouped")].map(|model| folder.numbers(model));
    check_near(&apart, &whole, 1e-5, "merged");
    assert!(apart.iter().zip(&base).any(|(a, b)| (a - b).abs() > 0.1));
    let written =
        |model: &str| json(&["generate", "--model", model, "--ids", "1,2,3"])["ids"].clone();
    assert_eq!(written(&adapters), written(&merged));
}
