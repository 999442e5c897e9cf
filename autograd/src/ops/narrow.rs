//! A run of entries along one axis.

use crate::{Gradient, Var};
use tensor::Tensor;

impl Var {
    /// The `len` entries from `start` along `axis`; negative axes count from the end.
    ///
    /// ```math
    /// y_i = x_{start + i}, \qquad
    /// \bar x_j = \bar y_{j - start} \text{ for } start \le j < start + len, \text{ else } 0
    /// ```
    ///
    /// Source: Griewank & Walther 2008, *Evaluating Derivatives*, chapter 3.
    ///
    /// ```
    /// let x = autograd::Var::leaf(tensor::Tensor::new([1.0, 2.0, 3.0], &[3]));
    /// assert_eq!(x.narrow(0, 1, 2).value().to_vec(), [2.0, 3.0]);
    /// ```
    ///
    /// # Panics
    /// If they go beyond the axis.
    #[track_caller]
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Var {
        let value = self.value().narrow(axis, start, len);
        let axis = tensor::shape::axis("narrow", self.shape(), axis);
        self.run(axis, start, value)
    }

    /// The value cut along `axis` into runs of the given lengths.
    ///
    /// # Panics
    /// If the lengths do not add up to the size of the axis.
    #[track_caller]
    pub fn split<const PARTS: usize>(&self, axis: isize, lengths: [usize; PARTS]) -> [Var; PARTS] {
        self.split_all(axis, &lengths).try_into().expect("a part for each length")
    }

    /// [`Var::split`] into a number of runs that is known only at run time.
    ///
    /// # Panics
    /// If the lengths do not add up to the size of the axis.
    #[track_caller]
    pub fn split_all(&self, axis: isize, lengths: &[usize]) -> Vec<Var> {
        let values = self.value().split(axis, lengths);
        let axis = tensor::shape::axis("split", self.shape(), axis);
        let (mut parts, mut start) = (Vec::with_capacity(lengths.len()), 0);
        for (value, &len) in values.into_iter().zip(lengths) {
            parts.push(self.run(axis, start, value));
            start += len;
        }
        parts
    }

    /// Records that `value` holds the entries from `start` along `axis`.
    #[track_caller]
    fn run(&self, axis: usize, start: usize, value: Tensor) -> Var {
        Var::record("narrow", [self], value, [], move |part, []| {
            [Gradient::Slice { axis, start, part }]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::Var;
    use crate::ops::cases::Case;
    use tensor::Tensor;

    pub(crate) fn cases() -> Vec<Case> {
        let crossed = |x: &[Var]| {
            let [a, b] = x[0].split(1, [2, 3]);
            &a.narrow(1, 0, 1) * &b
        };
        vec![
            Case::new([&[2, 5]], |x| x[0].narrow(1, 1, 3)),
            Case::new([&[1, 5]], crossed),
            Case::new([&[5, 2]], |x| {
                let parts = x[0].split_all(0, &[2, 1, 2]);
                &parts[0] * &parts[1] + &parts[2]
            }),
            Case::new([&[200, 300]], |x| x[0].narrow(0, 20, 150)),
        ]
    }

    #[test]
    fn takes_a_run_of_entries() {
        let x = Var::leaf(Tensor::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3]));
        assert_eq!(x.narrow(-1, 1, 2).value().to_vec(), [2.0, 3.0, 5.0, 6.0]);
        let [a, b] = x.split(1, [1, 2]);
        assert_eq!((a.value().to_vec(), b.shape()), (vec![1.0, 4.0], &[2, 2][..]));
    }

    #[test]
    fn an_extreme_run_of_no_entries() {
        assert_eq!(Var::leaf(Tensor::zeros(&[2, 3])).narrow(1, 3, 0).shape(), [2, 0]);
    }

    #[test]
    #[should_panic(expected = "split: sizes [1, 1] do not add up to axis 1: [2, 3]")]
    fn the_parts_make_up_the_whole() {
        Var::leaf(Tensor::zeros(&[2, 3])).split(-1, [1, 1]);
    }
}
