//! Training of each task by the program, and what happens when it cannot go on.

mod program;

use program::{Folder, attendant, failure, json, stderr, train};
use serde_json::Value;
use std::fs;
use std::path::Path;
use transformer::Tokenizer;

/// Texts whose class is told by a word.
fn reviews(folder: &Folder, name: &str, labels: [&str; 2]) -> String {
    let row = |i: usize| {
        let (word, label) = [("soft", labels[0]), ("rough", labels[1])][i % 2];
        format!("{{\"text\":\"rug {} is {word}\",\"label\":\"{label}\"}}\n", i * 7 % 11)
    };
    folder.write(name, (0..32).map(row).collect::<String>())
}

/// Sources and targets, as ids.
fn pairs(folder: &Folder) -> String {
    let row = |i: usize| {
        let ids: Vec<usize> = (0..4 + i % 3).map(|j| 2 + (i * 5 + j * 3) % 30).collect();
        format!("{{\"ids\":{ids:?},\"target_ids\":{:?}}}\n", [&ids[..2], &[1]].concat())
    };
    folder.write("pairs.jsonl", (0..24).map(row).collect::<String>())
}

fn metrics(run: &str) -> Vec<Value> {
    let text = fs::read_to_string(Path::new(run).join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_classifier_learns_is_measured_and_made_of_another_model() {
    let folder = Folder::new();
    let (data, run) = (reviews(&folder, "reviews.jsonl", ["good", "bad"]), folder.path("run"));
    let fixed = ["train", "--json", "--task", "classify", "--data", &data];
    let sizes = ["--n-layers", "1", "--d-model", "32", "--n-heads", "2", "--vocab-size", "280"];
    let encoder = ["--model", "encoder-tiny", "--steps", "60", "--lr", "3e-3", "--output", &run];
    json(&[&fixed[..], &sizes, &encoder].concat());
    let measured =
        json(&["evaluate", "--json", "--task", "classify", "--model", &run, "--data", &data]);
    assert_eq!(measured["accuracy"]["value"], 1.0, "{measured}");
    assert_eq!(measured["macro_f1"]["value"], 1.0);
    let told = json(&["classify", "--json", "--model", &run, "--text", "rug 3 is soft"]);
    assert_eq!((&told["labels"][0], &told["classes"][0]), (&"good".into(), &"bad".into()));
    explained(&folder, &run);
    // Its head is for other labels, and drawn anew.
    let other = reviews(&folder, "other.jsonl", ["0", "1"]);
    let again = folder.path("again");
    let fixed = ["train", "--json", "--task", "classify", "--data", &other, "--model", &run];
    json(&[&fixed[..], &["--steps", "40", "--lr", "3e-3", "--output", &again]].concat());
    let told = json(&["classify", "--json", "--model", &again, "--text", "rug 3 is soft"]);
    assert_eq!((&told["labels"][0], &told["classes"][0]), (&"0".into(), &"0".into()));
}

/// Holds what is told of words against the text and the class: one word makes the class here.
fn explained(folder: &Folder, model: &str) {
    let texts = ["rug 3 is soft", "rug 5 is rough", "\n rug <b>"];
    let page = folder.path("words.html");
    let [a, b, c] = texts.map(|text| ["--text", text]);
    let fixed = [&["classify", "--model", model][..], &a, &b, &c].concat();
    let told = json(&[&fixed[..], &["--json", "--html", &page]].concat());
    for (text, (words, telling)) in
        texts.iter().zip(told["saliency"].as_array().unwrap().iter().zip(["soft", "rough", ""]))
    {
        let words = words.as_array().unwrap();
        let pieces: String = words.iter().map(|word| word[0].as_str().unwrap()).collect();
        assert_eq!(pieces, *text);
        let value = |word: &&Value| word[1].as_f64().unwrap().abs();
        let most = words.iter().max_by(|a, b| value(a).total_cmp(&value(b))).unwrap();
        let found = most[0].as_str().unwrap().trim();
        assert!(telling.is_empty() || found == telling, "{words:?}");
    }
    let html = fs::read_to_string(page).unwrap();
    assert!(html.contains("good ") && html.contains(">soft</span>"));
    assert!(html.contains("&lt;</span>") && !html.contains("<b>"));
    let lines = attendant(&[&fixed[..], &["--explain"]].concat()).stdout;
    let lines = String::from_utf8(lines).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(lines.len() == 6 && lines[0].starts_with("good\t"), "{lines:?}");
    assert!(lines[1][10..].starts_with(" soft   "), "{lines:?}");
    assert!(json(&[&fixed[..], &["--json"]].concat())["saliency"].is_null());
}

#[test]
fn characters_are_the_tokens_of_a_classifier_and_of_what_is_written() {
    let folder = Folder::new();
    let row = |i: usize| {
        let (word, label) = [("很好", "good"), ("太差", "bad")][i % 2];
        format!("{{\"text\":\"灯 {} LED {word}。\",\"label\":\"{label}\"}}\n", i * 7 % 11)
    };
    let data = folder.write("rows.jsonl", (0..32).map(row).collect::<String>());
    let sizes = ["--n-layers", "1", "--d-model", "32", "--n-heads", "2", "--data", &data];
    let characters = ["train", "--json", "--tokenizer", "characters", "--vocab-size", "40"];
    let run = |task: &str, model: &str, steps: &str| {
        let output = folder.path(model);
        let more = ["--task", task, "--model", model, "--steps", steps, "--output", &output];
        json(&[&characters[..], &sizes, &more, &["--lr", "3e-3", "--seq-len", "32"]].concat());
        output
    };
    let classifier = run("classify", "encoder-tiny", "40");
    let told = json(&["classify", "--json", "--model", &classifier, "--text", "灯 3 LED 太差。"]);
    assert_eq!(told["labels"][0], "bad");
    let tokenizer = Tokenizer::from_pretrained(&classifier).unwrap();
    let ids = tokenizer.encode("灯 led LED 很").unwrap();
    assert_eq!((ids.len(), &ids[2..5]), (11, &[1, 1, 1][..]), "no small letter was seen");
    let writer = run("language-model", "tiny", "100");
    let generate = ["generate", "--json", "--model", &writer, "--prompt", "灯 3 L"];
    let written = json(&[&generate[..], &["--max-new-tokens", "3"]].concat());
    assert_eq!(written["text"], "ED ");
}

#[test]
fn a_tokenizer_is_a_file_or_made_of_text() {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    let path = folder.path("characters");
    let both = failure(2, &train(&data, &run, &["--tokenizer", &path]));
    assert_eq!(
        both,
        format!(
            "error: --vocab-size is for a tokenizer that is made of the data; leave it out, for \
             {path} has its own vocabulary, or take --tokenizer bpe or characters"
        )
    );
    let ids = pairs(&folder);
    let fixed = ["train", "--task", "seq2seq", "--model", "encoder-decoder-tiny", "--data", &ids];
    let error = failure(1, &[&fixed[..], &["--tokenizer", "bpe", "--output", &run]].concat());
    assert_eq!(
        error,
        format!(
            "error: {ids}: holds ids and no text to make a tokenizer of; give --tokenizer the path \
             of the tokenizer.json that they came from"
        )
    );
    assert!(!Path::new(&run).exists());
}

#[test]
fn a_label_that_was_never_seen_is_refused_and_leaves_no_output() {
    let folder = Folder::new();
    let data = reviews(&folder, "reviews.jsonl", ["good", "bad"]);
    let valid = folder.write("valid.jsonl", "{\"text\":\"rug\",\"label\":\"fair\"}\n");
    let run = folder.path("run");
    let error = failure(
        1,
        &[
            "train",
            "--task",
            "classify",
            "--model",
            "encoder-tiny",
            "--vocab-size",
            "280",
            "--data",
        ]
        .into_iter()
        .chain([&data[..], "--valid", &valid, "--output", &run])
        .collect::<Vec<_>>(),
    );
    let expected = format!(
        "error: {valid}, line 1: label \"fair\" was never seen in training; the classes are bad, good"
    );
    assert_eq!(error, expected);
    assert!(!Path::new(&run).exists());
}

#[test]
fn an_encoder_decoder_learns_pairs_of_ids() {
    let folder = Folder::new();
    let (data, run) = (pairs(&folder), folder.path("run"));
    let fixed = ["train", "--json", "--task", "seq2seq", "--data", &data, "--output", &run];
    let model = ["--model", "encoder-decoder-tiny", "--n-layers", "1", "--d-model", "32"];
    let sizes = ["--n-heads", "2", "--vocab-size", "32", "--steps", "40", "--lr", "3e-3"];
    json(&[&fixed[..], &model, &sizes].concat());
    let lines = metrics(&run);
    let loss = |line: &Value| line["loss"].as_f64().unwrap();
    assert!(loss(&lines[39]) < 0.7 * loss(&lines[0]));
    let ids =
        json(&["generate", "--json", "--model", &run, "--ids", "5,8,11", "--max-new-tokens", "3"]);
    assert_eq!(ids["text"], Value::Null);
    let error = failure(
        1,
        &["train", "--task", "language-model", "--data", &data, "--model", &run, "--output", "x"],
    );
    assert!(error.contains("is a t5, which answers one text with another"), "{error}");
}

#[test]
fn a_step_that_cannot_be_taken_is_left_with_its_rows_and_weights() {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    let huge = ["--optimizer", "sgd", "--lr", "1e20", "--schedule", "constant", "--steps", "9"];
    let output = attendant(&train(&data, &run, &[&huge[..], &["--batch-size", "3"]].concat()));
    let error = stderr(&output);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{error}");
    for part in ["error: step ", "parameter ", "is not finite", "the rows of lines ", "/failure"] {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
    let rows = fs::read_to_string(Path::new(&run).join("failure/rows.jsonl")).unwrap();
    assert!(rows.lines().count() == 3 && rows.contains("\"target_ids\":["), "{rows}");
    let (_, command) = error.split_once("repeat it with: attendant ").unwrap();
    let command = command.split(" (the rows").next().unwrap();
    let again = folder.path("again");
    let command = command.replace("--output NEW", &format!("--output {again}"));
    let error = failure(1, &command.split(' ').collect::<Vec<_>>());
    assert!(error.starts_with("error: step 1: ") && error.contains("not finite"), "{error}");
}

#[test]
fn a_run_stops_when_nothing_gets_better_and_leaves_the_best() {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    let rising = ["--lr", "0.3", "--schedule", "constant", "--steps", "200", "--patience", "3"];
    let measuring = ["--valid", &data, "--evaluate-every", "2"];
    let result = json(&train(&data, &run, &[&rising[..], &measuring].concat()));
    let lines = metrics(&run);
    assert!(result["steps"].as_u64().unwrap() < 200);
    assert_eq!(lines.len() as u64, result["steps"].as_u64().unwrap());
    let valid: Vec<f64> = lines.iter().filter_map(|line| line["valid_loss"].as_f64()).collect();
    let best = valid.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(valid.len(), lines.len() / 2);
    assert_eq!(valid.iter().position(|&loss| loss == best), Some(valid.len() - 4));
    assert_eq!(result["valid_loss"].as_f64(), Some(best));
    let files = |folder: &str| fs::read(Path::new(folder).join("model.safetensors")).unwrap();
    assert!(files(&run) == files(&format!("{run}/checkpoints/best")));
    let samples = fs::read_to_string(Path::new(&run).join("samples.jsonl")).unwrap();
    let sample: Value = serde_json::from_str(samples.lines().next().unwrap()).unwrap();
    assert_eq!(sample["step"], 2);
    assert!(sample["prompt"].as_str().unwrap().contains("category: lamps"));
    assert!(sample["target"].as_str().unwrap().contains("lamp of"));
}

#[test]
fn a_finished_run_says_the_same_again_and_another_is_not_taken_over() {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    let steps = ["--steps", "6", "--checkpoint-every", "2"];
    let first = json(&train(&data, &run, &steps));
    let resumed = [&steps[..], &["--resume"]].concat();
    assert_eq!(json(&train(&data, &run, &resumed)), first);
    assert!(failure(1, &train(&data, &run, &steps)).contains("is not an empty folder"));
    // From the middle, with other rows.
    fs::remove_file(Path::new(&run).join("result.json")).unwrap();
    let text = fs::read_to_string(&data).unwrap();
    fs::write(&data, text.lines().skip(1).map(|line| line.to_string() + "\n").collect::<String>())
        .unwrap();
    let error = failure(1, &train(&data, &run, &resumed));
    assert!(error.contains("was written while training on other rows"), "{error}");
    fs::write(&data, text).unwrap();
    let again = json(&train(&data, &run, &resumed));
    assert_eq!(again["weights_sha256"], first["weights_sha256"]);
    assert_eq!(metrics(&run).len(), 6);
}

#[test]
fn options_change_what_they_name_and_recomputation_changes_nothing() {
    let folder = Folder::new();
    let data = folder.products();
    let count = std::cell::Cell::new(0);
    let run = |more: &[&str]| {
        count.set(count.get() + 1);
        let output = folder.path(&format!("run{}", count.get()));
        let fixed = ["--steps", "4", "--lr", "1e-2", "--dropout", "0.1"];
        let result = json(&train(&data, &output, &[&fixed[..], more].concat()));
        (result["weights_sha256"].to_string(), result["train_loss"].as_f64().unwrap())
    };
    let (plain, loss) = run(&[]);
    assert_eq!(run(&["--recompute", "on"]).0, plain);
    for option in [
        &["--precision", "bf16"][..],
        &["--ema", "0.9"],
        &["--layer-decay", "0.5"],
        &["--freeze", "token_embedding", "--freeze", "blocks.0.norm_1"],
    ] {
        let (weights, found) = run(option);
        assert_ne!(weights, plain, "{option:?}");
        assert!((found - loss).abs() < 0.2 * loss, "{option:?}: {found} and {loss}");
    }
    let output = folder.path("run");
    let error = failure(1, &train(&data, &output, &["--freeze", "attention"]));
    assert!(error.contains("--freeze attention: no parameter's name begins so"), "{error}");
    assert!(!Path::new(&output).exists());
}

#[test]
fn an_adapter_is_trained_gone_on_with_used_and_merged() {
    let folder = Folder::new();
    let (data, base) = (folder.products(), folder.path("base"));
    json(&train(&data, &base, &["--steps", "20", "--lr", "3e-3"]));
    let run = folder.path("adapter");
    let fixed = ["train", "--json", "--task", "describe", "--data", &data, "--model", &base];
    let lora = ["--lora", "r=2,alpha=4", "--steps", "12", "--lr", "1e-2", "--output", &run];
    let every = ["--checkpoint-every", "4", "--valid", &data];
    let first = json(&[&fixed[..], &lora, &every].concat());
    let names = ["adapter_config.json", "adapter_model.safetensors", "tokenizer.json"];
    assert!(names.iter().all(|name| Path::new(&run).join(name).exists()));
    assert!(!Path::new(&run).join("model.safetensors").exists());
    // All but the checkpoint of step 8 is lost.
    for name in ["result.json", "adapter_model.safetensors"] {
        fs::remove_file(Path::new(&run).join(name)).unwrap();
    }
    let again = json(&[&fixed[..], &lora, &every, &["--resume"]].concat());
    assert_eq!(again["weights_sha256"], first["weights_sha256"]);
    let loss = |model: &str| {
        let evaluate = ["evaluate", "--json", "--task", "describe", "--data", &data, "--model"];
        json(&[&evaluate[..], &[model]].concat())["loss"]["value"].as_f64().unwrap()
    };
    let merged = folder.path("merged");
    json(&["convert", "--json", "--from", &run, "--to", &merged]);
    assert!((loss(&run) - first["valid_loss"].as_f64().unwrap()).abs() < 1e-4);
    assert!((loss(&run) - loss(&merged)).abs() < 1e-4);
    assert!(loss(&run) < loss(&base));
    let preset = failure(2, &train(&data, &folder.path("x"), &["--lora", "r=2"]));
    assert!(preset.contains("--lora is for a pretrained model"), "{preset}");
}
