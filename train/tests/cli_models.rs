//! The commands that read pretrained models, called as a user calls them, on the fixtures of the
//! transformer crate.

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use tensor::Float;
use train::retrieval::{Neighbours, embed};
use transformer::{Model, Tokenizer};

fn attendant(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_attendant")).args(arguments).output().unwrap()
}

#[track_caller]
fn json(arguments: &[&str]) -> Value {
    let output = attendant(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a failure says after the fixtures' folder, its exit status checked and stdout found empty.
#[track_caller]
fn failure(status: i32, arguments: &[&str]) -> String {
    let output = attendant(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr).to_string();
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    assert!(output.stdout.is_empty());
    let line = stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or(&stderr);
    line.replace(&models().display().to_string(), "").replace("error: /", "error: ")
}

fn models() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../transformer/tests/fixtures/models")
}

fn model(name: &str) -> String {
    models().join(name).display().to_string()
}

/// A folder with a fixture's files and a tokenizer of words.
fn with_tokenizer(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(models().join(name).join(file), folder.path().join(file)).unwrap();
    }
    let tokenizer = r#"{
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null,
        "decoder": null,
        "model": { "type": "WordLevel", "unk_token": "?",
                   "vocab": { "?": 0, "good": 1, "bad": 2, "shoes": 3, "lamp": 4 } }
    }"#;
    fs::write(folder.path().join("tokenizer.json"), tokenizer).unwrap();
    folder
}

#[test]
fn logits_equal_those_of_the_fixture() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("logits.safetensors").display().to_string();
    for (name, tensor) in [
        ("gpt2_base", "last_hidden_state"),
        ("gpt2_untied", "logits"),
        ("bert_bare", "pooler_output"),
        ("bert_bare", "last_hidden_state"),
        ("bert_answer", "end_logits"),
        ("llama_grouped", "logits"),
    ] {
        let golden = tensor::file::read(&models().join(name).join("golden.safetensors")).unwrap();
        let (model, mut arguments) = (model(name), vec!["logits".to_string(), "--json".into()]);
        for (option, key) in
            [("--ids", "ids"), ("--attention-mask", "mask"), ("--token-type-ids", "token_type_ids")]
        {
            let Some((shape, values)) = golden.integers.get(key) else { continue };
            for row in values.chunks(shape[1]) {
                let row: Vec<String> = row.iter().map(i64::to_string).collect();
                arguments.extend([option.to_string(), row.join(",")]);
            }
        }
        arguments.extend(["--model", &model, "--output", &output].map(String::from));
        let result = json(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let (found, expected) = (
            &tensor::file::read(output.as_ref()).unwrap().tensors[tensor],
            &golden.tensors[tensor],
        );
        assert_eq!(found.shape(), expected.shape(), "{name} {tensor}");
        let shape: Vec<u64> = found.shape().iter().map(|&size| size as u64).collect();
        assert_eq!(result["shapes"][tensor], serde_json::json!(shape));
        let mask = golden.integers.get("mask").map(|(_, mask)| mask.clone());
        let is_token = |i: usize| match (&mask, found.rank()) {
            (Some(mask), 3) => mask[i / found.size(2)] == 1,
            (Some(mask), 2) if mask.len() == found.len() => mask[i] == 1,
            _ => true,
        };
        let pairs = found.to_vec().into_iter().zip(expected.to_vec()).enumerate();
        let worst = pairs.filter(|(i, _)| is_token(*i)).map(|(_, (a, b))| (a - b).abs());
        assert!(worst.fold(0.0, Float::max) < 1e-4, "{name} {tensor}");
    }
}

