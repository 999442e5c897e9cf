//! A model measured on a task, each figure with its interval, beside the baselines.

use crate::baselines::{NGram, NearestProduct};
use crate::batch::sequence_losses;
use crate::data::Example;
use crate::metrics::{
    BleuCounts, Estimate, Mentions, Vocabulary, bits_per_byte, bootstrap, exact_match, macro_f1,
    ratio_of_sums, rouge_l, token_f1,
};
use crate::sequence::Sequence;
use crate::{Error, Learner};
use autograd::no_grad;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tensor::Float;
use transformer::{Autoregressive, Generation, Tokenizer};

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
    model: &impl Learner,
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
    examples.iter().map(|example| example.target_text().len()).collect()
}

/// What the model writes to the prompt of each sequence, greedily, up to the end token, the context's
/// end, or 1,024 tokens where there is no context.
///
/// # Errors
/// If a prompt fills the context.
pub fn write(
    model: &impl Autoregressive,
    tokenizer: &Tokenizer,
    sequences: &[Sequence],
    end: u32,
) -> Result<Vec<String>, Error> {
    let prompts: Vec<&[u32]> = sequences.iter().map(Sequence::prompt).collect();
    let settings = Generation {
        max_length: Some(model.max_seq_len().unwrap_or(1024)),
        end_tokens: Some(vec![end]),
        ..Generation::default()
    };
    let texts = answers(model, tokenizer, &prompts, &settings)?.into_iter();
    Ok(texts.map(|text| text.strip_prefix(' ').unwrap_or(&text).to_string()).collect())
}

/// What the model writes to each prompt, those of similar length side by side.
///
/// # Errors
/// As [`Autoregressive::generate_batch`].
pub(crate) fn answers(
    model: &impl Autoregressive,
    tokenizer: &Tokenizer,
    prompts: &[&[u32]],
    settings: &Generation,
) -> Result<Vec<String>, Error> {
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|&index| prompts[index].len());
    let mut texts = vec![String::new(); prompts.len()];
    for indices in order.chunks(BATCH_SIZE) {
        let rows: Vec<&[u32]> = indices.iter().map(|&index| prompts[index]).collect();
        let written = model.generate_batch(&rows, settings)?;
        for (&index, ids) in indices.iter().zip(&written) {
            texts[index] = tokenizer.decode(&ids[model.first_tokens(prompts[index]).len()..])?;
        }
    }
    Ok(texts)
}

/// What texts are worth beside those that were wanted.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Texts {
    /// The share that is the wanted text, but for letters' case, punctuation and articles.
    pub exact_match: Estimate,
    /// The F-measure of words.
    pub token_f1: Estimate,
    /// The F-measure of the longest common subsequence of words.
    pub rouge_l: Estimate,
    /// Corpus BLEU.
    pub bleu: Estimate,
}

/// Measures one text for each example.
pub fn texts(examples: &[Example], texts: &[String]) -> Texts {
    let mean = |figure: fn(&str, &str) -> f64| {
        let pairs = examples.iter().zip(texts);
        let rows = pairs.map(|(example, text)| (figure(example.target_text(), text), 1.0));
        ratio_of_sums(&rows.collect::<Vec<_>>(), BOOTSTRAP_SEED)
    };
    let (exact_match, token_f1, rouge_l) = (mean(exact_match), mean(token_f1), mean(rouge_l));
    Texts { exact_match, token_f1, rouge_l, bleu: corpus_bleu(examples, texts) }
}

fn corpus_bleu(examples: &[Example], texts: &[String]) -> Estimate {
    let pairs = examples.iter().zip(texts);
    let counts: Vec<BleuCounts> =
        pairs.map(|(example, text)| BleuCounts::new(example.target_text(), text)).collect();
    bootstrap(counts.len(), BOOTSTRAP_SEED, |rows| {
        let mut corpus = BleuCounts::default();
        rows.iter().for_each(|&row| corpus += counts[row]);
        corpus.score()
    })
}

/// The likeliest class of each text.
///
/// # Errors
/// If an id is not in the model's vocabulary, or the model is no classifier.
pub fn classify(model: &impl Learner, sequences: &[Sequence]) -> Result<Vec<usize>, Error> {
    let mut told = Vec::new();
    for rows in sequences.chunks(BATCH_SIZE) {
        let rows: Vec<&Sequence> = rows.iter().collect();
        let (scores, _) = no_grad(|| model.scores(&rows))?;
        let scores = scores.value().contiguous();
        told.extend(scores.data().chunks(scores.size(-1)).map(likeliest));
    }
    Ok(told)
}

/// The index of the highest score, the first of equals.
pub fn likeliest(scores: &[Float]) -> usize {
    (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}

/// How well classes are told.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Classes {
    /// The share told right.
    pub accuracy: Estimate,
    /// See [`macro_f1`].
    pub macro_f1: Estimate,
}

/// Measures one label for each example.
pub fn classes(examples: &[Example], labels: &[impl AsRef<str>]) -> Classes {
    let rows: Vec<(&str, &str)> =
        examples.iter().zip(labels).map(|(row, label)| (&row.target[..], label.as_ref())).collect();
    let right: Vec<(f64, f64)> =
        rows.iter().map(|(wanted, told)| (f64::from(wanted == told), 1.0)).collect();
    let of_rows = |drawn: &[usize]| macro_f1(drawn.iter().map(|&row| rows[row]));
    Classes {
        accuracy: ratio_of_sums(&right, BOOTSTRAP_SEED),
        macro_f1: bootstrap(rows.len(), BOOTSTRAP_SEED, of_rows),
    }
}

/// The baseline of `classify`: the class that most training rows have, told of every row.
pub fn classify_baselines(training: &[Example], rows: &[Example]) -> Value {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    training.iter().for_each(|row| *counts.entry(&row.target).or_default() += 1);
    let majority =
        counts.iter().rev().max_by_key(|(_, count)| **count).map_or("", |(label, _)| label);
    json!({ "majority": classes(rows, &vec![majority; rows.len()]) })
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
        pairs().map(|(product, text)| (rouge_l(product.target_text(), text), 1.0)).collect();
    Descriptions {
        attribute_coverage: ratio_of_sums(&coverage, BOOTSTRAP_SEED),
        hallucinated_attributes: ratio_of_sums(&hallucinated, BOOTSTRAP_SEED),
        rouge_l: ratio_of_sums(&rouge, BOOTSTRAP_SEED),
        bleu: corpus_bleu(products, texts),
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
