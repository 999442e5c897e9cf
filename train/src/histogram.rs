//! How the numbers of a tensor are spread: their range, and how many lie in each part of it.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tensor::{Float, Tensor};

/// Parts of equal width that the range is cut into.
const BINS: usize = 40;

/// Numbers that one piece of work looks at. Counts and extremes are the same in any order.
const PIECE: usize = 64 * 1024;

/// The numbers of a tensor, counted in bins of equal width from the lowest to the highest.
///
/// ```math
/// c_b = \Big|\Big\{ i : \Big\lfloor \tfrac{x_i - \mathrm{low}}{\mathrm{high} - \mathrm{low}}
/// \, B \Big\rfloor = b \Big\}\Big|
/// ```
/// The highest number is in the last bin. Numbers that are not finite are counted apart.
///
/// ```
/// use tensor::Tensor;
/// use train::histogram::Histogram;
/// let histogram = Histogram::of(&Tensor::new([0.0, 0.0, 1.0], &[3]));
/// assert_eq!((histogram.low, histogram.high, histogram.counts[0]), (0.0, 1.0, 2));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// The lowest finite number; 0 where there is none.
    pub low: f64,
    /// The highest finite number; 0 where there is none.
    pub high: f64,
    /// How many are in each bin: 40 bins; one where all numbers are equal; none where there is
    /// no finite number.
    pub counts: Vec<u64>,
    /// How many are infinite or NaN.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub non_finite: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Histogram {
    /// Counts the numbers of a tensor: the range in one pass, the bins in another.
    pub fn of(tensor: &Tensor) -> Histogram {
        match tensor.as_slice() {
            Some(numbers) => Histogram::of_slice(numbers),
            None => Histogram::of_slice(&tensor.to_vec()),
        }
    }

    fn of_slice(numbers: &[Float]) -> Histogram {
        let (low, high, finite) = range(numbers);
        let non_finite = numbers.len() as u64 - finite;
        if finite == 0 {
            return Histogram { non_finite, ..Histogram::default() };
        }
        let counts = if low == high { vec![finite] } else { count(numbers, low, high) };
        Histogram { low, high, counts, non_finite }
    }

    /// The upper edge of each bin.
    pub fn edges(&self) -> impl Iterator<Item = f64> + '_ {
        let (bins, width) = (self.counts.len(), self.high - self.low);
        let edge = move |bin| self.low + width * (bin as f64 / bins as f64);
        (1..bins).map(edge).chain((bins > 0).then_some(self.high))
    }

    /// How many finite numbers were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The lowest and the highest finite number, and how many are finite.
fn range(numbers: &[Float]) -> (f64, f64, u64) {
    let none = || (f64::INFINITY, f64::NEG_INFINITY, 0);
    let piece = |numbers: &[Float]| {
        let finite = numbers.iter().filter(|x| x.is_finite()).map(|&x| f64::from(x));
        finite.fold(none(), |(low, high, n), x| (f64::min(low, x), f64::max(high, x), n + 1))
    };
    let (low, high, finite) = numbers
        .par_chunks(PIECE)
        .map(piece)
        .reduce(none, |a, b| (f64::min(a.0, b.0), f64::max(a.1, b.1), a.2 + b.2));
    // Which of 0 and -0 is the lower one depends on the order; adding 0 leaves only one of them.
    (low + 0.0, high + 0.0, finite)
}

fn count(numbers: &[Float], low: f64, high: f64) -> Vec<u64> {
    let scale = BINS as f64 / (high - low);
    let piece = |numbers: &[Float]| {
        let mut counts = vec![0u64; BINS];
        for &x in numbers.iter().filter(|x| x.is_finite()) {
            counts[(((f64::from(x) - low) * scale) as usize).min(BINS - 1)] += 1;
        }
        counts
    };
    let add = |mut a: Vec<u64>, b: Vec<u64>| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    };
    numbers.par_chunks(PIECE).map(piece).reduce(|| vec![0; BINS], add)
}

/// Which numbers a histogram counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A parameter's.
    Weights,
    /// Those of its gradient.
    Gradients,
}

impl Kind {
    /// Its name, as it stands in files.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Weights => "weights",
            Kind::Gradients => "gradients",
        }
    }
}

