//! A progress bar: loss, tokens a second, time left. On stderr, where a person sees it; a line now
//! and then where no one does.

use crate::training::StepReport;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// How much one step changes the smoothed loss.
const SMOOTHING: f64 = 0.05;

/// Shows how a run goes.
pub struct Progress {
    bar: Option<ProgressBar>,
    steps: usize,
    smoothed: Option<f64>,
    tokens: usize,
    start: Instant,
}

impl Progress {
    /// For a run of `steps`.
    pub fn new(steps: usize) -> Progress {
        let style =
            ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} · {elapsed} gone, {eta} left");
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = style.expect("a fixed template").progress_chars("━╸─");
            ProgressBar::new(steps as u64).with_style(style)
        });
        Progress { bar, steps, smoothed: None, tokens: 0, start: Instant::now() }
    }

    /// Shows a step.
    pub fn step(&mut self, report: &StepReport) {
        let before = self.smoothed.unwrap_or(report.loss);
        let smoothed = before + SMOOTHING * (report.loss - before);
        self.smoothed = Some(smoothed);
        self.tokens += report.tokens;
        let elapsed = self.start.elapsed().as_secs_f64();
        let speed = self.tokens as f64 / elapsed;
        let message = format!("loss {smoothed:.4} · {speed:.0} tokens/s");
        match &self.bar {
            Some(bar) => {
                bar.set_position(report.step as u64);
                bar.set_message(message);
            }
            None if self.is_tenth(report.step) => {
                let left = elapsed / report.step as f64 * (self.steps - report.step) as f64;
                eprintln!("step {}/{} · {message} · {left:.0} s left", report.step, self.steps);
            }
            None => {}
        }
    }

    fn is_tenth(&self, step: usize) -> bool {
        step * 10 / self.steps != (step - 1) * 10 / self.steps
    }

    /// The loss, smoothed over the last steps.
    pub fn smoothed_loss(&self) -> Option<f64> {
        self.smoothed
    }

    /// Leaves the last state on the screen.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}
