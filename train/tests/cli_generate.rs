//! Texts that the program writes for the rows of a task, called as a user calls it.

mod program;

use program::{Folder, attendant, failure, json, stderr, train};
use serde_json::{Value, json};
use std::fs;

/// A folder with a model that has seen its products for a moment.
fn trained() -> (Folder, String) {
    let folder = Folder::new();
    let (data, run) = (folder.products(), folder.path("run"));
    json(&train(&data, &run, &["--steps", "30", "--lr", "1e-2", "--batch-size", "24"]));
    (folder, run)
}

fn describe<'a>(run: &'a str, data: &'a str, output: &'a str) -> Vec<&'a str> {
    let fixed = ["generate", "--json", "--task", "describe", "--model", run, "--data", data];
    [&fixed[..], &["--output", output, "--max-new-tokens", "24"]].concat()
}

const PRODUCTS: &str = "category,colour,note\nlamps,red,\"a \"\"new\"\" one,\nor not\"\nlamps,blue,\n\
                        lamps,\"deep, green\",x\n";

#[test]
fn a_file_is_written_with_its_predictions() {
    let (folder, run) = trained();
    let data = folder.write("products.csv", PRODUCTS);
    let (csv, lines) = (folder.path("out.csv"), folder.path("out.jsonl"));
    let result = json(&describe(&run, &data, &csv));
    assert_eq!((&result["rows"], &result["output"]), (&json!(3), &json!(csv)));
    assert!(result["seconds"].as_f64().unwrap() > 0.0);
    assert!(result["tokens_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(result["missing"], json!([]));
    json(&describe(&run, &data, &lines));
    let mut reader = csv::Reader::from_path(&csv).unwrap();
    assert_eq!(reader.headers().unwrap(), &["category", "colour", "note", "prediction"][..]);
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(&records[0][2], "a \"new\" one,\nor not");
    let rows = fs::read_to_string(&lines).unwrap();
    for (record, line) in records.iter().zip(rows.lines()) {
        let row: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&row["colour"], &row["prediction"]), (&json!(record[1]), &json!(record[3])));
        let told = [format!("colour={}", &record[1]), format!("note={}", &record[2])];
        let told =
            ["--attribute", "category=lamps", "--attribute", &told[0], "--attribute", &told[1]];
        let fixed = ["generate", "--json", "--task", "describe", "--model", &run];
        let one = json(&[&fixed[..], &told, &["--max-new-tokens", "24"]].concat());
        assert_eq!(one["text"], row["prediction"]);
        assert!(record[3].len() > 2 && !record[3].starts_with(' '));
    }
    let again = failure(1, &describe(&run, &data, &csv));
    assert_eq!(again, format!("error: {csv}: is there already; name a new file with --output"));
    let output = folder.path("again.csv");
    assert_eq!(
        failure(1, &describe(&run, &csv, &output)),
        format!(
            "error: {csv}, line 2: field \"prediction\" is there already, and would be written; \
             rename it, or remove it"
        )
    );
    assert!(!fs::exists(&output).unwrap());
}

#[test]
fn variants_have_columns_of_their_own() {
    let (folder, run) = trained();
    let data = folder.write("products.csv", PRODUCTS);
    let output = folder.path("out.csv");
    let more = ["--variants", "3", "--confidence", "--temperature", "1.2", "--do-sample"];
    let result = json(&[&describe(&run, &data, &output)[..], &more].concat());
    let mut reader = csv::Reader::from_path(&output).unwrap();
    let names = ["prediction_1", "prediction_2", "prediction_3"];
    let names = [&names[..], &["confidence_1", "confidence_2", "confidence_3"]].concat();
    assert_eq!(reader.headers().unwrap().iter().skip(3).collect::<Vec<_>>(), names);
    for record in reader.records().map(Result::unwrap) {
        assert!(record[3] != record[4] && record[4] != record[5] && record[3] != record[5]);
        for column in 6..9 {
            let confidence: f64 = record[column].parse().unwrap();
            assert!(confidence > 0.0 && confidence < 1.0, "{confidence}");
        }
    }
    assert_eq!(result["repeated"], json!([]));
}

#[test]
fn texts_keep_their_rules_or_say_which_they_break() {
    let (folder, run) = trained();
    let data = folder.write("products.csv", PRODUCTS);
    let outputs = ["plain", "ruled", "lacking"].map(|name| folder.path(&format!("{name}.jsonl")));
    let predictions = |output: &str| -> Vec<String> {
        let text = fs::read_to_string(output).unwrap();
        let row = |line: &str| serde_json::from_str::<Value>(line).unwrap()["prediction"].clone();
        text.lines().map(|line| row(line).as_str().unwrap().to_string()).collect()
    };
    json(&describe(&run, &data, &outputs[0]));
    let plain = predictions(&outputs[0]);
    let word = plain[0].split_whitespace().next().unwrap().to_string();
    let ruled = ["--bad-word", &word, "--max-words", "3"];
    json(&[&describe(&run, &data, &outputs[1])[..], &ruled].concat());
    for text in predictions(&outputs[1]) {
        use transformer::generate::words;
        assert!(!words::contains(&text, &word) && words::count(&text) <= 3, "{word}: {text}");
    }
    let lacking = ["--must-have", "zzyzx", "--tries", "2"];
    let output = attendant(&[&describe(&run, &data, &outputs[2])[..], &lacking].concat());
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["missing"], json!([1, 2, 3]));
    let warning = "warning: texts: 3, the first in row 1, lack words that must appear";
    assert!(stderr(&output).contains(warning), "{}", stderr(&output));
    assert_eq!(predictions(&outputs[2]), plain);

    let prompt = ["generate", "--json", "--model", &run, "--prompt", "colour: red"];
    let written = json(&[&prompt[..], &["--must-have", "zzyzx", "--tries", "1"]].concat());
    assert_eq!(written["missing"], json!(["zzyzx"]));
    let two = json(&[&prompt[..], &["--variants", "2", "--max-new-tokens", "4"]].concat());
    assert_eq!(two["text"].as_array().unwrap().len(), 2);
}

