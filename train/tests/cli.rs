//! The program `attendant`, called as a user calls it.

mod program;

use program::{Folder, TINY, attendant, failure, json, stderr, train};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn a_model_is_trained_sampled_and_measured() {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    let result = json(&train(&data, &run, &["--steps", "3", "--valid", &data, "--lr", "1e-3"]));
    assert_eq!(result["steps"], 3);
    for name in ["tokens", "train_loss", "valid_loss", "seconds", "tokens_per_second"] {
        assert!(result[name].as_f64().unwrap() > 0.0, "{name}");
    }
    assert_eq!(result["weights_sha256"].as_str().unwrap().len(), 64);
    let metrics = fs::read_to_string(Path::new(&run).join("metrics.jsonl")).unwrap();
    let steps: Vec<Value> = metrics.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(steps.len(), 3);
    assert_eq!(steps[2]["step"], 3);
    for name in ["loss", "lr", "grad_norm", "tokens", "seconds"] {
        assert!(steps[1][name].as_f64().unwrap() > 0.0, "{name}");
    }

    let generate = ["generate", "--json", "--model", &run, "--prompt", "colour: red"];
    let written = json(&[&generate[..], &["--max-new-tokens", "5", "--ignore-eos"]].concat());
    let ids = written["ids"].as_array().unwrap();
    let prompt = ids[..ids.len() - 5].iter().map(Value::to_string).collect::<Vec<_>>().join(",");
    let by_ids = ["generate", "--json", "--model", &run, "--ids", &prompt];
    let again = json(&[&by_ids[..], &["--max-new-tokens", "5", "--ignore-eos"]].concat());
    assert_eq!((&again["ids"], &again["text"]), (&written["ids"], &written["text"]));
    let beams = ["--num-beams", "3", "--length-penalty", "-0.5", "--max-new-tokens", "5"];
    let ids = json(&[&by_ids[..], &beams, &["--ignore-eos"]].concat())["ids"].clone();
    assert_eq!(ids.as_array().unwrap().len(), written["ids"].as_array().unwrap().len());

    let predictions = folder.path("predictions.jsonl");
    let evaluate = ["evaluate", "--json", "--task", "describe", "--model", &run, "--data", &data];
    let measured =
        json(&[&evaluate[..], &["--train", &data, "--predictions", &predictions]].concat());
    for name in ["loss", "perplexity", "bits_per_byte", "attribute_coverage", "rouge_l", "bleu"] {
        let interval = measured[name]["ci95"].as_array().unwrap();
        let value = measured[name]["value"].as_f64().unwrap();
        assert!(interval[0].as_f64().unwrap() <= value && value <= interval[1].as_f64().unwrap());
    }
    assert!(measured["hallucinated_attributes"]["value"].is_number());
    let nearest = &measured["baselines"]["nearest_product"];
    assert_eq!(nearest["attribute_coverage"]["value"], 1.0);
    let rows = fs::read_to_string(&predictions).unwrap();
    assert_eq!(rows.lines().count(), 24);
    assert!(rows.lines().all(|line| line.contains("\"prediction\":")));

    let long = format!("{{\"name\":\"x\",\"description\":\"{}\"}}\n", "0 1 ".repeat(300));
    let with_long = folder.write("long.jsonl", long.clone() + &fs::read_to_string(&data).unwrap());
    let evaluate = ["evaluate", "--json", "--task", "describe", "--model", &run, "--data"];
    let output = attendant(&[&evaluate[..], &[&with_long, "--predictions", &predictions]].concat());
    let told = "1 of 25 rows are longer than the model's context";
    assert!(stderr(&output).contains(told), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(predictions).unwrap(), rows);
    let all_long = folder.write("all_long.jsonl", long);
    assert!(failure(1, &[&evaluate[..], &[&all_long]].concat()).contains("1 of 1 rows are longer"));
}

