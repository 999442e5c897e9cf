//! Histograms over time: between which numbers a tenth, a half, all of a tensor's numbers lie.

use super::axis::{Axis, Tick};
use crate::histogram::{Histogram, HistogramLine, Kind};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Moments of one tensor that are shown.
const MOMENTS: usize = 24;

/// The lower and upper share of each band, and the middle.
const BANDS: [(&str, f64, f64); 3] =
    [("all", 0.0, 1.0), ("most", 0.05, 0.95), ("half", 0.25, 0.75)];

/// The histograms of weights or of gradients.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Group {
    pub title: &'static str,
    pub charts: Vec<Spread>,
}

/// A tensor's numbers over time.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Spread {
    pub name: String,
    pub description: String,
    pub bands: Vec<Band>,
    pub x_ticks: Vec<Tick>,
    pub y_ticks: Vec<Tick>,
    /// Numbers that were infinite or NaN at the last moment.
    pub non_finite: u64,
}

/// A shape of a chart.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Band {
    pub style: &'static str,
    pub path: String,
}

/// Weights, then gradients, in the order in which the run named them.
pub(super) fn groups(lines: &[HistogramLine]) -> Vec<Group> {
    let kinds = [(Kind::Weights, "Weights"), (Kind::Gradients, "Gradients")];
    let group = |(kind, title)| Group { title, charts: spreads(lines, kind) };
    kinds.into_iter().map(group).filter(|group| !group.charts.is_empty()).collect()
}

fn spreads(lines: &[HistogramLine], kind: Kind) -> Vec<Spread> {
    let mut names = Vec::new();
    let mut of_name: BTreeMap<&str, Vec<&HistogramLine>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.kind == kind) {
        let found = of_name.entry(&line.name).or_insert_with(|| {
            names.push(&line.name[..]);
            Vec::new()
        });
        found.push(line);
    }
    names.into_iter().map(|name| spread(name, &evenly(&of_name[name], MOMENTS))).collect()
}

/// At most `count` of them at even distances, the first and the last among them.
pub(super) fn evenly<T: Clone>(all: &[T], count: usize) -> Vec<T> {
    if all.len() <= count {
        return all.to_vec();
    }
    let at = |i: usize| all[i * (all.len() - 1) / (count - 1)].clone();
    (0..count).map(at).collect()
}

fn spread(name: &str, moments: &[&HistogramLine]) -> Spread {
    let non_finite = moments.last().map_or(0, |line| line.histogram.non_finite);
    let moments: Vec<&&HistogramLine> =
        moments.iter().filter(|line| line.histogram.total() > 0).collect();
    let x = Axis::over(moments.iter().map(|line| line.step as f64));
    let ends = moments.iter().flat_map(|line| [line.histogram.low, line.histogram.high]);
    let y = Axis::over(ends).with_room();
    let at = |share: f64| -> Vec<(i32, i32)> {
        let point = |line: &&&HistogramLine| {
            Some((x.x(line.step as f64)?, y.y(quantile(&line.histogram, share))?))
        };
        moments.iter().filter_map(point).collect()
    };
    let band = |(style, low, high): (&'static str, f64, f64)| {
        let back = at(low).into_iter().rev();
        Band { style, path: through(at(high).into_iter().chain(back)) + "Z" }
    };
    let mut bands: Vec<Band> = BANDS.into_iter().map(band).collect();
    bands.push(Band { style: "middle", path: through(at(0.5).into_iter()) });
    let last = moments.last().map(|line| &line.histogram);
    let (low, high) = last.map_or((0.0, 0.0), |histogram| (histogram.low, histogram.high));
    Spread {
        name: name.into(),
        description: format!("{name}: from {low:.3e} to {high:.3e} at the end"),
        bands,
        x_ticks: x.ticks(3).into_iter().filter(|tick| !tick.text.contains('.')).collect(),
        y_ticks: y.ticks(5),
        non_finite,
    }
}

/// A path; where there is one moment only it is drawn over the whole width.
fn through(points: impl Iterator<Item = (i32, i32)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let command = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{command}{x} {y}");
    }
    path
}

/// The number below which a share of the numbers lies, taken as even within a bin.
fn quantile(histogram: &Histogram, share: f64) -> f64 {
    let wanted = share * histogram.total() as f64;
    let (mut below, mut lower) = (0.0, histogram.low);
    if share <= 0.0 {
        return lower;
    }
    for (upper, &count) in histogram.edges().zip(&histogram.counts) {
        let with = below + count as f64;
        if with >= wanted && count > 0 {
            return lower + (upper - lower) * (wanted - below) / count as f64;
        }
        (below, lower) = (with, upper);
    }
    histogram.high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_hand() {
        let histogram = Histogram { low: 0.0, high: 4.0, counts: vec![1, 2, 0, 1], non_finite: 0 };
        let at = [0.0, 0.25, 0.5, 0.75, 0.875, 1.0].map(|share| quantile(&histogram, share));
        assert_eq!(at, [0.0, 1.0, 1.5, 2.0, 3.5, 4.0]);
        let same = Histogram { low: 2.0, high: 2.0, counts: vec![5], non_finite: 0 };
        assert_eq!(quantile(&same, 0.5), 2.0);
        assert_eq!(quantile(&Histogram::default(), 0.5), 0.0);
    }

    #[test]
    fn the_first_and_the_last_stay() {
        let all: Vec<usize> = (0..100).collect();
        assert_eq!(evenly(&all, 4), [0, 33, 66, 99]);
        assert_eq!(evenly(&all[..3], 4), [0, 1, 2]);
    }

    #[test]
    fn tensors_keep_their_order_and_kinds_stand_apart() {
        let line = |step, name: &str, kind| HistogramLine {
            step,
            name: name.into(),
            kind,
            histogram: Histogram { low: 0.0, high: 1.0, counts: vec![1, 1], non_finite: 3 },
        };
        let lines = [
            line(1, "w", Kind::Gradients),
            line(1, "w", Kind::Weights),
            line(1, "b", Kind::Weights),
            line(2, "w", Kind::Weights),
        ];
        let groups = groups(&lines);
        let titles: Vec<&str> = groups.iter().map(|group| group.title).collect();
        assert_eq!(titles, ["Weights", "Gradients"]);
        let names: Vec<&str> = groups[0].charts.iter().map(|chart| &chart.name[..]).collect();
        assert_eq!(names, ["w", "b"]);
        assert_eq!((groups[0].charts[0].bands.len(), groups[0].charts[0].non_finite), (4, 3));
        assert!(groups[0].charts[0].bands[0].path.ends_with('Z'));
    }
}
