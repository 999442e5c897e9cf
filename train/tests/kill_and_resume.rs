//! A run that is killed, ended by a signal, or stopped by a full disk, and gone on with, is to the
//! bit the run that nothing happened to.
//!
//! `ATTENDANT_KILLS=30 cargo test -p attendant-train --test kill_and_resume` kills 30 times a
//! number of threads; without it 4 times.
#![cfg(target_os = "linux")]

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tensor::Rng;

const STEPS: usize = 40;

/// What all runs learn, and the run that nothing happened to.
struct Reference {
    folder: tempfile::TempDir,
    files: BTreeMap<PathBuf, String>,
    duration: Duration,
}

/// The same for all tests: made once.
fn reference() -> &'static Reference {
    static REFERENCE: OnceLock<Reference> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let row = |i: usize| {
            let ids: Vec<String> =
                (0..17).map(|t| ((i * i + t * (i % 5 + 1)) % 61).to_string()).collect();
            format!("{{\"ids\":[{}]}}\n", ids.join(","))
        };
        fs::write(folder.path().join("rows.jsonl"), (0..50).map(row).collect::<String>()).unwrap();
        fs::write(folder.path().join("valid.jsonl"), (50..58).map(row).collect::<String>())
            .unwrap();
        let mut reference = Reference { folder, files: BTreeMap::new(), duration: Duration::ZERO };
        let start = Instant::now();
        let output = reference.path("whole");
        let ended = reference.command(&output, 1, false).output().unwrap();
        assert!(ended.status.success(), "{}", stderr(&ended));
        reference.duration = start.elapsed();
        reference.files = contents(&output);
        reference
    })
}

impl Reference {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All that a run remembers takes part: momenta, an average of the weights, dropout, shuffled
    /// epochs, several micro-batches, a schedule, the best model of several measurements.
    fn arguments(&self, output: &Path, threads: usize, resume: bool) -> Vec<String> {
        let [data, valid, output] = [&self.path("rows.jsonl"), &self.path("valid.jsonl"), output]
            .map(|path| path.display().to_string());
        let steps = STEPS.to_string();
        let threads = threads.to_string();
        let mut arguments = vec![
            "train",
            "--json",
            "--task",
            "language-model",
            "--data",
            &data,
            "--valid",
            &valid,
            "--model",
            "tiny",
            "--n-layers",
            "2",
            "--d-model",
            "48",
            "--n-heads",
            "4",
            "--vocab-size",
            "61",
            "--seq-len",
            "16",
            "--batch-size",
            "4",
            "--accumulate",
            "2",
            "--steps",
            &steps,
            "--lr",
            "2e-2",
            "--warmup",
            "5",
            "--schedule",
            "cosine",
            "--weight-decay",
            "0.1",
            "--clip",
            "1",
            "--dropout",
            "0.1",
            "--ema",
            "0.9",
            "--evaluate-every",
            "5",
            "--best",
            "--checkpoint-every",
            "3",
            "--keep",
            "2",
            "--threads",
            &threads,
            "--output",
            &output,
        ];
        if resume {
            arguments.push("--resume");
        }
        arguments.into_iter().map(str::to_string).collect()
    }

    fn command(&self, output: &Path, threads: usize, resume: bool) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attendant"));
        command.args(self.arguments(output, threads, resume));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Goes on to the end, and holds all that the run left against the reference.
    #[track_caller]
    fn finish(&self, output: &Path, threads: usize) {
        let ended = self.command(output, threads, true).output().unwrap();
        assert!(ended.status.success(), "{}", stderr(&ended));
        let found = contents(output);
        let names = |files: &BTreeMap<PathBuf, String>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&self.files));
        for (name, expected) in &self.files {
            assert_eq!(&found[name], expected, "{}", name.display());
        }
        let again = self.command(output, threads, true).output().unwrap();
        assert!(again.status.success() && again.stdout == ended.stdout, "{}", stderr(&again));
        fs::remove_dir_all(output).unwrap();
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim_end().to_string()
}

/// Each file of a run's folder: its text, times taken out, or the SHA-256 of its bytes.
fn contents(output: &Path) -> BTreeMap<PathBuf, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![output.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(output).unwrap().to_path_buf();
            // A run that goes on opens another file of events; `tensorboard.rs` tells what is read.
            if name.to_str().unwrap().contains("tfevents") {
                continue;
            }
            found.insert(name.clone(), of_file(&name, &fs::read(&path).unwrap()));
        }
    }
    found
}

fn of_file(name: &Path, bytes: &[u8]) -> String {
    match name.to_str().unwrap() {
        "metrics.jsonl" | "result.json" => {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.lines().map(without_times).collect()
        }
        // Paths, threads; a page and a card of times.
        "run.toml" | "report.html" | "README.md" => String::new(),
        _ => Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

fn without_times(line: &str) -> String {
    let mut line: Value = serde_json::from_str(line).unwrap();
    for name in ["seconds", "tokens_per_second", "peak_rss_bytes"] {
        line.as_object_mut().unwrap().remove(name);
    }
    format!("{line}\n")
}

fn kills() -> usize {
    std::env::var("ATTENDANT_KILLS").map_or(4, |count| count.parse().unwrap())
}

/// Kills the process; whether it still ran.
fn kill(mut child: Child) -> bool {
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}

#[test]
fn the_reference_holds_each_step_once() {
    let metrics = &reference().files[Path::new("metrics.jsonl")];
    let step = |line: &str| serde_json::from_str::<Value>(line).unwrap()["step"].as_u64().unwrap();
    assert!(metrics.lines().map(step).eq(1..=STEPS as u64));
    assert_eq!(metrics.matches("valid_loss").count(), STEPS / 5);
}

#[test]
fn killed_at_random_moments() {
    let reference = reference();
    for threads in [1, 2, 3] {
        let mut rng = Rng::seeded(threads as u64);
        let output = reference.path(&format!("killed-{threads}"));
        let mut left = kills();
        while left > 0 {
            let child = reference.command(&output, threads, true).spawn().unwrap();
            sleep(reference.duration.mul_f64(rng.uniform() * 1.2));
            match kill(child) {
                true => left -= 1,
                // It was done: the next one begins anew.
                false => reference.finish(&output, threads),
            }
        }
        reference.finish(&output, threads);
    }
}

/// Waits until a checkpoint is being written; kills then. Whether that came about.
fn kill_in_a_checkpoint(mut child: Child, output: &Path, delay: Duration) -> bool {
    sleep(delay);
    let folder = output.join("checkpoints");
    let is_partial = |entry: std::io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().contains(".partial"))
    };
    while child.try_wait().unwrap().is_none() {
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.any(is_partial)) {
            return kill(child);
        }
    }
    false
}

