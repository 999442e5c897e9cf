//! Entries chosen by a condition: where, masked fill and triangles. Non-zero is true.

use crate::{Float, Tensor, par, shape, simd};

simd! {
    fn choose(condition: &[Float], a: &[Float], b: &[Float], out: &mut [Float]) {
        for (((out, &condition), &a), &b) in out.iter_mut().zip(condition).zip(a).zip(b) {
            *out = if condition != 0.0 { a } else { b };
        }
    }
}

impl Tensor {
    /// The entries of `a` where this condition is true (not zero), those of `b` elsewhere; all
    /// three are broadcast to one shape.
    ///
    /// ```
    /// use tensor::Tensor;
    /// let (a, b) = (Tensor::new([1.0, 2.0], &[2]), Tensor::scalar(0.0));
    /// assert_eq!(Tensor::new([0.0, 1.0], &[2]).where_cond(&a, &b).to_vec(), [0.0, 2.0]);
    /// ```
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn where_cond(&self, a: &Tensor, b: &Tensor) -> Tensor {
        let sides = shape::broadcast("where_cond", &a.shape, &b.shape);
        let shape = shape::broadcast("where_cond", &self.shape, &sides);
        let [condition, a, b] = [self, a, b].map(|x| x.broadcast_to(&shape).contiguous());
        let (condition, a, b) = (condition.data(), a.data(), b.data());
        Tensor::build(&shape, |out| {
            par::for_pieces(out, |first, out| {
                choose(&condition[first..], &a[first..], &b[first..], out);
            });
        })
    }

    /// `value` where `mask` is true (not zero), this tensor's entries elsewhere; both are
    /// broadcast to one shape.
    ///
    /// # Panics
    /// If the shapes do not broadcast.
    #[track_caller]
    pub fn masked_fill(&self, mask: &Tensor, value: Float) -> Tensor {
        shape::broadcast("masked_fill", &self.shape, &mask.shape);
        self.zip(mask, |x, mask| if mask != 0.0 { value } else { x })
    }

    /// The lower triangle of the last two axes, zeros elsewhere: column `j` of row `i` stays where
    /// `j - i ≤ k`, so that 0 keeps the diagonal and what is below, 1 one diagonal more.
    ///
    /// # Panics
    /// If the rank is below 2.
    #[track_caller]
    pub fn tril(&self, k: isize) -> Tensor {
        self.triangle("tril", |i| (0, after_diagonal(i, k)))
    }

    /// The upper triangle of the last two axes, zeros elsewhere: column `j` of row `i` stays where
    /// `j - i ≥ k`, so that 0 keeps the diagonal and what is above, 1 one diagonal less.
    ///
    /// # Panics
    /// If the rank is below 2.
    #[track_caller]
    pub fn triu(&self, k: isize) -> Tensor {
        self.triangle("triu", |i| (after_diagonal(i, k.saturating_sub(1)), usize::MAX))
    }

    /// Keeps of row `i` the columns from `kept(i).0` to before `kept(i).1`.
    #[track_caller]
    fn triangle(&self, operation: &str, kept: impl Fn(usize) -> (usize, usize) + Sync) -> Tensor {
        if self.rank() < 2 {
            shape::wrong(operation, "two axes are needed", &[&self.shape], "");
        }
        if self.is_empty() {
            return self.clone();
        }
        let (rows, width) = (self.size(-2), self.size(-1));
        let x = self.contiguous();
        let x = x.data();
        Tensor::build(&self.shape, |out| {
            par::for_rows(out, width, |first, out| {
                let x = x[first * width..].chunks_exact(width);
                for (i, (out, x)) in out.chunks_exact_mut(width).zip(x).enumerate() {
                    let (start, end) = kept((first + i) % rows);
                    let (start, end) = (start.min(width), end.min(width));
                    out.fill(0.0);
                    out[start..end].copy_from_slice(&x[start..end]);
                }
            });
        })
    }
}

