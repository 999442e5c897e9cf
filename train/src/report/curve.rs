//! Many points as one line of few.

use super::axis::Axis;
use std::fmt::Write;

/// Columns that a curve is thinned to: about one for each pixel of a small screen.
const COLUMNS: usize = 400;

/// A point of a curve: a step and its number.
pub(super) type Point = (usize, f64);

/// The points that matter to the eye: of each column of the chart the lowest and the highest, in
/// the order in which they come. Numbers that are not finite are left out.
pub(super) fn thinned(points: &[Point]) -> Vec<Point> {
    let finite: Vec<Point> = points.iter().copied().filter(|(_, y)| y.is_finite()).collect();
    let (Some(first), Some(last)) = (finite.first(), finite.last()) else { return finite };
    if finite.len() <= 2 * COLUMNS {
        return finite;
    }
    let span = (last.0 - first.0).max(1);
    let column = |point: &Point| (point.0 - first.0) * COLUMNS / (span + 1);
    let mut kept = Vec::with_capacity(2 * COLUMNS);
    for points in finite.chunk_by(|a, b| column(a) == column(b)) {
        let by_value = |a: &&Point, b: &&Point| a.1.total_cmp(&b.1);
        let low = points.iter().min_by(by_value).expect("a chunk is not empty");
        let high = points.iter().max_by(by_value).expect("a chunk is not empty");
        kept.extend(if low.0 <= high.0 { [*low, *high] } else { [*high, *low] });
    }
    kept.dedup();
    kept
}

/// The exponential average of the points, and about how many steps it goes over: more in long runs.
///
/// ```math
/// s_t = \frac{\sum_{i \le t} (1 - \alpha)^{t-i} x_i}{\sum_{i \le t} (1 - \alpha)^{t-i}},\qquad
/// \alpha = \min(0.05, \max(0.002, 40 / n))
/// ```
pub(super) fn smoothed(points: &[Point]) -> (Vec<Point>, usize) {
    let alpha = (40.0 / points.len().max(1) as f64).clamp(0.002, 0.05);
    let (mut sum, mut weight) = (0.0, 0.0);
    let finite = points.iter().filter(|(_, y)| y.is_finite());
    let average = finite.map(|&(step, y)| {
        sum = (1.0 - alpha) * sum + y;
        weight = (1.0 - alpha) * weight + 1.0;
        (step, sum / weight)
    });
    (average.collect(), (1.0 / alpha).round() as usize)
}

/// SVG's path through the points.
pub(super) fn path(points: &[Point], x: &Axis, y: &Axis) -> String {
    let mut path = String::new();
    for &(step, value) in points {
        if let (Some(x), Some(y)) = (x.x(step as f64), y.y(value)) {
            let command = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{command}{x} {y}");
        }
    }
    path
}

/// SVG's path of a dot at each point: lines of no length, which round ends make visible.
pub(super) fn dots(points: &[Point], x: &Axis, y: &Axis) -> String {
    let mut path = String::new();
    for &(step, value) in points {
        if let (Some(x), Some(y)) = (x.x(step as f64), y.y(value)) {
            let _ = write!(path, "M{x} {y}h0");
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_points_stay() {
        let points = [(1, 2.0), (2, f64::NAN), (3, 1.0)];
        assert_eq!(thinned(&points), [(1, 2.0), (3, 1.0)]);
        assert_eq!(thinned(&[]), []);
    }

    #[test]
    fn lowest_and_highest_of_each_column_stay() {
        let mut points: Vec<Point> = (1..=100_000).map(|i| (i, (i % 7) as f64)).collect();
        points[33_333].1 = -50.0;
        points[77_777].1 = 99.0;
        let kept = thinned(&points);
        assert!(kept.len() <= 2 * COLUMNS + 2, "{}", kept.len());
        assert!(kept.contains(&(33_334, -50.0)) && kept.contains(&(77_778, 99.0)));
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn averages_by_hand() {
        let (average, steps) = smoothed(&[(1, 2.0), (2, 4.0)]);
        assert_eq!((average[0], steps), ((1, 2.0), 20));
        assert!((average[1].1 - (0.95 * 2.0 + 4.0) / 1.95).abs() < 1e-12);
        let (long, steps) = smoothed(&(1..=50_000).map(|i| (i, 3.0)).collect::<Vec<_>>());
        assert_eq!((long.len(), steps), (50_000, 500));
        assert!(long.iter().all(|(_, y)| (y - 3.0).abs() < 1e-9));
    }

    #[test]
    fn paths_by_hand() {
        let axis = Axis::over([0.0, 10.0].into_iter());
        let points = [(0, 0.0), (5, 10.0), (7, 20.0), (10, 2.5)];
        assert_eq!(path(&points, &axis, &axis), "M0 1000L500 0L1000 750");
        assert_eq!(dots(&points[..2], &axis, &axis), "M0 1000h0M500 0h0");
    }
}
