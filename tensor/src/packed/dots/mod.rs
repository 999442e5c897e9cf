//! Dot products of a few rows with packed rows, read once and never unpacked as a whole.
//!
//! A token of decoding is a product of one row with each matrix, as fast as memory gives the matrix
//! if the arithmetic keeps up. Quantized numbers are multiplied as whole numbers ([`sixteen_bits`]),
//! four rows at a time: with AVX-512 and VNNI four blocks of 32 at once, [`two_bytes`] for each number
//! of `x`; with AVX2 a block, and those of 256, after the other. The portable code converts each
//! number and multiplies.

#[cfg(all(target_arch = "x86_64", not(attendant_f64)))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(attendant_f64)))]
mod avx512;
#[cfg(all(target_arch = "x86_64", not(attendant_f64)))]
mod sixteen_bits;
#[cfg(all(target_arch = "x86_64", not(attendant_f64)))]
mod two_bytes;

use super::format::{Block, by_block, last};
use super::{Rows, blocks, floats, super_blocks};
use crate::vmath::{LANES, tree};
use crate::{Float, par, simd};
use std::array::from_fn;
use std::ops::Range;

/// Bytes of a piece of work, where a matrix is small: a microsecond.
const SMALL_PIECE: usize = 24 << 10;
/// The same where it is large.
const LARGE_PIECE: usize = 128 << 10;
/// Most pieces of a matrix, unless they would be larger than that.
const PIECES: usize = 12;

/// Where results go, of which threads write each its own.
struct Output(*mut Float);

// SAFETY: see `Rows::dots`: no two threads get the same numbers.
unsafe impl Sync for Output {}

impl Output {
    /// # Safety
    /// The number lies inside of the buffer, and no other thread writes it.
    unsafe fn write(&self, index: usize, value: Float) {
        // SAFETY: as the caller says.
        unsafe { *self.0.add(index) = value }
    }
}

impl Rows<'_> {
    /// The dot product of each row of `x [m, width]` with each of these rows: `y [m, count]`. A
    /// number does not depend on what else is computed.
    pub fn dots(&self, x: &[Float], y: &mut [Float]) {
        let m = y.len() / self.count;
        assert!(x.len() == m * self.width && y.len() == m * self.count, "one row or a few");
        let x = Left::new(self, x);
        let output = Output(y.as_mut_ptr());
        let bytes = self.bytes(0).len().max(1);
        let piece = (self.count * bytes / PIECES).clamp(SMALL_PIECE, LARGE_PIECE);
        let rows = piece.div_ceil(bytes).next_multiple_of(4);
        par::for_each_piece(self.count.div_ceil(rows), |index| {
            let last = self.count.min((index + 1) * rows);
            // SAFETY: pieces are of different rows.
            unsafe { x.dots(self, index * rows..last, &output) };
        });
    }
}

/// What the rows are multiplied with, made ready for it.
struct Left<'a> {
    rows: Vec<&'a [Float]>,
    #[cfg(all(target_arch = "x86_64", not(attendant_f64)))]
    fast: Option<Fast<'a>>,
}

/// The same for an instruction set.
#[cfg(all(target_arch = "x86_64", not(attendant_f64)))]
enum Fast<'a> {
    Avx512(avx512::Left),
    Avx2(avx2::Left<'a>),
}

