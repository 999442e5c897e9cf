//! The tensor: numbers in a shared buffer, seen through a shape and strides.

use crate::storage::{Buffer, Storage};
use crate::{Float, par, shape};
use std::sync::Arc;

/// An array of [`Float`] of any rank.
///
/// Cloning shares the buffer; writing through [`Tensor::data_mut`] copies it first if it is shared.
/// Views (transposed, narrowed, broadcast) share it too, and every operation accepts any view.
///
/// ```
/// use tensor::Tensor;
/// let x = Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]);
/// assert_eq!(x.matmul(&x.transpose(0, 1)).to_vec(), [5.0, 11.0, 11.0, 25.0]);
/// ```
#[derive(Clone)]
pub struct Tensor {
    pub(crate) storage: Arc<Storage>,
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) strides: Vec<usize>,
}

impl Tensor {
    /// The numbers of `values`, in row-major order, as a tensor of `shape`.
    ///
    /// # Panics
    /// If the number of values is not the product of the shape.
    #[track_caller]
    pub fn new(values: impl AsRef<[Float]>, shape: &[usize]) -> Tensor {
        let values = values.as_ref();
        if values.len() != shape::count(shape) {
            let rule = format!("{} values do not fill the shape", values.len());
            shape::wrong("new", &rule, &[shape], "");
        }
        let mut buffer = Buffer::stale(values.len());
        buffer.as_mut_slice().copy_from_slice(values);
        Tensor::from_buffer(buffer, shape)
    }

    /// A tensor of rank 0 that holds `value`.
    pub fn scalar(value: Float) -> Tensor {
        Tensor::full(&[], value)
    }

    /// Zeros.
    pub fn zeros(shape: &[usize]) -> Tensor {
        Tensor::full(shape, 0.0)
    }

    /// Ones.
    pub fn ones(shape: &[usize]) -> Tensor {
        Tensor::full(shape, 1.0)
    }

    /// `value` everywhere.
    pub fn full(shape: &[usize], value: Float) -> Tensor {
        Tensor::build(shape, |out| par::for_pieces(out, |_, piece| piece.fill(value)))
    }

    /// A tensor filled by `fill`, which gets all its numbers in row-major order and must write
    /// each: they hold whatever an earlier tensor left there.
    pub fn build(shape: &[usize], fill: impl FnOnce(&mut [Float])) -> Tensor {
        let mut buffer = Buffer::stale(shape::count(shape));
        fill(buffer.as_mut_slice());
        Tensor::from_buffer(buffer, shape)
    }

    pub(crate) fn from_buffer(buffer: Buffer, shape: &[usize]) -> Tensor {
        Tensor::from_storage(Storage::Owned(buffer), shape)
    }

    pub(crate) fn from_storage(storage: Storage, shape: &[usize]) -> Tensor {
        Tensor {
            storage: Arc::new(storage),
            offset: 0,
            shape: shape.to_vec(),
            strides: shape::row_major_strides(shape),
        }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The size of one axis; negative counts from the end.
    ///
    /// # Panics
    /// If there is no such axis.
    #[track_caller]
    pub fn size(&self, axis: isize) -> usize {
        self.shape[shape::axis("size", &self.shape, axis)]
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        shape::count(&self.shape)
    }

    /// Whether it holds no number, an axis being of size 0.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of its numbers.
    pub fn bytes(&self) -> usize {
        self.len() * size_of::<Float>()
    }

    /// Whether the numbers lie in memory in row-major order without gaps.
    pub fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&size, &stride)| {
            let fits = size == 1 || stride == expected;
            expected = expected.wrapping_mul(size);
            fits
        }) || self.is_empty()
    }

    /// The numbers in row-major order, if they lie so in memory.
    pub fn as_slice(&self) -> Option<&[Float]> {
        self.is_contiguous().then(|| match self.len() {
            0 => &[][..],
            len => &self.storage.as_slice()[self.offset..self.offset + len],
        })
    }

    /// [`Tensor::as_slice`] of numbers that need not be unpacked for it.
    pub(crate) fn as_plain_slice(&self) -> Option<&[Float]> {
        if self.packed().is_some() { None } else { self.as_slice() }
    }

    /// The numbers in row-major order, copied.
    pub fn to_vec(&self) -> Vec<Float> {
        self.contiguous().data().to_vec()
    }

    /// The numbers of a contiguous tensor in row-major order.
    ///
    /// # Panics
    /// If it is a view that is not contiguous: call [`Tensor::contiguous`] first.
    #[track_caller]
    pub fn data(&self) -> &[Float] {
        self.as_slice().expect("data of a contiguous tensor; call contiguous() first")
    }

    /// The one number of a tensor that holds a single one.
    ///
    /// # Panics
    /// If it holds none or several.
    #[track_caller]
    pub fn item(&self) -> Float {
        if self.len() != 1 {
            shape::wrong("item", "the tensor does not hold exactly one number", &[&self.shape], "");
        }
        self.storage.as_slice()[self.offset]
    }

    /// The numbers in row-major order, to be changed in place. Copies them first if the buffer is
    /// shared, mapped from a file, packed, or not contiguous.
    pub fn data_mut(&mut self) -> &mut [Float] {
        let len = self.len();
        if !self.is_writable() {
            *self = self.copied();
        }
        match Arc::get_mut(&mut self.storage) {
            Some(Storage::Owned(buffer)) if len > 0 => {
                &mut buffer.as_mut_slice()[self.offset..self.offset + len]
            }
            _ => &mut [],
        }
    }

    /// Whether [`Tensor::data_mut`] copies nothing: no one else holds the buffer.
    pub(crate) fn is_writable(&mut self) -> bool {
        let owned = matches!(Arc::get_mut(&mut self.storage), Some(Storage::Owned(_)));
        owned && self.is_contiguous()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_overwrite_what_an_earlier_tensor_left() {
        for len in [0, 1, 1023, 54_321, 3 << 20] {
            drop(Tensor::full(&[len], 7.0));
            assert!(Tensor::zeros(&[len]).data().iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    fn writing_to_a_shared_tensor_leaves_the_other_alone() {
        let a = Tensor::new([1.0, 2.0], &[2]);
        let mut b = a.clone();
        b.data_mut()[0] = 5.0;
        assert_eq!((a.to_vec(), b.to_vec()), (vec![1.0, 2.0], vec![5.0, 2.0]));
    }

    #[test]
    fn an_unshared_tensor_is_written_in_place() {
        let mut a = Tensor::zeros(&[3]);
        let before = a.data().as_ptr();
        a.data_mut()[1] = 1.0;
        assert_eq!(a.data().as_ptr(), before);
    }

    #[test]
    #[should_panic(expected = "new: 3 values do not fill the shape: [2, 2]")]
    fn the_number_of_values_must_fit_the_shape() {
        Tensor::new([1.0, 2.0, 3.0], &[2, 2]);
    }
}
