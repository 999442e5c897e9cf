//! One step at a time, when another program says so: `../src/turns.rs` says how.

use crate::Result;
use crate::step::Step;
use serde_json::json;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::Instant;

/// Takes a step to warm up, then one for each line of the input, or as many as `--runs` says, and
/// writes the time of each and its loss.
///
/// # Errors
/// Those of the step, of reading and of writing.
pub fn serve(step: &Step, mut work: impl FnMut() -> Result<f64>) -> Result<()> {
    let mut turn = || -> Result<serde_json::Value> {
        let start = Instant::now();
        let loss = work()?;
        Ok(json!({ "ms": start.elapsed().as_secs_f64() * 1e3, "loss": loss }))
    };
    turn()?;
    if step.turns {
        say(&json!({ "ready": true }))?;
        for line in stdin().lock().lines() {
            line?;
            say(&turn()?)?;
        }
    } else {
        for _ in 0..step.runs {
            say(&turn()?)?;
        }
    }
    say(&json!({ "peak_rss_bytes": peak_rss_bytes() }))
}

fn say(line: &serde_json::Value) -> Result<()> {
    let mut output = stdout().lock();
    writeln!(output, "{line}")?;
    Ok(output.flush()?)
}

/// The most memory this process held, where Linux tells it.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
