//! The most that the matrix product could reach: multiplications and additions in registers alone.

use super::kernel::kernel;
use crate::{Float, precision};
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;

/// Seconds that a measurement takes at least, and how often it is repeated.
const SECONDS: f64 = 0.01;
const REPEATS: usize = 5;

/// Floating-point operations a second that all threads together can do in the products of this
/// scope's precision, measured in 0.1 seconds. No memory is read: the matrix product stays below.
///
/// ```
/// assert!(tensor::peak_flops() > 1e6);
/// ```
pub fn peak_flops() -> f64 {
    let (run, flops): (Registers, usize) = match kernel(precision()) {
        Some(kernel) => (kernel.registers, 2 * kernel.lanes * kernel.depth),
        None => (portable, 2 * PORTABLE),
    };
    let threads = rayon::current_num_threads();
    let seconds = |rounds: usize| {
        let start = Instant::now();
        // SAFETY: the kernel was found to run on this CPU.
        (0..threads).into_par_iter().with_max_len(1).for_each(|_| unsafe {
            black_box(run(black_box(rounds)));
        });
        start.elapsed().as_secs_f64()
    };
    let mut rounds = 1 << 10;
    while seconds(rounds) < SECONDS {
        rounds *= 2;
    }
    let best = (0..REPEATS).map(|_| seconds(rounds)).fold(f64::INFINITY, f64::min);
    (threads * rounds * CHAINS * flops) as f64 / best
}

/// Runs so many rounds of [`CHAINS`] multiply-adds of a register.
pub(super) type Registers = unsafe fn(rounds: usize) -> Float;

/// Registers of sums: as many multiply-adds are under way at a time in any CPU.
pub(super) const CHAINS: usize = 12;

/// Numbers that the portable loop multiplies at a time.
const PORTABLE: usize = 16 / size_of::<Float>();

fn portable(rounds: usize) -> Float {
    let (a, b) = black_box((0.999, [1e-3; PORTABLE]));
    let mut sums = [[0.0; PORTABLE]; CHAINS];
    for _ in 0..rounds {
        for sums in &mut sums {
            for (sum, b) in sums.iter_mut().zip(&b) {
                *sum = a * *sum + b;
            }
        }
    }
    sums.as_flattened().iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Precision, Tensor, with_precision};

    #[test]
    fn more_than_a_product_reaches() {
        for precision in [Precision::F32, Precision::Bf16] {
            with_precision(precision, || {
                let peak = peak_flops();
                assert!(peak.is_finite());
                let x = Tensor::ones(&[64, 64]);
                let start = Instant::now();
                black_box(x.matmul(&x));
                // Other tests run beside this one, and a portable product may have better kernels.
                let reached = 2.0 * 64f64.powi(3) / start.elapsed().as_secs_f64();
                assert!(reached < 16.0 * peak, "{reached} {peak}");
            });
        }
    }
}
