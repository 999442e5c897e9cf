//! The range of a chart's axis and the numbers written beside it.

use serde::Serialize;

/// Where a chart's coordinates end; they are whole numbers, which makes files small.
pub(super) const SIDE: f64 = 1000.0;

/// Ratio of the highest to the lowest number from which their logarithms are shown.
const LOGARITHMIC_FROM: f64 = 8.0;

/// A number beside an axis, at a percentage of its length.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Tick {
    pub at: f64,
    pub text: String,
}

/// A range of numbers, low to high, along the side of a chart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    pub is_logarithmic: bool,
}

impl Axis {
    /// An axis that holds all numbers, from the lowest to the highest.
    pub fn over(numbers: impl Iterator<Item = f64>) -> Axis {
        let none = (f64::INFINITY, f64::NEG_INFINITY);
        let finite = numbers.filter(|x| x.is_finite());
        let (low, high) = finite.fold(none, |(low, high), x| (low.min(x), high.max(x)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let room = if low == high { (0.05 * low.abs()).max(1e-9) } else { 0.0 };
        Axis { low: low - room, high: high + room, is_logarithmic: false }
    }

    /// The same, from 0 on.
    pub fn starting_at_zero(self) -> Axis {
        Axis { low: self.low.min(0.0), ..self }
    }

    /// The same, of logarithms where the numbers are positive and far apart.
    pub fn logarithmic_if_wide(self) -> Axis {
        let is_wide = self.low > 0.0 && self.high / self.low >= LOGARITHMIC_FROM;
        Axis { is_logarithmic: is_wide, ..self }
    }

    /// The same with a little room at both ends.
    pub fn with_room(self) -> Axis {
        if self.is_logarithmic {
            let factor = (self.high / self.low).powf(0.04);
            return Axis { low: self.low / factor, high: self.high * factor, ..self };
        }
        let room = 0.04 * (self.high - self.low);
        let low = if self.low == 0.0 { 0.0 } else { self.low - room };
        Axis { low, high: self.high + room, ..self }
    }

    /// Where a number lies, from 0 to 1; none where it is not on the axis.
    pub fn share(&self, x: f64) -> Option<f64> {
        let share = match self.is_logarithmic {
            true => (x / self.low).ln() / (self.high / self.low).ln(),
            false => (x - self.low) / (self.high - self.low),
        };
        (-1e-9..=1.0 + 1e-9).contains(&share).then_some(share)
    }

    /// A coordinate from the left.
    pub fn x(&self, x: f64) -> Option<i32> {
        self.share(x).map(|share| (share * SIDE).round() as i32)
    }

    /// A coordinate from the top.
    pub fn y(&self, y: f64) -> Option<i32> {
        self.share(y).map(|share| ((1.0 - share) * SIDE).round() as i32)
    }

    /// Round numbers, about `count` of them.
    pub fn ticks(&self, count: usize) -> Vec<Tick> {
        let (values, step) = match self.is_logarithmic {
            true => (self.powers(), 0.0),
            false => self.multiples(count),
        };
        let tick = |x: f64| {
            let at = (self.share(x)? * 1e4).round() / 100.0;
            Some(Tick { at, text: number(x, if step > 0.0 { step } else { x }) })
        };
        values.into_iter().filter_map(tick).collect()
    }

    /// Multiples of 1, 2 or 5 times a power of ten, and the distance between them.
    fn multiples(&self, count: usize) -> (Vec<f64>, f64) {
        let wanted = (self.high - self.low) / count as f64;
        let power = 10f64.powf(wanted.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= wanted);
        let step = step.unwrap_or(10.0) * power;
        // A tick at the very end is kept, rounded as it may be.
        let first = (self.low / step - 1e-6).ceil() as i64;
        let last = (self.high / step + 1e-6).floor() as i64;
        ((first..=last).map(|i| i as f64 * step).collect(), step)
    }

    /// 1, 2 and 5 times the powers of ten; over many of these only the powers, or some of them.
    fn powers(&self) -> Vec<f64> {
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let (digits, stride): (&[f64], _) = match last - first {
            ..=3 => (&[1.0, 2.0, 5.0], 1),
            powers => (&[1.0], 1 + powers as usize / 7),
        };
        let powers = (first..=last).step_by(stride);
        powers.flat_map(|power| digits.iter().map(move |d| d * 10f64.powi(power))).collect()
    }
}

/// A number to the places that `step` has: 1,500 or 0.25 or 3e-4.
pub(super) fn number(x: f64, step: f64) -> String {
    let (size, step) = (x.abs(), step.abs());
    if x == 0.0 {
        return "0".into();
    }
    if size >= 1e7 || size.max(step) < 1e-3 {
        let text = format!("{x:.1e}");
        return text.replace(".0e", "e");
    }
    let places = (-(step.log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{size:.places$}");
    let (whole, fraction) = text.split_once('.').map_or((&text[..], None), |(a, b)| (a, Some(b)));
    let mut grouped = grouped(whole);
    if let Some(fraction) = fraction {
        grouped = grouped + "." + fraction;
    }
    if x < 0.0 { format!("−{grouped}") } else { grouped }
}

/// Digits in groups of three: 12,345.
pub(super) fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: Axis, count: usize) -> Vec<String> {
        axis.ticks(count).into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn round_numbers() {
        assert_eq!(
            texts(Axis::over([0.0, 1.0].into_iter()), 5),
            ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        assert_eq!(
            texts(Axis::over([1.0, 2000.0].into_iter()), 4),
            ["500", "1,000", "1,500", "2,000"]
        );
        assert_eq!(texts(Axis::over([-1.0, 1.0].into_iter()), 2), ["−1", "0", "1"]);
        assert_eq!(texts(Axis::over([0.0, 3e-4].into_iter()), 3), ["0", "1e-4", "2e-4", "3e-4"]);
        assert_eq!(texts(Axis::over([0.0, 2e7].into_iter()), 2), ["0", "1e7", "2e7"]);
    }

    #[test]
    fn logarithms_where_numbers_are_far_apart() {
        let near = Axis::over([1.0, 2.0].into_iter()).logarithmic_if_wide();
        assert!(!near.is_logarithmic);
        let wide = Axis::over([0.1, 10.0].into_iter()).logarithmic_if_wide();
        assert!(wide.is_logarithmic);
        assert_eq!(texts(wide, 5), ["0.1", "0.2", "0.5", "1", "2", "5", "10"]);
        assert!((wide.share(1.0).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!((wide.y(10.0), wide.y(0.1), wide.y(-1.0)), (Some(0), Some(1000), None));
        assert!(!Axis::over([0.0, 10.0].into_iter()).logarithmic_if_wide().is_logarithmic);
        let widest = Axis::over([1e-20, 1e20].into_iter()).logarithmic_if_wide();
        assert!((4..=9).contains(&widest.ticks(5).len()), "{:?}", widest.ticks(5));
    }

    #[test]
    fn extreme_ranges() {
        for numbers in [&[][..], &[f64::NAN], &[2.0], &[0.0], &[-3.0, -3.0], &[f64::INFINITY, 1.0]]
        {
            let axis = Axis::over(numbers.iter().copied()).logarithmic_if_wide().with_room();
            for &x in numbers.iter().filter(|x| x.is_finite()) {
                assert!(axis.share(x).is_some(), "{numbers:?}");
            }
            assert!(axis.ticks(5).len() < 20);
        }
    }
}
