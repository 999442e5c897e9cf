//! Pretraining of an encoder by the program: `train --task masked-language-model`.

mod program;

use program::{Folder, attendant, failure, json, stderr};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use transformer::Tokenizer;

/// Texts in which each word is told by the others.
fn texts(folder: &Folder, name: &str) -> String {
    let row = |i: usize| {
        let (word, label) =
            [("soft", "good"), ("rough", "bad"), ("warm", "good"), ("thin", "bad")][i % 4];
        let colour = ["red", "blue", "green", "grey"][i % 4];
        let text = format!("{word} {colour} rug, {word} and {colour} and {word}");
        format!("{{\"text\":\"{text}\",\"label\":\"{label}\"}}\n")
    };
    folder.write(name, (0..32).map(row).collect::<String>())
}

const SIZES: [&str; 8] =
    ["--n-layers", "1", "--d-model", "32", "--n-heads", "2", "--vocab-size", "300"];

fn pretrain<'a>(data: &'a str, model: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["train", "--json", "--task", "masked-language-model", "--data", data];
    [&fixed[..], &["--model", model, "--output", output], more].concat()
}

/// The entropy of the words' frequencies in nats: the least loss of a model that looks at no context.
fn unigram_entropy(data: &str, tokenizer: &Tokenizer) -> f64 {
    let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
    for line in fs::read_to_string(data).unwrap().lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        for id in tokenizer.encode(row["text"].as_str().unwrap()).unwrap() {
            *counts.entry(id).or_default() += 1.0;
        }
    }
    let all: f64 = counts.values().sum();
    counts.values().map(|n| -n / all * (n / all).ln()).sum()
}

#[test]
fn an_encoder_is_pretrained_gone_on_with_and_becomes_a_classifier() {
    let folder = Folder::new();
    let (data, run) = (texts(&folder, "texts.jsonl"), folder.path("run"));
    let more = ["--valid", &data, "--steps", "150", "--lr", "3e-3", "--evaluate-every", "75"];
    let result = json(&pretrain(&data, "encoder-tiny", &run, &[&SIZES[..], &more].concat()));
    let tokenizer = Tokenizer::from_pretrained(&run).unwrap();
    let config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(Path::new(&run).join("config.json")).unwrap())
            .unwrap();
    assert_eq!(config["architectures"][0], "BertForMaskedLM");
    assert_eq!(config["vocab_size"], tokenizer.vocab_size());
    assert!(tokenizer.vocab_size() <= 300 && tokenizer.mask_token().is_some());
    let (loss, entropy) =
        (result["valid_loss"].as_f64().unwrap(), unigram_entropy(&data, &tokenizer));
    assert!(loss < 0.5 * entropy, "{loss} of {entropy} nats");
    let samples = fs::read_to_string(Path::new(&run).join("samples.jsonl")).unwrap();
    assert!(samples.contains("[MASK]") && samples.contains("rug"), "{samples}");
    // The same model goes on from where it stands.
    let on = folder.path("on");
    let further =
        json(&pretrain(&data, &run, &on, &["--valid", &data, "--steps", "2", "--lr", "1e-5"]));
    assert!((further["valid_loss"].as_f64().unwrap() - loss).abs() < 0.1, "{further} {loss}");

    let classify = ["train", "--json", "--task", "classify", "--data", &data, "--valid", &data];
    let told = folder.path("told");
    let fine = ["--model", &run, "--steps", "60", "--lr", "3e-3", "--output", &told];
    json(&[&classify[..], &fine].concat());
    let measured =
        json(&["evaluate", "--json", "--task", "classify", "--model", &told, "--data", &data]);
    assert_eq!(measured["accuracy"]["value"], 1.0, "{measured}");
    let class = json(&["classify", "--json", "--model", &told, "--text", "thin grey rug"]);
    assert_eq!(class["labels"][0], "bad");
    // A classifier's encoder can be pretrained on, its head drawn anew.
    let back = folder.path("back");
    json(&pretrain(&data, &told, &back, &["--steps", "1"]));
}

#[test]
fn the_same_bits_on_any_number_of_threads_and_gone_on_with() {
    let folder = Folder::new();
    let data = texts(&folder, "texts.jsonl");
    let options = ["--valid", &data, "--steps", "12", "--batch-size", "4", "--accumulate", "2"];
    let more = ["--lr", "1e-2", "--dropout", "0.1", "--checkpoint-every", "5"];
    let options = [&SIZES[..], &options, &more].concat();
    let run = |name: &str, more: &[&str]| {
        let output = folder.path(name);
        json(&pretrain(&data, "encoder-tiny", &output, &[&options[..], more].concat()))
    };
    let one = run("one", &["--threads", "1"]);
    for threads in ["2", "3", "7"] {
        let other = run(threads, &["--threads", threads]);
        assert_eq!(other["weights_sha256"], one["weights_sha256"], "{threads} threads");
        assert_eq!(other["valid_loss"], one["valid_loss"]);
    }
    assert_ne!(run("seed", &["--seed", "1"])["weights_sha256"], one["weights_sha256"]);
    assert_ne!(run("bf16", &["--precision", "bf16"])["weights_sha256"], one["weights_sha256"]);
    // All but the checkpoint of step 10 is lost.
    for name in ["result.json", "model.safetensors", "tokenizer.json"] {
        fs::remove_file(Path::new(&folder.path("one")).join(name)).unwrap();
    }
    let again = run("one", &["--threads", "1", "--resume"]);
    assert_eq!(again["weights_sha256"], one["weights_sha256"]);
    assert_eq!(again["valid_loss"], one["valid_loss"]);
}

