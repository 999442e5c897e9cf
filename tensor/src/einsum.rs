//! Sums of products over named axes: einsum.
//!
//! The operands are multiplied from left to right. Before each product whatever axis stands in one
//! factor alone and is needed no more is summed; then the axes that stand in both and stay are a
//! batch, those that end are summed by a batched matrix product.

mod equation;

use crate::{Tensor, shape};
use equation::{Equation, Label, Labels};

impl Tensor {
    /// The sum over all axes that are not in the output, of the product of the operands.
    ///
    /// ```math
    /// \texttt{"ij,jk->ik"}: \quad C_{ik} = \sum_j A_{ij} B_{jk}
    /// ```
    /// Each operand's axes are named by letters. A letter twice in one operand is its diagonal;
    /// `...` stands for the axes without a letter, which broadcast. Without `->` the output is
    /// `...` and the letters that stand once, in alphabetical order. An output without `...` sums
    /// over its axes. Spaces are ignored.
    ///
    /// ```
    /// use tensor::Tensor;
    /// let x = Tensor::new([1.0, 2.0, 3.0, 4.0], &[2, 2]);
    /// assert_eq!(Tensor::einsum("ij,ij->i", &[&x, &x]).to_vec(), [5.0, 25.0]);
    /// assert_eq!(Tensor::einsum("ii", &[&x]).item(), 5.0);
    /// ```
    ///
    /// # Panics
    /// If the equation can't be read or does not fit the shapes.
    #[track_caller]
    pub fn einsum(equation: &str, operands: &[&Tensor]) -> Tensor {
        let shapes: Vec<&[usize]> = operands.iter().map(|operand| operand.shape()).collect();
        Einsum::new(equation, &shapes).compute(operands)
    }
}

/// An einsum equation made for operands of given shapes; [`Tensor::einsum`] makes and computes one.
///
/// ```
/// use tensor::{Tensor, einsum::Einsum};
/// let (x, w) = (Tensor::ones(&[2, 3]), Tensor::ones(&[3, 4]));
/// let product = Einsum::new("ni,io->no", &[x.shape(), w.shape()]);
/// let dy = product.compute(&[&x, &w]);
/// assert_eq!(product.gradient(1).compute(&[&dy, &x]).shape(), w.shape());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Einsum(Equation);

impl Einsum {
    /// Reads `equation` against the shapes of its operands.
    ///
    /// # Panics
    /// If it can't be read or does not fit the shapes.
    #[track_caller]
    pub fn new(equation: &str, shapes: &[&[usize]]) -> Einsum {
        Einsum(Equation::new(equation, shapes))
    }

    /// The einsum that gives the gradient of operand `index`. Its operands are the gradient of the
    /// output, then the other operands in their order:
    ///
    /// ```math
    /// y = \sum \prod_i x_i \quad\Rightarrow\quad
    /// dx_k = \sum dy \prod_{i \ne k} x_i
    /// ```
    /// where the sum runs over the axes that are not in $`x_k`$. An axis that was summed in
    /// $`x_k`$ alone is stretched again, a diagonal is put back in its place.
    ///
    /// # Panics
    /// If there is no such operand.
    #[track_caller]
    pub fn gradient(&self, index: usize) -> Einsum {
        let mut operands = self.0.operands.clone();
        let output = operands.remove(index);
        operands.insert(0, self.0.output.clone());
        Einsum(Equation { operands, output, sizes: self.0.sizes.clone() })
    }

    /// The result for `operands`, which have the shapes it was made for.
    ///
    /// # Panics
    /// If they do not.
    #[track_caller]
    pub fn compute(&self, operands: &[&Tensor]) -> Tensor {
        self.check(operands);
        let equation = &self.0;
        let terms: Vec<Term> = operands
            .iter()
            .zip(&equation.operands)
            .map(|(x, labels)| Term::new(x, labels))
            .collect();
        // The labels that the output and the operands behind the one of this index need.
        let mut needed: Vec<Vec<Label>> = vec![equation.output.iter().flatten().copied().collect()];
        for term in terms.iter().skip(1).rev() {
            let behind = &needed[needed.len() - 1];
            needed.push([&behind[..], &term.labels].concat());
        }
        let product = terms.into_iter().reduce(|product, term| {
            needed.pop();
            product.times(term, &needed[needed.len() - 1])
        });
        product.expect("at least one term").laid_out_as(&equation.output, self)
    }

    #[track_caller]
    fn check(&self, operands: &[&Tensor]) {
        let expected: Vec<Vec<usize>> =
            self.0.operands.iter().map(|labels| self.shape_of(labels)).collect();
        if !expected.iter().map(|shape| &shape[..]).eq(operands.iter().map(|x| x.shape())) {
            let shapes: Vec<&[usize]> = operands.iter().map(|x| x.shape()).collect();
            let hint = format!("it was made for {expected:?}");
            shape::wrong("einsum", "the operands have other shapes", &shapes, &hint);
        }
    }

    fn shape_of(&self, labels: &Labels) -> Vec<usize> {
        labels.iter().map(|label| label.map_or(1, |label| self.0.sizes[&label])).collect()
    }
}

/// A factor: a tensor with a label of its own for each axis.
struct Term {
    labels: Vec<Label>,
    x: Tensor,
}

