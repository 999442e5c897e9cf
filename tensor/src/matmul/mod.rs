//! The matrix product of any rank, batches broadcast, every stride accepted.
//!
//! Each product is cut into pieces of its output that threads work on; every number of the output
//! is summed in one order, whatever the cut, so that the result does not depend on the number of
//! threads.
//!
//! | file | what it computes |
//! |---|---|
//! | `blocked` | large products on AVX2 and AVX-512: blocks that fit in the caches, and their threads |
//! | `factor`, `panels` | how a factor that lies anyhow becomes what the kernel reads |
//! | `kernel` | tiles of the output in registers |
//! | [`tile`] | products that lie in a cache as they are, on the calling thread |
//! | `packed` | products with a matrix in fewer bits |
//! | `single_row` | a single row, where packing would cost more than the product |
//! | `product` | which of these computes a product, and its pieces |

#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // There are no kernels.
mod blocked;
mod factor;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // As above.
mod kernel;
mod packed;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // As above.
mod panels;
pub(crate) mod peak;
mod product;
mod single_row;
pub mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::{Float, Precision, Tensor, precision, shape};
use kernel::kernel;
use product::{Matrix, Product, multiply_all};

impl Tensor {
    /// The matrix product over the last two axes, leading axes broadcast.
    ///
    /// ```math
    /// C_{ij} = \sum_p A_{ip} B_{pj}
    /// ```
    /// `[.., m, k] · [.., k, n] → [.., m, n]`; a tensor of rank 1 is a row on the left and a
    /// column on the right, and the axis so added is dropped again. Inside of
    /// [`with_precision`](crate::with_precision) A and B are rounded first.
    ///
    /// # Panics
    /// If the inner sizes differ or the leading axes do not broadcast.
    #[track_caller]
    pub fn matmul(&self, other: &Tensor) -> Tensor {
        if self.rank() == 1 {
            let product = self.reshape(&[1, self.len()]).matmul(other);
            let mut shape = product.shape().to_vec();
            shape.remove(shape.len().saturating_sub(if other.rank() == 1 { 1 } else { 2 }));
            return product.reshape(&shape);
        }
        if other.rank() == 1 {
            let product = self.matmul(&other.reshape(&[other.len(), 1]));
            let shape = product.shape()[..product.rank() - 1].to_vec();
            return product.reshape(&shape);
        }
        self.check_inner_sizes(other);
        self.product(other, None)
    }

    /// The affine map of the last axis, x W + b; a blocked kernel adds b to what is still in the cache.
    ///
    /// ```math
    /// y_{ij} = b_j + \sum_p x_{ip} W_{pj}
    /// ```
    /// `x [.., k]`, `w [k, n]`, `b [n]` → `[.., n]`; the bits are those of `x.matmul(w) + b`.
    ///
    /// # Panics
    /// If the inner sizes differ, w is no matrix, or b is not as long as w is wide.
    #[track_caller]
    pub fn affine(&self, w: &Tensor, b: &Tensor) -> Tensor {
        if w.rank() != 2 || b.shape != [w.size(1)] {
            let shapes = [&w.shape[..], &b.shape];
            shape::wrong("affine", "w is no matrix that is as wide as b is long", &shapes, "");
        }
        if self.rank() < 2 || w.size(1) == 1 || w.packed().is_some() || self.packed().is_some() {
            let mut y = self.matmul(w);
            y.apply_zip(b, |y, b| y + b);
            return y;
        }
        self.check_inner_sizes(w);
        self.product(w, Some(b.contiguous().data()))
    }

    #[track_caller]
    fn product(&self, other: &Tensor, row: Option<&[Float]>) -> Tensor {
        if let Some(product) = packed::product(self, other) {
            return product;
        }
        if other.rank() == 2 && self.rank() > 2 && self.is_contiguous() {
            // One tall product instead of a batch of short ones.
            let rows = self.len() / self.size(-1).max(1);
            let mut shape = self.shape.clone();
            *shape.last_mut().expect("rank above 2") = other.size(1);
            if !self.is_empty() {
                let tall = self.reshape(&[rows, self.size(-1)]);
                return tall.batched_product(other, row).reshape(&shape);
            }
        }
        self.batched_product(other, row)
    }

    /// Adds the product of two matrices: `self [m, n] += a [m, k] · b [k, n]`.
    ///
    /// # Panics
    /// If they are no matrices that fit.
    #[track_caller]
    pub fn add_product(&mut self, a: &Tensor, b: &Tensor) {
        if a.rank() != 2 || b.rank() != 2 || self.shape != [a.size(0), b.size(1)] {
            let shapes = [&self.shape[..], &a.shape, &b.shape];
            shape::wrong("add_product", "not three matrices that fit", &shapes, "");
        }
        a.check_inner_sizes(b);
        if let Some(product) = packed::product(a, b) {
            return self.apply_zip(&product, |sum, x| sum + x);
        }
        let kernel = kernel(precision());
        let (a, b) = rounded(a, b, kernel.is_some());
        let (m, k, n) = (a.size(0), a.size(1), b.size(1));
        let product = Product {
            m,
            k,
            n,
            a: a.matrix(0),
            b: b.matrix(0),
            c: Matrix { offset: 0, row_stride: n, column_stride: 1 },
            single_row: false,
            added: true,
        };
        if m * k * n > 0 {
            let [a, b] = [&a, &b].map(|x| &x.storage.as_slice()[x.offset..]);
            multiply_all(kernel, &[product], [a, b], self.data_mut(), None);
        }
    }