#[cfg(all(target_arch = "x86_64", not(attendant_f64)))]
impl<'a> Fast<'a> {
    fn new(format: super::Format, rows: &[&'a [f32]]) -> Option<Fast<'a>> {
        let avx512 = avx512::Left::new(format, rows).map(Fast::Avx512);
        avx512.or_else(|| avx2::Left::new(format, rows).map(Fast::Avx2))
    }

    /// # Safety
    /// No other thread writes these columns of `y [m, count]`.
    unsafe fn dots(&self, columns: &Rows<'_>, some: Range<usize>, y: &Output) {
        // SAFETY: as the caller says.
        unsafe {
            match self {
                Fast::Avx512(left) => left.dots(columns, some, y),
                Fast::Avx2(left) => left.dots(columns, some, y),
            }
        }
    }
}

impl<'a> Left<'a> {
    fn new(columns: &Rows<'_>, x: &'a [Float]) -> Left<'a> {
        let rows: Vec<&[Float]> = x.chunks_exact(columns.width).collect();
        Left {
            #[cfg(all(target_arch = "x86_64", not(attendant_f64)))]
            fast: Fast::new(columns.format, &rows),
            rows,
        }
    }

    /// # Safety
    /// `y [m, count]` is written by no other thread in these columns.
    unsafe fn dots(&self, columns: &Rows<'_>, some: Range<usize>, y: &Output) {
        #[cfg(all(target_arch = "x86_64", not(attendant_f64)))]
        if let Some(fast) = &self.fast {
            // SAFETY: as the caller says.
            return unsafe { fast.dots(columns, some, y) };
        }
        for column in some {
            let bytes = columns.bytes(column);
            for (row, x) in self.rows.iter().enumerate() {
                let dot = by_block!(columns.format, B => dot::<B>(x, bytes));
                // SAFETY: as the caller says.
                unsafe { y.write(row * columns.count + column, dot) };
            }
        }
    }
}

simd! {
    fn dot<B: Block>(x: &[Float], row: &[u8]) -> Float {
        let (blocks, parts) = (row.chunks_exact(B::BYTES), x.chunks_exact(B::NUMBERS));
        let (row_rest, x_rest) = (blocks.remainder(), parts.remainder());
        let mut lanes = [0.0; LANES];
        for (block, x) in blocks.zip(parts) {
            for (at, x) in x.as_chunks::<LANES>().0.iter().enumerate() {
                let numbers = B::sixteen(block, at);
                lanes = from_fn(|lane| lanes[lane] + x[lane] * numbers[lane] as Float);
            }
        }
        if !x_rest.is_empty() {
            let numbers = last::<B>(row_rest);
            for (lane, x) in x_rest.iter().enumerate() {
                lanes[lane] += x * numbers[lane] as Float;
            }
        }
        tree(lanes, |a, b| a + b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::Format;
    use crate::testing::random_packed;
    use crate::{Rng, Tensor};

    /// Each dot product is as near to the exact one as a part of the largest that it could be.
    fn assert_near(found: &[Float], x: &[Float], w: &Tensor, part: Float) {
        let (count, width) = (w.size(0), w.size(1));
        let w = w.to_vec();
        for (index, &found) in found.iter().enumerate() {
            let (x, w) =
                (&x[index / count * width..][..width], &w[index % count * width..][..width]);
            let exact: f64 = x.iter().zip(w).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum();
            let largest = w.iter().fold(0.0, |a: Float, w| a.max(w.abs()));
            let size = largest * x.iter().map(|x| x.abs()).sum::<Float>();
            let far = (f64::from(found) - exact).abs() as Float;
            assert!(far <= part * size, "{index}: {found}, not {exact}; {far} > {}", part * size);
        }
    }

    #[test]
    fn equal_the_definition_for_any_count_of_rows() {
        for format in Format::ALL {
            for (m, count, width) in [(1, 1, 256), (1, 9, 512), (3, 7, 768), (8, 130, 256)] {
                let w = random_packed(format, [count, width], 3);
                let x = Rng::seeded(4).normal(&[m, width], 1.0);
                let mut y = vec![0.0; m * count];
                w.packed_rows().unwrap().dots(x.data(), &mut y);
                assert_near(&y, x.data(), &w, 2e-5);
            }
        }
        for width in [1, 7, 15, 16, 17, 33] {
            for format in [Format::F16, Format::BF16] {
                let w = random_packed(format, [5, width], 5);
                let x = Rng::seeded(6).normal(&[2, width], 1.0);
                let mut y = vec![0.0; 10];
                w.packed_rows().unwrap().dots(x.data(), &mut y);
                assert_near(&y, x.data(), &w, 1e-6);
            }
        }
    }

    #[test]
    fn a_row_beside_others_gives_the_bits_that_it_gives_alone() {
        for format in Format::ALL {
            let w = random_packed(format, [11, 512], 7);
            let x = Rng::seeded(8).normal(&[4, 512], 1.0);
            let mut together = vec![0.0; 44];
            w.packed_rows().unwrap().dots(x.data(), &mut together);
            for row in 0..4 {
                for column in 0..11 {
                    let mut alone = [0.0];
                    let w = w.narrow(0, column, 1);
                    w.packed_rows().unwrap().dots(&x.data()[row * 512..][..512], &mut alone);
                    assert_eq!(alone[0].to_bits(), together[row * 11 + column].to_bits());
                }
            }
        }
    }

    #[test]
    fn extremes_large_zero_and_not_a_number() {
        for format in Format::ALL {
            let w = random_packed(format, [2, 256], 9);
            let mut x = vec![0.0; 256];
            let dots = |x: &[Float]| {
                let mut y = [1.0; 2];
                w.packed_rows().unwrap().dots(x, &mut y);
                y
            };
            assert_eq!(dots(&x), [0.0; 2], "{format:?}");
            x[3] = 1e4;
            assert_near(&dots(&x), &x, &w, 2e-5);
            x[200] = Float::NAN;
            assert!(dots(&x).iter().all(|y| y.is_nan()), "{format:?}");
        }
    }
}
