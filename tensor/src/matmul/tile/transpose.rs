//! A tile with rows and columns exchanged, square by square in registers.

use super::super::panels::{SIDE, transposed};
use crate::simd::{InstructionSet, instruction_set};
use crate::{Float, simd};

/// `out [columns, rows]` = `scale` · xᵀ of `x [rows, columns]`, rows as far apart as the number
/// beside each slice says.
///
/// ```
/// let mut y = [0.0; 6];
/// tensor::tile::transpose([2, 3], 10.0, (&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), (&mut y, 2));
/// assert_eq!(y, [10.0, 40.0, 20.0, 50.0, 30.0, 60.0]);
/// ```
///
/// # Panics
/// If a matrix goes beyond its slice.
#[track_caller]
pub fn transpose(
    sizes: [usize; 2],
    scale: Float,
    (x, x_stride): (&[Float], usize),
    (out, out_stride): (&mut [Float], usize),
) {
    let [rows, columns] = sizes;
    let fits = super::Tile::new(x, [x_stride, 1]).holds(rows, columns)
        && super::Tile::new(out, [out_stride, 1]).holds(columns, rows);
    assert!(fits, "a transposed tile [{rows}, {columns}] goes beyond its slices");
    let whole = match instruction_set() {
        InstructionSet::Portable => [0, 0],
        _ => sizes.map(|size| size / SIDE * SIDE),
    };
    squares(sizes, whole, scale, x, x_stride, out, out_stride);
}

simd! {
    /// The part of `whole` squares in registers, the rest one by one.
    fn squares(
        sizes: [usize; 2],
        whole: [usize; 2],
        scale: Float,
        x: &[Float],
        x_stride: usize,
        out: &mut [Float],
        out_stride: usize,
    ) {
        let ([rows, columns], [whole_rows, whole_columns]) = (sizes, whole);
        for row in (0..whole_rows).step_by(SIDE) {
            for column in (0..whole_columns).step_by(SIDE) {
                let mut square = [[0.0; SIDE]; SIDE];
                for (i, square) in square.iter_mut().enumerate() {
                    let x = &x[(row + i) * x_stride + column..][..SIDE];
                    square.iter_mut().zip(x).for_each(|(square, x)| *square = scale * x);
                }
                for (j, square) in transposed(square).iter().enumerate() {
                    out[(column + j) * out_stride + row..][..SIDE].copy_from_slice(square);
                }
            }
        }
        for row in 0..rows {
            let done = if row < whole_rows { whole_columns } else { 0 };
            for column in done..columns {
                out[column * out_stride + row] = scale * x[row * x_stride + column];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_definition(rows in 0usize..30, columns in 0usize..30, gap in 0usize..3) {
            let x = Rng::seeded((rows * 30 + columns) as u64).normal(&[rows, columns], 1.0);
            let stride = rows + gap;
            let mut out = vec![7.0; columns * stride];
            transpose([rows, columns], 0.5, (x.data(), columns), (&mut out, stride));
            for (index, out) in out.into_iter().enumerate() {
                let (j, i) = (index / stride, index % stride);
                let expected = if i < rows { 0.5 * x.data()[i * columns + j] } else { 7.0 };
                prop_assert!(out == expected, "{j} {i}: {out} {expected}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a transposed tile [2, 3] goes beyond its slices")]
    fn a_transposed_tile_stays_inside_of_its_slices() {
        transpose([2, 3], 1.0, (&[0.0; 6], 3), (&mut [0.0; 5], 2));
    }
}
