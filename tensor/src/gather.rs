//! Single entries at positions: gather, its transpose scatter-add, and one-hot.
//!
//! Around its axis a tensor is `[outer, size, inner]`. Output is split over threads, and what is
//! added to one number comes in the order of the positions, so that a result has the same bits on
//! any number of threads.

use crate::{Float, Indices, Tensor, par, shape};

impl Tensor {
    /// The entries that `indices` names along `axis`.
    ///
    /// ```math
    /// y_{o,j,i} = x_{o,\,p_{o,j,i},\,i}
    /// ```
    /// `indices` has the rank of this tensor, any size along `axis` and at most this tensor's
    /// sizes along the others; the result has its shape.
    ///
    /// ```
    /// use tensor::{Indices, Tensor};
    /// let x = Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]);
    /// assert_eq!(x.gather(1, &Indices::new([1, 0], &[2, 1])).to_vec(), [2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not fit so, or a position goes beyond the axis.
    #[track_caller]
    pub fn gather(&self, axis: isize, indices: &Indices) -> Tensor {
        let axis = shape::axis("gather", &self.shape, axis);
        let x = self.part_beside(axis, indices, "gather").contiguous();
        let [_, size, inner] = shape::around(&x.shape, axis);
        let (x, positions, count) = (x.data(), indices.positions(), indices.shape()[axis]);
        Tensor::build(indices.shape(), |out| {
            if out.is_empty() {
                return;
            }
            par::for_rows(out, inner, |first, out| {
                let rows = positions[first * inner..].chunks_exact(inner);
                for (row, (out, positions)) in out.chunks_exact_mut(inner).zip(rows).enumerate() {
                    let x = &x[(first + row) / count * size * inner..];
                    for (i, (out, &position)) in out.iter_mut().zip(positions).enumerate() {
                        *out = x[position * inner + i];
                    }
                }
            });
        })
    }

    /// A copy with the entries of `source` added where `indices` says along `axis`: the transpose
    /// of [`Tensor::gather`].
    ///
    /// ```math
    /// y_{o,\,p_{o,j,i},\,i} \mathrel{+}= s_{o,j,i}
    /// ```
    /// `indices` and `source` have one shape, which fits this tensor's as for `gather`.
    ///
    /// # Panics
    /// If the shapes do not fit so, or a position goes beyond the axis.
    #[track_caller]
    pub fn scatter_add(&self, axis: isize, indices: &Indices, source: &Tensor) -> Tensor {
        let axis = shape::axis("scatter_add", &self.shape, axis);
        let part = self.part_beside(axis, indices, "scatter_add");
        if indices.shape() != source.shape {
            let shapes = [indices.shape(), &source.shape];
            shape::wrong("scatter_add", "positions and source differ in shape", &shapes, "");
        }
        if source.is_empty() {
            return self.clone();
        }
        if part.shape == self.shape {
            let mut sum = self.copied();
            add_scattered(&mut sum, axis, indices.positions(), source.contiguous().data());
            return sum;
        }
        let mut added = Tensor::zeros(&part.shape);
        add_scattered(&mut added, axis, indices.positions(), source.contiguous().data());
        let missing: Vec<(usize, usize)> =
            self.shape.iter().zip(&part.shape).map(|(whole, part)| (0, whole - part)).collect();
        self + added.pad(&missing, 0.0)
    }

    /// The view that `indices` reach: cut to their sizes beside `axis`.
    #[track_caller]
    fn part_beside(&self, axis: usize, indices: &Indices, operation: &str) -> Tensor {
        let fits = indices.shape().len() == self.rank()
            && (0..self.rank()).all(|i| i == axis || indices.shape()[i] <= self.shape[i]);
        if !fits {
            let rule = format!("positions do not fit beside axis {axis}");
            shape::wrong(operation, &rule, &[&self.shape, indices.shape()], "");
        }
        indices.check_below(operation, axis, &self.shape);
        (0..self.rank())
            .filter(|&i| i != axis)
            .fold(self.clone(), |part, i| part.narrow(i as isize, 0, indices.shape()[i]))
    }

    /// 1 at the position of each index along a new last axis of size `classes`, else 0.
    ///
    /// `[..] → [.., classes]`
    ///
    /// ```
    /// use tensor::{Indices, Tensor};
    /// let x = Tensor::one_hot(&Indices::new([2, 0], &[2]), 3);
    /// assert_eq!(x.to_vec(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
    /// ```
    ///
    /// # Panics
    /// If a position is not below `classes`.
    #[track_caller]
    pub fn one_hot(indices: &Indices, classes: usize) -> Tensor {
        let shape = [indices.shape(), &[classes]].concat();
        indices.check_below("one_hot", shape.len() - 1, &shape);
        let positions = indices.positions();
        Tensor::build(&shape, |out| {
            par::for_rows(out, classes, |first, rows| {
                rows.fill(0.0);
                let rows = rows.chunks_exact_mut(classes.max(1));
                rows.zip(&positions[first..]).for_each(|(row, &position)| row[position] = 1.0);
            });
        })
    }
}

