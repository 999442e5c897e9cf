//! How near to the machine's roof a piece of work comes: a line beside criterion's times.

use crate::peers::{Bound, Roofline};
use crate::work::median;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};
use tensor::precision;

/// Measures the machine's roof three times, and shows the medians.
pub fn measured() -> Roofline {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let roof = Roofline::median(&[(); 3].map(|()| Roofline::measure(threads)));
    println!("the roof: {roof}");
    roof
}

/// What the work is repeated for before it is timed: after criterion's sums, which one thread does, the
/// other cores are slow for a while.
const WARM: Duration = Duration::from_millis(500);

/// Runs the work until the machine is warm, then a few times, prints the median beside the roof of the
/// precision that is set, and returns the share.
pub fn share<T>(name: &str, bound: Bound, roof: &Roofline, mut work: impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    while start.elapsed() < WARM {
        black_box(work());
    }
    let seconds = median(&[(); 7].map(|()| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64()
    }));
    let share = roof.least_seconds(bound, precision()) / seconds;
    let speed = match bound {
        Bound::Flops(flops) => format!("{:.0} GFLOP/s", flops / seconds / 1e9),
        Bound::Bytes(bytes) => format!("{:.1} GB/s", bytes / seconds / 1e9),
    };
    println!("{name}: {:.3} ms, {speed}, {:.0} % of the roof", seconds * 1e3, share * 100.0);
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::Precision;

    #[test]
    fn the_share_is_the_time_at_the_roof_over_the_time_taken() {
        let roof = Roofline { flops_f32: 1e9, flops_bf16: 2e9, bytes_per_second: 1e8 };
        let least = |bound, precision| roof.least_seconds(bound, precision);
        assert_eq!(least(Bound::Flops(5e8), Precision::F32), 0.5);
        assert_eq!(least(Bound::Flops(5e8), Precision::Bf16), 0.25);
        assert_eq!(least(Bound::Bytes(5e7), Precision::Bf16), 0.5);
        let sleep = || thread::sleep(Duration::from_millis(10));
        let share = share("a sleep", Bound::Bytes(1e6), &roof, sleep);
        assert!(share > 0.1 && share <= 1.0, "{share}");
    }
}