#[test]
fn requests_for_logits_that_make_no_sense_are_errors() {
    let (gpt2, bert) = (model("gpt2_untied"), model("bert_bare"));
    let of = |model: &str, more: &[&str]| {
        let fixed = ["logits", "--model", model, "--output", "/nowhere/out", "--ids", "1,2"];
        let usage = !more.contains(&"--token-type-ids") && !more.is_empty();
        failure(if usage { 2 } else { 1 }, &[&fixed[..], more].concat())
    };
    assert_eq!(
        of(&gpt2, &["--ids", "1,2,3"]),
        "error: --ids number 2 has 3 ids, the first has 2; rows are of one length, with padding \
         that --attention-mask marks"
    );
    assert_eq!(
        of(&gpt2, &["--attention-mask", "1"]),
        "error: --attention-mask has 1 rows of 1, --ids 1 of 2; give as many"
    );
    assert_eq!(
        of(&gpt2, &["--attention-mask", "0,0"]),
        "error: --attention-mask number 1 has no token: no 1"
    );
    assert_eq!(
        of(&gpt2, &["--token-type-ids", "0,1"]),
        "error: gpt2 takes neither token types nor decoder ids"
    );
    assert!(of(&bert, &["--token-type-ids", "0,7"]).contains("token id 7"));
    assert!(of(&gpt2, &[]).contains("nowhere/out: cannot write"));
}

#[test]
fn texts_become_vectors_of_length_1() {
    let folder = with_tokenizer("bert_bare");
    let path = folder.path().display().to_string();
    let result = json(&[
        "embed",
        "--model",
        &path,
        "--json",
        "--text",
        "good shoes",
        "--text",
        "bad",
        "--text",
        "good shoes",
    ]);
    let vectors: Vec<Vec<f64>> = serde_json::from_value(result["vectors"].clone()).unwrap();
    assert_eq!((vectors.len(), &vectors[0]), (3, &vectors[2]));
    for vector in &vectors {
        assert!((vector.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-5);
    }
    let empty = failure(1, &["embed", "--model", &path, "--text", ""]);
    assert_eq!(empty, "error: text 1 is empty; leave it out");
    let bare = failure(1, &["embed", "--model", &model("bert_bare"), "--text", "x"]);
    assert!(bare.contains("has no tokenizer"), "{bare}");
}

#[test]
fn texts_of_any_length_become_the_vectors_they_are_alone() {
    let folder = with_tokenizer("bert_bare");
    let model = Model::from_pretrained(folder.path()).unwrap();
    let tokenizer = Tokenizer::from_pretrained(folder.path()).unwrap();
    let text = |number: usize| ["good shoes ", "bad ", "lamp "][number % 3].repeat(1 + number % 5);
    let texts: Vec<String> = (0..70).map(text).collect();
    let longest = model.max_seq_len();
    let together = embed(&model, &tokenizer, &texts, longest).unwrap();
    for (text, vector) in texts.iter().zip(&together).take(15) {
        let alone = &embed(&model, &tokenizer, &[text], longest).unwrap()[0];
        let worst = alone.iter().zip(vector).map(|(a, b)| (a - b).abs()).fold(0.0, Float::max);
        assert!(worst < 1e-5, "{text}: {worst:e}");
    }
    let nearest = Neighbours::new(together[..15].to_vec()).unwrap();
    let found = nearest.nearest_of_each(&together[15..30], 1).unwrap();
    let rows: Vec<usize> = found.iter().map(|row| row[0].0).collect();
    assert_eq!(rows, (0..15).collect::<Vec<_>>());
    let error = embed(&model, &tokenizer, &["bad", ""], longest).unwrap_err().to_string();
    assert_eq!(error, "text 2 is empty; leave it out");
}

#[test]
fn texts_are_classified() {
    let folder = with_tokenizer("bert_classify");
    let path = folder.path().display().to_string();
    let result = json(&[
        "classify",
        "--model",
        &path,
        "--json",
        "--text",
        "good shoes",
        "--text",
        "bad lamp",
    ]);
    let classes = result["classes"].as_array().unwrap();
    for (label, row) in
        result["labels"].as_array().unwrap().iter().zip(result["probabilities"].as_array().unwrap())
    {
        let row: Vec<f64> = row.as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        let best = classes.iter().position(|class| class == label).unwrap();
        assert!(row.iter().all(|&p| p <= row[best]));
    }
    let data = folder.path().join("rows.jsonl");
    fs::write(&data, "{\"text\": \"good shoes\"}\n{\"text\": \"bad lamp\"}\n").unwrap();
    let data = data.display().to_string();
    let of_file = json(&["classify", "--model", &path, "--json", "--data", &data]);
    assert_eq!(of_file, result);
    assert!(failure(1, &["classify", "--model", &model("bert_bare"), "--text", "x"]).ends_with(
        "is no classifier; config.json names no architecture for sequence classification"
    ));
}

#[test]
fn models_are_written_in_other_forms() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let logits = |model: &str| {
        let output = path("logits.safetensors");
        json(&["logits", "--json", "--model", model, "--ids", "1,2,3", "--output", &output]);
        tensor::file::read(output.as_ref()).unwrap().tensors["logits"].to_vec()
    };
    let original = model("llama_grouped");
    let differs = |a: &[Float], b: &[Float]| {
        let pairs = a.iter().zip(b).map(|(a, b)| (a - b).abs());
        pairs.fold(0.0, Float::max)
    };
    let expected = logits(&original);
    for (to, dtype, tolerance) in [
        ("folder", "f32", 1e-6),
        ("half", "bf16", 0.1),
        ("file.gguf", "f32", 1e-6),
        ("half.gguf", "f16", 0.02),
    ] {
        let to = path(to);
        json(&["convert", "--json", "--from", &original, "--to", &to, "--dtype", dtype]);
        let difference = differs(&logits(&to), &expected);
        assert!(difference < tolerance, "{to}: {difference}");
    }
    let back = path("back");
    json(&["convert", "--json", "--from", &path("file.gguf"), "--to", &back]);
    assert!(differs(&logits(&back), &expected) < 1e-6);

    let again = failure(1, &["convert", "--from", &original, "--to", &back]);
    assert!(again.ends_with("is not an empty folder; name a new one with --to"), "{again}");
    let packed = failure(2, &["convert", "--from", &original, "--to", "x", "--dtype", "q8-0"]);
    assert_eq!(packed, "error: --dtype q8-0 needs a file: name one that ends in .gguf with --to");
    let bert = failure(1, &["convert", "--from", &model("bert_bare"), "--to", &path("b.gguf")]);
    assert!(bert.ends_with("GGUF files of \"bert\" are not known here"), "{bert}");
}

