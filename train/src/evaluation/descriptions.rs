//! Descriptions: what texts about products are worth, those that a model wrote or a baseline.

use super::Scores;
use super::likelihood::{bits, target_bytes};
use super::texts::corpus_bleu;
use crate::baselines::{NGram, NearestProduct, copy, template};
use crate::data::{Example, Task};
use crate::metrics::{Copied, Mentions, Vocabulary, copied, distinct, rouge_l};
use serde_json::{Map, Value, json};

/// The order of the n-gram baseline.
pub const NGRAM_ORDER: usize = 5;

/// The vocabulary of a shop: the values of all its products.
pub fn shop_vocabulary<'a>(products: impl IntoIterator<Item = &'a Example>) -> Vocabulary {
    Vocabulary::new(products.into_iter().flat_map(Example::values))
}

/// `attribute_coverage`, `hallucinated_attributes`, `rouge_l` and `bleu` of one text for each
/// product.
pub fn descriptions(products: &[Example], texts: &[String], shop: &Vocabulary) -> Scores<'static> {
    let pairs = || products.iter().zip(texts);
    let mentions: Vec<Mentions> = pairs()
        .map(|(product, text)| shop.mentions(text, product.values(), product.category.as_deref()))
        .collect();
    let rouge = pairs().map(|(product, text)| rouge_l(product.target_text(), text)).collect();
    Scores::new(products.len())
        .with_ratio("attribute_coverage", mentions.iter().map(Mentions::coverage).collect())
        .with_ratio(
            "hallucinated_attributes",
            mentions.iter().map(Mentions::hallucinated).collect(),
        )
        .with_mean("rouge_l", rouge)
        .and(corpus_bleu(products, texts))
}

/// `copied_share` of texts: the mean share of a text that is its longest run of words out of one of
/// the training rows' targets.
pub fn copies(training: &[Example], texts: &[String]) -> Scores<'static> {
    let found = longest_copies(training, texts);
    Scores::new(found.len())
        .with_mean("copied_share", found.iter().map(|copy| copy.share).collect())
}

fn longest_copies(training: &[Example], texts: &[String]) -> Vec<Copied> {
    copied(texts, training.iter().map(Example::target_text))
}

/// What is told of texts besides their scores: `distinct_1`, `distinct_2`, the shares of their words
/// and pairs of words that are different ones.
pub fn variety(texts: &[String]) -> Map<String, Value> {
    let figure = |order| json!(distinct(texts, order));
    Map::from_iter([("distinct_1".into(), figure(1)), ("distinct_2".into(), figure(2))])
}

/// The baselines of `describe`, each beside `ours`: the bits per byte of an n-gram, the description
/// of the training product that shares the most attributes, the attributes in a fixed form, and
/// the name alone.
pub fn describe_baselines(
    training: &[Example],
    products: &[Example],
    shop: &Vocabulary,
    ours: &Scores,
) -> Value {
    let nearest = NearestProduct::new(training);
    let measured = |write: &dyn Fn(&Example) -> String| {
        let texts: Vec<String> = products.iter().map(write).collect();
        descriptions(products, &texts, shop).and(copies(training, &texts)).beside(ours)
    };
    let mut ngram = ngram(training, products).beside(ours);
    ngram.insert("order".into(), NGRAM_ORDER.into());
    json!({
        "byte_ngram": ngram,
        "nearest_product": measured(&|product| nearest.predict(product).to_string()),
        "template": measured(&template),
        "copy": measured(&|product| copy(Task::Describe, product).to_string()),
    })
}

/// The baseline of `language-model`: the bits per byte of an n-gram on whole rows. A model is measured
/// on blocks, so that there are no pairs to compare.
pub fn language_model_baselines(training: &[Example], rows: &[Example]) -> Value {
    let mut ngram = ngram(training, rows).estimates();
    ngram.insert("order".into(), NGRAM_ORDER.into());
    json!({ "byte_ngram": ngram })
}

fn ngram(training: &[Example], rows: &[Example]) -> Scores<'static> {
    let texts = training.iter().map(|example| (&example.prompt[..], &example.target[..]));
    let model = NGram::fit(NGRAM_ORDER, texts);
    let nats = rows.iter().map(|row| model.nats(&row.prompt, &row.target));
    bits(nats, &target_bytes(rows))
}
