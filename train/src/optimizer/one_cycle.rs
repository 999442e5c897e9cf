//! (O8) One cycle of the learning rate: up, then further down. Smith & Topin 2018, section 3.

use std::f64::consts::PI;

/// The factor at the start: PyTorch's `div_factor` is 25.
const FIRST: f64 = 1.0 / 25.0;
/// The factor at the end: PyTorch's `final_div_factor` is 10⁴.
const LAST: f64 = FIRST / 1e4;
/// The share of the steps that rise where nothing else is said.
const RISING: f64 = 0.3;

/// What the learning rate is multiplied with at step `t` (from 0) of `steps`, `warmup` of them
/// rising; 3/10 of them where it is 0.
///
/// ```math
/// a + (b - a)\, \tfrac{1}{2}(1 - \cos \pi p): \quad
/// a = \tfrac{1}{25},\; b = 1,\; p = \frac{t}{W - 1} \text{ while } t < W, \text{ then }
/// a = 1,\; b = \tfrac{1}{25 \cdot 10^4},\; p = \frac{t - (W - 1)}{T - W} \qquad (O8)
/// ```
/// These are the two phases of PyTorch's `OneCycleLR` with cosines. The paper cycles the momentum
/// against the learning rate and rises along straight lines; here the momentum stays.
pub fn one_cycle(t: usize, steps: usize, warmup: usize) -> f64 {
    let rising = if warmup == 0 { RISING * steps as f64 } else { warmup as f64 };
    let (t, peak, end) = (t as f64, (rising - 1.0).max(0.0), steps as f64 - 1.0);
    let between = |a: f64, b: f64, p: f64| a + (b - a) * 0.5 * (1.0 - (PI * p).cos());
    match t {
        t if t < peak => between(FIRST, 1.0, t / peak),
        t if t > peak => between(1.0, LAST, ((t - peak) / (end - peak)).min(1.0)),
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    #[test]
    fn by_hand_o8() {
        assert_relative_eq!(one_cycle(0, 21, 11), 0.04);
        assert_relative_eq!(one_cycle(5, 21, 11), 0.52);
        assert_eq!(one_cycle(10, 21, 11), 1.0);
        assert_relative_eq!(one_cycle(15, 21, 11), 0.5 * (1.0 + 4e-6));
        assert_relative_eq!(one_cycle(20, 21, 11), 4e-6, max_relative = 1e-9);
    }

    #[test]
    fn it_rises_to_one_and_falls_at_any_size() {
        for (steps, warmup) in [(1, 0), (2, 0), (2, 1), (3, 2), (10, 0), (100, 1), (100, 99)] {
            let factors: Vec<f64> = (0..steps).map(|t| one_cycle(t, steps, warmup)).collect();
            assert!(factors.iter().all(|factor| (LAST * 0.999..=1.0).contains(factor)));
            let peak = (0..steps).max_by(|&a, &b| factors[a].total_cmp(&factors[b])).unwrap();
            assert!(factors[..=peak].is_sorted() && factors[peak..].iter().rev().is_sorted());
            assert!(factors[peak] > 0.9, "{factors:?}");
        }
    }
}
