//! Metrics: how well predictions match, how much they mention, and how sure a figure is.
//!
//! Every rate is a fraction from 0 to 1.

mod attributes;
mod bits_per_byte;
mod bleu;
mod bootstrap;
mod macro_f1;
mod rouge;
mod squad;

pub use attributes::{Mentions, Vocabulary};
pub use bits_per_byte::bits_per_byte;
pub use bleu::{BleuCounts, bleu};
pub use bootstrap::{Estimate, bootstrap, ratio_of_sums};
pub use macro_f1::macro_f1;
pub use rouge::rouge_l;
pub use squad::{exact_match, token_f1};

/// Whitespace as Python's `str.split` has it: Unicode's and four separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// The pieces of a text between whitespace.
fn split_words(text: &str) -> Vec<&str> {
    text.split(is_space).filter(|word| !word.is_empty()).collect()
}
