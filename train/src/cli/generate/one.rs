//! The texts of one prompt, on stdout.

use super::faults::Faults;
use super::writer::{Prompt, Told, Writer, shown};
use crate::Error;
use crate::cli::output::print;
use serde_json::{Map, Value, json};
use std::time::Instant;
use transformer::Autoregressive;

impl Writer<'_> {
    /// Prints the variants of one prompt, each with what is told of it.
    pub fn one(&self, prompt: &Prompt, is_task: bool) -> Result<(), Error> {
        let start = Instant::now();
        let (mut rows, tokens) = self.write(std::slice::from_ref(prompt))?;
        let seconds = start.elapsed().as_secs_f64();
        let variants = rows.remove(0);
        let mut faults = Faults::new();
        faults.note(1, variants.iter().map(|told| &told.written));
        faults.warn();
        if !self.json {
            let before =
                if variants.len() == 1 { self.arguments.repeated(self.loaded) } else { "" };
            let lines = variants.iter().map(|told| line(told, before, is_task));
            return print(lines.collect::<Vec<_>>().join("\n"));
        }
        let mut result = self.object(prompt, &variants, is_task);
        result.insert("tokens_per_second".into(), json!(tokens as f64 / seconds));
        print(Value::from(result))
    }

    /// The fields of the result: a value each, or of several variants an array.
    fn object(&self, prompt: &Prompt, variants: &[Told], is_task: bool) -> Map<String, Value> {
        let first = self.loaded.model.first_tokens(&prompt.ids);
        let each = |value: &dyn Fn(&Told) -> Value| variants.iter().map(value).collect();
        let mut fields: Vec<(&str, Vec<Value>)> = vec![
            ("ids", each(&|told| json!([first, &told.written.ids].concat()))),
            ("text", each(&|told| json!(shown(&told.written.text, is_task)))),
            ("missing", each(&|told| json!(told.written.missing))),
            ("unwanted", each(&|told| json!(told.written.unwanted))),
            ("short", each(&|told| json!(told.written.is_short))),
            ("cut", each(&|told| json!(told.written.is_cut))),
            ("repeated", each(&|told| json!(told.written.is_repeated))),
        ];
        if variants.iter().any(|told| told.confidence.is_some()) {
            fields.push(("confidence", each(&|told| json!(told.confidence))));
        }
        if variants.iter().any(|told| told.cited.is_some()) {
            fields.push(("cited", each(&|told| json!(told.cited))));
        }
        let value = |mut values: Vec<Value>| match variants.len() {
            1 => values.remove(0),
            _ => values.into(),
        };
        fields.into_iter().map(|(name, values)| (name.to_string(), value(values))).collect()
    }
}

/// A text, and a line for each thing that is told of it.
fn line(told: &Told, before: &str, is_task: bool) -> String {
    let mut line = format!("{before}{}", shown(&told.written.text, is_task));
    if let Some(confidence) = told.confidence {
        line += &format!("\nconfidence {confidence:.4}");
    }
    match told.cited.as_deref() {
        None => {}
        Some("") => line += "\nrests on no one sentence",
        Some(sentence) => line += &format!("\nrests on: {sentence}"),
    }
    line
}
