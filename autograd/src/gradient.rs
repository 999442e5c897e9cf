//! What an operation's backward gives each of its inputs.

use crate::graph::Node;
use std::sync::Arc;
use tensor::Tensor;

/// The gradient that an operation gives one of its inputs.
pub enum Gradient {
    /// Of the input's shape.
    Dense(Tensor),
    /// Zero but for the entries from `start` along `axis`.
    Slice {
        /// The axis.
        axis: usize,
        /// The first entry along it.
        start: usize,
        /// Their gradients.
        part: Tensor,
    },
    /// Zero but for some rows of a table: row `rows[i]` gets row `i` of `part` added.
    Rows {
        /// The rows, which may repeat.
        rows: Arc<[u32]>,
        /// Their gradients, `[rows.len(), width]`.
        part: Tensor,
    },
    /// The product of two matrices, whose rows are those of the input one after the other. It is
    /// computed as it is added; where one of them lies packed, before.
    Product {
        /// `[rows, k]`
        a: Tensor,
        /// `[k, width]`
        b: Tensor,
    },
    /// Not computed, because the input does not need one.
    NotNeeded,
}

impl From<Tensor> for Gradient {
    fn from(gradient: Tensor) -> Gradient {
        Gradient::Dense(gradient)
    }
}

impl Gradient {
    /// `compute()` if the input needs a gradient.
    pub fn if_needed<G: Into<Gradient>>(needed: bool, compute: impl FnOnce() -> G) -> Gradient {
        if needed { compute().into() } else { Gradient::NotNeeded }
    }

    /// Adds this gradient to what has come together for its node.
    pub(crate) fn add_to(self, sum: &mut Option<Tensor>, node: &Node) {
        let zeros = || Tensor::zeros(node.shape());
        let fits = |found: &[usize], expected: &[usize]| {
            assert_eq!(found, expected, "backward: a gradient for {}", node.operation);
        };
        match self {
            Gradient::NotNeeded => {}
            Gradient::Dense(gradient) => {
                fits(gradient.shape(), node.shape());
                match sum {
                    Some(sum) => sum.apply_zip(&gradient, |sum, x| sum + x),
                    None => *sum = Some(gradient),
                }
            }
            Gradient::Product { a, b } => {
                let (width, leading) = node.shape().split_last().unwrap_or((&1, &[]));
                let shape = [leading.iter().product(), *width];
                fits(&[a.size(0), b.size(1)], &shape);
                let product = match sum.take() {
                    None => a.matmul(&b),
                    Some(before) => {
                        let mut rows = before.reshape(&shape);
                        drop(before); // it would be a second holder, and what it holds be copied
                        rows.add_product(&a, &b);
                        rows
                    }
                };
                *sum = Some(product.reshape(node.shape()));
            }
            Gradient::Slice { axis, start, part } => {
                sum.get_or_insert_with(zeros).add_at(axis, start, &part);
            }
            Gradient::Rows { rows, part } => {
                add_rows(sum.get_or_insert_with(zeros), &rows, &part);
            }
        }
    }
}

/// Adds row `i` of `part` to row `rows[i]` of `table`, in order.
fn add_rows(table: &mut Tensor, rows: &[u32], part: &Tensor) {
    let width = table.size(-1);
    let part = part.contiguous();
    let table = table.data_mut();
    for (&row, part) in rows.iter().zip(part.data().chunks_exact(width.max(1))) {
        let start = row as usize * width;
        for (sum, &x) in table[start..start + width].iter_mut().zip(part) {
            *sum += x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Var;
    use tensor::{Float, Precision, Rng, with_precision};

    #[test]
    fn products_of_one_input_are_added_as_precise_as_they_were_recorded() {
        let mut rng = Rng::seeded(1);
        let x = Var::leaf(rng.normal(&[2, 70, 40], 1.0));
        let [v, w] = [rng.normal(&[40, 50], 1.0), rng.normal(&[40, 300], 1.0)];
        for precision in [Precision::F32, Precision::Bf16] {
            let [y, z] = with_precision(precision, || {
                [&v, &w].map(|w| x.matmul(&Var::constant(w.clone())).square())
            });
            let gradients = (y.sum() + z.sum()).backward().unwrap();
            let expected = with_precision(precision, || {
                let [dy, dz] = [&v, &w].map(|w| x.value().matmul(w) * 2.0);
                dy.matmul(&v.transpose(0, 1)) + dz.matmul(&w.transpose(0, 1))
            });
            let difference = gradients.get(&x).unwrap() - &expected;
            let far = difference.to_vec().iter().fold(0.0, |far: Float, x| far.max(x.abs()));
            assert!(far < 0.01, "{precision:?}: {far}");
        }
    }

    #[test]
    #[should_panic(expected = "backward: a gradient for leaf")]
    fn a_product_must_have_the_rows_of_its_input() {
        let x = Var::leaf(Tensor::ones(&[2, 3]));
        let y = Var::record("turned", [&x], Tensor::scalar(1.0), [], |_, []| {
            [Gradient::Product { a: Tensor::ones(&[3, 1]), b: Tensor::ones(&[1, 2]) }]
        });
        y.backward().unwrap();
    }

    #[test]
    fn a_product_is_added_to_what_another_holds() {
        let x = Var::leaf(Tensor::ones(&[3, 2]));
        let w = Var::constant(Tensor::ones(&[2, 4]));
        let gradients = (x.matmul(&w).sum() + x.sum()).backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [5.0; 6]);
    }
}
