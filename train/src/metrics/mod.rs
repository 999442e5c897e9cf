//! Metrics: how well predictions match, how much they mention, and how sure a figure is.
//!
//! Every rate is a fraction from 0 to 1.

mod answerability;
mod attributes;
mod bits_per_byte;
mod bleu;
mod bootstrap;
mod calibration;
mod confusion;
mod copied;
mod distinct;
mod macro_f1;
mod rouge;
mod squad;
mod words;

pub use answerability::{Answer, Answerability, UNKNOWN, answerability, choose_threshold};
pub use attributes::{Mentions, Vocabulary};
pub use bits_per_byte::bits_per_byte;
pub use bleu::{BleuCounts, bleu};
pub use bootstrap::{Estimate, bootstrap, paired_difference, ratio, ratio_of_sums};
pub use calibration::{Bin, Calibration, Confidence};
pub use confusion::{Class, Confusion};
pub use copied::{Copied, copied};
pub use distinct::distinct;
pub use macro_f1::macro_f1;
pub use rouge::rouge_l;
pub use squad::{exact_match, token_f1};
pub(crate) use words::words;

/// Whitespace as Python's `str.split` has it: Unicode's and four separators.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// The pieces of a text between whitespace.
fn split_words(text: &str) -> Vec<&str> {
    text.split(is_space).filter(|word| !word.is_empty()).collect()
}
