//! A model measured on a task, each figure with its interval, beside the baselines.

use crate::Error;
use crate::baselines::{NGram, NearestProduct};
use crate::batch::sequence_losses;
use crate::data::Example;
use crate::metrics::{
    BleuCounts, Estimate, Mentions, Vocabulary, bits_per_byte, bootstrap, ratio_of_sums, rouge_l,
};
use crate::sequence::Sequence;
use serde::Serialize;
use serde_json::{Value, json};
use transformer::{Autoregressive, DecoderOnly, Generation, Tokenizer};

/// Rows that are computed side by side.
const BATCH_SIZE: usize = 32;
/// Fixes the rows drawn for intervals, so that two models are measured on the same draws.
const BOOTSTRAP_SEED: u64 = 95;
/// The order of the n-gram baseline.
pub const NGRAM_ORDER: usize = 5;

/// How well a model predicts targets.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Likelihood {
    /// Nats a target token.
    pub loss: Estimate,
    /// e to the loss.
    pub perplexity: Estimate,
    /// Bits a byte of the targets' text; absent where the rows have no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bits_per_byte: Option<Estimate>,
}

/// The likelihood of each sequence's targets under the model; `bytes` are those of its text.
///
/// # Errors
/// If an id is not in the model's vocabulary.
pub fn likelihood(
    model: &impl DecoderOnly,
    sequences: &[Sequence],
    bytes: Option<&[usize]>,
) -> Result<Likelihood, Error> {
    let losses = sequence_losses(model, sequences, BATCH_SIZE)?;
    let rows: Vec<(f64, f64)> = losses.iter().map(|&(nats, n)| (nats, n as f64)).collect();
    let loss = ratio_of_sums(&rows, BOOTSTRAP_SEED);
    let bits_per_byte = bytes.map(|bytes| {
        let nats = losses.iter().map(|&(nats, _)| nats);
        bits_per_byte_of_rows(nats.zip(bytes.iter().copied()))
    });
    Ok(Likelihood { loss, perplexity: loss.map(f64::exp), bits_per_byte })
}

fn bits_per_byte_of_rows(rows: impl Iterator<Item = (f64, usize)>) -> Estimate {
    let rows: Vec<(f64, f64)> =
        rows.map(|(nats, bytes)| (bits_per_byte(nats, 1), bytes as f64)).collect();
    ratio_of_sums(&rows, BOOTSTRAP_SEED)
}

/// Bytes of each example's target, the space before it aside: that of the description alone.
pub fn target_bytes(examples: &[Example]) -> Vec<usize> {
    examples.iter().map(|example| description(example).len()).collect()
}

/// The target's text as it stood in the row.
fn description(example: &Example) -> &str {
    example.target.strip_prefix(' ').unwrap_or(&example.target)
}

/// What the model writes after each prompt, greedily, up to the end token or the context's end.
///
/// # Errors
/// If a prompt fills the context or cannot be tokenized.
pub fn write(
    model: &impl DecoderOnly,
    tokenizer: &Tokenizer,
    examples: &[Example],
    end: u32,
    mut done: impl FnMut(usize),
) -> Result<Vec<String>, Error> {
    let mut prompts = Vec::new();
    for example in examples {
        prompts.push(tokenizer.encode(&example.prompt)?);
    }
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|&index| prompts[index].len());
    let mut texts = vec![String::new(); prompts.len()];
    for indices in order.chunks(BATCH_SIZE) {
        let rows: Vec<&[u32]> = indices.iter().map(|&index| &prompts[index][..]).collect();
        let settings = Generation {
            max_length: Some(DecoderOnly::max_seq_len(model)),
            end_tokens: Some(vec![end]),
            ..Generation::default()
        };
        let written = model.generate_batch(&rows, &settings)?;
        for (&index, ids) in indices.iter().zip(&written) {
            let text = tokenizer.decode(&ids[prompts[index].len()..])?;
            texts[index] = text.strip_prefix(' ').unwrap_or(&text).to_string();
        }
        done(indices.len());
    }
    Ok(texts)
}

/// What descriptions are worth: those that a model wrote, or a baseline.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Descriptions {
    /// Values mentioned / values of the product.
    pub attribute_coverage: Estimate,
    /// Other products' values mentioned / values mentioned.
    pub hallucinated_attributes: Estimate,
    /// The F-measure of the longest common subsequence of words.
    pub rouge_l: Estimate,
    /// Corpus BLEU.
    pub bleu: Estimate,
}

/// The vocabulary of a shop: the values of all its products.
pub fn shop_vocabulary<'a>(products: impl IntoIterator<Item = &'a Example>) -> Vocabulary {
    Vocabulary::new(products.into_iter().flat_map(Example::values))
}

/// Measures one text for each product.
pub fn descriptions(products: &[Example], texts: &[String], shop: &Vocabulary) -> Descriptions {
    let pairs = || products.iter().zip(texts);
    let mentions: Vec<Mentions> = pairs()
        .map(|(product, text)| shop.mentions(text, product.values(), product.category.as_deref()))
        .collect();
    let coverage: Vec<_> = mentions.iter().map(Mentions::coverage).collect();
    let hallucinated: Vec<_> = mentions.iter().map(Mentions::hallucinated).collect();
    let rouge: Vec<(f64, f64)> =
        pairs().map(|(product, text)| (rouge_l(description(product), text), 1.0)).collect();
    let counts: Vec<BleuCounts> =
        pairs().map(|(product, text)| BleuCounts::new(description(product), text)).collect();
    Descriptions {
        attribute_coverage: ratio_of_sums(&coverage, BOOTSTRAP_SEED),
        hallucinated_attributes: ratio_of_sums(&hallucinated, BOOTSTRAP_SEED),
        rouge_l: ratio_of_sums(&rouge, BOOTSTRAP_SEED),
        bleu: bootstrap(counts.len(), BOOTSTRAP_SEED, |rows| {
            let mut corpus = BleuCounts::default();
            rows.iter().for_each(|&row| corpus += counts[row]);
            corpus.score()
        }),
    }
}

/// The baselines of `describe`: the bits per byte of an n-gram, and the description of the
/// training product that shares the most attributes.
pub fn describe_baselines(training: &[Example], products: &[Example], shop: &Vocabulary) -> Value {
    let nearest = NearestProduct::new(training);
    let texts: Vec<String> =
        products.iter().map(|product| nearest.predict(product).to_string()).collect();
    json!({
        "byte_ngram": { "order": NGRAM_ORDER, "bits_per_byte": ngram(training, products) },
        "nearest_product": descriptions(products, &texts, shop),
    })
}

/// The baseline of `language-model`: the bits per byte of an n-gram on whole rows.
pub fn language_model_baselines(training: &[Example], rows: &[Example]) -> Value {
    json!({ "byte_ngram": { "order": NGRAM_ORDER, "bits_per_byte": ngram(training, rows) } })
}

fn ngram(training: &[Example], rows: &[Example]) -> Estimate {
    let texts = training.iter().map(|example| (&example.prompt[..], &example.target[..]));
    let model = NGram::fit(NGRAM_ORDER, texts);
    let nats = rows.iter().map(|row| model.nats(&row.prompt, &row.target));
    bits_per_byte_of_rows(nats.zip(target_bytes(rows)))
}