#[test]
fn a_language_model_is_trained_on_text_and_on_ids() {
    let folder = Folder::new();
    let text = folder.write("lines.txt", "the lamp is red\nthe rug is blue\n".repeat(40));
    let (run, ids_run) = (folder.path("run"), folder.path("ids"));
    let fixed = ["train", "--json", "--task", "language-model", "--steps", "2", "--seq-len", "16"];
    json(&[&fixed[..], &TINY, &["--data", &text, "--output", &run]].concat());
    let evaluate = ["evaluate", "--json", "--task", "language-model", "--model", &run];
    let measured = json(&[&evaluate[..], &["--data", &text, "--train", &text]].concat());
    assert!(measured["bits_per_byte"]["value"].as_f64().unwrap() > 0.0);
    assert!(measured["baselines"]["byte_ngram"]["bits_per_byte"]["value"].is_number());

    let ids = folder.write("ids.jsonl", "{\"ids\":[1,2,3,4,5,6,7,8,9,10]}\n".repeat(9));
    json(&[&fixed[..], &TINY, &["--data", &ids, "--output", &ids_run]].concat());
    let generate = ["generate", "--json", "--model", &ids_run, "--ids", "1,2,3"];
    let written = json(&[&generate[..], &["--max-new-tokens", "4"]].concat());
    assert_eq!((written["ids"].as_array().unwrap().len(), &written["text"]), (7, &Value::Null));
}

#[test]
fn the_weights_do_not_depend_on_the_number_of_threads() {
    let folder = Folder::new();
    let data = folder.products();
    let sha = |threads: &str| {
        let run = folder.path(&format!("run{threads}"));
        let fixed = ["train", "--json", "--task", "describe", "--data", &data, "--output", &run];
        let model = ["--model", "tiny", "--n-layers", "1", "--d-model", "128", "--n-heads", "2"];
        let options = ["--steps", "10", "--batch-size", "24", "--dropout", "0.1", "--clip", "1"];
        let threads = ["--threads", threads];
        json(&[&fixed[..], &model, &options, &threads].concat())["weights_sha256"].clone()
    };
    let one = sha("1");
    for threads in ["2", "3", "7"] {
        assert_eq!(sha(threads), one, "{threads} threads");
    }
    let run = folder.path("other");
    let other = json(&train(&data, &run, &["--steps", "6", "--seed", "1"]));
    assert_ne!(other["weights_sha256"], one);
}

#[test]
fn each_optimizer_and_one_cycle_lower_the_loss() {
    let folder = Folder::new();
    let data = folder.products();
    for (name, lr, more) in [
        ("sgd", "0.5", &["--momentum", "0.5", "--nesterov"][..]),
        ("adam", "1e-2", &["--eps", "1e-6"]),
        ("adamw", "1e-2", &["--schedule", "one-cycle"]),
        ("lion", "2e-3", &["--beta2", "0.95"]),
        ("muon", "5e-2", &["--momentum", "0.9"]),
    ] {
        let run = folder.path(name);
        let fixed = ["--optimizer", name, "--steps", "20", "--lr", lr, "--batch-size", "24"];
        json(&train(&data, &run, &[&fixed[..], more].concat()));
        let metrics = fs::read_to_string(Path::new(&run).join("metrics.jsonl")).unwrap();
        let loss = |line: &str| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64();
        let losses: Vec<f64> = metrics.lines().map(|line| loss(line).unwrap()).collect();
        assert!(losses[19] < losses[0] - 0.1, "{name}: {losses:?}");
    }
}

#[test]
fn accumulated_micro_batches_equal_one_batch() {
    let folder = Folder::new();
    let data = folder.products();
    let losses = |name: &str, options: &[&str]| -> Vec<f64> {
        let run = folder.path(name);
        let fixed = ["--steps", "4", "--lr", "1e-2"];
        json(&train(&data, &run, &[&fixed[..], options].concat()));
        let metrics = fs::read_to_string(Path::new(&run).join("metrics.jsonl")).unwrap();
        let loss = |line: &str| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64();
        metrics.lines().map(|line| loss(line).unwrap()).collect()
    };
    let whole = losses("whole", &["--batch-size", "8"]);
    let parts = losses("parts", &["--batch-size", "2", "--accumulate", "4"]);
    for (a, b) in whole.iter().zip(&parts) {
        assert!((a - b).abs() < 1e-4, "{whole:?} {parts:?}");
    }
}

