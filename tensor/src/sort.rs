//! Order along an axis: sort and top-k.

use crate::{Float, Indices, Tensor, shape};
use rayon::prelude::*;

/// Entries of the lanes that one piece of work sorts.
const PIECE: usize = 16 * 1024;

impl Tensor {
    /// The entries in ascending or descending order along `axis`, and the place each came from.
    ///
    /// Equal entries keep their order, -0 and 0 being equal; NaN comes last in both directions.
    ///
    /// ```
    /// let (sorted, from) = tensor::Tensor::new([3.0, 1.0, 2.0], &[3]).sort(0, false);
    /// assert_eq!(sorted.to_vec(), [1.0, 2.0, 3.0]);
    /// assert_eq!(from.positions(), [1, 2, 0]);
    /// ```
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn sort(&self, axis: isize, descending: bool) -> (Tensor, Indices) {
        let axis = shape::axis("sort", &self.shape, axis);
        self.first_in_order(axis, self.shape[axis], descending)
    }

    /// The `k` largest entries along `axis`, largest first, and the place each came from.
    ///
    /// Of equal entries the first comes first; NaN comes last.
    ///
    /// # Panics
    /// If the axis does not exist or has fewer than `k` entries.
    #[track_caller]
    pub fn top_k(&self, k: usize, axis: isize) -> (Tensor, Indices) {
        let axis = shape::axis("top_k", &self.shape, axis);
        if k > self.shape[axis] {
            let rule = format!("axis {axis} has fewer than {k} entries");
            shape::wrong("top_k", &rule, &[&self.shape], "");
        }
        self.first_in_order(axis, k, true)
    }

    /// The first `k` of the entries in order along `axis`, and their places.
    fn first_in_order(&self, axis: usize, k: usize, descending: bool) -> (Tensor, Indices) {
        let mut shape = self.shape.clone();
        shape[axis] = k;
        let lanes = self.transpose(axis as isize, -1).contiguous();
        let mut places = vec![0; shape::count(&shape)];
        if !places.is_empty() {
            let size = self.shape[axis];
            let lanes_each = PIECE.div_ceil(size);
            places
                .par_chunks_mut(lanes_each * k)
                .zip(lanes.data().par_chunks(lanes_each * size))
                .for_each(|(places, lanes)| order_lanes(lanes, size, k, descending, places));
        }
        let indices = laid_back(places, &shape, axis);
        (self.gather(axis as isize, &indices), indices)
    }
}

/// Writes the places of the first `k` entries in order of each lane of `size`.
fn order_lanes(lanes: &[Float], size: usize, k: usize, descending: bool, places: &mut [usize]) {
    let mut entries: Vec<(u64, usize)> = Vec::with_capacity(size);
    for (lane, places) in lanes.chunks_exact(size).zip(places.chunks_exact_mut(k)) {
        entries.clear();
        entries.extend(lane.iter().enumerate().map(|(i, &x)| (sort_key(x, descending), i)));
        if k < size {
            entries.select_nth_unstable(k);
        }
        // No two entries are equal, their places differ: any sort is stable.
        entries[..k].sort_unstable();
        places.iter_mut().zip(&entries).for_each(|(place, &(_, i))| *place = i);
    }
}

/// A whole number in the order in which the numbers shall come.
///
/// The bits of floats of one sign order as whole numbers do; a negative one's are inverted.
fn sort_key(x: Float, descending: bool) -> u64 {
    if x.is_nan() {
        return u64::MAX;
    }
    let bits = (x as f64 + 0.0).to_bits(); // -0 + 0 is 0
    let ascending = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    if descending { !ascending } else { ascending }
}

