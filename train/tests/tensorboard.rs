//! The real `tensorboard` package reads what a run that was killed and went on wrote.

use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::Command;
use tensor::Rng;
use train::histogram::{Histogram, HistogramLine, Kind};
use train::samples::Sample;
use train::tensorboard::EventWriter;
use train::training::StepReport;

fn report(step: usize) -> StepReport {
    let loss = 5.0 / (step as f64).sqrt();
    StepReport {
        step,
        loss,
        lr: 1e-3 / step as f64,
        grad_norm: loss * 0.3,
        tokens: 64,
        seconds: 0.125,
        valid_loss: step.is_multiple_of(4).then_some(loss + 0.1),
    }
}

fn histogram(step: usize, kind: Kind) -> HistogramLine {
    let numbers = Rng::seeded(step as u64).normal(&[100, 30], 0.02);
    HistogramLine { step, name: "h.0.attn.weight".into(), kind, histogram: Histogram::of(&numbers) }
}

fn sample(step: usize, target: Option<&str>) -> Sample {
    Sample {
        step,
        prompt: "name: Cactus <Knot>\ncategory: rugs".into(),
        text: format!("A *soft* rug — {step} cm"),
        target: target.map(String::from),
    }
}

/// Writes steps to the events and, where they count, to the files of the run.
fn steps(folder: &Path, steps: std::ops::RangeInclusive<usize>, count: bool) -> EventWriter {
    let mut events = EventWriter::create(folder, *steps.start()).unwrap();
    let mut files = [String::new(), String::new(), String::new()];
    for step in steps {
        // What a killed run wrote must not be taken for what counts.
        let report = StepReport { loss: report(step).loss + f64::from(!count), ..report(step) };
        events.step(&report).unwrap();
        files[0] += &(serde_json::to_string(&report).unwrap() + "\n");
        if step % 4 == 0 {
            for kind in [Kind::Weights, Kind::Gradients] {
                let line = histogram(step, kind);
                events.histogram(step, &line.tag(), &line.histogram).unwrap();
                files[1] += &(serde_json::to_string(&line).unwrap() + "\n");
            }
            for (index, target) in [Some("A soft rug."), None].into_iter().enumerate() {
                let sample = sample(step, target);
                events.sample(index + 1, &sample).unwrap();
                files[2] += &(serde_json::to_string(&sample).unwrap() + "\n");
            }
        }
    }
    events.flush().unwrap();
    if count {
        for (name, lines) in ["metrics", "histograms", "samples"].iter().zip(files) {
            let path = folder.join(format!("{name}.jsonl"));
            let before = fs::read_to_string(&path).unwrap_or_default();
            fs::write(path, before + &lines).unwrap();
        }
    }
    events
}

#[test]
fn tensorboard_reads_a_run_that_was_killed_and_went_on() {
    let Some(python) = std::env::var_os("ATTENDANT_PYTHON") else {
        eprintln!("skipped: ATTENDANT_PYTHON names no Python with benches/reference's packages");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    steps(folder.path(), 1..=6, true);
    // Steps 7 to 9 come after the checkpoint; the last record is cut short.
    let killed = steps(folder.path(), 7..=9, false);
    let file = OpenOptions::new().write(true).open(killed.path()).unwrap();
    file.set_len(file.metadata().unwrap().len() - 5).unwrap();
    steps(folder.path(), 7..=12, true);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_events.py");
    let check = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success(), "{said}{}", String::from_utf8_lossy(&check.stderr));
    // 4 scalars of 12 steps; the loss on rows held back, 2 histograms and 2 texts of 3 steps.
    assert_eq!(said.trim(), "TensorBoard reads 63 values that are the run's own");
}
