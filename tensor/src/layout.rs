//! Layout: the same numbers under another shape. Views wherever strides can express them.

use crate::{Float, Tensor, par, shape};
use std::cmp::Reverse;

impl Tensor {
    /// The same numbers in row-major order under another shape: a view where strides can express
    /// it, a copy otherwise.
    ///
    /// # Panics
    /// If the number of elements differs.
    #[track_caller]
    pub fn reshape(&self, shape: &[usize]) -> Tensor {
        if shape::count(shape) != self.len() {
            let rule = format!("{} numbers can't take the new shape", self.len());
            shape::wrong("reshape", &rule, &[&self.shape, shape], "");
        }
        match shape::reshaped_strides(&self.shape, &self.strides, shape) {
            Some(strides) => Tensor { shape: shape.to_vec(), strides, ..self.clone() },
            None => {
                let strides = shape::row_major_strides(shape);
                Tensor { shape: shape.to_vec(), strides, ..self.copied() }
            }
        }
    }

    /// The view whose axis `i` is this tensor's axis `axes[i]`.
    ///
    /// # Panics
    /// If `axes` does not name each axis once.
    #[track_caller]
    pub fn permute(&self, axes: &[usize]) -> Tensor {
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.rank()) {
            let rule = format!("{axes:?} does not name each axis once");
            shape::wrong("permute", &rule, &[&self.shape], "");
        }
        Tensor {
            shape: axes.iter().map(|&axis| self.shape[axis]).collect(),
            strides: axes.iter().map(|&axis| self.strides[axis]).collect(),
            ..self.clone()
        }
    }

    /// The axes as they lie in memory, those of size 1 first, then from the longest step to the
    /// shortest: permuted so, a contiguous tensor whose axes were exchanged is contiguous again.
    ///
    /// ```
    /// let x = tensor::Tensor::zeros(&[2, 3, 4]).transpose(0, 1);
    /// assert!(x.permute(&x.axes_in_memory()).is_contiguous());
    /// ```
    pub fn axes_in_memory(&self) -> Vec<usize> {
        let mut axes: Vec<usize> = (0..self.rank()).collect();
        axes.sort_by_key(|&axis| (self.shape[axis] != 1, Reverse(self.strides[axis])));
        axes
    }

    /// The view with two axes exchanged; negative axes count from the end.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn transpose(&self, a: isize, b: isize) -> Tensor {
        let a = shape::axis("transpose", &self.shape, a);
        let b = shape::axis("transpose", &self.shape, b);
        let mut view = self.clone();
        view.shape.swap(a, b);
        view.strides.swap(a, b);
        view
    }

    /// The view of `len` entries from `start` along `axis`.
    ///
    /// # Panics
    /// If they go beyond the axis.
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Tensor {
        let axis = shape::axis("narrow", &self.shape, axis);
        let end = start.saturating_add(len);
        if end > self.shape[axis] {
            let rule = format!("{start}..{end} goes beyond axis {axis}");
            shape::wrong("narrow", &rule, &[&self.shape], "");
        }
        let mut view = self.clone();
        view.shape[axis] = len;
        view.offset += start * self.strides[axis];
        view
    }

    /// The view stretched to `shape` along axes of size 1 and new leading axes.
    ///
    /// # Panics
    /// If the shape does not broadcast to it.
    #[track_caller]
    pub fn broadcast_to(&self, shape: &[usize]) -> Tensor {
        let strides = shape::broadcast_strides(&self.shape, &self.strides, shape);
        Tensor { shape: shape.to_vec(), strides, ..self.clone() }
    }

    /// This tensor if it is contiguous, else a contiguous copy.
    pub fn contiguous(&self) -> Tensor {
        if self.is_contiguous() { self.clone() } else { self.copied() }
    }

    pub(crate) fn copied(&self) -> Tensor {
        let mut copy = Tensor::build(&self.shape, |_| {});
        if !self.is_empty() && !self.unpack_into(copy.data_mut()) {
            copy.fill_from(self);
        }
        copy
    }

    /// Copies a view of the same shape into this fresh, contiguous tensor, split along the first
    /// axes so that each thread writes its own part.
    fn fill_from(&mut self, source: &Tensor) {
        let split = source.shape.iter().position(|&size| size > 1).unwrap_or(0);
        if source.rank() == 0 {
            return self.data_mut()[0] = source.item();
        }
        let inner = self.len() / source.shape[split];
        par::for_rows(self.data_mut(), inner, |first, out| {
            copy_rows(&source.narrow(split as isize, first, out.len() / inner), out);
        });
    }
}

