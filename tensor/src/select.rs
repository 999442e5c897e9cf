//! Whole slices at positions: index select, as an embedding reads, and its transpose index add.

use crate::{Indices, Tensor, par, shape};

impl Tensor {
    /// The slices that `indices` names along `axis`.
    ///
    /// ```math
    /// y_{o,j,i} = x_{o,\,p_j,\,i}
    /// ```
    /// The axis of the result is replaced by the axes of `indices`: `[vocab_size, d_model]` at
    /// `[batch_size, seq_len]` positions along axis 0 gives `[batch_size, seq_len, d_model]`.
    ///
    /// ```
    /// use tensor::{Indices, Tensor};
    /// let x = Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]);
    /// let y = x.index_select(0, &Indices::new([1, 1, 0], &[3]));
    /// assert_eq!(y.to_vec(), [3.0, 4.0, 3.0, 4.0, 1.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If a position goes beyond the axis.
    #[track_caller]
    pub fn index_select(&self, axis: isize, indices: &Indices) -> Tensor {
        let axis = shape::axis("index_select", &self.shape, axis);
        indices.check_below("index_select", axis, &self.shape);
        let [_, size, inner] = shape::around(&self.shape, axis);
        let (x, positions) = (self.contiguous(), indices.positions());
        let x = x.data();
        Tensor::build(&self.selected_shape(axis, indices), |out| {
            if out.is_empty() {
                return;
            }
            par::for_rows(out, inner, |first, rows| {
                for (row, out) in rows.chunks_exact_mut(inner).enumerate() {
                    let (outer, j) =
                        ((first + row) / positions.len(), (first + row) % positions.len());
                    let slice = &x[(outer * size + positions[j]) * inner..][..inner];
                    out.copy_from_slice(slice);
                }
            });
        })
    }

    /// A copy with the slices of `source` added where `indices` says along `axis`: the transpose
    /// of [`Tensor::index_select`].
    ///
    /// ```math
    /// y_{o,\,p_j,\,i} \mathrel{+}= s_{o,j,i}
    /// ```
    /// `source` has the shape that `index_select` would give. Slices for one place are added in
    /// the order of their positions.
    ///
    /// # Panics
    /// If it has not, or a position goes beyond the axis.
    #[track_caller]
    pub fn index_add(&self, axis: isize, indices: &Indices, source: &Tensor) -> Tensor {
        let axis = shape::axis("index_add", &self.shape, axis);
        indices.check_below("index_add", axis, &self.shape);
        let expected = self.selected_shape(axis, indices);
        if source.shape != expected {
            let shapes = [&self.shape[..], indices.shape(), &source.shape];
            let hint = format!("the source would be {expected:?}");
            shape::wrong("index_add", "positions and source do not fit", &shapes, &hint);
        }
        let [_, size, inner] = shape::around(&self.shape, axis);
        let (starts, order) = grouped(indices.positions(), size);
        let (source, count) = (source.contiguous(), order.len());
        let source = source.data();
        let mut sum = self.copied();
        if source.is_empty() {
            return sum;
        }
        par::for_rows(sum.data_mut(), inner, |first, rows| {
            for (row, sum) in rows.chunks_exact_mut(inner).enumerate() {
                let (outer, place) = ((first + row) / size, (first + row) % size);
                for &j in &order[starts[place]..starts[place + 1]] {
                    let slice = &source[(outer * count + j) * inner..][..inner];
                    sum.iter_mut().zip(slice).for_each(|(sum, &x)| *sum += x);
                }
            }
        });
        sum
    }

    fn selected_shape(&self, axis: usize, indices: &Indices) -> Vec<usize> {
        [&self.shape[..axis], indices.shape(), &self.shape[axis + 1..]].concat()
    }
}

/// The places of `positions` that hold 0, then 1 …, in order: those that hold `p` are
/// `order[starts[p]..starts[p + 1]]` (a counting sort).
fn grouped(positions: &[usize], size: usize) -> (Vec<usize>, Vec<usize>) {
    let mut starts = vec![0; size + 1];
    positions.iter().for_each(|&position| starts[position + 1] += 1);
    (0..size).for_each(|p| starts[p + 1] += starts[p]);
    let (mut next, mut order) = (starts.clone(), vec![0; positions.len()]);
    for (place, &position) in positions.iter().enumerate() {
        order[next[position]] = place;
        next[position] += 1;
    }
    (starts, order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use crate::testing::{assert_same, counting, naive, number, positions, view};
    use ndarray::IxDyn;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn select_and_add_equal_naive_loops(
            x in view(1..4), axis in 0usize..3, count in 0usize..7, seed in 0u64..99,
        ) {
            let axis = axis % x.rank();
            let count = if x.shape()[axis] == 0 { 0 } else { count };
            let indices = positions(seed, &[count], x.shape()[axis]);
            let place = |index: &[usize]| {
                let mut place = index.to_vec();
                place[axis] = indices.positions()[index[axis]];
                place
            };
            let mut shape = x.shape().to_vec();
            shape[axis] = count;
            let expected = naive(&shape, |index| number(&x, &place(index)));
            assert_same(&x.index_select(axis as isize, &indices), &expected);

            let source = Rng::seeded(seed).normal(&shape, 1.0);
            let mut sums = x.view().to_owned();
            naive(&shape, |index| {
                sums[IxDyn(&place(index))] += number(&source, index);
                0.0
            });
            let sum = x.index_add(axis as isize, &indices, &source);
            assert_same(&sum, &Tensor::from_view(sums.view()));
        }
    }

    #[test]
    fn positions_of_any_shape_replace_the_axis() {
        let x = counting(&[2, 3, 2]);
        let indices = positions(1, &[2, 2], 3);
        let selected = x.index_select(1, &indices);
        assert_eq!(selected.shape(), [2, 2, 2, 2]);
        let flat = x.index_select(1, &indices.reshape(&[4]));
        assert_eq!(selected.to_vec(), flat.to_vec());
        let row = Indices::new([2], &[]);
        assert_same(&x.index_select(1, &row), &x.narrow(1, 2, 1).squeeze(&[1]));
        let added = Tensor::zeros(&[2, 3, 2]).index_add(1, &row, &Tensor::ones(&[2, 2]));
        assert_eq!(added.to_vec(), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn threads_do_not_change_large_results() {
        let x = Rng::seeded(1).normal(&[3, 50, 300], 1.0);
        let indices = positions(2, &[700], 50);
        let compute = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let y = x.index_select(1, &indices);
                (y.to_vec(), x.index_add(1, &indices, &y).to_vec())
            })
        };
        let one = compute(1);
        assert!([2, 3, 7].into_iter().all(|threads| compute(threads) == one));
    }

    #[test]
    #[should_panic(expected = "index_select: position 3 goes beyond axis 1: [2, 3]")]
    fn select_stays_on_its_axis() {
        counting(&[2, 3]).index_select(-1, &Indices::new([0, 3], &[2]));
    }

    #[test]
    #[should_panic(expected = "index_add: positions and source do not fit: \
                               [2, 3] and [2] and [3, 3]; the source would be [2, 3]")]
    fn add_needs_a_slice_for_each_position() {
        counting(&[2, 3]).index_add(0, &Indices::new([0, 1], &[2]), &counting(&[3, 3]));
    }
}
