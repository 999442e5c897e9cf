//! Customer reviews, praising or complaining: two synthetic data sets, one English, one Chinese.
//!
//! Nothing in them was collected: no shop, product or customer exists. Most rows are *generated*
//! from the phrases in `data/phrases/reviews_en/` and `data/phrases/reviews_zh/` by a seeded
//! generator ([`generate`]); some are *written* by hand, in `data/reviews_en_written.jsonl` and
//! `data/reviews_zh_written.jsonl` ([`written`]). [`reviews`] is both, and `data/reviews_en.jsonl`
//! and `data/reviews_zh.jsonl` are what it makes:
//!
//! ```sh
//! cargo run --release -p attendant-examples --bin reviews
//! ```
//!
//! What a review praises or blames often does not decide it: a positive one may repeat a complaint
//! and deny it, a negative one may praise what the old pan did. So a model that only counts words
//! goes wrong in part of the rows.

mod grammar;
mod item;
mod language;
mod row;
mod voice;

pub use language::Language;
pub use row::{Label, Review};

use crate::catalogue::{Origin, Split};
use crate::jsonl;
use grammar::Maker;
use std::collections::HashSet;

/// The seed of the committed reviews.
pub const SEED: u64 = 2026;
/// The number of generated rows in each language's committed reviews.
pub const GENERATED: usize = 2400;

/// The committed reviews: the generated rows, then the written ones.
pub fn reviews(language: Language) -> Vec<Review> {
    let mut rows = generate(language, SEED, GENERATED);
    rows.extend(written(language));
    rows
}

/// The rows written by hand.
pub fn written(language: Language) -> Vec<Review> {
    jsonl::read(language.written()).unwrap_or_else(|e| panic!("written {language:?}: {e}"))
}

/// `count` generated reviews, the categories in turn, a round of positive ones and a round of
/// negative ones; of every twelve such pairs of rounds, ten are for training, one for validation,
/// one for test.
///
/// No two have the same letters, with each other or with a written row.
pub fn generate(language: Language, seed: u64, count: usize) -> Vec<Review> {
    let categories = language.categories();
    let mut maker = Maker::new(seed);
    let mut seen: HashSet<String> = written(language).iter().map(Review::letters).collect();
    let review = |i: usize| {
        let (category, round) = (&categories[i % categories.len()], i / categories.len());
        let label = if round.is_multiple_of(2) { Label::Positive } else { Label::Negative };
        let split = match round / 2 % 12 {
            10 => Split::Valid,
            11 => Split::Test,
            _ => Split::Train,
        };
        let mut review = Review {
            text: String::new(),
            label,
            category: category.name.clone(),
            id: format!("{}-{:04}", category.name, round + 1),
            split,
            origin: Origin::Generated,
        };
        for _ in 0..1000 {
            let text = maker.review(category, label);
            review.text = voice::finish(language, &text, maker.rng());
            if language.lengths().contains(&language.length(&review.text))
                && seen.insert(review.letters())
            {
                return review;
            }
        }
        panic!("{}: no new review", category.name);
    };
    (0..count).map(review).collect()
}
