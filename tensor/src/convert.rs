//! A tensor from a number, from a reference, and from and to `ndarray`.

use crate::{Float, Tensor};

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
