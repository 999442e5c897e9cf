//! The charts of a run: each curve, its axes and its legend.

use super::axis::{Axis, Tick};
use super::curve::{Point, dots, path, smoothed, thinned};
use super::run::{Run, Step};
use serde::Serialize;

/// A chart as the template draws it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Chart {
    pub title: String,
    /// Of the numbers from bottom to top.
    pub unit: String,
    /// Of the numbers from left to right.
    pub x_name: &'static str,
    /// What is seen, for those who do not see it.
    pub description: String,
    pub lines: Vec<Line>,
    pub x_ticks: Vec<Tick>,
    pub y_ticks: Vec<Tick>,
}

/// A curve of a chart.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    /// How it is drawn: `raw`, `smooth`, `valid` or `dots`.
    pub style: &'static str,
    pub path: String,
    /// Its name in the legend; one without belongs to the line before.
    pub name: Option<String>,
}

/// Which scale a chart has from bottom to top.
#[derive(Clone, Copy, PartialEq)]
enum Scale {
    Tight,
    FromZero,
}

/// What is told of a chart.
struct Plan {
    title: &'static str,
    unit: &'static str,
    scale: Scale,
    is_smoothed: bool,
}

/// The charts that the run has numbers for.
pub(super) fn charts(run: &Run) -> Vec<Chart> {
    let plan = |title, unit, scale, is_smoothed| Plan { title, unit, scale, is_smoothed };
    let of = |plan: Plan, value: fn(&Step) -> Option<f64>, valid: fn(&Step) -> Option<f64>| {
        chart(&plan, &points(run, value), &points(run, valid))
    };
    let none = |_: &Step| None;
    let charts = [
        of(plan("Loss", "nats a token", Scale::Tight, true), |s| s.loss, |s| s.valid_loss),
        of(plan("Learning rate", "of each step", Scale::FromZero, false), |s| s.lr, none),
        of(plan("Gradient norm", "before clipping", Scale::Tight, true), |s| s.grad_norm, none),
        of(plan("Speed", "tokens a second", Scale::FromZero, true), Step::tokens_per_second, none),
    ];
    charts.into_iter().flatten().collect()
}

fn points(run: &Run, value: fn(&Step) -> Option<f64>) -> Vec<Point> {
    let points = run.steps.iter().filter_map(|step| value(step).map(|y| (step.step, y)));
    points.filter(|(_, y)| y.is_finite()).collect()
}

fn chart(plan: &Plan, raw: &[Point], valid: &[Point]) -> Option<Chart> {
    let (first, last) = (raw.first()?, raw.last()?);
    let both = || raw.iter().chain(valid);
    let x = Axis::over(both().map(|point| point.0 as f64));
    let y = Axis::over(both().map(|point| point.1));
    let y = match plan.scale {
        Scale::Tight => y.logarithmic_if_wide(),
        Scale::FromZero => y.starting_at_zero(),
    }
    .with_room();
    let line = |style, points: &[Point], name: Option<String>| Line {
        style,
        path: path(&thinned(points), &x, &y),
        name,
    };
    let mut lines = Vec::new();
    if plan.is_smoothed && raw.len() > 2 {
        let (average, steps) = smoothed(raw);
        lines.push(line("raw", raw, Some("each step".into())));
        lines.push(line("smooth", &average, Some(format!("smoothed over about {steps} steps"))));
    } else {
        lines.push(line("smooth", raw, Some("each step".into())));
    }
    if raw.len() == 1 {
        lines.push(Line { style: "dots", path: dots(raw, &x, &y), name: None });
    }
    if !valid.is_empty() {
        lines.push(line("valid", valid, Some("on rows held back".into())));
        let dots = dots(&thinned(valid), &x, &y);
        lines.push(Line { style: "valid dots", path: dots, name: None });
    }
    let scale = if y.is_logarithmic { ", logarithmic" } else { "" };
    let description = format!(
        "{}: {:.4e} at step {}, {:.4e} at step {}",
        plan.title, first.1, first.0, last.1, last.0
    );
    Some(Chart {
        title: plan.title.into(),
        unit: format!("{}{scale}", plan.unit),
        x_name: "step",
        description,
        lines,
        x_ticks: x.ticks(4).into_iter().filter(|tick| !tick.text.contains('.')).collect(),
        y_ticks: y.ticks(5),
    })
}