/// The first column behind diagonal `k` in row `i`.
fn after_diagonal(i: usize, k: isize) -> usize {
    (i as isize).saturating_add(k).saturating_add(1).max(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use crate::testing::{assert_same, counting, naive, number, view};
    use proptest::prelude::*;

    #[test]
    fn triangles_meet_at_the_diagonal() {
        let x = counting(&[3, 3]);
        assert_eq!(x.tril(0).to_vec(), [0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 6.0, 7.0, 8.0]);
        assert_eq!(x.triu(1).to_vec(), [0.0, 1.0, 2.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0]);
        assert_eq!((&x.tril(isize::MAX) + &x.triu(isize::MAX)).to_vec(), x.to_vec());
        assert_eq!((&x.tril(isize::MIN) + &x.triu(isize::MIN)).to_vec(), x.to_vec());
    }

    #[test]
    fn what_is_not_chosen_does_not_matter() {
        let (nan, infinity) = (Tensor::scalar(Float::NAN), Float::INFINITY);
        let condition = Tensor::new([1.0, 0.0, -0.0, Float::NAN], &[4]);
        assert_eq!(condition.where_cond(&Tensor::ones(&[4]), &nan).to_vec()[0], 1.0);
        let filled = Tensor::full(&[4], -infinity).masked_fill(&condition, 0.0);
        assert_eq!(filled.to_vec(), [0.0, -infinity, -infinity, 0.0]);
    }

    #[test]
    fn large_tensors_are_masked_whole() {
        let x = counting(&[5, 90, 70]);
        let both = &x.tril(-20) + &x.triu(-19);
        assert!(both.to_vec() == x.to_vec());
        let odd = x.map(|x| x % 2.0);
        let halves = odd.where_cond(&x, &Tensor::scalar(0.5)).to_vec();
        assert!(halves.iter().enumerate().all(|(i, &x)| x == [0.5, i as Float][i % 2]));
    }

    proptest! {
        #[test]
        fn where_equals_a_naive_loop(x in view(0..4), ones in prop::array::uniform3(0usize..3)) {
            let shape = |which| -> Vec<usize> {
                let size = |axis: usize| if ones[axis] == which { 1 } else { x.shape()[axis] };
                (0..x.rank()).map(size).collect()
            };
            let condition = x.map(|x| if x > 0.0 { x } else { 0.0 });
            let mut rng = Rng::seeded(1);
            let (a, b) = (rng.normal(&shape(0), 1.0), rng.normal(&shape(1), 1.0));
            let (wide_a, wide_b) = (a.broadcast_to(x.shape()), b.broadcast_to(x.shape()));
            let expected = naive(x.shape(), |index| {
                let chosen = if number(&condition, index) != 0.0 { &wide_a } else { &wide_b };
                number(chosen, index)
            });
            assert_same(&condition.where_cond(&a, &b), &expected);
            let expected = naive(x.shape(), |index| {
                if number(&wide_b, index) > 0.0 { 3.0 } else { number(&x, index) }
            });
            let mask = b.map(|b| if b > 0.0 { 1.0 } else { 0.0 });
            assert_same(&x.masked_fill(&mask, 3.0), &expected);
        }

        #[test]
        fn triangles_equal_a_naive_loop(x in view(2..5), k in -6isize..7) {
            let column_minus_row = |index: &[usize]| {
                index[index.len() - 1] as isize - index[index.len() - 2] as isize
            };
            let kept = |keep: &dyn Fn(isize) -> bool| {
                naive(x.shape(), |index| {
                    if keep(column_minus_row(index)) { number(&x, index) } else { 0.0 }
                })
            };
            assert_same(&x.tril(k), &kept(&|d| d <= k));
            assert_same(&x.triu(k), &kept(&|d| d >= k));
        }
    }

    #[test]
    #[should_panic(expected = "where_cond: shapes do not broadcast: [2] and [3]")]
    fn where_needs_shapes_that_broadcast() {
        Tensor::ones(&[2]).where_cond(&Tensor::ones(&[3]), &Tensor::ones(&[1]));
    }

    #[test]
    #[should_panic(expected = "masked_fill: shapes do not broadcast: [2] and [3]")]
    fn a_mask_needs_a_shape_that_broadcasts() {
        Tensor::ones(&[2]).masked_fill(&Tensor::ones(&[3]), 0.0);
    }

    #[test]
    #[should_panic(expected = "tril: two axes are needed: [3]")]
    fn a_triangle_needs_two_axes() {
        Tensor::ones(&[3]).tril(0);
    }
}
