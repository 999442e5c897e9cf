//! A progress bar: loss, learning rate, speed, time left. On stderr, where a person sees it; a line
//! now and then where no one does.

use crate::spike::{Spike, SpikeDetector};
use crate::training::StepReport;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// How much one step changes the smoothed loss.
const SMOOTHING: f64 = 0.05;

/// Shows how a run goes, and says so when its loss jumps.
pub struct Progress {
    bar: Option<ProgressBar>,
    steps: usize,
    /// Steps taken before this process began.
    before: usize,
    flops_per_token: Option<f64>,
    peak: Option<f64>,
    smoothed: Option<f64>,
    spikes: SpikeDetector,
    tokens: usize,
    /// Of the steps alone: what is done between them does not make them slower.
    seconds: f64,
    start: Instant,
}

impl Progress {
    /// For a run of `steps` whose next step is `first_step`: 1, or where it goes on.
    ///
    /// `flops_per_token` are the operations a token takes, [`crate::flops::flops_per_token`], and
    /// `peak` those that the machine can do a second, [`crate::flops::peak_flops`]; what is not known
    /// is not shown.
    pub fn new(
        steps: usize,
        first_step: usize,
        flops_per_token: Option<f64>,
        peak: Option<f64>,
    ) -> Progress {
        let before = first_step.saturating_sub(1);
        let style = ProgressStyle::with_template("{bar:16} {pos}/{len} · {wide_msg}");
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = style.expect("a fixed template").progress_chars("━╸─");
            ProgressBar::new(steps as u64).with_style(style).with_position(before as u64)
        });
        Progress {
            bar,
            steps,
            before,
            flops_per_token,
            peak,
            smoothed: None,
            spikes: SpikeDetector::default(),
            tokens: 0,
            seconds: 0.0,
            start: Instant::now(),
        }
    }

    /// Shows a step.
    pub fn step(&mut self, report: &StepReport) {
        let spike = self.count(report);
        let message = self.message(report, self.start.elapsed().as_secs_f64());
        match &self.bar {
            Some(bar) => {
                bar.set_position(report.step as u64);
                bar.set_message(message);
            }
            None if is_tenth(report.step, self.steps) => {
                eprintln!("step {}/{} · {message}", report.step, self.steps);
            }
            None => {}
        }
        if let Some(spike) = spike {
            self.warn(&format!("warning: {spike}"));
        }
    }

    /// Adds a step up.
    fn count(&mut self, report: &StepReport) -> Option<Spike> {
        let before = self.smoothed.unwrap_or(report.loss);
        self.smoothed = Some(before + SMOOTHING * (report.loss - before));
        self.tokens += report.tokens;
        self.seconds += report.seconds;
        self.spikes.step(report.step, report.loss)
    }

    /// What a step is worth telling, where the process runs for `elapsed` seconds.
    fn message(&self, report: &StepReport, elapsed: f64) -> String {
        let done = report.step.saturating_sub(self.before).max(1);
        let left = elapsed / done as f64 * self.steps.saturating_sub(report.step) as f64;
        let tokens_per_second = self.tokens as f64 / self.seconds.max(1e-9);
        let mut message = format!(
            "{} left · loss {:.4}, smoothed {:.4} · lr {:.2e} · gradient {:.3} · {:.0} tokens/s",
            duration(left),
            report.loss,
            self.smoothed.unwrap_or(report.loss),
            report.lr,
            report.grad_norm,
            tokens_per_second,
        );
        if let Some(flops) = self.flops_per_token.map(|flops| flops * tokens_per_second) {
            message += &format!(" · {:.1} GFLOP/s", flops / 1e9);
            if let Some(peak) = self.peak.filter(|&peak| peak > 0.0) {
                message += &format!(", {:.0} % of peak", 100.0 * flops / peak);
            }
        }
        message
    }

    /// Writes a line on stderr, above the bar.
    pub fn warn(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
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

/// Whether another tenth of the steps is done.
fn is_tenth(step: usize, steps: usize) -> bool {
    step * 10 / steps != (step - 1) * 10 / steps
}

/// Seconds as people write them: 42 s, 3 min 5 s, 2 h 7 min, 3 d 4 h.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(step: usize, loss: f64) -> StepReport {
        StepReport {
            step,
            loss,
            lr: 3e-4,
            grad_norm: 1.25,
            tokens: 100,
            seconds: 0.5,
            valid_loss: None,
        }
    }

    #[test]
    fn a_step_by_hand() {
        let mut progress = Progress::new(10, 1, Some(2e8), Some(1e11));
        progress.count(&report(1, 4.0));
        progress.count(&report(2, 2.0));
        // 3 s for 2 of 10 steps; 200 tokens in 1 s.
        assert_eq!(
            progress.message(&report(2, 2.0), 3.0),
            "12 s left · loss 2.0000, smoothed 3.9000 · lr 3.00e-4 · gradient 1.250 · 200 tokens/s \
             · 40.0 GFLOP/s, 40 % of peak"
        );
        assert!((progress.smoothed_loss().unwrap() - 3.9).abs() < 1e-12);
    }

    #[test]
    fn steps_before_this_process_do_not_count() {
        let mut progress = Progress::new(100, 91, None, Some(1e11));
        progress.count(&report(91, 2.0));
        assert_eq!(
            progress.message(&report(91, 2.0), 1.0),
            "9 s left · loss 2.0000, smoothed 2.0000 · lr 3.00e-4 · gradient 1.250 · 200 tokens/s"
        );
    }

    #[test]
    fn a_jump_is_found() {
        let mut progress = Progress::new(100, 1, None, None);
        let mut found = (1..=50).filter_map(|step| {
            let loss = if step == 40 { 30.0 } else { 3.0 };
            progress.count(&report(step, loss)).map(|spike| spike.step)
        });
        assert_eq!((found.next(), found.next()), (Some(40), None));
    }

    #[test]
    fn ten_lines_at_most() {
        for steps in [1, 3, 10, 25, 1000] {
            let told = (1..=steps).filter(|&step| is_tenth(step, steps)).count();
            assert_eq!(told, steps.min(10));
            assert!(is_tenth(steps, steps));
        }
    }

    #[test]
    fn durations() {
        let written = [0.4, 59.6, 185.0, 7620.0, 273_600.0, -1.0].map(duration);
        assert_eq!(written, ["0 s", "1 min 0 s", "3 min 5 s", "2 h 7 min", "3 d 4 h", "0 s"]);
    }
}
