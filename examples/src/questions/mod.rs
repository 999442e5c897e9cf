//! Questions of a shop's customers: a synthetic data set of question, context and answer.
//!
//! Nothing in it was collected. The products are those of the [catalogue](crate::catalogue); what
//! is said, asked and answered about them, about the shop's rules and by its customers stands in
//! `data/phrases/questions/`, and a seeded generator ([`generate`]) puts it together. Some rows
//! are written by hand, in `data/questions_written.jsonl` ([`written`]). [`questions`] is both, and
//! `data/questions.jsonl` is what it makes:
//!
//! ```sh
//! cargo run --release -p attendant-examples --bin questions
//! ```
//!
//! About one row in seven asks what its context does not tell; its answer is [`UNKNOWN`]. The
//! context then speaks of something near, of other things, or of another product.

mod fact;
mod maker;
mod scene;

pub use crate::catalogue::{Origin, Split};
pub use crate::phrases::words;

use crate::jsonl;
use maker::Maker;
use serde::{Deserialize, Serialize};

/// The committed rows, one a line.
pub const EMBEDDED: &str = include_str!("../../data/questions.jsonl");
/// The seed of the committed rows.
pub const SEED: u64 = 2027;
/// The number of generated rows among the committed ones.
pub const GENERATED: usize = 1800;
/// The answer to what the context does not tell.
pub const UNKNOWN: &str = "I don't know.";

const WRITTEN: &str = include_str!("../../data/questions_written.jsonl");

/// A question about a product, what is known, and the answer that follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The product: its name and what it is.
    pub product: String,
    /// What a customer asks.
    pub question: String,
    /// One to four sentences of a product's page, the shop's rules or a customer.
    pub context: String,
    /// The answer that follows from the context, or [`UNKNOWN`].
    pub answer: String,
    /// Whether the context tells the answer.
    pub answerable: Answerable,
    /// Unique in the set.
    pub id: String,
    /// What the row is for.
    pub split: Split,
    /// How the row came about.
    pub origin: Origin,
}

/// Whether a context tells the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answerable {
    /// It does.
    Yes,
    /// It does not.
    No,
}

/// The whole set: the generated rows, then the written ones.
pub fn questions() -> Vec<Row> {
    let mut rows = generate(SEED, GENERATED);
    rows.extend(written());
    rows
}

/// The rows written by hand.
pub fn written() -> Vec<Row> {
    jsonl::read(WRITTEN).expect("data/questions_written.jsonl")
}

/// `count` generated rows; of every twelve, ten are for training, one for validation, one for test.
///
/// No question and no context has the words of another, be it in a written row. A row is about a
/// product of its own split of the catalogue.
pub fn generate(seed: u64, count: usize) -> Vec<Row> {
    let mut maker = Maker::new(seed, &written());
    let row = |i: usize| {
        let split = match i % 12 {
            10 => Split::Valid,
            11 => Split::Test,
            _ => Split::Train,
        };
        maker.make(split, i + 1)
    };
    (0..count).map(row).collect()
}
