//! The nearest product: another product's description, unchanged.

use crate::data::Example;

/// Describes a product with the description of the training product most like it.
///
/// ```math
/// \hat y = y_{i^*}, \quad i^* = \arg\max_i |A \cap A_i|
/// ```
///
/// `` $`A`$ `` is the set of the product's `(field, value)` pairs, the category among them; of
/// equals the first is taken. What it writes is fluent and belongs to something else: a floor
/// for coverage, and a measure of what hallucination costs.
#[derive(Clone, Debug)]
pub struct NearestProduct<'a> {
    training: &'a [Example],
}

impl<'a> NearestProduct<'a> {
    /// The baseline of these training products.
    pub fn new(training: &'a [Example]) -> NearestProduct<'a> {
        NearestProduct { training }
    }

    /// The description of the training product that shares the most attributes with `product`;
    /// empty without training products.
    pub fn predict(&self, product: &Example) -> &'a str {
        let mut best: (usize, &str) = (0, self.training.first().map_or("", |e| &e.target));
        for candidate in self.training {
            let pairs = candidate.attributes.iter();
            let shared = pairs.filter(|pair| product.attributes.contains(pair)).count();
            if shared > best.0 {
                best = (shared, &candidate.target);
            }
        }
        best.1.strip_prefix(' ').unwrap_or(best.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(attributes: &[(&str, &str)], description: &str) -> Example {
        let text = |&(field, value): &(&str, &str)| (field.to_string(), value.to_string());
        let attributes = attributes.iter().map(text).collect();
        Example { target: format!(" {description}"), line: 1, attributes, ..Example::default() }
    }

    #[test]
    fn the_most_shared_pairs_win_and_of_equals_the_first() {
        let training = [
            product(&[("color", "red"), ("style", "lamp")], "first"),
            product(&[("color", "blue"), ("style", "lamp"), ("price", "5")], "second"),
            product(&[("style", "blue"), ("price", "5")], "third"),
        ];
        let nearest = NearestProduct::new(&training);
        assert_eq!(nearest.predict(&product(&[("style", "lamp"), ("price", "9")], "")), "first");
        assert_eq!(nearest.predict(&product(&[("price", "5"), ("color", "blue")], "")), "second");
        assert_eq!(nearest.predict(&product(&[("color", "green")], "")), "first");
        assert_eq!(NearestProduct::new(&[]).predict(&training[0]), "");
    }
}
