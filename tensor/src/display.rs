//! Tensors as text that a person can read.

use crate::{Float, Tensor};
use std::fmt;

/// Axes longer than this are shortened.
const LONGEST: usize = 10;
/// Entries shown at each end of a shortened axis.
const EDGE: usize = 3;
/// Decimals, unless the format asks for others.
const DECIMALS: usize = 4;

/// The numbers in aligned columns with at most four decimals (`{:.2}` for two), then the shape.
/// Where the numbers are very large or small, all are in powers of ten. An axis of more than ten
/// entries shows the first three and the last three.
///
/// ```
/// let x = tensor::Tensor::new([1.0, -2.5, 30.0, 4.0], &[2, 2]);
/// assert_eq!(x.to_string(), "[[ 1.0, -2.5],\n [30.0,  4.0]] [2, 2]");
/// ```
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = Vec::new();
        self.for_each_shown(0, 0, &mut |entry| shown.extend(entry));
        let notation = Notation::of(&shown, f.precision().unwrap_or(DECIMALS));
        let width = shown.iter().map(|&x| notation.text(x).len()).max().unwrap_or(0);
        self.write_from(f, 0, 0, &|x| format!("{:>width$}", notation.text(x)))?;
        write!(f, " {:?}", self.shape)
    }
}

/// As [`Display`](fmt::Display).
impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The entries of an axis that are shown; `None` stands for those left out.
fn entries(size: usize) -> impl Iterator<Item = Option<usize>> {
    let (head, tail) = if size > LONGEST { (EDGE, size - EDGE) } else { (size, size) };
    let gap = (head < tail).then_some(None);
    (0..head).map(Some).chain(gap).chain((tail..size).map(Some))
}

impl Tensor {
    fn for_each_shown(&self, axis: usize, offset: usize, visit: &mut impl FnMut(Option<Float>)) {
        if axis == self.rank() {
            return visit(Some(self.storage.as_slice()[self.offset + offset]));
        }
        for i in entries(self.shape[axis]).flatten() {
            self.for_each_shown(axis + 1, offset + i * self.strides[axis], visit);
        }
    }

    fn write_from(
        &self,
        f: &mut fmt::Formatter<'_>,
        axis: usize,
        offset: usize,
        text: &impl Fn(Float) -> String,
    ) -> fmt::Result {
        if axis == self.rank() {
            return f.write_str(&text(self.storage.as_slice()[self.offset + offset]));
        }
        // Entries of the last axis share a line; larger ones have as many line breaks as axes.
        let below = self.rank() - axis - 1;
        let (breaks, indent) = ("\n".repeat(below), " ".repeat(axis + 1));
        let separator = if below == 0 { ", ".into() } else { format!(",{breaks}{indent}") };
        f.write_str("[")?;
        for (place, entry) in entries(self.shape[axis]).enumerate() {
            if place > 0 {
                f.write_str(&separator)?;
            }
            match entry {
                Some(i) => self.write_from(f, axis + 1, offset + i * self.strides[axis], text)?,
                None => f.write_str("…")?,
            }
        }
        f.write_str("]")
    }
}

/// How all numbers of one tensor are written.
enum Notation {
    /// With this many decimals.
    Fixed(usize),
    /// In powers of ten, with this many decimals before the exponent.
    Scientific(usize),
}

impl Notation {
    /// The notation for `numbers` with as few decimals as show them, at most `most`.
    fn of(numbers: &[Float], most: usize) -> Notation {
        let sizes =
            || numbers.iter().map(|x| x.abs()).filter(|&size| size.is_finite() && size > 0.0);
        let extreme = sizes().any(|size| !(1e-4..1e8).contains(&size));
        let make = if extreme { Notation::Scientific } else { Notation::Fixed };
        let whole = make(most);
        let decimals = |&x: &Float| {
            let text = whole.text(x);
            let digits = text.split('e').next().unwrap_or_default();
            let decimals = digits.split_once('.').map_or("", |(_, decimals)| decimals);
            decimals.trim_end_matches('0').len()
        };
        make(numbers.iter().map(decimals).max().unwrap_or(0))
    }

    fn text(&self, x: Float) -> String {
        match self {
            Notation::Fixed(decimals) => format!("{x:.decimals$}"),
            Notation::Scientific(decimals) => format!("{x:.decimals$e}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use proptest::prelude::*;

    #[test]
    fn columns_are_aligned_and_decimals_as_few_as_needed() {
        let x = Tensor::new([1.0, 2.25, -3.0, 10.5], &[2, 2]);
        assert_eq!(x.to_string(), "[[ 1.00,  2.25],\n [-3.00, 10.50]] [2, 2]");
        assert_eq!(x.transpose(0, 1).to_string(), "[[ 1.00, -3.00],\n [ 2.25, 10.50]] [2, 2]");
        assert_eq!(format!("{x:.1?}"), "[[ 1.0,  2.2],\n [-3.0, 10.5]] [2, 2]");
        assert_eq!(Tensor::new([1.0, 1.0 / 3.0], &[2]).to_string(), "[1.0000, 0.3333] [2]");
        assert_eq!(testing::counting(&[2]).to_string(), "[0, 1] [2]");
    }

    #[test]
    fn long_axes_are_shortened() {
        let x = testing::counting(&[100]);
        assert_eq!(x.to_string(), "[ 0,  1,  2, …, 97, 98, 99] [100]");
        let x = testing::counting(&[11, 1]);
        assert_eq!(x.to_string(), "[[ 0],\n [ 1],\n [ 2],\n …,\n [ 8],\n [ 9],\n [10]] [11, 1]");
    }

    #[test]
    fn extremes_are_in_powers_of_ten() {
        let x = Tensor::new([1e-6, 2.5, Float::NAN, Float::NEG_INFINITY], &[4]);
        assert_eq!(x.to_string(), "[1.0e-6,  2.5e0,    NaN,   -inf] [4]");
        assert_eq!(Tensor::scalar(-1e30).to_string(), "-1e30 []");
        assert_eq!(Tensor::scalar(0.0).to_string(), "0 []");
    }

    #[test]
    fn ranks_and_empty_axes_are_seen() {
        assert_eq!(Tensor::scalar(2.5).to_string(), "2.5 []");
        assert_eq!(Tensor::zeros(&[2, 0]).to_string(), "[[],\n []] [2, 0]");
        assert_eq!(Tensor::zeros(&[0, 2]).to_string(), "[] [0, 2]");
        let x = testing::counting(&[2, 1, 2]);
        assert_eq!(x.to_string(), "[[[0, 1]],\n\n [[2, 3]]] [2, 1, 2]");
    }

    proptest! {
        #[test]
        fn what_is_shown_is_the_tensor(x in testing::view(0..4)) {
            let text = format!("{x:.20}");
            let (numbers, _) = text.rsplit_once(" [").unwrap();
            let parsed: Vec<Float> = numbers
                .split(|c: char| "[], \n".contains(c))
                .filter(|word| !word.is_empty())
                .map(|word| word.parse().unwrap())
                .collect();
            prop_assert_eq!(parsed, x.to_vec());
        }
    }
}
