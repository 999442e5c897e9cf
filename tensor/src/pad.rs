//! Moving entries along their axes: padding, rolling and flipping.

use crate::{Float, Tensor, par, shape};

impl Tensor {
    /// The tensor with `value` around it: `padding[i]` entries before and after it along axis `i`.
    ///
    /// ```
    /// let x = tensor::Tensor::new([1.0, 2.0], &[1, 2]);
    /// assert_eq!(x.pad(&[(0, 1), (1, 0)], 9.0).to_vec(), [9.0, 1.0, 2.0, 9.0, 9.0, 9.0]);
    /// ```
    ///
    /// # Panics
    /// If there is not one pair for each axis.
    #[track_caller]
    pub fn pad(&self, padding: &[(usize, usize)], value: Float) -> Tensor {
        if padding.len() != self.rank() {
            let rule = format!("{} pairs of padding do not name each axis once", padding.len());
            shape::wrong("pad", &rule, &[&self.shape], "");
        }
        let shape: Vec<usize> = (self.shape.iter().zip(padding))
            .map(|(&size, &(before, after))| size.saturating_add(before).saturating_add(after))
            .collect();
        if self.is_empty() {
            return Tensor::full(&shape, value);
        }
        let x = self.contiguous();
        Tensor::build(&shape, |out| write_padded(x.data(), &self.shape, padding, value, out))
    }

    /// The entries moved by `shift` along `axis`; those that leave at one end enter at the other.
    ///
    /// ```math
    /// y_i = x_{(i - \mathrm{shift}) \bmod n}
    /// ```
    ///
    /// # Panics
    /// If the axis does not exist.
    #[track_caller]
    pub fn roll(&self, axis: isize, shift: isize) -> Tensor {
        let axis = shape::axis("roll", &self.shape, axis);
        if self.is_empty() {
            return self.clone();
        }
        let size = self.shape[axis];
        let inner: usize = self.shape[axis + 1..].iter().product();
        let (width, moved) = (size * inner, shift.rem_euclid(size as isize) as usize * inner);
        let x = self.contiguous();
        let x = x.data();
        Tensor::build(&self.shape, |out| {
            par::for_rows(out, width, |first, rows| {
                let x = x[first * width..].chunks_exact(width);
                for (out, x) in rows.chunks_exact_mut(width).zip(x) {
                    out[moved..].copy_from_slice(&x[..width - moved]);
                    out[..moved].copy_from_slice(&x[width - moved..]);
                }
            });
        })
    }

    /// The entries in reverse order along each of `axes`.
    ///
    /// # Panics
    /// If an axis does not exist.
    #[track_caller]
    pub fn flip(&self, axes: &[isize]) -> Tensor {
        let mut flipped = vec![false; self.rank()];
        for &axis in axes {
            flipped[shape::axis("flip", &self.shape, axis)] = true;
        }
        if self.is_empty() {
            return self.clone();
        }
        let x = self.contiguous();
        Tensor::build(&self.shape, |out| write_flipped(x.data(), &self.shape, &flipped, out))
    }
}

/// Writes `x`, contiguous and of `shape`, into the padded `out`, axis by axis from the first.
fn write_padded(
    x: &[Float],
    shape: &[usize],
    padding: &[(usize, usize)],
    value: Float,
    out: &mut [Float],
) {
    if padding.iter().all(|&pair| pair == (0, 0)) {
        return out.copy_from_slice(x);
    }
    let (size, (before, after)) = (shape[0], padding[0]);
    let (inner, out_inner) = (x.len() / size, out.len() / (before + size + after));
    let (start, rest) = out.split_at_mut(before * out_inner);
    let (middle, end) = rest.split_at_mut(size * out_inner);
    start.fill(value);
    end.fill(value);
    if padding[1..].iter().all(|&pair| pair == (0, 0)) {
        return middle.copy_from_slice(x);
    }
    par::for_rows(middle, out_inner, |first, rows| {
        let x = x[first * inner..].chunks_exact(inner);
        for (out, x) in rows.chunks_exact_mut(out_inner).zip(x) {
            write_padded(x, &shape[1..], &padding[1..], value, out);
        }
    });
}

