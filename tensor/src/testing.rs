//! What the tests of several modules share: random views, and naive loops to judge by.

use crate::packed::Format;
use crate::{Float, Indices, Rng, Tensor};
use ndarray::{Dimension, IxDyn};
use proptest::prelude::*;
use std::ops::Range;

/// 0, 1, 2 … in `shape`.
pub fn counting(shape: &[usize]) -> Tensor {
    let values: Vec<Float> = (0..shape.iter().product()).map(|i: usize| i as Float).collect();
    Tensor::new(values, shape)
}

/// The number at `index`.
pub fn number(x: &Tensor, index: &[usize]) -> Float {
    x.view()[IxDyn(index)]
}

/// The tensor whose number at each index is `entry` of the index.
pub fn naive(shape: &[usize], mut entry: impl FnMut(&[usize]) -> Float) -> Tensor {
    let mut values = Vec::new();
    for index in ndarray::indices(IxDyn(shape)) {
        values.push(entry(index.as_array_view().as_slice().expect("an index in a row")));
    }
    Tensor::new(values, shape)
}

/// Random positions below `size`.
pub fn positions(seed: u64, shape: &[usize], size: usize) -> Indices {
    let mut rng = Rng::seeded(seed);
    let positions: Vec<usize> = (0..shape.iter().product()).map(|_| rng.below(size)).collect();
    Indices::new(positions, shape)
}

/// Fails unless both have one shape and the same numbers, bit for bit.
#[track_caller]
pub fn assert_same(found: &Tensor, expected: &Tensor) {
    assert_eq!(found.shape(), expected.shape());
    let bits =
        |x: &Tensor| -> Vec<u64> { x.to_vec().iter().map(|x| f64::from(*x).to_bits()).collect() };
    assert_eq!(bits(found), bits(expected), "{found} instead of {expected}");
}

/// A random tensor of a rank in `ranks`, each axis of size 0 to 5: dense, or a view that is
/// permuted, narrowed, stepped or stretched along some of its axes.
pub fn view(ranks: Range<usize>) -> impl Strategy<Value = Tensor> {
    let axis =
        (prop_oneof![1 => Just(0usize), 2 => Just(1), 9 => 2usize..6], 0usize..5, any::<u8>());
    (prop::collection::vec(axis, ranks), any::<u64>()).prop_map(|(axes, seed)| {
        let dense: Vec<usize> = axes
            .iter()
            .map(|&(size, kind, _)| match kind {
                0 => size + 2,
                1 => size * 2,
                2 => 1,
                _ => size,
            })
            .collect();
        let mut x = Rng::seeded(seed).normal(&dense, 1.0);
        for (axis, &(size, kind, _)) in axes.iter().enumerate() {
            x = match kind {
                0 => x.narrow(axis as isize, 1, size),
                1 => x.slice(axis as isize, size.min(1).., 2).narrow(axis as isize, 0, size),
                2 => {
                    let mut shape = x.shape().to_vec();
                    shape[axis] = size;
                    x.broadcast_to(&shape)
                }
                _ => x,
            };
        }
        let mut order: Vec<usize> = (0..axes.len()).collect();
        order.sort_by_key(|&axis| axes[axis].2 / 64);
        x.permute(&order)
    })
}

/// Two tensors of the same shape but for axes that are of size 1, or missing at the front.
pub fn broadcasting_pair() -> impl Strategy<Value = (Tensor, Tensor)> {
    let axis = (0usize..6, 0usize..4);
    (prop::collection::vec(axis, 0..4), 0usize..3, any::<u64>()).prop_map(
        |(axes, dropped, seed)| {
            let shape_where = |one: usize| -> Vec<usize> {
                axes.iter().map(|&(size, which)| if which == one { 1 } else { size }).collect()
            };
            let (a, b) = (shape_where(0), shape_where(1));
            let b = &b[dropped.min(b.len())..];
            (view_of(&a, seed), view_of(b, seed.wrapping_add(1)))
        },
    )
}

/// Normal numbers of `shape`, contiguous or as a transposed, narrowed or stretched view.
pub fn view_of(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = Rng::seeded(seed);
    match seed % 4 {
        0 => rng.normal(shape, 1.0),
        1 => {
            let axes: Vec<usize> = (0..shape.len()).rev().collect();
            let reversed: Vec<usize> = shape.iter().rev().copied().collect();
            rng.normal(&reversed, 1.0).permute(&axes)
        }
        2 => {
            let larger: Vec<usize> = shape.iter().map(|size| size + 2).collect();
            let whole = rng.normal(&larger, 1.0);
            let narrow = |x: Tensor, axis: usize| x.narrow(axis as isize, 1, shape[axis]);
            (0..shape.len()).fold(whole, narrow)
        }
        _ => {
            let axis = rng.below(shape.len().max(1));
            let mut small = shape.to_vec();
            small.iter_mut().skip(axis).take(1).for_each(|size| *size = 1);
            rng.normal(&small, 1.0).broadcast_to(shape)
        }
    }
}

/// A packed matrix whose bits are random, but for scales, which are of the order of 1.
pub fn random_packed(format: Format, [rows, width]: [usize; 2], seed: u64) -> Tensor {
    let mut rng = Rng::seeded(seed);
    let halves: &[usize] = match format {
        Format::F16 | Format::BF16 | Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => &[0],
        Format::Q6_K => &[208],
        _ => &[0, 2],
    };
    let mut bytes = Vec::new();
    for _ in 0..rows * width / format.block_len() {
        let mut block: Vec<u8> = (0..format.block_bytes()).map(|_| rng.below(256) as u8).collect();
        for &place in halves {
            // Between 2⁻⁶ and 1 as a half, of either sign; near 1 as a bfloat16.
            let exponent = if format == Format::BF16 { 0x3f } else { 0x24 + rng.below(24) as u8 };
            block[place + 1] = exponent | block[place + 1] & 0x80;
        }
        bytes.extend(block);
    }
    Tensor::from_packed(bytes, format, &[rows, width])
}
