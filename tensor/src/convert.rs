//! A tensor from a number, from a reference, and from and to `ndarray`.

use crate::{Float, Tensor};
use ndarray::{Array, ArrayD, ArrayViewD, Dimension, IxDyn, ShapeBuilder};

impl From<Float> for Tensor {
    /// A tensor of rank 0.
    fn from(value: Float) -> Tensor {
        Tensor::scalar(value)
    }
}

impl From<&Tensor> for Tensor {
    /// A clone, which shares the buffer: functions that take `impl Into<Tensor>` take a reference.
    fn from(tensor: &Tensor) -> Tensor {
        tensor.clone()
    }
}

impl<D: Dimension> From<Array<Float, D>> for Tensor {
    /// The numbers of an `ndarray` array, copied.
    ///
    /// ```
    /// let x = tensor::Tensor::from(ndarray::array![[1.0, 2.0]]);
    /// assert_eq!(x.shape(), [1, 2]);
    /// ```
    fn from(array: Array<Float, D>) -> Tensor {
        Tensor::from_view(array.view().into_dyn())
    }
}

impl Tensor {
    /// As an `ndarray` view of the same memory.
    pub fn view(&self) -> ArrayViewD<'_, Float> {
        if self.is_empty() {
            return ArrayViewD::from_shape(IxDyn(&self.shape), &[]).expect("an empty view");
        }
        let strides = IxDyn(&self.strides);
        let numbers = &self.storage.as_slice()[self.offset..];
        ArrayViewD::from_shape(IxDyn(&self.shape).strides(strides), numbers)
            .expect("the strides stay inside the buffer")
    }

    /// From an `ndarray` array or view, copied.
    pub fn from_view(view: ArrayViewD<'_, Float>) -> Tensor {
        Tensor::build(view.shape(), |out| {
            for (out, &x) in out.iter_mut().zip(view.iter()) {
                *out = x;
            }
        })
    }

    /// The numbers as an `ndarray` array of its own.
    ///
    /// ```
    /// assert_eq!(tensor::Tensor::eye(2).to_ndarray()[[1, 1]], 1.0);
    /// ```
    pub fn to_ndarray(&self) -> ArrayD<Float> {
        self.view().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use ndarray::Axis;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn goes_to_ndarray_and_back(x in testing::view(0..4)) {
            let view = x.view();
            prop_assert_eq!(view.shape(), x.shape());
            testing::assert_same(&Tensor::from_view(view.clone()), &x);
            testing::assert_same(&Tensor::from(x.to_ndarray()), &x);
            testing::assert_same(&Tensor::from(&x), &x);
            let reversed_axes = Tensor::from(x.to_ndarray().reversed_axes());
            let axes: Vec<usize> = (0..x.rank()).rev().collect();
            testing::assert_same(&reversed_axes.permute(&axes), &x);
        }

        #[test]
        fn a_view_of_ndarray_that_runs_backwards_is_taken(x in testing::view(0..4)) {
            let mut view = x.view();
            (0..x.rank()).for_each(|axis| view.invert_axis(Axis(axis)));
            let mut backwards = x.to_vec();
            backwards.reverse();
            prop_assert_eq!(Tensor::from_view(view).to_vec(), backwards);
        }
    }

    #[test]
    fn a_number_is_a_tensor_of_rank_0() {
        let x = Tensor::from(2.5);
        assert_eq!((x.rank(), x.item()), (0, 2.5));
    }
}
