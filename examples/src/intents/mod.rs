//! What customers want: a synthetic data set of messages to a shop, each with one of 27 intents.
//!
//! Nothing in it was collected. Most rows are put together by a seeded generator ([`generate`])
//! from the phrases in `data/phrases/intents/`, then typed as people type, with slips and short
//! forms; some are written by hand, in `data/intents_written.jsonl` ([`written`]). [`intents`] is
//! both, and `data/intents.jsonl` is what it makes:
//!
//! ```sh
//! cargo run --release -p attendant-examples --bin questions
//! ```

mod maker;
mod typing;

pub use crate::catalogue::{Origin, Split};
pub use crate::phrases::words;

use crate::jsonl;
use maker::Maker;
use serde::{Deserialize, Serialize};

/// The committed rows, one a line.
pub const EMBEDDED: &str = include_str!("../../data/intents.jsonl");
/// The seed of the committed rows.
pub const SEED: u64 = 2028;
/// The number of generated rows of each intent among the committed ones.
pub const GENERATED: usize = 84;

/// Every intent.
pub const LABELS: [&str; 27] = [
    "cancel_order",
    "change_order",
    "track_order",
    "change_address",
    "missing_item",
    "delivery_options",
    "delivery_period",
    "report_damage",
    "warranty_claim",
    "get_refund",
    "track_refund",
    "refund_policy",
    "return_item",
    "exchange_item",
    "invoice",
    "payment_methods",
    "payment_problem",
    "discount_code",
    "gift_card",
    "create_account",
    "delete_account",
    "recover_password",
    "change_email",
    "newsletter",
    "contact_person",
    "complaint",
    "product_question",
];

const WRITTEN: &str = include_str!("../../data/intents_written.jsonl");

/// A message and what its writer wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The message.
    pub text: String,
    /// One of [`LABELS`].
    pub label: String,
    /// Unique in the set.
    pub id: String,
    /// What the row is for.
    pub split: Split,
    /// How the row came about.
    pub origin: Origin,
}

/// The whole set: the generated rows, then the written ones.
pub fn intents() -> Vec<Row> {
    let mut rows = generate(SEED, GENERATED);
    rows.extend(written());
    rows
}

/// The rows written by hand.
pub fn written() -> Vec<Row> {
    jsonl::read(WRITTEN).expect("data/intents_written.jsonl")
}

/// `count` rows of each intent, the intents in turn; of every twelve rounds, ten are for training,
/// one for validation, one for test.
///
/// No two messages, written ones included, have the same words in the same order. Each intent has
/// two requests that training never sees; one may come up in validation, one in the test.
pub fn generate(seed: u64, count: usize) -> Vec<Row> {
    let mut maker = Maker::new(seed, &written());
    let row = |i: usize| {
        let round = i / LABELS.len();
        let split = match round % 12 {
            10 => Split::Valid,
            11 => Split::Test,
            _ => Split::Train,
        };
        maker.make(LABELS[i % LABELS.len()], split, round + 1)
    };
    (0..count * LABELS.len()).map(row).collect()
}