fn copy_rows(source: &Tensor, out: &mut [Float]) {
    let last = source.rank() - 1;
    let (width, stride) = (source.shape[last], source.strides[last]);
    let data = &source.storage.as_slice()[source.offset..];
    let mut rows = out.chunks_exact_mut(width);
    shape::for_each_offset(&source.shape[..last], [&source.strides[..last]], |[offset]| {
        let row = rows.next().expect("a row for each offset");
        match stride {
            0 => row.fill(data[offset]),
            1 => row.copy_from_slice(&data[offset..offset + width]),
            _ => row.iter_mut().enumerate().for_each(|(i, x)| *x = data[offset + i * stride]),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::counting;

    #[test]
    fn a_view_reads_the_same_numbers() {
        let x = counting(&[2, 3, 4]);
        let y = x.permute(&[2, 0, 1]);
        assert_eq!(y.shape(), [4, 2, 3]);
        assert_eq!(y.narrow(0, 1, 1).to_vec(), [1.0, 5.0, 9.0, 13.0, 17.0, 21.0]);
        assert_eq!(y.reshape(&[8, 3]).to_vec(), y.to_vec());
        assert!(x.narrow(2, 1, 0).to_vec().is_empty());
        assert_eq!(counting(&[1, 2]).broadcast_to(&[2, 2]).to_vec(), [0.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn reshape_splits_and_joins_axes_of_a_view_without_copying() {
        let x = counting(&[2, 3, 8]);
        let part = x.narrow(2, 4, 4);
        let split = part.reshape(&[2, 3, 2, 1, 2]);
        assert!(std::sync::Arc::ptr_eq(&split.storage, &x.storage));
        assert_eq!(split.to_vec(), part.to_vec());
        let joined = part.reshape(&[6, 4]);
        assert!(std::sync::Arc::ptr_eq(&joined.storage, &x.storage));
        assert_eq!(joined.to_vec(), part.to_vec());
        assert_eq!(part.reshape(&[24]).to_vec(), part.to_vec());
        assert_eq!(x.transpose(0, 1).reshape(&[6, 8]).data()[8], 24.0);
    }

    #[test]
    fn a_large_view_is_copied_whole() {
        let x = counting(&[130, 300]);
        let y = x.transpose(0, 1).contiguous();
        assert!(
            (0..300).all(|i| (0..130).all(|j| y.data()[i * 130 + j] == (j * 300 + i) as Float))
        );
    }

    #[test]
    fn large_stretched_and_permuted_views_are_copied_whole() {
        let column = counting(&[2000, 1]).broadcast_to(&[2000, 300]).contiguous();
        assert!(column.data().chunks(300).enumerate().all(|(i, row)| row == [i as Float; 300]));
        let row = counting(&[300]).broadcast_to(&[1, 2000, 300]).contiguous();
        assert!(row.data().chunks(300).all(|row| row == counting(&[300]).data()));
        let turned = counting(&[1, 130, 20, 30]).permute(&[0, 2, 1, 3]).contiguous();
        for (place, x) in turned.data().iter().enumerate() {
            let [i, j, k] = [place / 3900, place / 30 % 130, place % 30];
            assert_eq!(*x, ((j * 20 + i) * 30 + k) as Float);
        }
        assert_eq!(Tensor::ones(&[100_000]).contiguous().data(), [1.0; 100_000]);
    }

    #[test]
    #[should_panic(expected = "narrow: 2..5 goes beyond axis 1: [2, 4]")]
    fn narrow_stays_inside() {
        counting(&[2, 4]).narrow(-1, 2, 3);
    }

    #[test]
    #[should_panic(expected = "reshape: 6 numbers can't take the new shape: [2, 3] and [4, 2]")]
    fn reshape_keeps_the_count() {
        counting(&[2, 3]).reshape(&[4, 2]);
    }

    #[test]
    fn axes_in_memory_undo_exchanges() {
        let x = Tensor::zeros(&[2, 3, 1, 4]);
        for axes in [[0, 1, 2, 3], [3, 0, 2, 1], [1, 3, 0, 2], [2, 1, 0, 3]] {
            let view = x.permute(&axes);
            assert!(view.permute(&view.axes_in_memory()).is_contiguous(), "{axes:?}");
        }
        assert_eq!(x.squeeze(&[2]).transpose(0, 1).axes_in_memory(), [1, 0, 2]);
        let one = Tensor::zeros(&[3, 4]).broadcast_to(&[1, 3, 4]);
        assert_eq!(one.axes_in_memory(), [0, 1, 2]);
        assert_eq!(Tensor::zeros(&[4]).broadcast_to(&[3, 4]).axes_in_memory(), [1, 0]);
        assert!(Tensor::scalar(1.0).axes_in_memory().is_empty());
    }

    #[test]
    #[should_panic(expected = "permute: [0, 0] does not name each axis once: [2, 3]")]
    fn permute_names_each_axis() {
        counting(&[2, 3]).permute(&[0, 0]);
    }
}