impl Term {
    /// The diagonal along labels that stand twice, without stretched axes: a view.
    fn new(x: &Tensor, labels: &Labels) -> Term {
        let (mut own, mut view) = (Vec::new(), x.clone());
        (view.shape, view.strides) = (Vec::new(), Vec::new());
        for (axis, label) in labels.iter().enumerate() {
            let Some(label) = *label else { continue };
            match own.iter().position(|&other| other == label) {
                Some(place) => view.strides[place] += x.strides[axis],
                None => {
                    own.push(label);
                    view.shape.push(x.shape[axis]);
                    view.strides.push(x.strides[axis]);
                }
            }
        }
        Term { labels: own, x: view }
    }

    fn size(&self, label: Label) -> usize {
        let place = self.labels.iter().position(|&own| own == label);
        place.map_or(1, |place| self.x.shape[place])
    }

    /// The product of both factors, summed over the labels that are in `needed` no more.
    fn times(self, other: Term, needed: &[Label]) -> Term {
        let a = self.summed_beside(&[needed, &other.labels]);
        let b = other.summed_beside(&[needed, &a.labels]);
        let only = |of: &Term, beside: &Term| -> Vec<Label> {
            let alone = |label: &&Label| !beside.labels.contains(label);
            of.labels.iter().filter(alone).copied().collect()
        };
        let (rows, columns) = (only(&a, &b), only(&b, &a));
        let (batch, summed): (Vec<Label>, Vec<Label>) = (a.labels.iter())
            .filter(|label| b.labels.contains(label))
            .partition(|label| needed.contains(label));
        let labels = [&batch[..], &rows, &columns].concat();
        if summed.is_empty() || (rows.is_empty() && columns.is_empty() && !batch.is_empty()) {
            let all = [&labels[..], &summed].concat();
            let product = a.stretchable(&all) * b.stretchable(&all);
            return Term { labels: all, x: product }.summed_beside(&[&labels]);
        }
        let left = a.arranged(&[&batch, &rows, &summed]);
        let right = b.arranged(&[&batch, &summed, &columns]);
        Term { labels, x: contracted(&left, &right, batch.len(), summed.len()) }
    }

    /// Summed over the labels that are in none of `kept`.
    fn summed_beside(self, kept: &[&[Label]]) -> Term {
        let is_kept = |label: &Label| kept.iter().any(|kept| kept.contains(label));
        let axes: Vec<isize> = (0..self.labels.len())
            .filter(|&axis| !is_kept(&self.labels[axis]))
            .map(|axis| axis as isize)
            .collect();
        if axes.is_empty() {
            return self;
        }
        let x = self.x.sum_axes(&axes, false);
        Term { labels: self.labels.into_iter().filter(is_kept).collect(), x }
    }

    /// The view with the axes in the order of the groups of labels, which name each once.
    fn arranged(&self, groups: &[&[Label]]) -> Tensor {
        let place = |label| self.labels.iter().position(|own| own == label);
        let order: Vec<usize> = groups.iter().copied().flatten().filter_map(place).collect();
        self.x.permute(&order)
    }

    /// The view with an axis for each of `labels`, of size 1 where the term has none.
    fn stretchable(&self, labels: &[Label]) -> Tensor {
        let shape: Vec<usize> = labels.iter().map(|&label| self.size(label)).collect();
        self.arranged(&[labels]).reshape(&shape)
    }

    /// The result with the axes of `output`: summed over other labels, stretched along those it
    /// has not, on the diagonal of those that stand twice.
    fn laid_out_as(self, output: &Labels, einsum: &Einsum) -> Tensor {
        let mut wanted: Vec<Label> = Vec::new();
        output.iter().flatten().for_each(|label| {
            if !wanted.contains(label) {
                wanted.push(*label);
            }
        });
        let sizes: Vec<usize> = wanted.iter().map(|label| einsum.0.sizes[label]).collect();
        let x = self.summed_beside(&[&wanted]).stretchable(&wanted).broadcast_to(&sizes);
        let shape = einsum.shape_of(output);
        if wanted.len() == output.iter().flatten().count() {
            return x.reshape(&shape);
        }
        on_diagonal(&x, Tensor::zeros(&shape), output)
    }
}

/// `[batch.., rows.., summed..] · [batch.., summed.., columns..] → [batch.., rows.., columns..]`
/// with so many batch and summed axes, by one batched matrix product.
fn contracted(left: &Tensor, right: &Tensor, batch: usize, summed: usize) -> Tensor {
    let (batch, left_shape) = left.shape.split_at(batch);
    let (rows, summed) = left_shape.split_at(left_shape.len() - summed);
    let columns = &right.shape[batch.len() + summed.len()..];
    let [m, k, n] = [rows, summed, columns].map(shape::count);
    let left = left.reshape(&[batch, &[m, k]].concat());
    let right = right.reshape(&[batch, &[k, n]].concat());
    left.matmul(&right).reshape(&[batch, rows, columns].concat())
}

/// `zeros` with `x` written on the diagonal of the axes of one label.
fn on_diagonal(x: &Tensor, mut zeros: Tensor, labels: &Labels) -> Tensor {
    let strides = Term::new(&zeros, labels).x.strides;
    let x = x.contiguous();
    let (source, out) = (x.data(), zeros.data_mut());
    shape::for_each_offset(&x.shape, [&x.strides, &strides], |[from, to]| out[to] = source[from]);
    zeros
}

#[cfg(test)]
mod tests;
