//! The precision of matrix products: a property of a scope, not of a tensor.

use crate::{Float, Tensor, par, simd};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::str::FromStr;

/// What the factors of a matrix product are rounded to before they are multiplied. Products are added
/// up in [`Float`] whichever it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Nothing: 24 bits of mantissa.
    #[default]
    F32,
    /// bfloat16: 8 bits of mantissa, the exponent of `f32`.
    Bf16,
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Precision, String> {
        match name {
            "f32" => Ok(Precision::F32),
            "bf16" => Ok(Precision::Bf16),
            _ => Err(format!("{name} is no precision; f32 and bf16 are")),
        }
    }
}

thread_local! {
    static PRECISION: Cell<Precision> = const { Cell::new(Precision::F32) };
}

/// Runs `compute` with matrix products of this precision.
///
/// ```
/// use tensor::{Precision, Tensor, with_precision};
/// let x = Tensor::new([1.0 + 1.0 / 1024.0], &[1, 1]);
/// assert_eq!(with_precision(Precision::Bf16, || x.matmul(&x)).item(), 1.0);
/// ```
pub fn with_precision<T>(precision: Precision, compute: impl FnOnce() -> T) -> T {
    struct Restore(Precision);
    impl Drop for Restore {
        fn drop(&mut self) {
            PRECISION.set(self.0);
        }
    }
    let _restore = Restore(PRECISION.replace(precision));
    compute()
}

/// The precision of matrix products on this thread just now.
pub fn precision() -> Precision {
    PRECISION.get()
}

simd! {
    /// Each number becomes the nearest bfloat16, ties to even; NaN stays NaN.
    fn round_slice(x: &[Float], y: &mut [Float]) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = round(*x);
        }
    }
}

#[inline(always)]
#[allow(clippy::unnecessary_cast)] // It is one in the f32 build only.
pub(crate) fn round(x: Float) -> Float {
    let bits = (x as f32).to_bits();
    // Half of the last bit that stays, less one where that bit is 0: ties go to the even number.
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
    let quiet = bits & 0xffff_0000 | 0x0040_0000;
    f32::from_bits(if bits & 0x7fff_ffff > 0x7f80_0000 { quiet } else { nearest }) as Float
}

/// Rounds to bfloat16 in place.
pub(crate) fn round_to_bf16(x: &mut [Float]) {
    par::for_pieces(x, |_, x| x.iter_mut().for_each(|x| *x = round(*x)));
}

impl Tensor {
    /// Each number as the nearest bfloat16, laid out in memory as before.
    pub fn rounded_to_bf16(&self) -> Tensor {
        if self.is_column_by_column() {
            return self.transpose(-2, -1).rounded_to_bf16().transpose(-2, -1);
        }
        let x = self.contiguous();
        let x = x.data();
        Tensor::build(self.shape(), |y| {
            par::for_pieces(y, |first, y| round_slice(&x[first..][..y.len()], y));
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use half::bf16;

    #[test]
    #[allow(clippy::unnecessary_cast)] // It is one in the f32 build only.
    fn rounds_as_half_does() {
        let mut numbers: Vec<Float> = Rng::seeded(1).normal(&[4000], 3.0).to_vec();
        numbers.extend([0.0, -0.0, 1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, 3.4e38, -1e-40]);
        numbers.extend([Float::INFINITY, Float::NEG_INFINITY, 1e-45]);
        for x in numbers {
            let expected = Float::from(bf16::from_f32(x as f32).to_f32());
            assert_eq!(round(x).to_bits(), expected.to_bits(), "{x}");
        }
        assert!(round(Float::NAN).is_nan());
        let mut x = [1.001, Float::NAN];
        round_to_bf16(&mut x);
        assert!(x[0] == 1.0 && x[1].is_nan());
    }

    #[test]
    fn they_have_names() {
        assert_eq!(["f32", "bf16"].map(str::parse), [Ok(Precision::F32), Ok(Precision::Bf16)]);
        let error = "f16".parse::<Precision>().unwrap_err();
        assert_eq!(error, "f16 is no precision; f32 and bf16 are");
    }

    #[test]
    fn a_product_is_that_of_the_rounded_factors_whatever_their_strides() {
        let mut rng = Rng::seeded(2);
        let [a, b] = [&[3, 5, 7][..], &[7, 4]].map(|shape| rng.normal(shape, 1.0));
        let expected = a.rounded_to_bf16().matmul(&b.rounded_to_bf16());
        let turned = b.transpose(0, 1).contiguous().transpose(0, 1);
        for b in [&b, &turned] {
            let found = with_precision(Precision::Bf16, || a.matmul(b));
            let far =
                (&found - &expected).to_vec().iter().fold(0.0, |most: Float, x| most.max(x.abs()));
            assert!(far < 1e-6, "{far}");
            assert!(found.to_vec() != a.matmul(b).to_vec());
        }
        assert_eq!(precision(), Precision::F32);
    }
}
