use super::evaluation::EVALUATION;
use super::*;
use crate::histogram::{Histogram, HistogramLine, Kind};
use crate::samples::Sample;
use serde_json::json;

fn step(step: usize) -> String {
    let loss = 2.0 + 8.0 / (1.0 + step as f64 / 50.0);
    let valid_loss = step.is_multiple_of(50).then_some(loss + 0.2);
    let mut line = json!({
        "step": step, "loss": loss, "lr": 1e-3, "grad_norm": loss / 4.0, "tokens": 2048,
        "seconds": 0.5,
    });
    if let Some(loss) = valid_loss {
        line["valid_loss"] = loss.into();
    }
    line.to_string() + "\n"
}

/// The report of a folder with these files.
fn report(files: &[(&str, String)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    write(folder.path()).unwrap();
    fs::read_to_string(folder.path().join("report.html")).unwrap()
}

fn sample(step: usize, text: &str) -> String {
    let sample = Sample {
        step,
        prompt: "name: lamp".into(),
        text: text.into(),
        target: Some("A lamp.".into()),
    };
    serde_json::to_string(&sample).unwrap() + "\n"
}

#[test]
fn every_part_is_there() {
    let histogram = |step, kind| {
        let counts = vec![1, 5, 1];
        let histogram = Histogram { low: -0.5, high: 0.5, counts, non_finite: 0 };
        serde_json::to_string(&HistogramLine { step, name: "h.0".into(), kind, histogram }).unwrap()
            + "\n"
    };
    let html = report(&[
        ("metrics.jsonl", (1..=300).map(step).collect()),
        ("samples.jsonl", sample(50, "first words") + &sample(300, "last words")),
        ("histograms.jsonl", histogram(50, Kind::Weights) + &histogram(300, Kind::Gradients)),
        ("run.toml", "steps = 300\n".into()),
        (
            "result.json",
            json!({
                "steps": 300, "tokens": 614400, "train_loss": 3.142857, "valid_loss": 3.342857,
                "seconds": 150.0, "tokens_per_second": 4096.0, "peak_rss_bytes": 1_234_000_000u64,
                "weights_sha256": "00ff",
            })
            .to_string(),
        ),
    ]);
    for part in [
        "A finished run.",
        ">3.1429<",
        ">3.3429<",
        ">614,400<",
        ">4,096<",
        ">2 min 30 s<",
        ">1.23 GB<",
        "00ff",
        "nats a token",
        "on rows held back",
        "Learning rate",
        "Gradient norm",
        "tokens a second",
        "first words",
        "last words",
        "A lamp.",
        "h.<wbr>0",
        "Weights (1)",
        "Gradients (1)",
        "steps = 300",
        "attendant",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn nothing_is_fetched_and_nothing_runs() {
    let html = report(&[("metrics.jsonl", (1..=9).map(step).collect())]);
    for part in ["http", "<script", "@import", "url(", "<img", "<iframe"] {
        assert!(!html.contains(part), "{part}");
    }
}

#[test]
fn texts_are_escaped() {
    let bad = "<script>alert(\"1\")</script>&";
    let name = json!({
        "step": 1, "name": bad, "kind": "weights", "low": 0, "high": 1, "counts": [1, 1],
    });
    let html = report(&[
        ("samples.jsonl", sample(1, bad)),
        ("run.toml", format!("output = '{bad}'")),
        ("histograms.jsonl", name.to_string()),
        ("result.json", json!({ "weights_sha256": bad }).to_string()),
    ]);
    assert!(!html.contains("<script"));
    assert!(html.matches("&lt;script&gt;alert(&quot;1&quot;)").count() >= 4, "{html}");
}

#[test]
fn an_empty_folder_and_an_unfinished_run() {
    let html = report(&[]);
    assert!(html.contains("No step was written down."), "{html}");
    let html = report(&[("metrics.jsonl", step(1) + &step(2) + "{\"step\":3,\"lo")]);
    assert!(html.contains("This run is not finished"));
    assert!(html.contains("Numbers of 2 steps"));
}

#[test]
fn numbers_that_are_not() {
    let line = r#"{"step":2,"loss":null,"lr":0.0,"grad_norm":null,"tokens":0,"seconds":0.0}"#;
    let html = report(&[("metrics.jsonl", step(1) + line + "\n" + &step(3))]);
    assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
}

#[test]
fn a_long_run_gives_a_small_file() {
    let html = report(&[("metrics.jsonl", (1..=100_000).map(step).collect())]);
    assert!(html.contains(">204,800,000<"));
    assert!(html.len() < 120_000, "{}", html.len());
}

#[test]
fn a_broken_line_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("metrics.jsonl"), step(1) + "{}\n").unwrap();
    let error = write(folder.path()).unwrap_err().to_string();
    assert!(error.contains("metrics.jsonl, line 2: missing field `step`"), "{error}");
}

fn evaluation() -> Evaluation {
    let figure = |value: f64| json!({ "value": value, "ci95": [value - 0.1, value + 0.1] });
    let mut baseline = figure(0.5);
    baseline["difference"] = json!({ "value": 0.3, "ci95": [0.2, 0.4] });
    let result = json!({
        "accuracy": figure(0.8),
        "categories": { "rugs": { "rows": 4, "accuracy": figure(0.75) } },
        "confusion": { "labels": ["bad", "good"], "counts": [[3, 1], [0, 6]] },
        "calibration": {
            "ece": 0.0625, "brier": 0.25,
            "bins": [{ "count": 10, "confidence": 0.75, "accuracy": 0.5 }],
        },
        "baselines": { "majority": { "accuracy": baseline } },
    });
    let shown = Shown {
        line: 7,
        given: vec![("so <b>".into(), 0.5), ("soft".into(), -1.0)],
        wanted: "good".into(),
        written: "bad".into(),
        score_name: "probability".into(),
        score: 0.875,
    };
    Evaluation {
        task: "classify".into(),
        command: "attendant evaluate --task classify".into(),
        data: "test.jsonl".into(),
        train: Some("train.jsonl".into()),
        rows: 10,
        rows_in_train: Some(2),
        result: result.as_object().unwrap().clone(),
        groups: vec![Group { title: "Told wrong".into(), rows: vec![shown] }],
    }
}

#[test]
fn an_evaluation_is_shown_beside_the_baselines() {
    let evaluation = serde_json::to_string(&evaluation()).unwrap();
    let html = report(&[(EVALUATION, evaluation), ("metrics.jsonl", (1..=9).map(step).collect())]);
    for part in [
        "10 rows of test.jsonl, 2 of which stand in the training rows too",
        "0.800",
        "▲",
        "majority",
        "0.700 to 0.900",
        "expected calibration error 0.062",
        "Brier score 0.250",
        "rugs",
        "Reliability",
        "confidence",
        "Told wrong",
        "line 7",
        "probability 0.875",
        "attendant evaluate --task classify",
        "&lt;b&gt;",
        "Blue words speak for",
        "Loss",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains("<b>"));
}

#[test]
fn many_classes_are_told_by_what_is_mixed_up() {
    let mut evaluation = evaluation();
    let labels: Vec<String> = (0..20).map(|class| format!("class-{class}")).collect();
    let mut counts = vec![vec![0; 20]; 20];
    counts[3][5] = 4;
    evaluation.result["confusion"] = json!({ "labels": labels, "counts": counts });
    let html = report(&[(EVALUATION, serde_json::to_string(&evaluation).unwrap())]);
    assert!(html.contains("Mixed up most") && html.contains("class-5"));
    assert!(!html.contains("class-7"), "only what was mixed up is named");
}

#[test]
fn a_card_tells_purpose_recipe_scores_and_limits_and_leaves_anothers_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("run.toml"), "# a comment\ntask = \"classify\"\nmodel = \"base\"\nlr = 0.1\n")
        .unwrap();
    evaluation().write(folder.path()).unwrap();
    write(folder.path()).unwrap();
    let card = fs::read_to_string(path("README.md")).unwrap();
    for part in [
        "pipeline_tag: text-classification",
        "Tells the class of a text.",
        "`base`",
        "lr = 0.1",
        "| accuracy | **0.800** [0.700 to 0.900] | ▲ 0.500 [0.400 to 0.600] |",
        "weakest on `rugs`",
        "off by 0.062",
    ] {
        assert!(card.contains(part), "{part}: {card}");
    }
    assert!(!card.contains("a comment"));
    fs::write(path("README.md"), "mine").unwrap();
    write(folder.path()).unwrap();
    assert_eq!(fs::read_to_string(path("README.md")).unwrap(), "mine");
}
