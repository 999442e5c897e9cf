//! Products as offsets into three buffers: which code computes them, and how threads share them out.
//! Without AVX2 the `matrixmultiply` crate computes a piece.

use super::blocked::Blocked;
use super::factor::Factor;
use super::kernel::Kernel;
use super::single_row;
use crate::{Float, par, simd};

/// One matrix of a batch, or a part of one: rows, columns and their strides.
#[derive(Clone, Copy)]
pub(super) struct Matrix {
    pub offset: usize,
    pub row_stride: usize,
    pub column_stride: usize,
}

/// C[m × n] = A[m × k] · B[k × n], as offsets into three buffers; or C += A · B.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub m: usize,
    pub k: usize,
    pub n: usize,
    pub a: Matrix,
    pub b: Matrix,
    pub c: Matrix,
    /// The product's output is one row: decided before it is cut, so that a cut changes no bits.
    pub single_row: bool,
    /// The product is added to what C holds.
    pub added: bool,
}

/// Products below this many multiplications are not worth a second thread.
pub(super) const SMALL: usize = 64 * 1024;
/// As many products are shared out whole.
const MANY: usize = 16;
/// Pieces are cut at multiples of this many rows or columns, so that register tiles stay whole.
pub(super) const TILE: usize = 48;

/// Computes products of one batch, which are all of one size; `row` is added to each row of C.
pub(super) fn multiply_all(
    kernel: Option<&'static Kernel>,
    products: &[Product],
    [a, b]: [&[Float]; 2],
    numbers: &mut [Float],
    row: Option<&[Float]>,
) {
    let c = Output(numbers.as_mut_ptr());
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
                    Blocked { row, ..product.blocked(kernel, a, b, c, shared && !many) }.run();
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
    if let (None, Some(row)) = (blocked, row) {
        par::for_rows(numbers, row.len(), |_, rows| {
            rows.chunks_exact_mut(row.len()).for_each(|c| add(c, row));
        });
    }
}

simd! {
    /// C += row.
    pub(super) fn add(c: &mut [Float], row: &[Float]) {
        c.iter_mut().zip(row).for_each(|(c, row)| *c += row);
    }
}

/// The start of the output buffer, which threads write at disjoint places.
#[derive(Clone, Copy)]
pub(super) struct Output(pub *mut Float);

// SAFETY: see `multiply_all`: no two threads get the same numbers.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

impl Output {
    /// Where the number `offset` further is.
    pub fn at(self, offset: usize) -> *mut Float {
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
            row: None,
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
    pub unsafe fn compute(&self, a: &[Float], b: &[Float], c: Output) {
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
