//! How well classes are told, each class counting alike.

use std::collections::BTreeMap;

/// The mean over the classes of the F1 of each.
///
/// ```math
/// F_1 = \frac{1}{|C|} \sum_{c \in C} \frac{2\, tp_c}{2\, tp_c + fp_c + fn_c}
/// ```
/// C are the classes that stand among references or predictions; without a row it is 0.
///
/// Source: scikit-learn's `f1_score` with `average="macro"`; Lewis, Schapire, Callan & Papka 1996,
/// section 4.
pub fn macro_f1<T: Ord + Clone>(rows: impl IntoIterator<Item = (T, T)>) -> f64 {
    let mut counts: BTreeMap<T, (u32, u32)> = BTreeMap::new(); // twice those told right; all
    for (reference, prediction) in rows {
        if reference == prediction {
            counts.entry(reference.clone()).or_default().0 += 2;
        }
        counts.entry(reference).or_default().1 += 1;
        counts.entry(prediction).or_default().1 += 1;
    }
    let f1 = counts.values().map(|&(right, all)| f64::from(right) / f64::from(all));
    if counts.is_empty() { 0.0 } else { f1.sum::<f64>() / counts.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand_and_at_the_ends() {
        // Of a: 1 right, 1 missed; of b: 1 right, 1 too many, so 2/3 each.
        let rows = [("a", "a"), ("a", "b"), ("b", "b")];
        assert!((macro_f1(rows) - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(macro_f1([("a", "a"), ("b", "b")]), 1.0);
        assert_eq!(macro_f1([("a", "b"), ("b", "c")]), 0.0);
        assert_eq!(macro_f1::<u8>([]), 0.0);
    }
}