/// Positions of a tensor of `shape` whose last axis was exchanged with `axis`, in the order of
/// `shape`.
fn laid_back(positions: Vec<usize>, shape: &[usize], axis: usize) -> Indices {
    let last = shape.len() - 1;
    if axis == last {
        return Indices::new(positions, shape);
    }
    let mut exchanged = shape.to_vec();
    exchanged.swap(axis, last);
    let mut strides = shape::row_major_strides(&exchanged);
    strides.swap(axis, last);
    let mut result = Vec::with_capacity(positions.len());
    shape::for_each_offset(shape, [&strides], |[offset]| result.push(positions[offset]));
    Indices::new(result, shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use crate::testing::{assert_same, counting, number, view};
    use ndarray::{ArrayD, Axis, IxDyn};
    use proptest::prelude::*;

    #[test]
    fn equal_entries_keep_their_order_and_nan_comes_last() {
        let (nan, infinity) = (Float::NAN, Float::INFINITY);
        let x = Tensor::new([nan, 0.0, -infinity, -0.0, infinity, 0.0, -1e4, 1e-40], &[8]);
        assert_eq!(x.sort(0, false).1.positions(), [2, 6, 1, 3, 5, 7, 4, 0]);
        assert_eq!(x.sort(0, true).1.positions(), [4, 7, 1, 3, 5, 6, 2, 0]);
        assert_eq!(x.top_k(3, 0).1.positions(), [4, 7, 1]);
        assert!(x.sort(0, true).0.to_vec()[7].is_nan());
    }

    #[test]
    fn top_k_of_each_column() {
        let x = Tensor::new([1.0, 9.0, 5.0, 2.0, 3.0, 9.0], &[3, 2]);
        let (values, places) = x.top_k(2, 0);
        assert_eq!(values.to_vec(), [5.0, 9.0, 3.0, 9.0]);
        assert_eq!(places, Indices::new([1, 0, 2, 2], &[2, 2]));
        assert_eq!(x.top_k(0, 1).0.shape(), [3, 0]);
    }

    proptest! {
        #[test]
        fn sort_equals_a_naive_loop(
            x in view(1..4), axis in 0usize..3, descending in any::<bool>(), k in 0usize..6,
        ) {
            let axis = axis % x.rank();
            let x = x.map(|x| (2.0 * x) as i32 as Float); // with many equal entries
            let mut expected = ArrayD::<usize>::zeros(IxDyn(x.shape()));
            let view = x.view();
            for (lane, mut places) in
                view.lanes(Axis(axis)).into_iter().zip(expected.lanes_mut(Axis(axis)))
            {
                let mut order: Vec<usize> = (0..lane.len()).collect();
                order.sort_by(|&a, &b| {
                    let (a, b) = if descending { (b, a) } else { (a, b) };
                    lane[a].partial_cmp(&lane[b]).unwrap()
                });
                places.iter_mut().zip(order).for_each(|(place, i)| *place = i);
            }
            let (sorted, places) = x.sort(axis as isize, descending);
            prop_assert!(expected.iter().eq(places.positions()));
            assert_same(&sorted, &x.gather(axis as isize, &places));
            let k = k.min(x.shape()[axis]);
            let (largest, from) = x.top_k(k, axis as isize);
            let (all, all_from) = x.sort(axis as isize, true);
            assert_same(&largest, &all.narrow(axis as isize, 0, k));
            let all_from = ArrayD::from_shape_vec(IxDyn(x.shape()), all_from.positions().to_vec());
            let all_from = all_from.unwrap();
            let mut shape = x.shape().to_vec();
            shape[axis] = k;
            let first = ndarray::indices(IxDyn(&shape)).into_iter().map(|index| all_from[index]);
            prop_assert!(first.eq(from.positions().iter().copied()));
        }
    }

    #[test]
    fn threads_do_not_change_large_results() {
        let x = Rng::seeded(1).normal(&[30, 1000, 3], 1.0);
        let compute = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| x.sort(1, true))
        };
        let (values, places) = compute(1);
        assert!((1..1000).all(|j| number(&values, &[7, j - 1, 2]) >= number(&values, &[7, j, 2])));
        for threads in [2, 3, 7] {
            let (v, p) = compute(threads);
            assert!(v.to_vec() == values.to_vec() && p == places);
        }
    }

    #[test]
    #[should_panic(expected = "top_k: axis 1 has fewer than 4 entries: [2, 3]")]
    fn top_k_needs_k_entries() {
        counting(&[2, 3]).top_k(4, 1);
    }

    #[test]
    #[should_panic(expected = "sort: axis 0 does not exist: []; a tensor of rank 0 has none")]
    fn sort_needs_an_axis() {
        Tensor::scalar(1.0).sort(0, false);
    }
}
