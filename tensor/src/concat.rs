//! Joining tensors along an axis, an old or a new one, and writing a part in its place.

use crate::{Float, Tensor, par, shape};

impl Tensor {
    /// The tensors joined along `axis`.
    ///
    /// # Panics
    /// If there is none, or their other axes differ.
    #[track_caller]
    pub fn concat(parts: &[&Tensor], axis: isize) -> Tensor {
        let first = parts.first().expect("concat: at least one tensor");
        let axis = shape::axis("concat", &first.shape, axis);
        let mut shape = first.shape.clone();
        shape[axis] = parts.iter().map(|part| part.size(axis as isize)).sum();
        for part in parts {
            let mut other = part.shape.clone();
            other[axis] = first.shape[axis];
            if other != first.shape {
                let rule = format!("sizes differ beside axis {axis}");
                shape::wrong("concat", &rule, &[&first.shape, &part.shape], "");
            }
        }
        let mut joined = Tensor::build(&shape, |_| {});
        let mut start = 0;
        for part in parts {
            joined.assign_at(axis, start, part);
            start += part.shape[axis];
        }
        joined
    }

    /// The tensors, all of one shape, side by side along a new axis.
    ///
    /// `n` tensors of shape `[a, b]` give `[n, a, b]` for axis 0, `[a, b, n]` for axis -1.
    ///
    /// ```
    /// use tensor::Tensor;
    /// let (x, y) = (Tensor::new([1.0, 2.0], &[2]), Tensor::new([3.0, 4.0], &[2]));
    /// assert_eq!(Tensor::stack(&[&x, &y], 0).to_vec(), [1.0, 2.0, 3.0, 4.0]);
    /// assert_eq!(Tensor::stack(&[&x, &y], 1).to_vec(), [1.0, 3.0, 2.0, 4.0]);
    /// ```
    ///
    /// # Panics
    /// If there is none, their shapes differ, or the axis does not exist in the result.
    #[track_caller]
    pub fn stack(parts: &[&Tensor], axis: isize) -> Tensor {
        let first = parts.first().expect("stack: at least one tensor");
        if let Some(other) = parts.iter().find(|part| part.shape != first.shape) {
            shape::wrong("stack", "shapes differ", &[&first.shape, &other.shape], "");
        }
        let views: Vec<Tensor> = parts.iter().map(|part| part.unsqueeze(axis)).collect();
        let axis = if axis < 0 { axis + first.rank() as isize + 1 } else { axis };
        Tensor::concat(&views.iter().collect::<Vec<_>>(), axis)
    }

    /// Adds `part` to the entries from `start` along `axis`.
    ///
    /// # Panics
    /// If the part does not fit there.
    #[track_caller]
    pub fn add_at(&mut self, axis: usize, start: usize, part: &Tensor) {
        self.write(axis, start, part, |out, x| *out += x);
    }

    /// Replaces the entries from `start` along `axis` by `part`.
    ///
    /// # Panics
    /// If the part does not fit there.
    #[track_caller]
    pub fn assign_at(&mut self, axis: usize, start: usize, part: &Tensor) {
        self.write(axis, start, part, |out, x| *out = x);
    }

    #[track_caller]
    fn write(
        &mut self,
        axis: usize,
        start: usize,
        part: &Tensor,
        combine: impl Fn(&mut Float, Float) + Sync,
    ) {
        let mut place = self.shape.clone();
        place[axis] = part.shape[axis];
        if place != part.shape || start + part.shape[axis] > self.shape[axis] {
            shape::wrong("write", "the part does not fit", &[&self.shape, &part.shape], "");
        }
        let inner: usize = self.shape[axis + 1..].iter().product();
        let (width, part_width) = (self.shape[axis] * inner, part.shape[axis] * inner);
        let part = part.contiguous();
        if part.is_empty() {
            return;
        }
        let source = part.data();
        par::for_rows(self.data_mut(), width, |first, rows| {
            for (row, out) in rows.chunks_exact_mut(width).enumerate() {
                let source = &source[(first + row) * part_width..][..part_width];
                for (out, &x) in out[start * inner..].iter_mut().zip(source) {
                    combine(out, x);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, counting, naive, number, view};
    use proptest::prelude::*;

    #[test]
    fn concat_undoes_narrow_along_each_axis() {
        let x = counting(&[3, 4, 2]);
        for axis in 0..3 {
            let size = x.size(axis);
            let joined =
                Tensor::concat(&[&x.narrow(axis, 0, 1), &x.narrow(axis, 1, size - 1)], axis);
            assert_eq!(joined.to_vec(), x.to_vec());
        }
    }

    #[test]
    fn add_at_adds_to_its_own_place() {
        let mut x = Tensor::zeros(&[2, 3]);
        x.add_at(1, 1, &Tensor::ones(&[2, 2]));
        assert_eq!(x.to_vec(), [0.0, 1.0, 1.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn a_tensor_of_rank_0_stacks_to_a_vector() {
        let stacked = Tensor::stack(&[&Tensor::scalar(1.0), &Tensor::scalar(2.0)], -1);
        assert_eq!((stacked.shape(), stacked.to_vec()), (&[2][..], vec![1.0, 2.0]));
    }

    proptest! {
        #[test]
        fn stack_equals_a_naive_loop(x in view(0..4), count in 1usize..4, axis in 0usize..4) {
            let axis = axis.min(x.rank());
            let parts: Vec<Tensor> = (0..count).map(|i| &x + i as Float).collect();
            let stacked = Tensor::stack(&parts.iter().collect::<Vec<_>>(), axis as isize);
            let mut shape = x.shape().to_vec();
            shape.insert(axis, count);
            let expected = naive(&shape, |index| {
                let mut inner = index.to_vec();
                let part = inner.remove(axis);
                number(&parts[part], &inner)
            });
            assert_same(&stacked, &expected);
        }
    }

    #[test]
    #[should_panic(expected = "stack: shapes differ: [2, 3] and [2, 4]")]
    fn stack_needs_equal_shapes() {
        Tensor::stack(&[&counting(&[2, 3]), &counting(&[2, 4])], 0);
    }

    #[test]
    #[should_panic(expected = "concat: sizes differ beside axis 0: [2, 3] and [2, 4]")]
    fn concat_needs_equal_sides() {
        Tensor::concat(&[&counting(&[2, 3]), &counting(&[2, 4])], 0);
    }
}
