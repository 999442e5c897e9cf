//! TF-IDF and logistic regression: what weighing words alone makes of a text's class.

use super::lbfgs::minimize;
use super::sparse::SparseMatrix;
use super::tfidf::Tfidf;
use crate::Error;
use crate::data::Example;
use autograd::{Parameter, Var, cross_entropy_sum};
use rayon::prelude::*;
use std::collections::BTreeSet;
use tensor::{Float, Targets, Tensor};

/// The weight of the loss beside that of the penalty.
const C: Float = 4.0;

/// A classifier that adds up a weight for each word of the text and class.
///
/// ```math
/// p(c \mid x) = \mathrm{softmax}(x W + b)_c, \quad
/// \min_{W, b} \; \frac{1}{n} \Big( -\sum_{i=1}^{n} \ln p(y_i \mid x_i)
/// + \frac{1}{2 C} \lVert W \rVert_2^2 \Big)
/// ```
/// `` $`x`$ `` is the TF-IDF row of the text's words and pairs of words, in scripts without spaces
/// of up to three characters; `` $`C = 4`$ ``. The gradient comes from autograd, the whole training
/// set at once, and the minimum is found by L-BFGS from `` $`W = b = 0`$ ``: nothing is random.
///
/// Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.4. It is
/// scikit-learn's `LogisticRegression(C=4)`; of two classes, for which that learns one vector in
/// place of two, `LogisticRegression(C=8)`.
#[derive(Clone, Debug)]
pub struct TfidfLogisticRegression {
    tfidf: Tfidf,
    labels: Vec<String>,
    /// `[words + 1, labels]`: W, and b as its last row.
    weights: Tensor,
}

impl TfidfLogisticRegression {
    /// Learns the labels of the training rows from their texts.
    ///
    /// # Errors
    /// If there are no rows.
    pub fn fit(training: &[Example]) -> Result<TfidfLogisticRegression, Error> {
        if training.is_empty() {
            return Err(Error::settings(
                "TF-IDF and logistic regression: there are no rows to learn from",
            ));
        }
        let texts: Vec<&str> = training.iter().map(|row| &row.prompt[..]).collect();
        let tfidf = Tfidf::fit(&texts);
        let labels: BTreeSet<&str> = training.iter().map(|row| &row.target[..]).collect();
        let labels: Vec<String> = labels.into_iter().map(String::from).collect();
        let class = |row: &Example| labels.partition_point(|label| *label < row.target) as u32;
        let classes: Vec<u32> = training.iter().map(class).collect();
        let targets = Targets::new(classes, labels.len())?;
        let rows: Vec<_> = texts.par_iter().map(|text| row(&tfidf, text)).collect();
        let rows = SparseMatrix::new(&rows, tfidf.n_columns() + 1);
        let start = Tensor::zeros(&[tfidf.n_columns() + 1, labels.len()]);
        let weights = minimize(start, |weights| objective(&rows, &targets, weights))?;
        Ok(TfidfLogisticRegression { tfidf, labels, weights })
    }

    /// The labels, sorted.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The likeliest label of a text, the first of equals.
    pub fn predict(&self, text: &str) -> &str {
        let p = self.probabilities(text);
        let best =
            (0..p.len()).fold(0, |best, class| if p[class] > p[best] { class } else { best });
        &self.labels[best]
    }