/// A line of `histograms.jsonl`: a parameter's numbers at one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistogramLine {
    /// The step, from 1.
    pub step: usize,
    /// The parameter.
    pub name: String,
    /// Its weights or its gradient.
    pub kind: Kind,
    /// The numbers.
    #[serde(flatten)]
    pub histogram: Histogram,
}

impl HistogramLine {
    /// Kind and name, as TensorBoard shows them: `weights/h.0.attn.c_attn.weight`.
    pub fn tag(&self) -> String {
        format!("{}/{}", self.kind.name(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(numbers: &[Float]) -> Histogram {
        Histogram::of(&Tensor::new(numbers, &[numbers.len()]))
    }

    #[test]
    fn hand_counted() {
        let histogram = of(&[-1.0, -0.99, 0.0, 0.5, 1.0, 1.0]);
        assert_eq!((histogram.low, histogram.high), (-1.0, 1.0));
        let filled = histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        let filled: Vec<(usize, u64)> = filled.map(|(bin, count)| (bin, *count)).collect();
        assert_eq!(filled, [(0, 2), (20, 1), (30, 1), (39, 2)]);
        let edges: Vec<f64> = histogram.edges().collect();
        assert_eq!((edges.len(), edges[19], edges[39]), (40, 0.0, 1.0));
    }

    #[test]
    fn extreme_numbers() {
        assert_eq!(of(&[]), Histogram::default());
        assert_eq!(of(&[]).edges().count(), 0);
        let same = of(&[2.5, 2.5]);
        assert_eq!((same.low, same.high, &same.counts[..]), (2.5, 2.5, &[2][..]));
        assert_eq!(same.edges().collect::<Vec<_>>(), [2.5]);
        let (nan, infinity) = (Float::NAN, Float::INFINITY);
        let broken = of(&[nan, infinity, -infinity]);
        assert_eq!(broken, Histogram { non_finite: 3, ..Histogram::default() });
        let widest = of(&[-1e38, nan, 1e38]);
        assert_eq!((widest.counts[0], widest.counts[39], widest.non_finite), (1, 1, 1));
        assert_eq!(of(&[-0.0]).low.to_bits(), 0);
        assert_eq!(of(&[1.0, -0.0]).low.to_bits(), of(&[1.0, 0.0]).low.to_bits());
    }

    #[test]
    fn as_a_line() {
        let line = HistogramLine {
            step: 3,
            name: "h.0".into(),
            kind: Kind::Gradients,
            histogram: of(&[0.5, 0.5]),
        };
        assert_eq!(line.tag(), "gradients/h.0");
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(
            text,
            r#"{"step":3,"name":"h.0","kind":"gradients","low":0.5,"high":0.5,"counts":[2]}"#
        );
        assert_eq!(serde_json::from_str::<HistogramLine>(&text).unwrap(), line);
        let broken = serde_json::to_string(&of(&[Float::NAN])).unwrap();
        assert_eq!(broken, r#"{"low":0.0,"high":0.0,"counts":[],"non_finite":1}"#);
    }

    #[test]
    fn same_on_any_number_of_threads() {
        let numbers = tensor::Rng::seeded(5).normal(&[3 * PIECE + 17], 1.0);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Histogram::of(&numbers))
        };
        assert_eq!(on(1).total(), numbers.len() as u64);
        for threads in [2, 3, 7] {
            assert_eq!(on(threads), on(1));
        }
    }

    proptest! {
        #[test]
        fn as_counted_one_by_one(
            rows in 0usize..9, columns in 0usize..40, seed in any::<u64>(), transposed in any::<bool>()
        ) {
            let tensor = tensor::Rng::seeded(seed).normal(&[rows, columns], 1.0);
            let tensor = if transposed { tensor.transpose(0, 1) } else { tensor };
            let histogram = Histogram::of(&tensor);
            prop_assert_eq!(histogram.total(), (rows * columns) as u64);
            let edges: Vec<f64> = histogram.edges().collect();
            let mut expected = vec![0; edges.len()];
            for x in tensor.to_vec() {
                let last = edges.len() - 1;
                let bin = edges.iter().position(|&edge| f64::from(x) < edge).unwrap_or(last);
                expected[bin] += 1;
            }
            // A number next to an edge may be rounded to either side.
            let moved: u64 = expected.iter().zip(&histogram.counts).map(|(a, b)| b.abs_diff(*a)).sum();
            prop_assert!(moved <= 2, "{:?} {:?}", histogram, expected);
        }
    }
}