#[test]
fn a_question_is_answered_as_its_row_is() {
    let folder = Folder::new();
    let row = |i: usize| {
        let size = i * 7 % 30;
        format!("{size} cm wide.,How wide?,{size} cm\n")
    };
    let rows: String = (0..24).map(row).collect();
    let data = folder.write("rows.csv", format!("context,question,answer\n{rows}"));
    let run = folder.path("run");
    let mut arguments = train(&data, &run, &["--steps", "5"]);
    arguments[3] = "answer";
    json(&arguments);
    let asked = folder.write("asked.csv", "context,question\n7 cm wide.,How wide?\n");
    let output = folder.path("out.jsonl");
    let fixed = ["generate", "--json", "--task", "answer", "--model", &run];
    let more = ["--max-new-tokens", "9"];
    let file = ["--data", &asked, "--output", &output];
    json(&[&fixed[..], &file, &more].concat());
    let row: Value = serde_json::from_str(&fs::read_to_string(&output).unwrap()).unwrap();
    let told = ["--question", "How wide?", "--context", "7 cm wide."];
    let one = json(&[&fixed[..], &told, &more].concat());
    assert_eq!(one["text"], row["prediction"]);
}

#[test]
fn bytes_that_are_not_utf8_are_told_by_file_and_line() {
    let (folder, run) = trained();
    for (name, bytes) in [
        ("bad.csv", &b"colour,size\nred,1\nbl\xffue,2\n"[..]),
        ("bad.jsonl", b"{\"colour\":\"red\"}\n\n{\"colour\":\"bl\xffue\"}\n"),
    ] {
        let data = folder.write(name, bytes);
        let output = folder.path("out.csv");
        assert_eq!(
            failure(1, &describe(&run, &data, &output)),
            format!("error: {data}, line 3: not UTF-8; save the file as UTF-8")
        );
        assert!(!fs::exists(&output).unwrap());
    }
}

#[test]
fn options_that_do_not_go_together_say_what_to_write() {
    let generate = |more: &[&str]| failure(2, &[&["generate", "--model", "none"], more].concat());
    let data = ["--data", "a.csv"];
    for (options, message) in [
        (&data[..], "--data needs a task; add --task describe"),
        (
            &["--task", "classify", "--data", "a.csv"],
            "--task classify writes no text; take describe, answer or seq2seq",
        ),
        (
            &["--task", "seq2seq"],
            "--task seq2seq needs rows; add --data, or give one text as --prompt",
        ),
        (
            &["--task", "describe"],
            "--task describe needs a product; add --attribute 'name=…', or --data",
        ),
        (&["--task", "answer"], "--task answer needs a question; add --question, or --data"),
        (
            &["--task", "answer", "--question", "x", "--attribute", "a=b"],
            "--attribute is for --task describe; add it, or leave it out",
        ),
        (
            &["--task", "describe", "--data", "a.csv", "--attribute", "a=b"],
            "--attribute tells one row, --data many; leave one out",
        ),
        (
            &["--task", "describe", "--data", "a.csv"],
            "--data needs a file to write; add --output OUT.csv",
        ),
        (
            &["--task", "describe", "--data", "a.csv", "--output", "out.txt"],
            "--output out.txt ends neither in .csv nor in .jsonl; name one that does",
        ),
        (
            &["--prompt", "x", "--output", "out.csv"],
            "--output is for the rows of --data; add --data, or leave it out",
        ),
        (
            &["--task", "describe", "--attribute", "a=b", "--attribute", "a=c"],
            "--attribute a stands twice; keep one",
        ),
        (
            &["--task", "describe", "--attribute", "description=b"],
            "--attribute description is no attribute of a product; leave it out",
        ),
        (
            &["--prompt", "x", "--min-words", "9", "--max-words", "5"],
            "--min-words 9 is more than --max-words 5; it must be no more",
        ),
        (
            &["--ids", "1", "--must-have", "x"],
            "--must-have is about a text, --ids are none; give --prompt or --task",
        ),
        (
            &["--prompt", "x", "--tries", "3"],
            "--tries needs a rule that a text can break; add --must-have, --min-words, --max-words \
             or --variants",
        ),
        (
            &["--task", "answer", "--question", "x", "--prompt", "y"],
            "the argument '--task <TASK>' cannot be used with '--prompt <PROMPT>'",
        ),
    ] {
        assert_eq!(generate(options), format!("error: {message}"));
    }
}