    /// The probability of each label, in their order.
    pub fn probabilities(&self, text: &str) -> Vec<f64> {
        let weights_of = |row: usize| self.weights.data().chunks(self.labels.len()).nth(row);
        let mut scores = vec![0.0; self.labels.len()];
        for (column, x) in row(&self.tfidf, text) {
            let weights = weights_of(column as usize).into_iter().flatten();
            let terms = weights.map(|&w| f64::from(x) * f64::from(w));
            scores.iter_mut().zip(terms).for_each(|(score, term)| *score += term);
        }
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = scores.iter().map(|score| (score - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect()
    }
}

/// The weights of a text's words, and the 1 that b is multiplied with.
fn row(tfidf: &Tfidf, text: &str) -> Vec<(u32, Float)> {
    let mut row = tfidf.row(text);
    row.push((tfidf.n_columns() as u32, 1.0));
    row
}

/// The penalized loss of the training rows, divided by their number, and its gradient.
fn objective(
    rows: &SparseMatrix,
    targets: &Targets,
    weights: &Tensor,
) -> Result<(f64, Tensor), Error> {
    let weights = Parameter::new(weights.clone());
    let loss = penalized_loss(rows, targets, &weights);
    let failed = |error: autograd::Error| Error::settings(error.to_string());
    let gradients = loss.backward().map_err(failed)?;
    let gradient =
        gradients.get(&weights).map_or_else(|| weights.value().zeros_like(), Tensor::contiguous);
    Ok((f64::from(loss.item()), gradient))
}

fn penalized_loss(rows: &SparseMatrix, targets: &Targets, weights: &Var) -> Var {
    let scores = rows.product(weights); // [rows, labels]
    let loss = cross_entropy_sum(&scores, targets) / targets.count() as Float;
    let n_words = weights.size(0) - 1;
    if n_words == 0 {
        return loss;
    }
    let w = weights.narrow(0, 0, n_words);
    let w = w.reshape(&[1, w.value().len()]);
    // A product's gradient is W itself times a number; that of a sum is spread over W first.
    let penalty = w.matmul(&w.transpose(0, 1)).sum();
    loss + penalty / (2.0 * C * targets.count() as Float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[(&str, &str)]) -> Vec<Example> {
        let row = |&(text, label): &(&str, &str)| Example {
            prompt: text.to_string(),
            target: label.to_string(),
            ..Example::default()
        };
        rows.iter().map(row).collect()
    }

    const TOY: [(&str, &str); 7] = [
        ("good lamp", "+"),
        ("a good rug", "+"),
        ("bad lamp", "-"),
        ("a bad rug", "-"),
        ("很好的灯", "+"),
        ("很不好的灯", "-"),
        ("不好", "-"),
    ];

    #[test]
    fn a_separable_set_is_learned_in_words_and_characters() {
        let model = TfidfLogisticRegression::fit(&rows(&TOY)).unwrap();
        assert_eq!(model.labels(), ["+", "-"]);
        for (text, label) in TOY {
            assert_eq!(model.predict(text), label, "{text}");
        }
        assert_eq!(model.predict("a good bad good thing"), "+");
        assert_eq!(model.predict("真不好"), "-");
        let sum: f64 = model.probabilities("good").iter().sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    }

    /// ∂/∂W of the objective in f64, one number after the other, from the rows as they are weighed.
    fn gradient_by_loops(model: &TfidfLogisticRegression, training: &[Example]) -> Vec<f64> {
        let (n, width) = (training.len() as f64, model.labels.len());
        let weights = model.weights.data();
        let bias = weights.len() - width;
        let penalty =
            |(at, &w): (usize, &Float)| if at < bias { f64::from(w / C) / n } else { 0.0 };
        let mut gradient: Vec<f64> = weights.iter().enumerate().map(penalty).collect();
        for row in training {
            let p = model.probabilities(&row.prompt);
            let words = model.tfidf.row(&row.prompt).into_iter();
            for (column, x) in words.chain([((bias / width) as u32, 1.0)]) {
                for class in 0..width {
                    let wanted = f64::from(u8::from(model.labels[class] == row.target));
                    let term = f64::from(x) * (p[class] - wanted) / n;
                    gradient[column as usize * width + class] += term;
                }
            }
        }
        gradient
    }

    #[test]
    fn the_gradient_vanishes_at_the_optimum() {
        let mut training = rows(&TOY);
        training.extend(rows(&[("a lamp", "?"), ("good or bad", "?"), ("good lamp", "-")]));
        let mut model = TfidfLogisticRegression::fit(&training).unwrap();
        let largest = |model: &TfidfLogisticRegression| {
            gradient_by_loops(model, &training).into_iter().fold(0.0, |a: f64, g| a.max(g.abs()))
        };
        assert!(largest(&model) < 5e-6, "{}", largest(&model));
        model.weights.apply(|w| 0.9 * w);
        assert!(largest(&model) > 1e-3, "{}", largest(&model));
    }

    #[test]
    fn without_a_known_word_the_commonest_class_is_likeliest() {
        let model =
            TfidfLogisticRegression::fit(&rows(&[("x", "b"), ("y", "b"), ("z", "a")])).unwrap();
        assert_eq!(model.predict("unheard of"), "b");
        let p = model.probabilities("");
        assert!((p[1] - 2.0 / 3.0).abs() < 1e-4, "{p:?}");
    }

    #[test]
    fn one_label_is_certain_and_no_rows_are_an_error() {
        let model = TfidfLogisticRegression::fit(&rows(&[("x", "only"), ("x", "only")])).unwrap();
        assert_eq!((model.predict("y"), model.probabilities("x")), ("only", vec![1.0]));
        assert_eq!(
            TfidfLogisticRegression::fit(&[]).unwrap_err().to_string(),
            "TF-IDF and logistic regression: there are no rows to learn from"
        );
    }
}
