//! Products of tiles: matrices so small that they lie in a cache, multiplied on the calling thread
//! without a copy and without allocation.
//!
//! A block of ROWS × COLUMNS of C stays in registers while A's columns are broadcast and B's rows are
//! read as they lie. Packing, which makes large products fast, would cost more than it brings: what
//! is read again comes from a cache. Each number of C is one chain of multiplications and additions
//! over k, whatever the block, so that its bits depend neither on the cut nor on the width of the
//! registers.

mod transpose;

pub use super::single_row::row_times_rows as add_rows;
pub use transpose::transpose;

use crate::simd::{InstructionSet, instruction_set};
use crate::{Float, Tensor};

/// A matrix as it lies in a slice.
///
/// ```
/// use tensor::tile::{Tile, multiply};
/// let x = Tile::new(&[1.0, 2.0, 3.0, 4.0], [2, 1]);
/// let mut y = [0.0; 4];
/// multiply([2, 2, 2], x.transposed(), (&[1.0, 2.0, 3.0, 4.0], 2), (&mut y, 2), false);
/// assert_eq!(y, [10.0, 14.0, 14.0, 20.0]);
/// ```
#[derive(Clone, Copy)]
pub struct Tile<'a> {
    numbers: &'a [Float],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Tile<'a> {
    /// The matrix that begins with the slice, its rows and columns that far from each other.
    pub fn new(numbers: &'a [Float], [row_stride, column_stride]: [usize; 2]) -> Tile<'a> {
        Tile { numbers, row_stride, column_stride }
    }

    /// The same, its rows as columns.
    pub fn transposed(self) -> Tile<'a> {
        let Tile { numbers, row_stride, column_stride } = self;
        Tile { numbers, row_stride: column_stride, column_stride: row_stride }
    }

    /// Its part from a row on.
    pub fn from_row(self, row: usize) -> Tile<'a> {
        let start = (row * self.row_stride).min(self.numbers.len());
        Tile { numbers: &self.numbers[start..], ..self }
    }

    /// Its numbers, from the first on.
    pub fn numbers(self) -> &'a [Float] {
        self.numbers
    }

    /// How far its rows are from each other.
    pub fn row_stride(self) -> usize {
        self.row_stride
    }

    /// How far its columns are from each other.
    pub fn column_stride(self) -> usize {
        self.column_stride
    }

    /// Whether `rows` and `columns` lie inside of the slice.
    fn holds(self, rows: usize, columns: usize) -> bool {
        let last = |count: usize, stride: usize| (count - 1).checked_mul(stride);
        rows * columns == 0
            || last(rows, self.row_stride)
                .zip(last(columns, self.column_stride))
                .and_then(|(row, column)| row.checked_add(column))
                .is_some_and(|last| last < self.numbers.len())
    }
}

impl Tensor {
    /// The matrix of the last two axes at an index of the axes before them, as it lies.
    ///
    /// # Panics
    /// If the index is not one of the leading axes.
    #[track_caller]
    pub fn tile(&self, index: &[usize]) -> Tile<'_> {
        let leading = self.rank().checked_sub(2).expect("a tile: two axes are needed");
        let inside = index.len() == leading && index.iter().zip(&self.shape).all(|(i, n)| i < n);
        assert!(inside, "a tile: {index:?} is no index of the leading axes of {:?}", self.shape);
        let start: usize = index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum();
        let numbers = if self.is_empty() { &[] } else { self.storage.as_slice() };
        let start = (self.offset + start).min(numbers.len());
        Tile::new(&numbers[start..], [self.strides[leading], self.strides[leading + 1]])
    }
}

/// C = A · B, or C += A · B where it is `added`, of sizes `[m, k, n]`. A lies anyhow; the rows of B
/// and C are contiguous and as far apart as the number beside them says.
///
/// ```math
/// C_{ij} = \sum_p A_{ip} B_{pj}
/// ```
///
/// # Panics
/// If a matrix goes beyond its slice.
#[track_caller]
pub fn multiply(
    [m, k, n]: [usize; 3],
    a: Tile<'_>,
    (b, b_stride): (&[Float], usize),
    (c, c_stride): (&mut [Float], usize),
    added: bool,
) {
    let fits = a.holds(m, k)
        && Tile::new(b, [b_stride, 1]).holds(k, n)
        && Tile::new(c, [c_stride, 1]).holds(m, n);
    assert!(fits, "a product of tiles [{m}, {k}] · [{k}, {n}] goes beyond its slices");
    let product =
        Product { m, k, n, a, b: b.as_ptr(), b_stride, c: c.as_mut_ptr(), c_stride, added };
    // SAFETY: `holds` found all of A, B and C inside of their slices; C is borrowed by us alone.
    unsafe { product.dispatch() }
}