#[test]
fn more_tokens_are_hidden_where_it_is_asked_for() {
    let folder = Folder::new();
    let data = texts(&folder, "texts.jsonl");
    let run = |share: &str| {
        let output = folder.path(share);
        let more = [&SIZES[..], &["--steps", "2", "--mask-share", share]].concat();
        json(&pretrain(&data, "encoder-tiny", &output, &more))["weights_sha256"].clone()
    };
    assert_ne!(run("0.15"), run("0.6"));
    let classify = ["train", "--task", "classify", "--model", "encoder-tiny", "--data", &data];
    let output = folder.path("classifier");
    let more = ["--mask-share", "0.3", "--output", &output];
    let error = failure(2, &[&classify[..], &more].concat());
    assert!(error.contains("--mask-share is for --task masked-language-model"), "{error}");
}

#[test]
fn long_rows_are_left_out_or_cut_and_rows_without_words_left_out() {
    let folder = Folder::new();
    let short: String = (0..8).map(|i| format!("{{\"text\":\"rug {i}\"}}\n")).collect();
    let long = format!("{{\"text\":\"{}\"}}\n", "red ".repeat(20));
    let data = folder.write("rows.jsonl", short + &long + "{\"ids\":[0,0]}\n{\"text\":\"\"}\n");
    let run = |name: &str, more: &[&str]| {
        let output = folder.path(name);
        let fixed = [&SIZES[..], &["--seq-len", "8", "--steps", "1"], more].concat();
        let output = attendant(&pretrain(&data, "encoder-tiny", &output, &fixed));
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let left_out = run("left_out", &[]);
    assert!(
        left_out.contains("1 of 11 rows are longer than 8 tokens and were left out"),
        "{left_out}"
    );
    let empty = "2 of 10 rows hold special tokens alone and were left out; the first is line 10";
    assert!(left_out.contains(empty), "{left_out}");
    let cut = run("cut", &["--cut"]);
    assert!(cut.contains("1 of 11 rows are longer than 8 tokens and were cut"), "{cut}");
}

#[test]
fn what_fills_in_no_tokens_is_refused_and_leaves_no_output() {
    let folder = Folder::new();
    let (data, run) = (texts(&folder, "texts.jsonl"), folder.path("run"));
    let refused = |model: &str, more: &[&str], status: i32, expected: &str| {
        let error = failure(status, &pretrain(&data, model, &run, more));
        assert!(error.contains(expected), "{error}");
        assert!(!Path::new(&run).exists());
    };
    let encoders = "which fills in no hidden tokens; take encoder-tiny, or a folder of bert, roberta or \
                    distilbert";
    for (model, kind) in [("tiny", "gpt2"), ("encoder-decoder-tiny", "t5")] {
        let sizes = ["--d-model", "16", "--n-heads", "2", "--vocab-size", "300"];
        refused(model, &sizes, 1, &format!("error: {model}: is a {kind}, {encoders}"));
    }
    let small = "error: --vocab-size 257 is too small: a byte-level vocabulary with a mask has at least \
                 258 tokens";
    refused("encoder-tiny", &["--vocab-size", "257"], 2, small);
    let share = "error: --mask-share is 1; it must be in (0, 1)";
    refused("encoder-tiny", &["--mask-share", "1"], 2, share);
    // A classifier's own tokenizer hides nothing.
    let base = folder.path("base");
    let classify = ["train", "--json", "--task", "classify", "--data", &data, "--steps", "1"];
    json(&[&classify[..], &["--model", "encoder-tiny", "--output", &base], &SIZES].concat());
    let maskless = "its tokenizer has no token that stands for hidden ones, [MASK] or <mask>";
    refused(&base, &[], 1, maskless);
    let adapters = "--task masked-language-model trains a whole encoder; leave out --lora";
    refused(&base, &["--lora", "r=2"], 2, adapters);
    let evaluate =
        ["evaluate", "--task", "masked-language-model", "--model", &base, "--data", &data];
    assert!(failure(2, &evaluate).contains("is trained, not measured here"));
    let ids = folder.write("ids.jsonl", "{\"ids\":[3,4,5]}\n");
    let error = failure(1, &pretrain(&ids, "encoder-tiny", &run, &[]));
    assert!(error.contains("encoder-tiny: has no tokenizer, which tells the token"), "{error}");
}

#[test]
fn a_step_that_cannot_be_taken_is_left_with_what_it_hid() {
    let folder = Folder::new();
    let (data, run) = (texts(&folder, "texts.jsonl"), folder.path("run"));
    let lr = if cfg!(attendant_f64) { "1e300" } else { "1e30" };
    let huge = ["--steps", "20", "--lr", lr, "--batch-size", "4"];
    let error = failure(1, &pretrain(&data, "encoder-tiny", &run, &[&SIZES[..], &huge].concat()));
    let failed = Path::new(&run).join("failure");
    assert!(error.contains("repeat it with"), "{error}");
    let rows = fs::read_to_string(failed.join("rows.jsonl")).unwrap();
    assert!(rows.lines().count() == 4 && rows.lines().all(|row| row.contains("\"places\":")));
    let (config, again) = (failed.join("run.toml").display().to_string(), folder.path("again"));
    let repeated = failure(1, &["train", "--json", "--config", &config, "--output", &again]);
    let reason = |error: &str| {
        let (_, reason) = error.split_once(": ").unwrap().1.split_once(": ").unwrap();
        reason.split_once("; its rows").unwrap().0.to_string()
    };
    assert!(repeated.starts_with("error: step 1: "), "{repeated}");
    assert_eq!(reason(&repeated), reason(&error));
    let hidden = fs::read_to_string(Path::new(&again).join("failure/rows.jsonl")).unwrap();
    assert_eq!(hidden, rows);
}
