//! The program `attendant`, called as a user calls it.
#![allow(dead_code)] // each test file uses some of it

use serde_json::Value;
use std::fs;
use std::process::{Command, Output};

pub fn attendant(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_attendant")).args(arguments).output().unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim_end().to_string()
}

/// The one line of a failure, its exit status checked and stdout found empty.
#[track_caller]
pub fn failure(status: i32, arguments: &[&str]) -> String {
    let output = attendant(arguments);
    assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
    let error = stderr(&output);
    error.lines().find(|line| line.starts_with("error: ")).unwrap_or(&error).to_string()
}

#[track_caller]
pub fn json(arguments: &[&str]) -> Value {
    let output = attendant(arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), contents).unwrap();
        self.path(name)
    }
    /// Products enough for a tokenizer and a few batches.
    pub fn products(&self) -> String {
        let colours = ["red", "blue", "green", "grey"];
        let row = |i: usize| {
            let (colour, size) = (colours[i % 4], i * 7 % 30);
            format!(
                "{{\"category\":\"lamps\",\"colour\":\"{colour}\",\"size\":\"{size} cm\",\
                 \"description\":\"A {colour} lamp of {size} cm.\"}}\n"
            )
        };
        self.write("products.jsonl", (0..24).map(row).collect::<String>())
    }
}

pub const TINY: [&str; 10] = [
    "--model",
    "tiny",
    "--n-layers",
    "1",
    "--d-model",
    "16",
    "--n-heads",
    "2",
    "--vocab-size",
    "300",
];

pub fn train<'a>(data: &'a str, output: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let fixed = ["train", "--json", "--task", "describe", "--data", data, "--output", output];
    [&fixed[..], &TINY, more].concat()
}
