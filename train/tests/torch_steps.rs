//! Ten steps of `attendant train` against PyTorch's AdamW with clipping, on rows of ids: GPT-2,
//! Llama and T5, one and two micro-batches a step. `fixtures/make_torch_steps.py` makes the golden
//! numbers.

use serde::Deserialize;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use train::training::StepReport;

/// Of losses in nats and of norms, relative where they are above 1.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Golden {
    settings: Settings,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Settings {
    steps: usize,
    batch_size: usize,
    seq_len: usize,
    lr: f64,
    weight_decay: f64,
    clip: f64,
}

#[derive(Deserialize)]
struct Run {
    model: String,
    accumulate: usize,
    losses: Vec<f64>,
    grad_norms: Vec<f64>,
}

fn path(of: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(of)
}

fn steps(settings: &Settings, run: &Run) -> Vec<StepReport> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("run");
    let pairs = run.model.starts_with("t5");
    let (task, rows) = if pairs { ("seq2seq", "pairs") } else { ("language-model", "rows") };
    let mut program = Command::new(env!("CARGO_BIN_EXE_attendant"));
    program.args(["train", "--json", "--no-shuffle", "--schedule", "constant", "--task", task]);
    program.arg("--data").arg(path(&format!("tests/fixtures/torch_steps_{rows}.jsonl")));
    let model = format!("../transformer/tests/fixtures/models/{}", run.model);
    program.arg("--model").arg(path(&model)).arg("--output").arg(&output);
    let mut options = vec![
        ("--steps", settings.steps.to_string()),
        ("--batch-size", settings.batch_size.to_string()),
        ("--accumulate", run.accumulate.to_string()),
        ("--lr", settings.lr.to_string()),
        ("--weight-decay", settings.weight_decay.to_string()),
        ("--clip", settings.clip.to_string()),
    ];
    if !pairs {
        options.push(("--seq-len", settings.seq_len.to_string()));
    }
    options.iter().for_each(|(name, value)| _ = program.args([*name, value]));
    let done = program.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let metrics = fs::read_to_string(output.join("metrics.jsonl")).unwrap();
    metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn losses_and_norms_equal_pytorchs() {
    let golden = fs::read_to_string(path("tests/fixtures/torch_steps.json")).unwrap();
    let golden: Golden = serde_json::from_str(&golden).unwrap();
    assert_eq!(golden.runs.len(), 10);
    for run in &golden.runs {
        assert!(run.grad_norms.iter().any(|&norm| norm > golden.settings.clip));
        let reports = steps(&golden.settings, run);
        assert_eq!(reports.len(), golden.settings.steps);
        let expected = run.losses.iter().zip(&run.grad_norms);
        for (report, (&loss, &norm)) in reports.iter().zip(expected) {
            let what = format!("{} × {}, step {}", run.model, run.accumulate, report.step);
            let off = |is: f64, want: f64| (is - want).abs() / want.max(1.0);
            assert!(off(report.loss, loss) < TOLERANCE, "{what}: {} {loss}", report.loss);
            assert!(off(report.grad_norm, norm) < TOLERANCE, "{what}: {} {norm}", report.grad_norm);
        }
    }
}