/// Adds `source` to the places of `sum` that `positions` name along `axis`.
fn add_scattered(sum: &mut Tensor, axis: usize, positions: &[usize], source: &[Float]) {
    let [outer, size, inner] = shape::around(&sum.shape, axis);
    let (width, count) = (size * inner, source.len() / outer);
    par::for_rows(sum.data_mut(), width, |first, sums| {
        let entries = first * count..(first + sums.len() / width) * count;
        let rows = positions[entries.clone()].chunks_exact(inner);
        let rows = rows.zip(source[entries].chunks_exact(inner));
        for (row, (positions, source)) in rows.enumerate() {
            let sum = &mut sums[row / (count / inner) * width..];
            for (i, (&position, &x)) in positions.iter().zip(source).enumerate() {
                sum[position * inner + i] += x;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use crate::testing::{assert_same, counting, naive, number, positions, view};
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    /// A shape that gathers from `x` along `axis`.
    fn gathering(x: &Tensor, axis: usize, count: usize, shorter: [usize; 3]) -> Vec<usize> {
        let mut shape: Vec<usize> =
            x.shape().iter().zip(shorter).map(|(&size, less)| size.saturating_sub(less)).collect();
        shape[axis] = if x.shape()[axis] == 0 { 0 } else { count };
        shape
    }

    proptest! {
        #[test]
        fn gather_and_scatter_equal_naive_loops(
            x in view(1..4), axis in 0usize..3, count in 0usize..6,
            shorter in prop::array::uniform3(prop_oneof![Just(0usize), 0usize..2]), seed in 0u64..99,
        ) {
            let axis = axis % x.rank();
            let shape = gathering(&x, axis, count, shorter);
            let indices = positions(seed, &shape, x.shape()[axis]);
            let at = ArrayD::from_shape_vec(IxDyn(&shape), indices.positions().to_vec()).unwrap();
            let place = |index: &[usize]| {
                let mut place = index.to_vec();
                place[axis] = at[IxDyn(index)];
                place
            };
            let expected = naive(&shape, |index| number(&x, &place(index)));
            assert_same(&x.gather(axis as isize, &indices), &expected);

            let source = Rng::seeded(seed).normal(&shape, 1.0);
            let mut sums = x.view().to_owned();
            naive(&shape, |index| {
                sums[IxDyn(&place(index))] += number(&source, index);
                0.0
            });
            let sum = x.scatter_add(axis as isize, &indices, &source);
            let difference = &sum - &Tensor::from_view(sums.view());
            prop_assert_eq!(sum.shape(), x.shape());
            prop_assert!(difference.to_vec().iter().all(|d| d.abs() < 1e-5));
        }
    }

    #[test]
    fn equal_positions_add_up() {
        let indices = Indices::new([2, 2, 0], &[3]);
        let sum = Tensor::ones(&[3]).scatter_add(0, &indices, &counting(&[3]));
        assert_eq!(sum.to_vec(), [3.0, 1.0, 2.0]);
        let few = Indices::new([1], &[1, 1]);
        let sum = Tensor::ones(&[2, 2]).scatter_add(0, &few, &Tensor::full(&[1, 1], 4.0));
        assert_eq!(sum.to_vec(), [1.0, 1.0, 5.0, 1.0]);
    }

    #[test]
    fn threads_do_not_change_large_results() {
        let x = Rng::seeded(1).normal(&[40, 50, 30], 1.0);
        let indices = positions(2, &[40, 90, 30], 50);
        let compute = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let y = x.gather(1, &indices);
                let sum = x.scatter_add(1, &indices, &y);
                (y.to_vec(), sum.to_vec(), Tensor::one_hot(&indices, 50).sum().item())
            })
        };
        let one = compute(1);
        assert_eq!(one.2, 108_000.0);
        assert!([2, 3, 7].into_iter().all(|threads| compute(threads) == one));
    }

    #[test]
    fn one_hot_of_any_shape() {
        let x = Tensor::one_hot(&positions(1, &[3, 2], 4), 4);
        assert_eq!(x.shape(), [3, 2, 4]);
        assert!(x.sum_to(&[3, 2, 1]).to_vec().iter().all(|&sum| sum == 1.0));
        assert_eq!(Tensor::one_hot(&Indices::new([1], &[]), 2).to_vec(), [0.0, 1.0]);
        assert_eq!(Tensor::one_hot(&Indices::new([], &[0]), 0).shape(), [0, 0]);
    }

    #[test]
    #[should_panic(expected = "one_hot: position 3 goes beyond axis 1: [2, 3]")]
    fn one_hot_needs_its_class() {
        Tensor::one_hot(&Indices::new([0, 3], &[2]), 3);
    }

    #[test]
    #[should_panic(expected = "gather: positions do not fit beside axis 1: [2, 3] and [3, 1]")]
    fn gather_stays_beside_its_axis() {
        counting(&[2, 3]).gather(1, &Indices::new([0, 0, 0], &[3, 1]));
    }

    #[test]
    #[should_panic(expected = "gather: position 3 goes beyond axis 1: [2, 3]")]
    fn gather_stays_on_its_axis() {
        counting(&[2, 3]).gather(-1, &Indices::new([0, 3], &[2, 1]));
    }

    #[test]
    #[should_panic(expected = "scatter_add: positions and source differ in shape: [1] and [2]")]
    fn scatter_needs_a_position_for_each_entry() {
        counting(&[3]).scatter_add(0, &Indices::new([0], &[1]), &counting(&[2]));
    }
}
