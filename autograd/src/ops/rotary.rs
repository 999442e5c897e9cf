//! (P2) Rotary position embedding. Su et al. 2021, section 3.4.

use crate::Var;
use tensor::{Float, Tensor, par, shape, simd};

/// Each pair of numbers of a query or key turned by an angle that grows with its position.
///
/// ```math
/// y_i = x_i \cos m \theta_i - x_{i + h} \sin m \theta_i, \quad
/// y_{i + h} = x_{i + h} \cos m \theta_i + x_i \sin m \theta_i, \quad
/// \theta_i = b^{-i / h}, \quad i < h \qquad (P2)
/// ```
/// m is the position, b the base. `x [.., n_heads, seq_len, d_k]`; the tables hold cos mθ and
/// sin mθ and are `[.., seq_len, h]`, their leading axes stretched to those of x: `[seq_len, h]`
/// for positions that all rows share, `[batch_size, 1, seq_len, h]` for positions of each row's
/// own. Where 2h is less than d_k, the first 2h numbers are turned and the others stay.
///
/// Departs from the paper in its pairs: they are (i, i + h) as in Llama and in Hugging Face's
/// models, where the paper has (2i, 2i + 1), which is the same after a permutation of the columns
/// of W^Q and W^K.
///
/// Source: Su et al. 2021, section 3.4, equations 15 and 34.
///
/// ```
/// use tensor::Tensor;
/// let (cos, sin) = (Tensor::zeros(&[1, 1]), Tensor::ones(&[1, 1]));
/// let x = Tensor::new([1.0, 2.0], &[1, 2]);
/// assert_eq!(autograd::ops::rotary::rotary(&x, &cos, &sin).to_vec(), [-2.0, 1.0]);
/// ```
///
/// # Panics
/// If the tables have unequal shapes, more than half as many columns as x, or leading axes that do
/// not stretch to those of x.
#[track_caller]
pub fn rotary(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Tensor {
    rotated(x, cos, sin, 1.0)
}

/// The derivative of [`rotary`]: the turn by the negative angle.
///
/// ```math
/// \bar x_i = \bar y_i \cos m \theta_i + \bar y_{i + h} \sin m \theta_i, \quad
/// \bar x_{i + h} = \bar y_{i + h} \cos m \theta_i - \bar y_i \sin m \theta_i
/// ```
#[track_caller]
pub fn rotary_backward(dy: &Tensor, cos: &Tensor, sin: &Tensor) -> Tensor {
    rotated(dy, cos, sin, -1.0)
}

/// θ of [`rotary`], `[d_rot / 2]`: one angle a pair for the first `d_rot` numbers, from 1 down to
/// almost `1 / base`. The paper's base is 10,000.
///
/// # Panics
/// If `d_rot` is odd.
#[track_caller]
pub fn frequencies(d_rot: usize, base: f64) -> Tensor {
    assert!(d_rot.is_multiple_of(2), "rotary: pairs of {d_rot} numbers; d_rot must be even");
    let theta = |i: usize| base.powf(-((2 * i) as f64) / d_rot as f64) as Float;
    Tensor::new((0..d_rot / 2).map(theta).collect::<Vec<_>>(), &[d_rot / 2])
}

/// The tables of [`rotary`], cos mθ and sin mθ: `positions [..]`, `frequencies [h]` → twice
/// `[.., h]`.
///
/// Positions need not be whole numbers, nor frequencies those of [`frequencies`]: contexts are
/// lengthened by scaling either.
///
/// # Panics
/// If the frequencies are not of rank 1.
#[track_caller]
pub fn tables(positions: &Tensor, frequencies: &Tensor) -> (Tensor, Tensor) {
    if frequencies.rank() != 1 {
        shape::wrong("rotary", "frequencies are of rank 1", &[frequencies.shape()], "");
    }
    let column: Vec<usize> = positions.shape().iter().copied().chain([1]).collect();
    let positions = positions.reshape(&column);
    let of = |f: fn(f64) -> f64| {
        let turned = move |m: Float, theta: Float| f(f64::from(m) * f64::from(theta)) as Float;
        positions.zip(frequencies, turned)
    };
    (of(f64::cos), of(f64::sin))
}

/// `x` turned, by the negative angle where `direction` is -1. The result lies in memory as `x` does:
/// heads that were split stay side by side, and are joined again without a copy.
#[track_caller]
fn rotated(x: &Tensor, cos: &Tensor, sin: &Tensor, direction: Float) -> Tensor {
    let (width, half) = (x.size(-1), cos.size(-1));
    let mut axes = x.axes_in_memory();
    if !axes.ends_with(&[x.rank() - 1]) {
        axes.sort_unstable(); // rows must be whole
    }
    let table_rows = table_rows(x, cos, sin, &axes);
    let (cos, sin) = (cos.contiguous(), sin.contiguous());
    let turn = |first: usize, rows: &mut [Float]| {
        rotate_rows(rows, width, half, &table_rows[first..], cos.data(), sin.data(), direction);
    };
    let mut y = x.permute(&axes);
    if let Some(x) = y.clone().as_slice() {
        // Some rows at a time, which stay near between the copy and the turn.
        y = Tensor::build(y.shape(), |y| {
            par::for_rows(y, width, |first, rows| {
                rows.copy_from_slice(&x[first * width..][..rows.len()]);
                turn(first, rows);
            });
        });
    } else {
        par::for_rows(y.data_mut(), width, turn);
    }
    let mut back = axes.clone();
    axes.iter().enumerate().for_each(|(place, &axis)| back[axis] = place);
    y.permute(&back)
}

/// The row of the tables that each row of `x` uses, its axes in the given order.
#[track_caller]
fn table_rows(x: &Tensor, cos: &Tensor, sin: &Tensor, axes: &[usize]) -> Vec<usize> {
    let (leading, columns) = x.shape().split_at(x.rank() - 1);
    let (table, half) = cos.shape().split_at(cos.rank() - 1);
    let mut sizes = table.iter().rev().zip(leading.iter().rev());
    let stretches = table.len() <= leading.len() && sizes.all(|(t, x)| t == x || *t == 1);
    if cos.shape() != sin.shape() || 2 * half[0] > columns[0] || !stretches {
        let rule = "cos and sin [.., seq_len, h] do not fit x [.., seq_len, d_k]";
        let hint = "2 h is at most d_k";
        shape::wrong("rotary", rule, &[cos.shape(), sin.shape(), x.shape()], hint);
    }
    let strides = shape::broadcast_strides(table, &shape::row_major_strides(table), leading);
    let axes = &axes[..leading.len()];
    let [sizes, strides] =
        [leading, &strides].map(|of| axes.iter().map(|&axis| of[axis]).collect::<Vec<_>>());
    let mut rows = Vec::with_capacity(shape::count(leading));
    shape::for_each_offset(&sizes, [&strides], |[row]| rows.push(row));
    rows
}

simd! {
    fn rotate_rows(
        x: &mut [Float],
        width: usize,
        half: usize,
        table_rows: &[usize],
        cos: &[Float],
        sin: &[Float],
        direction: Float,
    ) {
        for (x, &row) in x.chunks_exact_mut(width.max(1)).zip(table_rows) {
            let (a, b) = x[..2 * half].split_at_mut(half);
            let (cos, sin) = (&cos[row * half..][..half], &sin[row * half..][..half]);
            for i in 0..half {
                let s = direction * sin[i];
                (a[i], b[i]) = (a[i] * cos[i] - b[i] * s, b[i] * cos[i] + a[i] * s);
            }
        }
    }
}

impl Var {
    /// Each pair of numbers turned by the angle of its position: see [`rotary`].
    ///
    /// # Panics
    /// If the tables do not fit.
    #[track_caller]
    pub fn rotary(&self, cos: &Tensor, sin: &Tensor) -> Var {
        let y = rotary(self.value(), cos, sin);
        Var::record("rotary", [self], y, [cos.clone(), sin.clone()], |dy, [cos, sin]| {
            [rotary_backward(&dy, &cos, &sin).into()]
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ops::cases::Case;
    use approx::assert_relative_eq;
    use tensor::Rng;

    fn counted(seq_len: usize) -> Tensor {
        Tensor::new((0..seq_len).map(|m| m as Float).collect::<Vec<_>>(), &[seq_len])
    }

    fn tables_of(seq_len: usize, d_rot: usize) -> (Tensor, Tensor) {
        tables(&counted(seq_len), &frequencies(d_rot, 100.0))
    }

    pub(crate) fn cases() -> Vec<Case> {
        let of = |shape: &'static [usize], d_rot| {
            let (cos, sin) = tables_of(shape[shape.len() - 2], d_rot);
            Case::new([shape], move |x| x[0].rotary(&cos, &sin))
        };
        let (cos, sin) = tables(&Rng::seeded(3).normal(&[2, 1, 3], 2.0), &frequencies(4, 10.0));
        let batched = Case::new([&[2, 2, 3, 4]], move |x| x[0].rotary(&cos, &sin));
        let split = |shape: &'static [usize]| {
            let (cos, sin) = tables_of(shape[1], shape[3]);
            Case::new([shape], move |x| x[0].transpose(1, 2).rotary(&cos, &sin))
        };
        let [few, many] = [split(&[2, 3, 2, 4]), split(&[4, 60, 2, 100])];
        vec![of(&[1, 5, 4], 4), of(&[2, 3, 7], 4), batched, few, many, of(&[4, 2, 60, 100], 100)]
    }

    #[test]
    fn equals_the_equation_p2() {
        let x = Rng::seeded(1).normal(&[2, 3, 9, 8], 1.0);
        let (cos, sin) = tables_of(9, 8);
        let y = rotary(&x, &cos, &sin);
        for (row, (x, y)) in x.data().chunks(8).zip(y.data().chunks(8)).enumerate() {
            for i in 0..4 {
                let angle = (row % 9) as Float * (100.0 as Float).powf(-(i as Float) / 4.0);
                let (cos, sin) = (angle.cos(), angle.sin());
                let expected = [x[i] * cos - x[i + 4] * sin, x[i + 4] * cos + x[i] * sin];
                for (y, expected) in [y[i], y[i + 4]].iter().zip(&expected) {
                    assert_relative_eq!(y, expected, max_relative = 1e-4, epsilon = 1e-5);
                }
            }
        }
    }

    #[test]
    fn products_depend_on_the_distance_alone() {
        let [q, k] = [1, 2].map(|seed| Rng::seeded(seed).normal(&[1, 8], 1.0));
        let product = |m: Float, n: Float| {
            let turned = |x: &Tensor, at: Float| {
                let (cos, sin) = tables(&Tensor::full(&[1], at), &frequencies(8, 100.0));
                rotary(x, &cos, &sin)
            };
            (turned(&q, m) * turned(&k, n)).sum().item()
        };
        assert_relative_eq!(product(7.0, 3.0), product(104.0, 100.0), max_relative = 1e-3);
    }

    #[test]
    fn batched_positions_are_those_of_each_row_and_the_rest_stays() {
        let x = Rng::seeded(1).normal(&[2, 3, 4, 6], 1.0);
        let positions = Rng::seeded(2).normal(&[2, 1, 4], 9.0);
        let (cos, sin) = tables(&positions, &frequencies(4, 100.0));
        let y = rotary(&x, &cos, &sin);
        for row in 0..2 {
            let of = |x: &Tensor| x.narrow(0, row, 1);
            assert_eq!(rotary(&of(&x), &of(&cos), &of(&sin)).to_vec(), of(&y).to_vec());
        }
        assert_eq!(y.narrow(-1, 4, 2).to_vec(), x.narrow(-1, 4, 2).to_vec());
    }

    #[test]
    fn the_result_lies_in_memory_as_x_does() {
        let x = Rng::seeded(1).normal(&[2, 3, 4, 6], 1.0);
        let (cos, sin) = tables(&Rng::seeded(2).normal(&[2, 1, 4], 9.0), &frequencies(4, 100.0));
        let expected = rotary(&x, &cos, &sin).to_vec();
        let split = x.transpose(1, 2).contiguous().transpose(1, 2);
        let turned = rotary(&split, &cos, &sin);
        assert_eq!(turned.to_vec(), expected);
        assert!(turned.transpose(1, 2).is_contiguous());
        let back = rotary_backward(&turned, &cos, &sin);
        assert!(back.transpose(1, 2).is_contiguous());
        for (back, x) in back.to_vec().iter().zip(x.data()) {
            assert_relative_eq!(back, x, max_relative = 1e-4, epsilon = 1e-5);
        }
        // Rows with others between them, and numbers that are no rows in memory.
        let between = Tensor::concat(&[&x, &x, &x], -1).narrow(-1, 6, 6);
        let scattered = x.transpose(2, 3).contiguous().transpose(2, 3);
        for view in [between, scattered] {
            assert_eq!(rotary(&view, &cos, &sin).to_vec(), expected);
        }
        let one = x.narrow(1, 0, 1);
        let stretched = rotary(&one.broadcast_to(&[2, 3, 4, 6]), &cos, &sin);
        assert_eq!(stretched.narrow(1, 2, 1).to_vec(), rotary(&one, &cos, &sin).to_vec());
    }

    #[test]
    fn extremes_position_zero_far_positions_and_nothing() {
        let x = Rng::seeded(1).normal(&[1, 8], 1e4);
        let (cos, sin) = tables(&Tensor::new([0.0, 1e6], &[2]), &frequencies(8, 1e4));
        let first = |x: &Tensor| x.narrow(0, 0, 1);
        assert_eq!(rotary(&x, &first(&cos), &first(&sin)).to_vec(), x.to_vec());
        let far = rotary(&x, &cos.narrow(0, 1, 1), &sin.narrow(0, 1, 1));
        let [before, after] = [&x, &far].map(|x| (x * x).sum().item());
        assert_relative_eq!(before, after, max_relative = 1e-5);
        let none = Tensor::zeros(&[2, 0]);
        assert_eq!(rotary(&none, &none, &none).shape(), [2, 0]);
        let (cos, sin) = tables_of(5, 4);
        assert_eq!(rotary(&Tensor::zeros(&[0, 5, 4]), &cos, &sin).shape(), [0, 5, 4]);
    }

    #[test]
    #[should_panic(expected = "rotary: cos and sin [.., seq_len, h] do not fit x \
                               [.., seq_len, d_k]: [5, 2] and [5, 2] and [2, 6, 4]; \
                               2 h is at most d_k")]
    fn tables_must_fit() {
        let (cos, sin) = tables_of(5, 4);
        rotary(&Tensor::zeros(&[2, 6, 4]), &cos, &sin);
    }

    #[test]
    #[should_panic(expected = "rotary: pairs of 3 numbers; d_rot must be even")]
    fn pairs_are_whole() {
        frequencies(3, 1e4);
    }

    #[test]
    #[should_panic(expected = "rotary: frequencies are of rank 1: [1, 2]")]
    fn frequencies_are_a_list() {
        tables(&Tensor::zeros(&[3]), &Tensor::zeros(&[1, 2]));
    }
}
