//! The matrix product.

use crate::{Gradient, Kept, Var};
use tensor::Tensor;

impl Var {
    /// The matrix product over the last two axes, leading axes broadcast.
    ///
    /// ```math
    /// C = A B, \qquad \bar A = \bar C B^T, \quad \bar B = A^T \bar C
    /// ```
    /// `[.., m, k] · [.., k, n] → [.., m, n]`
    ///
    /// Source: Goodfellow, Bengio & Courville 2016, *Deep Learning*, section 6.5.6.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::ones(&[2, 3]));
    /// assert_eq!(x.matmul(&x.transpose(0, 1)).value().to_vec(), [3.0; 4]);
    /// ```
    ///
    /// # Panics
    /// If the inner sizes differ, the leading axes do not broadcast, or a rank is below 2.
    #[track_caller]
    pub fn matmul(&self, other: &Var) -> Var {
        if self.value().rank() < 2 || other.value().rank() < 2 {
            let shapes = [self.shape(), other.shape()];
            tensor::shape::wrong("matmul", "a rank is below 2", &shapes, "reshape a vector first");
        }
        let (need_a, need_b) = (self.needs_gradient(), other.needs_gradient());
        let c = self.value().matmul(other.value());
        let (a, b) = (Layout::of(self.value()), Layout::of(other.value()));
        let kept = [self.kept_if(need_b), other.kept_if(need_a)];
        let bytes = kept.iter().map(Kept::bytes).sum();
        Var::record_all("matmul", &[self, other], c, bytes, move |dc| {
            let [a_value, b_value] = kept;
            vec![
                Gradient::if_needed(need_a, || matmul_backward_a(&dc, &a, &b_value.get())),
                Gradient::if_needed(need_b, || matmul_backward_b(&dc, &a_value.get(), &b)),
            ]
        })
    }
}

/// What a factor's own gradient needs of it: its shape, and how it lies in memory.
pub struct Layout {
    shape: Vec<usize>,
    column_by_column: bool,
}

impl Layout {
    /// That of `x`.
    pub fn of(x: &Tensor) -> Layout {
        Layout { shape: x.shape().to_vec(), column_by_column: x.is_column_by_column() }
    }
}

/// ∂L/∂A = ∂L/∂C · Bᵀ, summed over the axes along which A was stretched.
pub fn matmul_backward_a(dc: &Tensor, a: &Layout, b: &Tensor) -> Gradient {
    let b = b.transpose(-2, -1);
    if b.rank() == 2 && !a.column_by_column {
        return Gradient::Product { a: rows(dc), b };
    }
    dc.matmul_laid_out(&b, a.column_by_column).sum_to(&a.shape).into()
}

/// ∂L/∂B = Aᵀ · ∂L/∂C, summed over the axes along which B was stretched.
pub fn matmul_backward_b(dc: &Tensor, a: &Tensor, b: &Layout) -> Tensor {
    if b.shape.len() == 2 {
        // The sum over leading axes is part of one product.
        return rows(a).transpose(0, 1).matmul_laid_out(&rows(dc), b.column_by_column);
    }
    a.transpose(-2, -1).matmul_laid_out(dc, b.column_by_column).sum_to(&b.shape)
}

/// All rows of all matrices, one after the other.
fn rows(x: &Tensor) -> Tensor {
    let rows = x.shape()[..x.rank() - 1].iter().product();
    x.reshape(&[rows, x.size(-1)])
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        let shapes: [[&'static [usize]; 2]; 5] = [
            [&[2, 3], &[3, 4]],
            [&[1, 3], &[3, 1]],
            [&[2, 2, 3], &[3, 4]],
            [&[2, 1, 2, 3], &[1, 3, 3, 2]],
            [&[2, 3], &[2, 3, 2]],
        ];
        let plain = shapes.map(|shapes| Case::new(shapes, |x| x[0].matmul(&x[1])));
        let views = shapes.map(|shapes| {
            let mut case =
                Case::new(shapes, |x| x[0].transpose(-2, -1).matmul(&x[1].transpose(-2, -1)));
            let transposed = case.inputs.iter().map(|x| x.transpose(-2, -1).contiguous());
            case.inputs = transposed.collect();
            case
        });
        let large = Case::new([&[2, 130, 150], &[150, 300]], |x| x[0].matmul(&x[1]));
        plain.into_iter().chain(views).chain([large]).collect()
    }

    #[test]
    fn a_factor_without_columns_has_a_gradient() {
        let [a, b] = [[5, 0], [0, 3]].map(|shape| Var::leaf(Tensor::ones(&shape)));
        let gradients = a.matmul(&b).sum().backward().unwrap();
        assert_eq!(gradients.get(&a).unwrap().shape(), [5, 0]);
        assert_eq!(gradients.get(&b).unwrap().shape(), [0, 3]);
    }

    #[test]
    fn multiplies_by_hand() {
        let a = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
        let b = Var::leaf(Tensor::new([5.0, 6.0, 7.0, 8.0], &[2, 2]));
        assert_eq!(a.matmul(&b).value().to_vec(), [19.0, 22.0, 43.0, 50.0]);
    }

    #[test]
    fn the_identity_changes_nothing_even_for_extremes() {
        let a = Var::leaf(Tensor::new([1e30, -1e30], &[1, 2]));
        let identity = Var::leaf(Tensor::new([1.0, 0.0, 0.0, 1.0], &[2, 2]));
        assert_eq!(a.matmul(&identity).value().to_vec(), [1e30, -1e30]);
    }
}