#[test]
fn rows_of_ids_are_generated_side_by_side() {
    let (model, more) =
        (model("llama_grouped"), ["--max-new-tokens", "4", "--ignore-eos", "--json"]);
    let generate = ["generate", "--model", &model];
    let one = |ids: &str| json(&[&generate[..], &["--ids", ids], &more].concat())["ids"].clone();
    let both = json(&[&generate[..], &["--ids", "1,2,3", "--ids", "4,5"], &more].concat());
    assert_eq!(both["ids"], Value::Array(vec![one("1,2,3"), one("4,5")]));
    assert_eq!(both["text"], serde_json::json!([null, null]));
    assert_eq!(one("4,5").as_array().unwrap().len(), 6);
}

#[test]
fn an_encoder_decoder_begins_with_its_start_token() {
    let written = json(&[
        "generate",
        "--model",
        &model("t5_tied"),
        "--ids",
        "1,2,3",
        "--max-new-tokens",
        "3",
        "--ignore-eos",
        "--json",
    ]);
    let ids = written["ids"].as_array().unwrap();
    assert_eq!((ids.len(), ids[0].as_u64()), (4, Some(0)));
}

#[test]
fn text_is_streamed_behind_its_prompt() {
    let folder = with_tokenizer("gpt2_plain");
    let model = folder.path().to_str().unwrap();
    let generate = [
        "generate",
        "--model",
        model,
        "--prompt",
        "good shoes",
        "--max-new-tokens",
        "4",
        "--ignore-eos",
    ];
    let written = json(&[&generate[..], &["--json"]].concat());
    let output = attendant(&generate);
    let text = format!("good shoes{}\n", written["text"].as_str().unwrap());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
    let output = attendant(&["generate", "--model", model, "--ids", "1", "--ids", "2,3"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 2);
}
