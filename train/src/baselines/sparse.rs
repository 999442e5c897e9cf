//! A matrix of few numbers, and its product as an operation that has a derivative.

use autograd::Var;
use std::sync::Arc;
use tensor::{Float, Tensor, par};

/// A constant matrix that is zero almost everywhere.
#[derive(Clone, Debug)]
pub(super) struct SparseMatrix {
    rows: Arc<Rows>,
    /// The same numbers column by column.
    columns: Arc<Rows>,
}

/// The numbers of each row and their places in it.
#[derive(Debug)]
struct Rows {
    /// Where each row starts, and where the last ends.
    starts: Vec<usize>,
    entries: Vec<(u32, Float)>,
}

impl SparseMatrix {
    /// The matrix of these rows, `(column, value)` each, every column below `n_columns`.
    pub fn new(rows: &[Vec<(u32, Float)>], n_columns: usize) -> SparseMatrix {
        let mut starts = vec![0];
        starts.extend(rows.iter().scan(0, |end, row| {
            *end += row.len();
            Some(*end)
        }));
        let rows = Rows { starts, entries: rows.concat() };
        SparseMatrix { columns: Arc::new(rows.transposed(n_columns)), rows: Arc::new(rows) }
    }

    /// The product with a dense matrix.
    ///
    /// ```math
    /// y = X b, \qquad \bar b = X^T \bar y
    /// ```
    /// `X [n, m]`, `b [m, width]` → `[n, width]`. It costs as many operations as X has numbers,
    /// `width` times; each row of y, or of the gradient, is added up in the order of X.
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    pub fn product(&self, b: &Var) -> Var {
        let (value, columns) = (self.rows.product(b.value()), self.columns.clone());
        Var::record("sparse_product", [b], value, [], move |dy, []| [columns.product(&dy).into()])
    }
}

impl Rows {
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn row(&self, row: usize) -> &[(u32, Float)] {
        &self.entries[self.starts[row]..self.starts[row + 1]]
    }

    fn transposed(&self, n_columns: usize) -> Rows {
        let mut starts = vec![0; n_columns + 1];
        self.entries.iter().for_each(|&(column, _)| starts[column as usize + 1] += 1);
        (0..n_columns).for_each(|column| starts[column + 1] += starts[column]);
        let mut free = starts.clone();
        let mut entries = vec![(0, 0.0); self.entries.len()];
        for row in 0..self.len() {
            for &(column, value) in self.row(row) {
                entries[free[column as usize]] = (row as u32, value);
                free[column as usize] += 1;
            }
        }
        Rows { starts, entries }
    }

    fn product(&self, b: &Tensor) -> Tensor {
        let (width, b) = (b.size(1), b.contiguous());
        let b = b.data();
        let reads = width * (self.entries.len() / self.len().max(1) + 1);
        Tensor::build(&[self.len(), width], |out| {
            par::for_rows_reading(out, width, reads, |first, rows| {
                for (row, y) in (first..).zip(rows.chunks_exact_mut(width)) {
                    y.fill(0.0);
                    for &(place, value) in self.row(row) {
                        let b = &b[place as usize * width..][..width];
                        y.iter_mut().zip(b).for_each(|(y, b)| *y += value * b);
                    }
                }
            });
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use autograd::gradcheck::gradcheck;
    use tensor::Rng;

    #[test]
    fn by_hand() {
        let matrix = SparseMatrix::new(&[vec![(0, 2.0), (2, 1.0)], vec![], vec![(1, -1.0)]], 3);
        let b = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2]));
        let y = matrix.product(&b);
        assert_eq!(
            (y.shape(), y.value().to_vec()),
            (&[3, 2][..], vec![7.0, 10.0, 0.0, 0.0, -3.0, -4.0])
        );
        let gradient = y.sum().backward().unwrap().get(&b).unwrap().to_vec();
        assert_eq!(gradient, [2.0, 2.0, -1.0, -1.0, 1.0, 1.0]);
    }

    #[test]
    fn equals_the_dense_product_and_its_gradient_is_right() {
        let (mut rng, n_columns) = (Rng::seeded(1), 70);
        let mut dense = Tensor::zeros(&[90, n_columns]);
        let rows: Vec<Vec<(u32, Float)>> = (0..90)
            .map(|row| (row % 5..n_columns as u32).step_by(row as usize % 7 + 9))
            .map(|columns| columns.map(|c| (c, rng.uniform() as Float - 0.5)).collect())
            .collect();
        for (row, entries) in rows.iter().enumerate() {
            for &(column, value) in entries {
                dense.data_mut()[row * n_columns + column as usize] = value;
            }
        }
        let matrix = SparseMatrix::new(&rows, n_columns);
        let b = rng.normal(&[n_columns, 3], 1.0);
        let found = matrix.product(&Var::constant(b.clone()));
        for (found, expected) in found.value().data().iter().zip(dense.matmul(&b).data()) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        gradcheck(|b| matrix.product(&b[0]), &[b]).unwrap();
    }

    #[test]
    fn an_extreme_no_columns_and_no_rows() {
        let b = Var::leaf(Tensor::zeros(&[0, 2]));
        assert_eq!(SparseMatrix::new(&[vec![]], 0).product(&b).value().to_vec(), [0.0; 2]);
        assert_eq!(SparseMatrix::new(&[], 0).product(&b).shape(), [0, 2]);
    }

    #[test]
    fn any_number_of_threads_computes_the_same_bits() {
        let mut rng = Rng::seeded(2);
        let row = |i: u32| (0..50).map(|c| (c * 7 + i % 7, rng.uniform() as Float)).collect();
        let matrix = SparseMatrix::new(&(0..2000).map(row).collect::<Vec<_>>(), 350);
        let b = Var::leaf(Rng::seeded(3).normal(&[350, 3], 1.0));
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let y = matrix.product(&b);
                let gradients = (&y * &y).sum().backward().unwrap();
                (y.value().to_vec(), gradients.get(&b).unwrap().to_vec())
            })
        };
        assert_eq!(on(1), on(2));
        assert_eq!(on(1), on(3));
    }
}
