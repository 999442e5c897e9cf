//! Bits per byte: a loss that does not depend on the tokenizer.

use std::f64::consts::LN_2;

/// The loss of a text in bits per byte of it.
///
/// ```math
/// \mathrm{bpb} = \frac{1}{B \ln 2} \sum_{t} -\ln p(x_t \mid x_{<t})
/// ```
///
/// `nats` is the loss summed over the target's tokens (the end token too), `bytes` the target's
/// length in UTF-8. Without bytes it is 0.
///
/// Source: Gao et al., "The Pile" (2020), section 3.1.
pub fn bits_per_byte(nats: f64, bytes: usize) -> f64 {
    if bytes == 0 { 0.0 } else { nats / LN_2 / bytes as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_of_256_equal_ones_has_eight_bits() {
        approx::assert_relative_eq!(bits_per_byte(3.0 * 256f64.ln(), 3), 8.0, epsilon = 1e-12);
        assert_eq!(bits_per_byte(1.0, 0), 0.0);
    }
}
