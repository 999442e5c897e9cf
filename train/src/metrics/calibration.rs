//! Calibration: whether a classifier is right as often as it says.

use serde::Serialize;

/// How sure a classifier was of one row, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    /// The probability of the likeliest class.
    pub confidence: f64,
    /// Whether that class was wanted.
    pub right: bool,
    /// The row's part of [`Calibration::brier`].
    pub brier: f64,
}

/// How well a classifier's probabilities are its chances of being right.
///
/// With the rows in M bins of equal width, `` $`B_m`$ `` those whose confidence is in
/// `` $`(\frac{m-1}{M}, \frac{m}{M}]`$ ``, the expected calibration error is
///
/// ```math
/// \mathrm{ECE} = \sum_{m=1}^{M} \frac{|B_m|}{n}
/// \left| \mathrm{acc}(B_m) - \mathrm{conf}(B_m) \right|
/// ```
/// and the Brier score, from 0 to 2, with `` $`y_{ic}`$ `` 1 for the class wanted, else 0,
///
/// ```math
/// \mathrm{BS} = \frac{1}{n} \sum_{i=1}^{n} \sum_{c} (p_{ic} - y_{ic})^2
/// ```
/// Without a row both are 0.
///
/// Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (2017),
/// section 2; Brier, "Verification of Forecasts Expressed in Terms of Probability" (1950), eq. 2.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// The expected calibration error.
    pub ece: f64,
    /// The Brier score.
    pub brier: f64,
    /// The bins of a reliability diagram, rising.
    pub bins: Vec<Bin>,
}

/// The rows whose confidence is above `low` and at most `high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// The bin's lower end.
    pub low: f64,
    /// The bin's upper end.
    pub high: f64,
    /// Rows in it.
    pub count: usize,
    /// Their mean confidence; 0 without rows.
    pub confidence: f64,
    /// The share of them told right; 0 without rows.
    pub accuracy: f64,
}

impl Confidence {
    /// Of the probabilities of the classes and the class wanted; `None` is a class that the
    /// classifier does not know, whose probability is 0. Of equal probabilities the first is told.
    pub fn new(probabilities: &[f64], wanted: Option<usize>) -> Confidence {
        let first = probabilities.first().copied().unwrap_or(0.0);
        let (told, confidence) = (0..)
            .zip(probabilities.iter().copied())
            .fold((0, first), |best, next| if next.1 > best.1 { next } else { best });
        let wants = |class| f64::from(u8::from(wanted == Some(class)));
        let known = (0..).zip(probabilities).map(|(class, p)| (p - wants(class)).powi(2));
        let unknown = f64::from(u8::from(wanted.is_none_or(|class| class >= probabilities.len())));
        Confidence { confidence, right: wanted == Some(told), brier: known.sum::<f64>() + unknown }
    }
}

impl Calibration {
    /// Measures rows in this many bins.
    ///
    /// # Panics
    /// If there are to be no bins.
    #[track_caller]
    pub fn new(rows: impl IntoIterator<Item = Confidence>, n_bins: usize) -> Calibration {
        assert!(n_bins > 0, "Calibration::new: there must be at least one bin");
        let mut sums = vec![(0, 0.0, 0.0); n_bins]; // rows, confidence, right
        let (mut n_rows, mut brier) = (0, 0.0);
        for row in rows {
            let bin = (row.confidence * n_bins as f64).ceil() as usize;
            let (count, confidence, right) = &mut sums[bin.clamp(1, n_bins) - 1];
            *count += 1;
            *confidence += row.confidence;
            *right += f64::from(u8::from(row.right));
            (n_rows, brier) = (n_rows + 1, brier + row.brier);
        }
        let n_rows = f64::from(n_rows).max(1.0);
        let ece = sums.iter().map(|(_, confidence, right)| (right - confidence).abs());
        Calibration {
            ece: ece.sum::<f64>() / n_rows,
            brier: brier / n_rows,
            bins: (0..n_bins)
                .zip(sums)
                .map(|(place, sums)| Bin::new(place, n_bins, sums))
                .collect(),
        }
    }
}

impl Bin {
    fn new(place: usize, n_bins: usize, (count, confidence, right): (usize, f64, f64)) -> Bin {
        let (width, rows) = (n_bins as f64, count.max(1) as f64);
        Bin {
            low: place as f64 / width,
            high: (place + 1) as f64 / width,
            count,
            confidence: confidence / rows,
            accuracy: right / rows,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    fn rows(rows: &[(f64, bool)]) -> impl Iterator<Item = Confidence> {
        rows.iter().map(|&(confidence, right)| Confidence { confidence, right, brier: 0.0 })
    }

    #[test]
    fn bins_and_error_by_hand() {
        let of = rows(&[(0.55, true), (0.65, false), (0.8, true), (0.9, true), (1.0, true)]);
        let calibration = Calibration::new(of, 5);
        let counts: Vec<_> = calibration.bins.iter().map(|bin| bin.count).collect();
        // 0.8 is the upper end of the fourth bin
        assert_eq!(counts, [0, 0, 1, 2, 2]);
        let bin = calibration.bins[3];
        assert_relative_eq!(bin.confidence, 0.725);
        assert_eq!((bin.low, bin.high, bin.accuracy), (0.6, 0.8, 0.5));
        // (|1 − 0.55| + 2 |0.5 − 0.725| + 2 |1 − 0.95|) / 5
        assert_relative_eq!(calibration.ece, 0.2, epsilon = 1e-12);
    }

    #[test]
    fn a_row_by_hand() {
        let row = Confidence::new(&[0.2, 0.7, 0.1], Some(1));
        assert_eq!((row.confidence, row.right), (0.7, true));
        assert_relative_eq!(row.brier, 0.04 + 0.09 + 0.01, epsilon = 1e-12);
        let wrong = Confidence::new(&[0.5, 0.5], Some(1));
        assert_eq!(wrong, Confidence { confidence: 0.5, right: false, brier: 0.5 });
        let unknown = Confidence::new(&[1.0, 0.0], None);
        assert_eq!(unknown, Confidence { confidence: 1.0, right: false, brier: 2.0 });
    }

    #[test]
    fn one_that_is_right_as_often_as_it_says_has_no_error() {
        let told = [(0.75, true), (0.75, true), (0.75, false), (0.75, true)];
        assert_eq!(Calibration::new(rows(&told), 10).ece, 0.0);
        assert_eq!(Calibration::new([Confidence::new(&[0.0, 1.0], Some(1))], 10).brier, 0.0);
    }

    #[test]
    fn the_ends() {
        // sure and wrong; a probability that rounding put above 1; none at all
        assert_eq!(Calibration::new(rows(&[(1.0, false)]), 3).ece, 1.0);
        assert_eq!(Calibration::new(rows(&[(1.0 + 1e-9, true), (0.0, true)]), 3).bins[2].count, 1);
        let none = Calibration::new([], 2);
        assert_eq!((none.ece, none.brier, none.bins[1].accuracy), (0.0, 0.0, 0.0));
        let json = serde_json::to_string(&none.bins[0]).unwrap();
        let expected = r#"{"low":0.0,"high":0.5,"count":0,"confidence":0.0,"accuracy":0.0}"#;
        assert_eq!(json, expected);
    }

    #[test]
    #[should_panic(expected = "Calibration::new: there must be at least one bin")]
    fn there_must_be_a_bin() {
        Calibration::new([], 0);
    }
}