struct Product<'a> {
    m: usize,
    k: usize,
    n: usize,
    a: Tile<'a>,
    b: *const Float,
    b_stride: usize,
    c: *mut Float,
    c_stride: usize,
    added: bool,
}

/// Numbers in the 64 bytes of two registers of AVX2 or one of AVX-512.
const WIDTH: usize = 64 / size_of::<Float>();

impl Product<'_> {
    /// Runs on the best instruction set.
    ///
    /// # Safety
    /// A, B and C lie inside of their slices.
    unsafe fn dispatch(&self) {
        #[cfg(target_arch = "x86_64")]
        match instruction_set() {
            // SAFETY: `instruction_set` found these features on this CPU; bounds as the caller says.
            InstructionSet::Avx512 => return unsafe { self.avx512() },
            // SAFETY: as above.
            InstructionSet::Avx2 => return unsafe { self.avx2() },
            InstructionSet::Portable => {}
        }
        // SAFETY: bounds as the caller says.
        unsafe {
            let j = self.panels::<4, { WIDTH / 2 }, false>(0);
            self.panels::<4, 1, false>(j);
        }
    }

    /// Blocks as wide as C allows, the first two of 24 registers of sums: the wider, the fewer of A's
    /// numbers are broadcast.
    ///
    /// # Safety
    /// As [`Product::dispatch`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
    unsafe fn avx512(&self) {
        // SAFETY: as the caller says.
        unsafe {
            let mut j = self.panels::<6, { 4 * WIDTH }, true>(0);
            j = self.panels::<12, { 2 * WIDTH }, true>(j);
            j = self.panels::<12, WIDTH, true>(j);
            j = self.panels::<8, { WIDTH / 2 }, true>(j);
            self.panels::<4, 1, true>(j);
        }
    }

    /// # Safety
    /// As [`Product::dispatch`].
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2(&self) {
        // SAFETY: as the caller says.
        unsafe {
            let mut j = self.panels::<6, WIDTH, true>(0);
            j = self.panels::<6, { WIDTH / 2 }, true>(j);
            self.panels::<4, 1, true>(j);
        }
    }

    /// Panels of COLUMNS from `first` on; the first column that is left.
    ///
    /// # Safety
    /// As [`Product::dispatch`].
    #[inline(always)]
    unsafe fn panels<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(
        &self,
        first: usize,
    ) -> usize {
        let mut j = first;
        while j + COLUMNS <= self.n {
            // SAFETY: the panel ends before n; each block before m.
            unsafe {
                let mut i = self.blocks::<ROWS, COLUMNS, FUSED>(0, j);
                i = self.blocks::<4, COLUMNS, FUSED>(i, j);
                i = self.blocks::<2, COLUMNS, FUSED>(i, j);
                self.blocks::<1, COLUMNS, FUSED>(i, j);
            }
            j += COLUMNS;
        }
        j
    }

    /// Blocks of ROWS from row `first` on in the panel at column `j`; the first row that is left.
    #[inline(always)]
    unsafe fn blocks<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(
        &self,
        first: usize,
        j: usize,
    ) -> usize {
        let mut i = first;
        while i + ROWS <= self.m {
            // SAFETY: the block lies inside of C.
            unsafe { self.block::<ROWS, COLUMNS, FUSED>(i, j) };
            i += ROWS;
        }
        i
    }

    /// The block of C at row `i` and column `j`.
    ///
    /// # Safety
    /// It lies inside of C.
    #[inline(always)]
    unsafe fn block<const ROWS: usize, const COLUMNS: usize, const FUSED: bool>(
        &self,
        i: usize,
        j: usize,
    ) {
        let mut sums = [[0.0; COLUMNS]; ROWS];
        // SAFETY: rows i.. and columns j.. of the block, and all p < k, lie inside of the slices.
        unsafe {
            let a = self.a.numbers.as_ptr();
            // A pointer a row, so that their addresses do not wait for each other.
            let a: [_; ROWS] =
                std::array::from_fn(|row| a.wrapping_add((i + row) * self.a.row_stride));
            let mut p = 0;
            let mut b = self.b.wrapping_add(j);
            let c = self.c.add(i * self.c_stride + j);
            if self.added {
                for (row, sums) in sums.iter_mut().enumerate() {
                    *sums = *c.add(row * self.c_stride).cast::<[Float; COLUMNS]>();
                }
            }
            for _ in 0..self.k {
                let b_row = *b.cast::<[Float; COLUMNS]>();
                for (row, sums) in sums.iter_mut().enumerate() {
                    let x = *a[row].add(p);
                    for (sum, y) in sums.iter_mut().zip(b_row) {
                        *sum = if FUSED { x.mul_add(y, *sum) } else { x * y + *sum };
                    }
                }
                p += self.a.column_stride;
                b = b.wrapping_add(self.b_stride);
            }
            for (row, sums) in sums.iter().enumerate() {
                *c.add(row * self.c_stride).cast::<[Float; COLUMNS]>() = *sums;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use proptest::prelude::*;

    /// C by its definition.
    fn naive(a: &Tensor, b: &Tensor) -> Vec<Float> {
        let (n, a, b) = (b.size(1), (a.contiguous(), a.size(1)), b.data());
        let entry = |i: usize, j: usize| -> Float {
            (0..a.1).map(|p| a.0.data()[i * a.1 + p] * b[p * n + j]).sum()
        };
        (0..a.0.size(0))
            .flat_map(|i| (0..n).map(move |j| (i, j)))
            .map(|(i, j)| entry(i, j))
            .collect()
    }

    proptest! {
        #[test]
        fn equals_the_definition_for_any_size_and_stride(
            m in 0usize..40, k in 0usize..40, n in 0usize..150,
            transposed in any::<bool>(), added in any::<bool>(), gap in 0usize..3,
        ) {
            let mut rng = Rng::seeded((m * 3200 + k * 80 + n) as u64);
            let a = rng.normal(&if transposed { [k, m] } else { [m, k] }, 1.0);
            let a = if transposed { a.transpose(0, 1) } else { a };
            let b = rng.normal(&[k, n], 1.0);
            let stride = n + gap;
            let mut c = rng.normal(&[m * stride], 1.0).to_vec();
            let before = c.clone();
            multiply([m, k, n], a.tile(&[]), (b.data(), n), (&mut c, stride), added);
            let expected = naive(&a, &b);
            for (index, (&c, &before)) in c.iter().zip(&before).enumerate() {
                let (i, j) = (index / stride, index % stride);
                if j < n {
                    let sum = if added { before } else { 0.0 } + expected[i * n + j];
                    prop_assert!((c - sum).abs() < 1e-4, "{i} {j}: {c} {sum}");
                } else {
                    prop_assert!(c == before, "{i} {j} is not of C");
                }
            }
        }

        #[test]
        fn a_part_has_the_bits_of_the_whole(
            m in 1usize..40, n in 1usize..150, row in 0usize..40, column in 0usize..150,
        ) {
            let (row, column) = (row % m, column % n);
            let mut rng = Rng::seeded((m * 80 + n) as u64);
            let (a, b) = (rng.normal(&[m, 33], 1.0), rng.normal(&[33, n], 1.0));
            let mut whole = vec![0.0; m * n];
            multiply([m, 33, n], a.tile(&[]), (b.data(), n), (&mut whole, n), false);
            let mut part = whole.clone();
            let (a, size) = (a.tile(&[]).from_row(row), [m - row, 33, n - column]);
            multiply(size, a, (&b.data()[column..], n), (&mut part[row * n + column..], n), false);
            prop_assert!(whole == part);
        }
    }

    #[test]
    fn a_matrix_of_a_batch_lies_where_its_view_says() {
        let x = Tensor::new((0..24).map(|i| i as Float).collect::<Vec<_>>(), &[2, 3, 4]);
        let view = x.transpose(0, 1).narrow(-1, 1, 2);
        let tile = view.tile(&[2]);
        assert_eq!((tile.numbers()[0], tile.row_stride(), tile.column_stride()), (9.0, 12, 1));
        assert_eq!(Tensor::zeros(&[2, 0, 4]).tile(&[1]).numbers().len(), 0);
    }

    #[test]
    #[should_panic(expected = "a tile: [2] is no index of the leading axes of [2, 3, 4]")]
    fn the_index_of_a_tile_must_exist() {
        Tensor::zeros(&[2, 3, 4]).tile(&[2]);
    }

    #[test]
    #[should_panic(expected = "a product of tiles [2, 2] · [2, 3] goes beyond its slices")]
    fn a_product_stays_inside_of_its_slices() {
        let a = Tile::new(&[0.0; 4], [2, 1]);
        multiply([2, 2, 3], a, (&[0.0; 6], 3), (&mut [0.0; 5], 3), false);
    }
}
