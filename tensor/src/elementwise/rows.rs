//! Broadcast operands of any strides, walked together as few long rows.

use crate::{Float, Tensor};

/// N operands of one shape, seen as rows: axes are joined wherever the strides of every operand
/// allow it, so that operands without gaps make a single row.
pub(super) struct Rows<const N: usize> {
    /// The sizes of the axes before the last, each with the operands' strides.
    outer: Vec<(usize, [usize; N])>,
    width: usize,
    /// Strides along a row: 1, or 0 where one number stands for the whole row.
    pub steps: [usize; N],
}

impl<const N: usize> Rows<N> {
    /// The operands stretched to `shape`, copied where a row has other strides than 0 and 1.
    pub fn of(operands: [&Tensor; N], shape: &[usize]) -> ([Tensor; N], Rows<N>) {
        let views = operands.map(|x| x.broadcast_to(shape));
        let rows = Rows::joined(&views, shape);
        if rows.steps.iter().all(|&step| step <= 1) {
            return (views, rows);
        }
        let views = std::array::from_fn(|i| {
            if rows.steps[i] <= 1 {
                return views[i].clone();
            }
            operands[i].contiguous().broadcast_to(shape)
        });
        let rows = Rows::joined(&views, shape);
        (views, rows)
    }

    fn joined(operands: &[Tensor; N], shape: &[usize]) -> Rows<N> {
        if shape.contains(&0) {
            return Rows { outer: Vec::new(), width: 1, steps: [0; N] };
        }
        let mut axes: Vec<(usize, [usize; N])> = Vec::new();
        for (axis, &size) in shape.iter().enumerate().filter(|&(_, &size)| size > 1) {
            let steps = std::array::from_fn(|i| operands[i].strides[axis]);
            match axes.last_mut() {
                Some((joined, last)) if (0..N).all(|i| last[i] == steps[i] * size) => {
                    *joined *= size;
                    *last = steps;
                }
                _ => axes.push((size, steps)),
            }
        }
        let (width, steps) = axes.pop().unwrap_or((1, [0; N]));
        Rows { outer: axes, width, steps }
    }

    /// Calls `visit` for each part of a row in `out`, which starts at number `first` of the
    /// result, with the places where the operands' numbers for it begin.
    pub fn visit(
        &self,
        first: usize,
        mut out: &mut [Float],
        mut visit: impl FnMut([usize; N], &mut [Float]),
    ) {
        let (mut row, mut column) = (first / self.width, first % self.width);
        while !out.is_empty() {
            let (part, rest) = out.split_at_mut((self.width - column).min(out.len()));
            let starts = self.starts(row);
            visit(std::array::from_fn(|i| starts[i] + column * self.steps[i]), part);
            (row, column, out) = (row + 1, 0, rest);
        }
    }

    fn starts(&self, mut row: usize) -> [usize; N] {
        let mut starts = [0; N];
        for &(size, steps) in self.outer.iter().rev() {
            let index = row % size;
            row /= size;
            for (start, step) in starts.iter_mut().zip(steps) {
                *start += index * step;
            }
        }
        starts
    }
}

impl Tensor {
    /// The numbers in memory from the first of this view on.
    pub(super) fn numbers(&self) -> &[Float] {
        if self.is_empty() { &[] } else { &self.storage.as_slice()[self.offset..] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_without_gaps_are_joined() {
        let x = Tensor::zeros(&[8, 16, 32]);
        let row = Tensor::zeros(&[16, 32]);
        let (_, rows) = Rows::of([&x, &row], &[8, 16, 32]);
        assert_eq!((rows.outer.len(), rows.width, rows.steps), (1, 512, [1, 1]));
        let (_, rows) = Rows::of([&x, &Tensor::scalar(1.0)], &[8, 16, 32]);
        assert_eq!((rows.outer.len(), rows.width, rows.steps), (0, 4096, [1, 0]));
        let (_, rows) = Rows::of([&x.transpose(1, 2)], &[8, 32, 16]);
        assert_eq!((rows.outer.len(), rows.width, rows.steps), (0, 4096, [1]));
    }
}
