//! Positions along an axis, in a shape of their own: what `gather` reads and `argmax` gives.

use crate::{Tokens, shape};
use std::sync::Arc;

/// Positions along an axis of a tensor, in a shape such as `[batch_size, k]`.
///
/// They are whole numbers and not a [`Tensor`](crate::Tensor): nothing is computed with them.
/// Each operation checks them against the axis it reads.
///
/// ```
/// use tensor::Indices;
/// let best = Indices::new([3, 0, 2, 1], &[2, 2]);
/// assert_eq!((best.positions()[2], best.shape()), (2, &[2, 2][..]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indices {
    shape: Vec<usize>,
    positions: Arc<[usize]>,
}

impl Indices {
    /// `positions`, in row-major order, in `shape`.
    ///
    /// # Panics
    /// If the number of positions is not the product of the shape.
    #[track_caller]
    pub fn new(positions: impl Into<Arc<[usize]>>, shape: &[usize]) -> Indices {
        let positions = positions.into();
        if positions.len() != shape::count(shape) {
            let rule = format!("{} positions do not fill the shape", positions.len());
            shape::wrong("indices", &rule, &[shape], "");
        }
        Indices { shape: shape.to_vec(), positions }
    }

    /// The positions in row-major order.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The same positions in another shape.
    ///
    /// # Panics
    /// If the number of positions differs.
    #[track_caller]
    pub fn reshape(&self, shape: &[usize]) -> Indices {
        if self.positions.len() != shape::count(shape) {
            let rule = format!("{} positions can't take the new shape", self.positions.len());
            shape::wrong("reshape", &rule, &[&self.shape, shape], "");
        }
        Indices { shape: shape.to_vec(), positions: self.positions.clone() }
    }

    /// Checks the positions against `axis` of a tensor of shape `of`.
    ///
    /// # Panics
    /// If one is not below the size of the axis; the message names `operation`.
    #[track_caller]
    pub fn check_below(&self, operation: &str, axis: usize, of: &[usize]) {
        if let Some(position) = self.positions.iter().find(|&&position| position >= of[axis]) {
            let rule = format!("position {position} goes beyond axis {axis}");
            shape::wrong(operation, &rule, &[of], "");
        }
    }
}

/// The ids as positions in a vocabulary, in the same shape.
impl From<&Tokens> for Indices {
    fn from(tokens: &Tokens) -> Indices {
        let positions: Arc<[usize]> = tokens.ids().iter().map(|&id| id as usize).collect();
        Indices { shape: tokens.shape().to_vec(), positions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_shape_holds_the_same_positions() {
        let x = Indices::new([0, 1, 2, 3, 4, 5], &[2, 3]);
        assert_eq!(x.reshape(&[3, 2]).positions(), x.positions());
        assert_ne!(x.reshape(&[3, 2]), x);
        assert_eq!(Indices::new([], &[2, 0]).positions(), [0usize; 0]);
        assert_eq!(Indices::new(vec![7], &[]).shape(), [0usize; 0]);
    }

    #[test]
    fn tokens_are_positions_in_their_vocabulary() {
        let tokens = Tokens::batch(&[[1, 2], [3, 4]], 10).unwrap();
        assert_eq!(Indices::from(&tokens), Indices::new([1, 2, 3, 4], &[2, 2]));
    }

    #[test]
    #[should_panic(expected = "indices: 3 positions do not fill the shape: [2, 2]")]
    fn the_number_of_positions_must_fit_the_shape() {
        Indices::new([1, 2, 3], &[2, 2]);
    }

    #[test]
    #[should_panic(expected = "reshape: 4 positions can't take the new shape: [2, 2] and [3]")]
    fn reshape_keeps_the_count() {
        Indices::new([1, 2, 3, 4], &[2, 2]).reshape(&[3]);
    }

    #[test]
    #[should_panic(expected = "gather: position 5 goes beyond axis 1: [2, 5]")]
    fn a_position_stays_on_its_axis() {
        Indices::new([4, 5], &[2]).check_below("gather", 1, &[2, 5]);
    }
}