    /// Whether its last two axes lie in memory column by column, as those of a transposed view.
    pub fn is_column_by_column(&self) -> bool {
        self.rank() >= 2 && self.strides[self.rank() - 2] < self.strides[self.rank() - 1]
    }

    /// `self · other` with the result laid out in memory column by column, or row by row. A
    /// gradient made as its parameter lies can be added to the parameter's other gradients, and
    /// read by an optimizer, without being copied.
    ///
    /// # Panics
    /// As [`Tensor::matmul`].
    #[track_caller]
    pub fn matmul_laid_out(&self, other: &Tensor, column_by_column: bool) -> Tensor {
        if column_by_column {
            other.transpose(-2, -1).matmul(&self.transpose(-2, -1)).transpose(-2, -1)
        } else {
            self.matmul(other)
        }
    }

    #[track_caller]
    fn check_inner_sizes(&self, other: &Tensor) {
        let (k, rows) = (self.size(-1), other.size(-2));
        if k != rows {
            let hint = if k == other.size(-1) { "did you mean b.transpose(-2, -1)?" } else { "" };
            let rule = format!("inner sizes differ, {k} ≠ {rows}");
            shape::wrong("matmul", &rule, &[&self.shape, &other.shape], hint);
        }
    }

    #[track_caller]
    fn batched_product(&self, other: &Tensor, row: Option<&[Float]>) -> Tensor {
        let (m, k, n) = (self.size(-2), self.size(-1), other.size(-1));
        if n == 1 && m > 1 && other.strides[other.rank() - 2] == 1 {
            // A column is computed as the row that it is in memory.
            let column = other.transpose(-2, -1).batched_product(&self.transpose(-2, -1), None);
            return column.reshape(&[&column.shape()[..column.rank() - 2], &[m, 1]].concat());
        }
        let single_row = m == 1 && self.strides[self.rank() - 1] == 1;
        let kernel = kernel(precision());
        let (a, b) = rounded(self, other, kernel.is_some() && !single_row);
        let (batch, products) = a.products(&b, single_row);
        let shape = [&batch[..], &[m, n]].concat();
        if k == 0 {
            let zeros = Tensor::zeros(&shape);
            return match row {
                None => zeros,
                Some(row) => zeros + Tensor::new(row, &[n]),
            };
        }
        let [a, b] = [&a, &b].map(|x| {
            let numbers = x.storage.as_slice();
            &numbers[x.offset.min(numbers.len())..]
        });
        Tensor::build(&shape, |c| {
            if !c.is_empty() {
                multiply_all(kernel, &products, [a, b], c, row);
            }
        })
    }

    /// The broadcast leading axes, and the product for each of their indices.
    #[track_caller]
    fn products(&self, other: &Tensor, single_row: bool) -> (Vec<usize>, Vec<Product>) {
        let (m, k, n) = (self.size(-2), self.size(-1), other.size(-1));
        let (a_batch, b_batch) = (&self.shape[..self.rank() - 2], &other.shape[..other.rank() - 2]);
        let batch = shape::broadcast("matmul", a_batch, b_batch);
        let a_strides = shape::broadcast_strides(a_batch, &self.strides[..a_batch.len()], &batch);
        let b_strides = shape::broadcast_strides(b_batch, &other.strides[..b_batch.len()], &batch);
        let mut products = Vec::with_capacity(batch.iter().product());
        shape::for_each_offset(&batch, [&a_strides, &b_strides], |[a, b]| {
            let c = products.len() * m * n;
            products.push(Product {
                m,
                k,
                n,
                a: self.matrix(a),
                b: other.matrix(b),
                c: Matrix { offset: c, row_stride: n, column_stride: 1 },
                single_row,
                added: false,
            });
        });
        (batch, products)
    }

    fn matrix(&self, offset: usize) -> Matrix {
        let rank = self.rank();
        Matrix { offset, row_stride: self.strides[rank - 2], column_stride: self.strides[rank - 1] }
    }
}

/// Both factors rounded as the precision of this scope says, unless what multiplies them does so.
fn rounded(a: &Tensor, b: &Tensor, rounds_itself: bool) -> (Tensor, Tensor) {
    if rounds_itself || precision() == Precision::F32 {
        (a.clone(), b.clone())
    } else {
        (a.rounded_to_bf16(), b.rounded_to_bf16())
    }
}

#[cfg(test)]
mod tests;
