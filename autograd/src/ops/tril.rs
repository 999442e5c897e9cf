//! The triangles of the last two axes: tril and triu.

use crate::Var;

impl Var {
    /// The lower triangle of the last two axes, zeros elsewhere: column `j` of row `i` stays where
    /// `j - i ≤ k`.
    ///
    /// ```math
    /// y_{ij} = x_{ij} \text{ if } j - i \le k, \text{ else } 0, \qquad
    /// \bar x_{ij} = \bar y_{ij} \text{ if } j - i \le k, \text{ else } 0
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::ones(&[2, 2]));
    /// assert_eq!(x.tril(0).value().to_vec(), [1.0, 0.0, 1.0, 1.0]);
    /// ```
    ///
    /// # Panics
    /// If the rank is below 2.
    #[track_caller]
    pub fn tril(&self, k: isize) -> Var {
        Var::record("tril", [self], self.value().tril(k), [], move |dy, []| [dy.tril(k).into()])
    }

    /// The upper triangle of the last two axes, zeros elsewhere: column `j` of row `i` stays where
    /// `j - i ≥ k`.
    ///
    /// # Panics
    /// If the rank is below 2.
    #[track_caller]
    pub fn triu(&self, k: isize) -> Var {
        Var::record("triu", [self], self.value().triu(k), [], move |dy, []| [dy.triu(k).into()])
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::{Float, Tensor};

    pub(crate) fn cases() -> Vec<Case> {
        vec![
            Case::new([&[3, 4]], |x| x[0].tril(0)),
            Case::new([&[2, 3, 2]], |x| x[0].tril(-1)),
            Case::new([&[3, 4]], |x| x[0].triu(1)),
            Case::new([&[1, 4]], |x| x[0].triu(-1)),
            Case::new([&[200, 300]], |x| x[0].tril(5)),
            Case::new([&[200, 300]], |x| x[0].triu(-5)),
        ]
    }

    #[test]
    fn the_triangles_without_the_diagonal_make_up_the_whole() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
        assert_eq!(x.triu(1).value().to_vec(), [0.0, 2.0, 0.0, 0.0]);
        assert_eq!((x.tril(0) + x.triu(1)).value().to_vec(), x.value().to_vec());
        let gradients = x.tril(-1).sum().backward().unwrap();
        assert_eq!(gradients.get(&x).unwrap().to_vec(), [0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn extreme_diagonals_and_numbers_that_are_cut_off() {
        let x = Var::constant(Tensor::new([1.0, Float::NAN, 3.0, 4.0], &[2, 2]));
        assert_eq!(x.tril(0).value().to_vec(), [1.0, 0.0, 3.0, 4.0]);
        assert_eq!(x.tril(isize::MIN).value().to_vec(), [0.0; 4]);
        assert_eq!(x.triu(isize::MAX).value().to_vec(), [0.0; 4]);
    }

    #[test]
    #[should_panic(expected = "tril: two axes are needed: [3]")]
    fn a_triangle_needs_two_axes() {
        Var::leaf(Tensor::ones(&[3])).tril(0);
    }
}
