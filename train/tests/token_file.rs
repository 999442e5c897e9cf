//! `attendant train --prepare` and training on the token file it writes.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn attendant(arguments: &str) -> Output {
    let arguments = arguments.split_whitespace();
    Command::new(env!("CARGO_BIN_EXE_attendant")).arg("train").args(arguments).output().unwrap()
}

#[track_caller]
fn json(arguments: &str) -> Value {
    let output = attendant(&format!("--json {arguments}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The one line of a failure, its exit status checked and stdout found empty.
#[track_caller]
fn failure(status: i32, arguments: &str) -> String {
    let output = attendant(arguments);
    let error = String::from_utf8_lossy(&output.stderr).trim_end().to_string();
    assert_eq!(output.status.code(), Some(status), "{error}");
    assert!(output.stdout.is_empty());
    error.lines().find_map(|line| line.strip_prefix("error: ")).expect("an error").to_string()
}

const TINY: &str = "--model tiny --n-layers 1 --d-model 16 --n-heads 2";

/// A folder with rows of a language model and a tokenizer trained on them.
fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let row = |i: usize| format!("{{\"text\":\"The lamp {} costs {i} euros.\"}}\n", i * 7 % 30);
    fs::write(folder.path().join("rows.jsonl"), (0..200).map(row).collect::<String>()).unwrap();
    json(&format!(
        "--task language-model {TINY} --vocab-size 300 --seq-len 16 --steps 2 \
         --data {path}/rows.jsonl --output {path}/first"
    ));
    (folder, path)
}

#[test]
fn a_token_file_gives_the_weights_that_its_rows_give() {
    let (_folder, path) = folder();
    let presets = format!("{TINY} --tokenizer {path}/first/tokenizer.json");
    let folders = format!("--model {path}/first");
    for (i, model) in [presets, folders].iter().enumerate() {
        let ids = format!("{path}/{i}.safetensors");
        let prepared = json(&format!("--prepare {ids} --data {path}/rows.jsonl {model}"));
        assert_eq!((&prepared["rows"], &prepared["vocab_size"]), (&200.into(), &300.into()));
        let trained = |data: &str, output: &str| {
            json(&format!(
                "--task language-model {model} --data {data} --valid {data} --seq-len 16 \
                 --epochs 2 --batch-size 4 --lr 1e-2 --output {path}/{output}"
            ))
        };
        let rows = trained(&format!("{path}/rows.jsonl"), &format!("rows{i}"));
        let tokens = trained(&ids, &format!("ids{i}"));
        assert!(rows["steps"].as_u64().unwrap() > 20);
        for name in ["weights_sha256", "valid_loss", "train_loss", "steps", "tokens"] {
            assert_eq!(rows[name], tokens[name], "{name}");
        }
    }
}

#[test]
fn what_cannot_be_prepared_leaves_no_file() {
    let (folder, path) = folder();
    let rows = format!("{path}/rows.jsonl");
    let prepare = format!("--prepare {path}/x.safetensors --data {rows}");
    assert_eq!(failure(2, &prepare), "--prepare needs --tokenizer, or the --model that it is for");
    assert_eq!(
        failure(2, &format!("{prepare} --task describe --model tiny")),
        "--prepare is for --task language-model"
    );
    assert_eq!(
        failure(2, &format!("--prepare {path}/x.bin --data {rows} --model tiny")),
        format!("--prepare {path}/x.bin: the name of a token file ends in .safetensors")
    );
    assert_eq!(
        failure(1, &format!("{prepare} --model tiny")),
        "line 1 holds text, but the model has no tokenizer; give rows of \"ids\", or a model with \
         tokenizer.json"
    );
    fs::write(&rows, "{\"text\":\"red\"}\n{\"text\":\n").unwrap();
    let error = failure(1, &format!("{prepare} --model {path}/first"));
    assert!(error.starts_with(&format!("{rows}, line 2: not valid JSON")), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    fs::write(folder.path().join("x.safetensors"), "mine").unwrap();
    assert_eq!(
        failure(1, &format!("{prepare} --model {path}/first")),
        format!("{path}/x.safetensors: exists already; name a new file, or remove it")
    );
}

#[test]
fn what_cannot_be_trained_on_leaves_no_output() {
    let (_folder, path) = folder();
    let ids = format!("{path}/ids.safetensors");
    json(&format!("--prepare {ids} --data {path}/rows.jsonl --model {path}/first"));
    let train = format!("--data {ids} --output {path}/run");
    assert_eq!(
        failure(2, &format!("{train} --task describe --model tiny")),
        format!("{ids}: a token file is for --task language-model; give rows")
    );
    let task = "--task language-model";
    assert_eq!(
        failure(1, &format!("{train} {task} --model tiny --vocab-size 299")),
        format!(
            "{ids}: was made for a vocabulary of 300 tokens, the model has 299; prepare it with \
             the model's tokenizer"
        )
    );
    let bytes = fs::read(&ids).unwrap();
    fs::write(&ids, &bytes[..bytes.len() - 7]).unwrap();
    let error = failure(1, &format!("{train} {task} --model {path}/first"));
    assert!(error.starts_with(&format!("{ids}: not a whole safetensors file")), "{error}");
    let mut wrong = bytes.clone();
    wrong[bytes.len() - 40..].fill(0xff);
    fs::write(&ids, wrong).unwrap();
    let error =
        failure(1, &format!("{train} {task} --model {path}/first --seq-len 8 --no-shuffle"));
    assert!(error.contains("token id 65535 at position"), "{error}");
    assert!(!Path::new(&path).join("run/model.safetensors").exists());
}