#[test]
fn killed_while_a_checkpoint_is_written() {
    let reference = reference();
    let output = reference.path("in-a-checkpoint");
    let mut rng = Rng::seeded(9);
    let mut left = kills();
    while left > 0 {
        let delay = reference.duration.mul_f64(rng.uniform() * 0.7);
        let child = reference.command(&output, 2, true).spawn().unwrap();
        match kill_in_a_checkpoint(child, &output, delay) {
            true => left -= 1,
            false => reference.finish(&output, 2),
        }
    }
    reference.finish(&output, 2);
}

#[test]
fn a_signal_ends_it_with_a_checkpoint_and_says_how_to_go_on() {
    let reference = reference();
    for signal in ["-TERM", "-INT"] {
        let output = reference.path(&format!("signalled{signal}"));
        let child = reference.command(&output, 2, false).spawn().unwrap();
        wait_for(&output.join("metrics.jsonl"));
        let id = child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(1));
        assert!(ended.stdout.is_empty());
        let error = stderr(&ended);
        let (error, command) = error.split_once("; go on with: attendant ").expect(&error);
        assert!(error.contains("error: interrupted after step "), "{error}");
        assert!(error.contains(" of 40, and a checkpoint was written"), "{error}");

        let mut on = Command::new(env!("CARGO_BIN_EXE_attendant"));
        let on = on.args(command.lines().next().unwrap().split(' ')).output().unwrap();
        assert!(on.status.success(), "{}", stderr(&on));
        reference.finish(&output, 1);
    }
}

fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "{} does not come", path.display());
        sleep(Duration::from_millis(1));
    }
}

#[track_caller]
fn assert_full(ended: &Output, last: &str) {
    assert_eq!(ended.status.code(), Some(1), "{}", stderr(ended));
    assert!(ended.stdout.is_empty());
    let error = stderr(ended);
    assert!(error.contains("could not be written"), "{error}");
    assert!(error.contains(last), "{error}");
    assert!(error.contains("free space, then repeat the command with --resume"), "{error}");
}

/// Files may not grow beyond what weights take: what the optimizer remembers does not fit.
#[test]
fn a_file_that_cannot_grow_leaves_the_last_checkpoint() {
    let reference = reference();
    let output = reference.path("cut-short");
    let limited = |resume: bool| {
        let largest = fs::metadata(reference.path("whole/model.safetensors")).unwrap().len();
        let arguments = reference.arguments(&output, 1, resume);
        Command::new("bash")
            .args(["-c", &format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", largest / 1024 + 8)])
            .args(["bash", env!("CARGO_BIN_EXE_attendant")])
            .args(arguments)
            .output()
            .unwrap()
    };
    assert_full(&limited(false), "there is no whole checkpoint yet");
    let child = reference.command(&output, 1, true).spawn().unwrap();
    wait_for(&output.join("checkpoints/step-00000003"));
    kill(child);
    assert_full(&limited(true), "the last whole checkpoint is that of step ");
    reference.finish(&output, 1);
}

/// A file system that two checkpoints and a half fit on. It is there for one process and those
/// that it starts; where the system does not allow that, nothing is tested.
#[test]
fn a_full_file_system_leaves_the_last_checkpoint() {
    let reference = reference();
    let checkpoint = reference.path("whole/checkpoints");
    let bytes: u64 = fs::read_dir(checkpoint.join("step-00000039"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    let (small, output) = (reference.path("small"), reference.path("out-of-small"));
    fs::create_dir(&small).unwrap();
    let run = format!(
        "mount -t tmpfs -o size={} tmpfs {small} || exit 99; \"$@\"; status=$?; \
         cp -r {small}/run {output}; exit $status",
        bytes * 5 / 2,
        small = small.display(),
        output = output.display(),
    );
    let arguments = reference.arguments(&small.join("run"), 1, false);
    let ended = Command::new("unshare")
        .args(["--mount", "--map-root-user", "sh", "-c", &run])
        .args(["sh", env!("CARGO_BIN_EXE_attendant")])
        .args(arguments)
        .output()
        .unwrap();
    if ended.status.code() == Some(99) || stderr(&ended).starts_with("unshare: ") {
        eprintln!("no file system of its own is allowed here: {}", stderr(&ended));
        return;
    }
    assert_full(&ended, "the last whole checkpoint is that of step 6");
    let names: Vec<_> = fs::read_dir(output.join("checkpoints")).unwrap().flatten().collect();
    assert!(names.iter().all(|entry| !entry.file_name().to_string_lossy().contains("partial")));
    reference.finish(&output, 1);
}
