//! The parity certificate, `docs/parity.md`: what the tests compared with Transformers, and the
//! largest difference they saw.

use std::fmt::Write;
use std::path::PathBuf;
use tensor::Float;

/// A section of the page: a row for each fixture.
pub struct Table {
    title: String,
    text: String,
}

impl Table {
    pub fn new(title: &str, columns: &[&str]) -> Table {
        let head = format!("| fixture | what is special | {} |\n", columns.join(" | "));
        let line = format!("|---|---|{}\n", "---|".repeat(columns.len()));
        Table { title: title.into(), text: head + &line }
    }

    pub fn row(&mut self, name: &str, shows: &str, cells: Vec<String>) {
        writeln!(self.text, "| {name} | {shows} | {} |", cells.join(" | ")).unwrap();
    }

    /// Puts it in the place of the section of the same title, if that was asked for.
    pub fn write(&self, tolerance: f64) {
        if std::env::var_os("ATTENDANT_WRITE_PARITY").is_none() {
            return;
        }
        let bits = 8 * size_of::<Float>();
        let title = format!("## {}, f{bits}, tolerance {tolerance:e}\n", self.title);
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/parity.md");
        let page = std::fs::read_to_string(&path).unwrap_or_else(|_| HEAD.into());
        let mut parts: Vec<&str> = page.split("\n## ").collect();
        let section = format!("{}\n{}", &title[3..], self.text);
        match parts.iter().position(|part| part.starts_with(&title[3..])) {
            Some(index) => parts[index] = &section,
            None => parts.push(&section),
        }
        parts[1..].sort_unstable();
        std::fs::write(path, parts.join("\n## ")).unwrap();
    }
}

/// A largest difference; nothing where nothing was compared.
pub fn number(worst: Option<f64>) -> String {
    worst.map_or(String::new(), |worst| format!("{worst:.1e}"))
}

const HEAD: &str = "# Parity with Transformers

Written by the test run. `transformer/tests/fixtures/make_models.py` makes tiny random models as they
lie in the wild, and Transformers computes with them in float64 throughout, also where it would take
float32 (T5, Llama and Qwen; `all_float64.py` says how, and the fixtures' `float32_parts` how little
that changes). Each number is the largest difference of ours, relative to the largest entry of its
tensor. Gradients are those of every parameter; sequences are greedy and of beams, in a padded batch
and alone. To write this page:

```sh
export ATTENDANT_WRITE_PARITY=1
cargo test -p attendant-transformer --test models_golden
cargo test -p attendant-train --test models_adamw
export RUSTFLAGS=\"--cfg attendant_f64\"
cargo test --target-dir target/f64 -p attendant-transformer --test models_golden
cargo test --target-dir target/f64 -p attendant-train --test models_adamw
```
";
