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
//! | here | a single row, where packing would cost more than the product |
//!
//! Without AVX2 the `matrixmultiply` crate computes a piece.

#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // There are no kernels.
mod blocked;
mod factor;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // As above.
mod kernel;
mod packed;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // As above.
mod panels;
pub(crate) mod peak;
mod single_row;
pub mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::{Float, Precision, Tensor, par, precision, shape};
use blocked::Blocked;
use factor::Factor;
use kernel::{Kernel, kernel};

/// One matrix of a batch, or a part of one: rows, columns and their strides.
#[derive(Clone, Copy)]
struct Matrix {
    offset: usize,
    row_stride: usize,
    column_stride: usize,
}

/// C[m × n] = A[m × k] · B[k × n], as offsets into three buffers; or C += A · B.
#[derive(Clone, Copy)]
struct Product {
    m: usize,
    k: usize,
    n: usize,
    a: Matrix,
    b: Matrix,
    c: Matrix,
    /// The product's output is one row: decided before it is cut, so that a cut changes no bits.
    single_row: bool,
    /// The product is added to what C holds.
    added: bool,
}

/// Products below this many multiplications are not worth a second thread.
const SMALL: usize = 64 * 1024;
/// As many products are shared out whole.
const MANY: usize = 16;
/// Pieces are cut at multiples of this many rows or columns, so that register tiles stay whole.
const TILE: usize = 48;

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
        self.product(other)
    }

    #[track_caller]
    fn product(&self, other: &Tensor) -> Tensor {
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
                return tall.batched_product(other).reshape(&shape);
            }
        }
        self.batched_product(other)
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
            multiply_all(kernel, &[product], a, b, self.data_mut());
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
    fn batched_product(&self, other: &Tensor) -> Tensor {
        let (m, k, n) = (self.size(-2), self.size(-1), other.size(-1));
        if n == 1 && m > 1 && other.strides[other.rank() - 2] == 1 {
            // A column is computed as the row that it is in memory.
            let row = other.transpose(-2, -1).batched_product(&self.transpose(-2, -1));
            return row.reshape(&[&row.shape()[..row.rank() - 2], &[m, 1]].concat());
        }
        let single_row = m == 1 && self.strides[self.rank() - 1] == 1;
        let kernel = kernel(precision());
        let (a, b) = rounded(self, other, kernel.is_some() && !single_row);
        let (batch, products) = a.products(&b, single_row);
        let shape = [&batch[..], &[m, n]].concat();
        if k == 0 {
            return Tensor::zeros(&shape);
        }
        let [a, b] = [&a, &b].map(|x| {
            let numbers = x.storage.as_slice();
            &numbers[x.offset.min(numbers.len())..]
        });
        Tensor::build(&shape, |c| {
            if !c.is_empty() {
                multiply_all(kernel, &products, a, b, c);
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

/// Computes products of one batch, which are all of one size.
fn multiply_all(
    kernel: Option<&'static Kernel>,
    products: &[Product],
    a: &[Float],
    b: &[Float],
    c: &mut [Float],
) {
    let c = Output(c.as_mut_ptr());
    let work = products.iter().map(|p| p.m * p.k * p.n).sum::<usize>();
    let threads = rayon::current_num_threads();
    let shared = work >= SMALL && threads > 1;
    let blocked = kernel.filter(|_| !products[0].single_row);
    // SAFETY: the products write disjoint parts of `c`, and so do their pieces.
    unsafe {
        match blocked {
            Some(kernel) => {
                let many = products.len() >= MANY || work / products.len() < SMALL;
                let compute = |product: &Product| {
                    product.blocked(kernel, a, b, c, shared && !many).run();
                };
                if shared && many {
                    par::for_each_piece(products.len(), |index| compute(&products[index]));
                } else {
                    products.iter().for_each(compute);
                }
            }
            None if products.len() == 1 && products[0].single_row => {
                single_row::multiply(&products[0], a, b, c);
            }
            None if !shared => products.iter().for_each(|product| product.compute(a, b, c)),
            None => {
                let pieces_each = threads.div_ceil(products.len());
                let pieces: Vec<Product> =
                    products.iter().flat_map(|product| product.cut(pieces_each)).collect();
                par::for_each_piece(pieces.len(), |index| pieces[index].compute(a, b, c));
            }
        }
    }
}

/// The start of the output buffer, which threads write at disjoint places.
#[derive(Clone, Copy)]
struct Output(*mut Float);

// SAFETY: see `multiply_all`: no two threads get the same numbers.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

impl Output {
    /// Where the number `offset` further is.
    fn at(self, offset: usize) -> *mut Float {
        self.0.wrapping_add(offset)
    }
}

impl Product {
    /// The product as the blocked one of a kernel.
    fn blocked<'a>(
        &self,
        kernel: &'a Kernel,
        a: &'a [Float],
        b: &'a [Float],
        c: Output,
        shared: bool,
    ) -> Blocked<'a> {
        let factor = |numbers: &'a [Float], matrix: &Matrix, strides| Factor::Plain {
            numbers: &numbers[matrix.offset.min(numbers.len())..],
            strides,
        };
        Blocked {
            kernel,
            m: self.m,
            k: self.k,
            n: self.n,
            a: factor(a, &self.a, [self.a.row_stride, self.a.column_stride]),
            b: factor(b, &self.b, [self.b.column_stride, self.b.row_stride]),
            c: Output(c.at(self.c.offset)),
            c_stride: self.c.row_stride,
            added: self.added,
            shared,
        }
    }

    /// Up to `count` pieces along the longer side of the output.
    fn cut(&self, count: usize) -> Vec<Product> {
        let longer = self.m.max(self.n);
        let piece = longer.div_ceil(count).next_multiple_of(TILE);
        (0..longer)
            .step_by(piece)
            .map(|start| {
                let len = piece.min(longer - start);
                let mut part = *self;
                if self.m >= self.n {
                    part.m = len;
                    part.a.offset += start * self.a.row_stride;
                    part.c.offset += start * self.c.row_stride;
                } else {
                    part.n = len;
                    part.b.offset += start * self.b.column_stride;
                    part.c.offset += start * self.c.column_stride;
                }
                part
            })
            .collect()
    }

    /// Computes C, or adds to it.
    ///
    /// # Safety
    /// No other thread may read or write this product's part of `c`.
    unsafe fn compute(&self, a: &[Float], b: &[Float], c: Output) {
        if self.single_row {
            let x = &a[self.a.offset..][..self.k];
            // SAFETY: the caller gives this part of `c` to us alone; rows of C are contiguous.
            let y = unsafe { std::slice::from_raw_parts_mut(c.0.add(self.c.offset), self.n) };
            if self.b.column_stride == 1 {
                if !self.added {
                    y.fill(0.0);
                }
                return single_row::row_times_rows(x, &b[self.b.offset..], self.b.row_stride, y);
            }
            if self.b.row_stride == 1 && !self.added {
                return single_row::row_times_columns(
                    x,
                    &b[self.b.offset..],
                    self.b.column_stride,
                    y,
                );
            }
        }
        let (a, b) = (a[self.a.offset.min(a.len())..].as_ptr(), &b[self.b.offset.min(b.len())..]);
        // SAFETY: the strides come from tensors that checked their bounds; `c` as above.
        unsafe {
            gemm(
                self.m,
                self.k,
                self.n,
                1.0,
                a,
                self.a.row_stride as isize,
                self.a.column_stride as isize,
                b.as_ptr(),
                self.b.row_stride as isize,
                self.b.column_stride as isize,
                if self.added { 1.0 } else { 0.0 },
                c.0.add(self.c.offset),
                self.c.row_stride as isize,
                self.c.column_stride as isize,
            );
        }
    }
}

#[cfg(attendant_f64)]
use matrixmultiply::dgemm as gemm;
#[cfg(not(attendant_f64))]
use matrixmultiply::sgemm as gemm;

#[cfg(test)]
mod tests;
