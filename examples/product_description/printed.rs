//! What the example prints: scores with their intervals, baselines, and five texts to read.

use serde_json::{Map, Value, json};
use std::path::Path;
use train::data::Example;
use train::report;

/// Texts shown.
const SAMPLES: usize = 5;

/// All that was measured, with some of the texts.
pub fn json(
    figures: Map<String, Value>,
    products: &[Example],
    texts: &[String],
    train_seconds: f64,
) -> Value {
    let sample =
        |index: usize| json!({ "prompt": products[index].prompt, "prediction": texts[index] });
    let mut result = Value::from(figures);
    result["train_seconds"] = json!(train_seconds);
    result["samples"] = spread(products.len()).map(sample).collect();
    result
}

pub fn print(
    figures: &Map<String, Value>,
    products: &[Example],
    texts: &[String],
    train_seconds: f64,
    output: &Path,
) {
    println!("Five descriptions of products the model has not seen:\n");
    for index in spread(products.len()) {
        let attributes = products[index].prompt.trim_end_matches("description:").trim_end();
        println!("  {}\n  → {}\n", attributes.replace('\n', ", "), texts[index]);
    }
    println!("On {} test products, with 95 % intervals:\n", products.len());
    println!("{}", report::text(figures));
    println!(
        "\ntrained in {train_seconds:.0} s; saved in {0}; all of it on one page: {0}/report.html",
        output.display()
    );
}

/// A few indices spread over `0..count`.
fn spread(count: usize) -> impl Iterator<Item = usize> {
    (0..SAMPLES.min(count)).map(move |sample| sample * count / SAMPLES.min(count))
}
