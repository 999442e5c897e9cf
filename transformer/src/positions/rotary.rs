//! Rotary positions: the angles by which the operation (P2) turns queries and keys. Su et al. 2021,
//! section 3.4.

use crate::pass::Reads;
use autograd::Var;
use autograd::ops::rotary::{frequencies, tables};
use tensor::{Float, Tensor, Tokens};

/// The frequencies of rotary positions: see [`autograd::ops::rotary`].
#[derive(Clone, Debug)]
pub struct Rotary {
    /// θ, `[d_rotary / 2]`, in radians a position.
    pub frequencies: Tensor,
}

impl Rotary {
    /// For the first `d_rotary` numbers of each head; the paper's `base` is 10000.
    ///
    /// # Panics
    /// If `d_rotary` is odd.
    #[track_caller]
    pub fn new(d_rotary: usize, base: f64) -> Rotary {
        Rotary { frequencies: frequencies(d_rotary, base) }
    }

    /// The rotation at the given positions, `[seq_len]` or `[batch_size, seq_len]`.
    pub fn at(&self, positions: &Tokens) -> Rotation {
        let numbers: Vec<Float> = positions.ids().iter().map(|&id| id as Float).collect();
        let mut shape = positions.shape().to_vec();
        if shape.len() > 1 {
            shape.insert(shape.len() - 1, 1); // an axis for the heads
        }
        let (cos, sin) = tables(&Tensor::new(numbers, &shape), &self.frequencies);
        Rotation { cos, sin }
    }
}

/// Cosines and sines of the angles at some positions.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// `[seq_len, d_rotary / 2]` or `[batch_size, 1, seq_len, d_rotary / 2]`.
    pub cos: Tensor,
    /// Of the same shape.
    pub sin: Tensor,
}

impl Rotation {
    /// That of some of the positions.
    pub(crate) fn of(&self, reads: Reads) -> Rotation {
        let position = reads.among(self.cos.size(-2));
        let of = |x: &Tensor| position.map_or(x.clone(), |position| x.narrow(-2, position, 1));
        Rotation { cos: of(&self.cos), sin: of(&self.sin) }
    }

    /// Queries or keys turned by their positions: `[batch_size, n_heads, seq_len, d_k]` → the same.
    ///
    /// # Panics
    /// If the shapes do not fit.
    #[track_caller]
    pub fn rotate(&self, x: &Var) -> Var {
        x.rotary(&self.cos, &self.sin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Rng;

    #[test]
    fn scores_depend_on_the_distance_alone() {
        let mut rng = Rng::seeded(1);
        let rope = Rotary::new(8, 10_000.0);
        let [q, k] = [(); 2].map(|()| Var::constant(rng.normal(&[1, 1, 1, 8], 1.0)));
        let at =
            |x: &Var, position: u32| rope.at(&Tokens::new([position], 1000).unwrap()).rotate(x);
        let score = |i, j| at(&q, i).matmul(&at(&k, j).transpose(-2, -1)).item();
        assert!((score(9, 4) - score(105, 100)).abs() < 1e-4);
        assert!((score(9, 4) - score(9, 5)).abs() > 1e-3);
    }

    #[test]
    fn a_table_by_hand_and_a_row_of_positions_for_each_batch_row() {
        let rope = Rotary::new(4, 100.0);
        assert_eq!(rope.frequencies.to_vec(), [1.0, 0.1]);
        let batch = rope.at(&Tokens::batch(&[[0, 1], [5, 6]], 10).unwrap());
        assert_eq!(batch.cos.shape(), [2, 1, 2, 2]);
        assert!((batch.sin.data()[7] - (0.6 as Float).sin()).abs() < 1e-6);
    }
}
