//! The pieces of work that are measured, here and by the programs of `reference/`.

mod decode;
mod operation;
mod source;
mod train_step;

pub use decode::{Decode, Moments};
pub use operation::{Attention, Matmul};
pub use source::Source;
pub use train_step::{Step, TrainStep};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tensor::Precision;

/// Token ids that a line of any language makes: the i-th is
///
/// ```math
/// \big((7919\,i + 12345) \cdot 104729 \bmod (2^{31} - 1)\big) \bmod \mathrm{vocab\_size}
/// ```
///
/// ```
/// assert_eq!(attendant_benches::work::ids(0..2, 50257), [18180, 26117]);
/// ```
pub fn ids(places: std::ops::Range<usize>, vocab_size: usize) -> Vec<u32> {
    let id = |place: usize| {
        let mixed = (place as u64 * 7919 + 12345) * 104_729 % 2_147_483_647;
        (mixed % vocab_size as u64) as u32
    };
    places.map(id).collect()
}

/// Reads `f32` and `bf16`.
pub fn precisions() -> impl TypedValueParser<Value = Precision> {
    PossibleValuesParser::new(["f32", "bf16"]).try_map(|name| name.parse::<Precision>())
}

/// The one in the middle; of an even number the mean of the two.
///
/// # Panics
/// If there are none.
pub fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => (sorted[half - 1] + sorted[half]) / 2.0,
        _ => sorted[half],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 9.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 9.0, 2.0]), 3.0);
        assert_eq!(median(&[7.0]), 7.0);
    }

    #[test]
    fn ids_spread_over_the_vocabulary() {
        let ids = ids(0..4096, 8192);
        let mut seen = ids.clone();
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() > 3000 && seen.iter().all(|&id| id < 8192), "{}", seen.len());
    }
}