#[test]
fn bad_data_is_told_by_file_line_and_field_and_leaves_no_output() {
    let folder = Folder::new();
    let run = folder.path("run");
    let cases: [(&str, &[u8], &str); 5] = [
        ("empty.jsonl", b"", "holds no rows; at least one is needed"),
        ("bad.jsonl", b"{\"description\":\"x\",\"colour\":\"red\"}\n{", "not valid JSON"),
        ("bytes.jsonl", b"{\"description\":\"x\"}\n\xff\n", "line 2: not UTF-8"),
        ("missing.jsonl", b"{\"colour\":\"red\"}\n", "line 1: field \"description\" is missing"),
        ("blank.jsonl", b"{\"description\":\" \"}\n", "line 1: field \"description\""),
    ];
    for (name, contents, expected) in cases {
        let data = folder.write(name, contents);
        let error = failure(1, &train(&data, &run, &["--steps", "1"]));
        assert!(error.starts_with(&format!("error: {data}")), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(!PathBuf::from(&run).exists());
    }
    let absent = folder.path("absent.jsonl");
    assert_eq!(
        failure(1, &train(&absent, &run, &["--steps", "1"])),
        format!("error: {absent}: no such file; check the path")
    );
    let ids = folder.write("ids.jsonl", "{\"ids\":[1,2]}\n{\"ids\":[1,2,300,4,5,6]}\n");
    let fixed = ["train", "--task", "language-model", "--seq-len", "2", "--data", &ids];
    assert_eq!(
        failure(1, &[&fixed[..], &TINY, &["--output", &run]].concat()),
        format!(
            "error: {ids}, line 2: field \"ids\": token id 300 is beyond the vocabulary of 300 tokens"
        )
    );
    assert!(!PathBuf::from(&run).exists());
}

#[test]
fn contradictory_settings_say_what_to_write() {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    let trained = |more: &[&str]| failure(2, &train(&data, &run, more));
    assert_eq!(trained(&["--lr", "0"]), "error: --lr is 0; it must be a positive number");
    assert_eq!(trained(&["--batch-size", "0"]), "error: --batch-size is 0; it must be at least 1");
    assert_eq!(
        trained(&["--steps", "5", "--warmup", "5"]),
        "error: --warmup 5 leaves nothing of 5 steps; it must be smaller"
    );
    assert_eq!(
        trained(&["--steps", "5", "--epochs", "5"]),
        "error: the argument '--steps <STEPS>' cannot be used with '--epochs <EPOCHS>'"
    );
    assert_eq!(trained(&["--epochs", "0"]), "error: --epochs is 0; it must be at least 1");
    assert_eq!(trained(&["--dropout", "2"]), "error: --dropout is 2; it must be in [0, 1)");
    assert_eq!(trained(&["--threads", "0"]), "error: --threads is 0; it must be at least 1");
    assert_eq!(
        trained(&["--momentum", "0.9"]),
        "error: --momentum is for --optimizer sgd and muon; leave it out, or choose another optimizer"
    );
    assert_eq!(
        trained(&["--optimizer", "sgd", "--nesterov"]),
        "error: --nesterov needs momentum; add --momentum 0.9"
    );
    let generate = |more: &[&str]| {
        failure(2, &[&["generate", "--model", "none", "--prompt", "x"][..], more].concat())
    };
    assert_eq!(
        generate(&["--temperature", "0.7"]),
        "error: --temperature needs sampling; add --do-sample"
    );
    assert_eq!(generate(&["--top-k", "5"]), "error: --top-k needs sampling; add --do-sample");
    assert_eq!(generate(&["--top-p", "0.9"]), "error: --top-p needs sampling; add --do-sample");
    assert_eq!(generate(&["--min-p", "0.1"]), "error: --min-p needs sampling; add --do-sample");
    assert_eq!(
        generate(&["--repetition-penalty", "0"]),
        "error: repetition_penalty must be a positive number; 1 is none"
    );
    assert_eq!(
        generate(&["--max-length", "9", "--max-new-tokens", "5"]),
        "error: the argument '--max-length <MAX_LENGTH>' cannot be used with \
         '--max-new-tokens <MAX_NEW_TOKENS>'"
    );
    assert_eq!(
        generate(&["--do-sample", "--greedy"]),
        "error: the argument '--do-sample' cannot be used with '--greedy'"
    );
    assert_eq!(
        generate(&["--num-beams", "4", "--do-sample"]),
        "error: --num-beams needs greedy search; leave out --do-sample"
    );
    assert_eq!(
        generate(&["--length-penalty", "-1"]),
        "error: --length-penalty needs beams; add --num-beams"
    );
}

#[test]
fn absurd_sizes_are_refused_and_leave_no_output() {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    let model = ["--data", &data, "--output", &run, "--model", "tiny", "--steps", "1"];
    let train =
        |more: &[&str]| failure(1, &[&["train", "--task", "describe"][..], &model, more].concat());
    let absurd =
        "error: the model's sizes are beyond what any machine holds; look for a wrong number";
    assert_eq!(train(&["--n-layers", "1000000000"]), absurd);
    assert_eq!(train(&["--d-model", "4611686018427387904", "--n-heads", "1"]), absurd);
    assert_eq!(train(&["--vocab-size", "4611686018427387904"]), absurd);
    assert!(!PathBuf::from(&run).exists());
    let epochs = ["--epochs", "16", "--batch-size", "24", "--accumulate", "2"];
    let fixed = ["train", "--json", "--task", "describe", "--data", &data, "--output", &run];
    let result = json(&[&fixed[..], &TINY, &epochs].concat());
    assert_eq!(result["steps"], 16);
    let generate = ["generate", "--model", &run, "--ids", "5", "--max-new-tokens"];
    let error = failure(1, &[&generate[..], &["18446744073709551615"]].concat());
    assert!(error.contains("ask for at most 255"), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn too_little_memory_is_told_in_one_line() {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    let command = format!(
        "ulimit -v 3145728; exec {} train --json --task describe --model gpt2 --vocab-size 300 \
         --batch-size 24 --steps 1 --threads 2 --data {data} --output {run}",
        env!("CARGO_BIN_EXE_attendant")
    );
    let big = command.replace("--vocab-size 300", "--vocab-size 300 --d-model 3072");
    let output = Command::new("sh").args(["-c", &big]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    let error = stderr(&output);
    assert!(error.starts_with("error: out of memory: the system refused"), "{error}");
    assert_eq!(error.lines().count(), 1);
    assert!(!PathBuf::from(&run).exists());
}

#[test]
fn an_output_that_is_not_empty_is_refused() {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    fs::create_dir(&run).unwrap();
    fs::write(Path::new(&run).join("mine"), "precious").unwrap();
    assert_eq!(
        failure(1, &train(&data, &run, &["--steps", "1"])),
        format!("error: {run}: is not an empty folder; name a new one with --output")
    );
    assert_eq!(fs::read_to_string(Path::new(&run).join("mine")).unwrap(), "precious");
}

#[test]
fn requests_that_do_not_fit_the_model_are_refused() {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    json(&train(&data, &run, &["--steps", "1"]));
    let generate = |more: &[&str]| failure(1, &[&["generate", "--model", &run][..], more].concat());
    let long = vec!["5"; 300].join(",");
    assert_eq!(
        generate(&["--ids", &long]),
        "error: the prompt has 300 tokens, the model's context holds 256; shorten the prompt"
    );
    assert_eq!(
        generate(&["--ids", "5,9999"]),
        "error: token id 9999 at position 1 is beyond the vocabulary of 300 tokens (ids 0 to 299)"
    );
    assert_eq!(generate(&["--prompt", ""]), "error: the prompt is empty; give at least one token");
    assert_eq!(
        failure(1, &["generate", "--model", &folder.path("none"), "--ids", "1"]),
        format!(
            "error: {}: no such folder; a model is a folder with config.json and \
             model.safetensors, or a GGUF file",
            folder.path("none")
        )
    );
    fs::write(Path::new(&run).join("model.safetensors"), "broken").unwrap();
    assert!(generate(&["--ids", "1"]).contains("model.safetensors: not a safetensors file"));
}
