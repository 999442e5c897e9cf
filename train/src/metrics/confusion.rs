//! Which classes are taken for which.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How often each class was told where each was wanted, and how well each is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confusion {
    /// The labels, in the order of rows and columns.
    pub labels: Vec<String>,
    /// Rows counted: a row for each label wanted, a column for each label told.
    pub counts: Vec<Vec<usize>>,
    /// How well each class is told, in the order of the labels.
    pub classes: Vec<Class>,
}

/// How well one class is told.
///
/// ```math
/// \mathrm{precision}_c = \frac{tp_c}{tp_c + fp_c}, \quad
/// \mathrm{recall}_c = \frac{tp_c}{tp_c + fn_c}, \quad
/// F_{1,c} = \frac{2\, tp_c}{2\, tp_c + fp_c + fn_c}
/// ```
/// A share of nothing is 0.
///
/// Source: van Rijsbergen, "Information Retrieval" (1979), chapter 7.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Class {
    /// Of the rows told this class, the share that are of it.
    pub precision: f64,
    /// Of the rows of this class, the share told so.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
    /// Rows of this class.
    pub support: usize,
}

impl Confusion {
    /// The matrix of rows `(wanted, told)`. Labels of the rows that are not among `labels` come
    /// after these, sorted.
    pub fn new<'a>(
        labels: &[impl AsRef<str>],
        rows: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Confusion {
        let rows: Vec<(&str, &str)> = rows.into_iter().collect();
        let mut labels: Vec<&str> = labels.iter().map(AsRef::as_ref).collect();
        let given: BTreeSet<&str> = labels.iter().copied().collect();
        let all: BTreeSet<&str> = rows.iter().flat_map(|&(wanted, told)| [wanted, told]).collect();
        labels.extend(all.difference(&given));
        let places: BTreeMap<&str, usize> = labels.iter().copied().zip(0..).collect();
        let mut counts = vec![vec![0; labels.len()]; labels.len()];
        rows.iter().for_each(|(wanted, told)| counts[places[wanted]][places[told]] += 1);
        let classes = (0..labels.len()).map(|class| Class::new(&counts, class)).collect();
        Confusion { labels: labels.into_iter().map(String::from).collect(), counts, classes }
    }
}

impl Class {
    fn new(counts: &[Vec<usize>], class: usize) -> Class {
        let right = counts[class][class];
        let support: usize = counts[class].iter().sum();
        let told: usize = counts.iter().map(|row| row[class]).sum();
        let share = |part: usize, of: usize| if of == 0 { 0.0 } else { part as f64 / of as f64 };
        Class {
            precision: share(right, told),
            recall: share(right, support),
            f1: share(2 * right, told + support),
            support,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::macro_f1;

    const ROWS: [(&str, &str); 6] =
        [("a", "a"), ("a", "b"), ("a", "a"), ("b", "b"), ("b", "a"), ("c", "b")];
    const NONE: [&str; 0] = [];

    #[test]
    fn by_hand() {
        let confusion = Confusion::new(&["b", "a"], ROWS);
        assert_eq!(confusion.labels, ["b", "a", "c"]);
        assert_eq!(confusion.counts, [[1, 1, 0], [1, 2, 0], [1, 0, 0]]);
        let [b, a, c] = confusion.classes[..] else { panic!("{confusion:?}") };
        assert_eq!(b, Class { precision: 1.0 / 3.0, recall: 0.5, f1: 0.4, support: 2 });
        let two_thirds = 2.0 / 3.0;
        let expected =
            Class { precision: two_thirds, recall: two_thirds, f1: two_thirds, support: 3 };
        assert_eq!(a, expected);
        assert_eq!(c, Class { precision: 0.0, recall: 0.0, f1: 0.0, support: 1 });
    }

    #[test]
    fn the_mean_of_the_classes_is_macro_f1() {
        let confusion = Confusion::new(&NONE, ROWS);
        let mean = confusion.classes.iter().map(|class| class.f1).sum::<f64>() / 3.0;
        assert!((mean - macro_f1(ROWS)).abs() < 1e-12);
        assert_eq!(confusion.counts.iter().flatten().sum::<usize>(), ROWS.len());
    }

    #[test]
    fn a_class_without_a_row_and_no_rows_at_all() {
        let confusion = Confusion::new(&["a", "d"], [("a", "a")]);
        assert_eq!(
            confusion.classes[1],
            Class { precision: 0.0, recall: 0.0, f1: 0.0, support: 0 }
        );
        assert_eq!(confusion.classes[0].f1, 1.0);
        assert!(Confusion::new(&NONE, []).counts.is_empty());
    }

    #[test]
    fn written_as_labels_counts_and_classes() {
        let json = serde_json::to_value(Confusion::new(&["a", "b"], [("a", "b")])).unwrap();
        assert_eq!(json["labels"][1], "b");
        assert_eq!(json["counts"][0][1], 1);
        assert_eq!(json["classes"][0]["support"], 1);
    }
}
