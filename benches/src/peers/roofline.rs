//! What the machine can do: multiplications a second, bytes a second.

use super::Bound;
use crate::work::median;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};
use std::hint::black_box;
use std::thread;
use std::time::Instant;
use tensor::{Float, Precision, Tensor, peak_flops, with_precision};

/// What the machine was measured to do: in a quieter moment, a program can exceed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Roofline {
    /// Multiplications and additions a second, of `f32`.
    pub flops_f32: f64,
    /// The same of numbers rounded to bfloat16.
    pub flops_bf16: f64,
    /// Bytes a second that all threads together read from memory.
    pub bytes_per_second: f64,
}

impl Roofline {
    /// Measures it on this many threads, those of the pool for multiplications; takes a second.
    pub fn measure(threads: usize) -> Roofline {
        // The memory first: a matrix product right after reading it was 6 to 12 % slower.
        let bytes_per_second = read_bandwidth(threads, 512 << 20);
        let [flops_f32, flops_bf16] = [Precision::F32, Precision::Bf16]
            .map(|precision| with_precision(precision, peak_flops));
        Roofline { flops_f32, flops_bf16, bytes_per_second }
    }

    /// Multiplications and additions a second, in products of this precision.
    pub fn flops(&self, precision: Precision) -> f64 {
        match precision {
            Precision::F32 => self.flops_f32,
            Precision::Bf16 => self.flops_bf16,
        }
    }

    /// The seconds that a piece of work takes at the roof.
    pub fn least_seconds(&self, bound: Bound, precision: Precision) -> f64 {
        match bound {
            Bound::Flops(flops) => flops / self.flops(precision),
            Bound::Bytes(bytes) => bytes / self.bytes_per_second,
        }
    }

    /// The medians of several measurements.
    ///
    /// # Panics
    /// If there are none.
    pub fn median(measured: &[Roofline]) -> Roofline {
        let of =
            |number: fn(&Roofline) -> f64| median(&measured.iter().map(number).collect::<Vec<_>>());
        Roofline {
            flops_f32: of(|roof| roof.flops_f32),
            flops_bf16: of(|roof| roof.flops_bf16),
            bytes_per_second: of(|roof| roof.bytes_per_second),
        }
    }
}

impl Display for Roofline {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [f32, bf16, bytes] = [self.flops_f32, self.flops_bf16, self.bytes_per_second];
        let giga = |x: f64| x / 1e9;
        write!(
            f,
            "{:.0} GFLOP/s in f32, {:.0} in bf16, {:.1} GB/s read from memory",
            giga(f32),
            giga(bf16),
            giga(bytes)
        )
    }
}

/// Bytes a second of reading `bytes`, more than the caches hold, on all threads: the best of five.
fn read_bandwidth(threads: usize, bytes: usize) -> f64 {
    // A tensor's memory lies in large pages.
    let numbers = Tensor::ones(&[bytes / size_of::<Float>()]);
    let part = numbers.len().div_ceil(threads);
    let pass = || {
        let start = Instant::now();
        thread::scope(|scope| {
            for part in numbers.data().chunks(part) {
                scope.spawn(|| black_box(sum(part)));
            }
        });
        start.elapsed().as_secs_f64()
    };
    bytes as f64 / (0..5).map(|_| pass()).fold(f64::INFINITY, f64::min)
}

/// Sums side by side of four ranges that are read at once, so that reading is all that takes time.
fn sum(numbers: &[Float]) -> Float {
    let (rows, rest) = numbers.as_chunks::<LANES>();
    let quarter = rows.len() / 4;
    let mut sums = [[0.0; LANES]; 4];
    for row in 0..quarter {
        for (range, sums) in sums.iter_mut().enumerate() {
            let row = &rows[range * quarter + row];
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
    }
    let rest = rows[4 * quarter..].as_flattened().iter().chain(rest);
    sums.as_flattened().iter().chain(rest).sum()
}

/// Numbers of a cache line.
const LANES: usize = 64 / size_of::<Float>();

/// The processor's name, where the system tells it.
pub fn cpu_name() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("model name"));
    let name = line.map(|line| line.trim_start_matches([' ', '\t', ':']).trim());
    name.filter(|name| !name.is_empty()).unwrap_or(std::env::consts::ARCH).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_summed_once() {
        assert_eq!(sum(&[1.0; 345]), 345.0);
        assert_eq!(sum(&[]), 0.0);
    }

    #[test]
    fn each_number_has_its_median() {
        let roof = |flops_f32, flops_bf16, bytes_per_second| Roofline {
            flops_f32,
            flops_bf16,
            bytes_per_second,
        };
        let measured = [roof(3.0, 1.0, 2.0), roof(1.0, 4.0, 1.0), roof(2.0, 5.0, 9.0)];
        assert_eq!(Roofline::median(&measured), roof(2.0, 4.0, 2.0));
    }

    #[test]
    fn a_machine_does_something() {
        let bytes = read_bandwidth(2, 1 << 20);
        assert!(bytes.is_finite() && bytes > 1e6, "{bytes}");
        assert!(!cpu_name().is_empty());
    }
}
