//! What the example prints: scores with their intervals, baselines, and five texts to read.

use serde_json::{Value, json};
use std::path::Path;
use train::data::Example;
use train::evaluation::{Descriptions, Likelihood, NGRAM_ORDER};
use train::metrics::Estimate;

/// Texts shown.
const SAMPLES: usize = 5;

/// All that was measured.
pub struct Report {
    pub likelihood: Likelihood,
    pub written: Descriptions,
    pub baselines: Value,
    pub train_seconds: f64,
}

impl Report {
    pub fn json(&self, products: &[Example], texts: &[String]) -> Value {
        let sample =
            |index: usize| json!({ "prompt": products[index].prompt, "prediction": texts[index] });
        json!({
            "attribute_coverage": self.written.attribute_coverage,
            "hallucinated_attributes": self.written.hallucinated_attributes,
            "bits_per_byte": self.likelihood.bits_per_byte,
            "loss": self.likelihood.loss,
            "rouge_l": self.written.rouge_l,
            "bleu": self.written.bleu,
            "train_seconds": self.train_seconds,
            "baselines": self.baselines,
            "samples": spread(products.len()).map(sample).collect::<Vec<_>>(),
        })
    }

    pub fn print(&self, products: &[Example], texts: &[String], output: &Path) {
        println!("Five descriptions of products the model has not seen:\n");
        for index in spread(products.len()) {
            let attributes = products[index].prompt.trim_end_matches("description:").trim_end();
            println!("  {}\n  → {}\n", attributes.replace('\n', ", "), texts[index]);
        }
        println!("On {} test products, with 95 % intervals:\n", products.len());
        let ours = &self.written;
        let nearest = &self.baselines["nearest_product"];
        row("", "this model", "baseline", "");
        line(
            "attribute coverage",
            ours.attribute_coverage,
            &nearest["attribute_coverage"],
            "the nearest training product's description",
        );
        line(
            "hallucinated attributes",
            ours.hallucinated_attributes,
            &nearest["hallucinated_attributes"],
            "the same",
        );
        if let Some(bits) = self.likelihood.bits_per_byte {
            let ngram = &self.baselines["byte_ngram"]["bits_per_byte"];
            let name = format!("an n-gram of {NGRAM_ORDER} bytes");
            line("bits per byte", bits, ngram, &name);
        }
        println!("\ntrained in {:.0} s; saved in {}", self.train_seconds, output.display());
    }
}

/// A few indices spread over `0..count`.
fn spread(count: usize) -> impl Iterator<Item = usize> {
    (0..SAMPLES.min(count)).map(move |sample| sample * count / SAMPLES.min(count))
}

fn row(name: &str, ours: &str, baseline: &str, what: &str) {
    println!("  {name:24} {ours:26} {baseline:26} {what}");
}

fn line(name: &str, ours: Estimate, baseline: &Value, what: &str) {
    let show = |value: f64, [low, high]: [f64; 2]| format!("{value:.4} [{low:.4}, {high:.4}]");
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let interval = [number(&baseline["ci95"][0]), number(&baseline["ci95"][1])];
    row(name, &show(ours.value, ours.ci95), &show(number(&baseline["value"]), interval), what);
}