/// Writes `x`, contiguous and of `shape`, into `out`, reversed along the flipped axes.
fn write_flipped(x: &[Float], shape: &[usize], flipped: &[bool], out: &mut [Float]) {
    if !flipped.contains(&true) {
        return out.copy_from_slice(x);
    }
    let size = shape[0];
    let inner = x.len() / size;
    par::for_rows(out, inner, |first, rows| {
        let count = rows.len() / inner;
        let source = if flipped[0] { size - first - count } else { first };
        let x = &x[source * inner..][..rows.len()];
        if flipped == [true] {
            rows.iter_mut().zip(x.iter().rev()).for_each(|(out, &x)| *out = x);
            return;
        }
        for (i, out) in rows.chunks_exact_mut(inner).enumerate() {
            let i = if flipped[0] { count - 1 - i } else { i };
            write_flipped(&x[i * inner..][..inner], &shape[1..], &flipped[1..], out);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, counting, naive, number, view};
    use proptest::prelude::*;

    #[test]
    fn hand_values() {
        let x = counting(&[2, 3]);
        assert_eq!(x.roll(1, 1).to_vec(), [2.0, 0.0, 1.0, 5.0, 3.0, 4.0]);
        assert_eq!(x.roll(0, -3).to_vec(), [3.0, 4.0, 5.0, 0.0, 1.0, 2.0]);
        assert_eq!(x.flip(&[-1]).to_vec(), [2.0, 1.0, 0.0, 5.0, 4.0, 3.0]);
        assert_eq!(Tensor::scalar(2.0).pad(&[], 1.0).item(), 2.0);
        assert_eq!(
            Tensor::zeros(&[0]).pad(&[(1, 1)], Float::INFINITY).to_vec(),
            [Float::INFINITY; 2]
        );
    }

    #[test]
    fn large_tensors_are_moved_whole() {
        let x = counting(&[3, 200, 100]);
        assert!(x.flip(&[0, 2]).flip(&[2, 0]).to_vec() == x.to_vec());
        assert!(x.flip(&[1]).slice(1, 3..4, 1).to_vec() == x.slice(1, 196..197, 1).to_vec());
        let padded = x.pad(&[(1, 0), (2, 3), (0, 4)], -1.0);
        let inner = padded.narrow(0, 1, 3).narrow(1, 2, 200).narrow(2, 0, 100);
        assert!(inner.to_vec() == x.to_vec());
        let around = padded.to_vec().iter().filter(|&&x| x == -1.0).count();
        assert_eq!(around, padded.len() - x.len());
    }

    proptest! {
        #[test]
        fn pad_equals_a_naive_loop(
            x in view(0..4), pairs in prop::array::uniform3((0usize..3, 0usize..3)),
        ) {
            let padding = &pairs[..x.rank()];
            let shape: Vec<usize> =
                x.shape().iter().zip(padding).map(|(size, (a, b))| a + size + b).collect();
            let expected = naive(&shape, |index| {
                let inner: Option<Vec<usize>> = (0..x.rank())
                    .map(|axis| index[axis].checked_sub(padding[axis].0).filter(|&i| i < x.shape()[axis]))
                    .collect();
                inner.map_or(7.0, |index| number(&x, &index))
            });
            let padded = x.pad(padding, 7.0);
            assert_same(&padded, &expected);
        }

        #[test]
        fn roll_equals_a_naive_loop(x in view(1..4), axis in 0usize..3, shift in -9isize..9) {
            let axis = axis % x.rank();
            let expected = naive(x.shape(), |index| {
                let mut index = index.to_vec();
                let size = x.shape()[axis] as isize;
                index[axis] = (index[axis] as isize - shift).rem_euclid(size) as usize;
                number(&x, &index)
            });
            assert_same(&x.roll(axis as isize, shift), &expected);
        }

        #[test]
        fn flip_equals_a_naive_loop(x in view(0..4), flipped in prop::array::uniform3(any::<bool>())) {
            let axes: Vec<isize> =
                (0..x.rank()).filter(|&axis| flipped[axis]).map(|axis| axis as isize).collect();
            let expected = naive(x.shape(), |index| {
                let mut index = index.to_vec();
                axes.iter().for_each(|&a| {
                    let axis = a as usize;
                    index[axis] = x.shape()[axis] - 1 - index[axis];
                });
                number(&x, &index)
            });
            assert_same(&x.flip(&axes), &expected);
        }
    }

    #[test]
    #[should_panic(expected = "pad: 1 pairs of padding do not name each axis once: [2, 3]")]
    fn pad_names_each_axis() {
        counting(&[2, 3]).pad(&[(1, 1)], 0.0);
    }

    #[test]
    #[should_panic(expected = "flip: axis 2 does not exist: [2, 3]; axes go from -2 to 1")]
    fn flip_needs_the_axis() {
        counting(&[2, 3]).flip(&[2]);
    }
}
