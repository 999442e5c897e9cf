//! Sums of products over named axes.

use crate::{Gradient, Var};
use tensor::{Tensor, einsum::Einsum};

impl Var {
    /// The sum over all axes that are not in the output, of the product of the operands: see
    /// [`Tensor::einsum`] for how an equation is written.
    ///
    /// ```math
    /// y_{out} = \sum \prod_i x_i, \qquad \bar x_k = \sum \bar y \prod_{i \ne k} x_i
    /// ```
    /// The gradient of an operand is an einsum, too: the second sum runs over the axes that are not
    /// in it.
    ///
    /// Source: Laue, Mitterreiter & Giesen 2020, *A Simple and Efficient Tensor Calculus*.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]));
    /// assert_eq!(autograd::Var::einsum("ij,ij->i", &[&x, &x]).value().to_vec(), [5.0, 25.0]);
    /// ```
    ///
    /// # Panics
    /// If the equation can't be read or does not fit the shapes.
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[&Var]) -> Var {
        let values: Vec<&Tensor> = operands.iter().map(|operand| operand.value()).collect();
        let shapes: Vec<&[usize]> = values.iter().map(|value| value.shape()).collect();
        let einsum = Einsum::new(equation, &shapes);
        let y = einsum.compute(&values);
        let needs: Vec<bool> = operands.iter().map(|operand| operand.needs_gradient()).collect();
        let needed_beside = |i: usize| (0..needs.len()).any(|k| k != i && needs[k]);
        let save = |(i, operand): (usize, &&Var)| operand.saved_if(needed_beside(i));
        let saved: Vec<Tensor> = operands.iter().enumerate().map(save).collect();
        let bytes = saved.iter().map(Tensor::bytes).sum();
        Var::record_all("einsum", operands, y, bytes, move |dy| {
            let gradient = |k| einsum_backward(&einsum, k, &saved, &dy);
            let needs = needs.iter().enumerate();
            needs.map(|(k, &needed)| Gradient::if_needed(needed, || gradient(k))).collect()
        })
    }
}

/// The gradient of operand `k`, from those of the output and the other operands.
fn einsum_backward(einsum: &Einsum, k: usize, operands: &[Tensor], dy: &Tensor) -> Tensor {
    let others = operands.iter().enumerate().filter(|&(i, _)| i != k).map(|(_, x)| x);
    einsum.gradient(k).compute(&std::iter::once(dy).chain(others).collect::<Vec<_>>())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use tensor::Float;

    pub(crate) fn cases() -> Vec<Case> {
        fn of<const N: usize>(equation: &'static str, shapes: [&[usize]; N]) -> Case {
            Case::new(shapes, move |x| Var::einsum(equation, &x.iter().collect::<Vec<_>>()))
        }
        vec![
            of("ij,jk->ik", [&[2, 3], &[3, 4]]),
            of("bqd,bkd->bqk", [&[2, 1, 3], &[2, 4, 3]]),
            of("...ij,...j", [&[2, 1, 2, 3], &[4, 3]]),
            of("i,j,k->kij", [&[2], &[3], &[1]]),
            of("ii->i", [&[3, 3]]),
            of("iij,j->", [&[2, 2, 3], &[3]]),
            of("ij->j", [&[2, 3]]),
            of("ij,ij,ij->i", [&[2, 3], &[2, 3], &[2, 3]]),
            of("bqd,bkd->bqk", [&[3, 70, 110], &[3, 90, 110]]),
        ]
    }

    #[test]
    fn equals_the_matrix_product_with_its_gradients() {
        let [a, b] = [(1, [2, 3]), (2, [3, 4])]
            .map(|(seed, shape)| Var::leaf(tensor::Rng::seeded(seed).normal(&shape, 1.0)));
        let gradients = |y: Var| {
            let gradients = (&y * &y).sum().backward().unwrap();
            [&a, &b].map(|x| gradients.get(x).unwrap().to_vec())
        };
        let (einsum, product) =
            (gradients(Var::einsum("ij,jk->ik", &[&a, &b])), gradients(a.matmul(&b)));
        for (a, b) in einsum.iter().flatten().zip(product.iter().flatten()) {
            approx::assert_relative_eq!(a, b, max_relative = 1e-5, epsilon = 1e-6);
        }
    }

    #[test]
    fn only_what_another_operands_gradient_needs_is_saved() {
        let a = Var::leaf(Tensor::ones(&[2, 3]));
        let b = Var::constant(Tensor::ones(&[3, 4]));
        let y = Var::einsum("ij,jk->ik", &[&a, &b]);
        assert_eq!(y.saved_bytes(), 12 * size_of::<Float>());
        assert_eq!(y.sum().backward().unwrap().get(&a).unwrap().to_vec(), [4.0; 6]);
    }

    #[test]
    fn an_extreme_sum_over_nothing() {
        let (a, b) = (Var::leaf(Tensor::zeros(&[2, 0])), Var::leaf(Tensor::zeros(&[0, 2])));
        let y = Var::einsum("ij,jk->ik", &[&a, &b]);
        assert_eq!(y.value().to_vec(), [0.0; 4]);
        assert_eq!(y.sum().backward().unwrap().get(&a).unwrap().shape(), [2, 0]);
    }

    #[test]
    #[should_panic(expected = "einsum: 2 terms for 1 operands: [2]; in \"i,i->\"")]
    fn needs_an_operand_for_each_term() {
        Var::einsum("i,i->", &[&Var::leaf(Tensor::ones(&[2]))]);
    }
}
