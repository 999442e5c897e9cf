//! One piece of work at a time, when another program says so.
//!
//! Programs that are compared run beside each other and take turns, so that both meet the same
//! machine, warm or throttled, quiet or shared. One that was given `--turns` builds all it needs, does
//! a piece of work to warm up, and writes a line of JSON:
//!
//! ```text
//! {"ready":true}
//! ```
//!
//! For each line it then reads it does one piece of work and answers with its time, and its loss where
//! it has one; when there are no more lines it tells the most memory it held, and ends:
//!
//! ```text
//! {"ms":531.2,"loss":10.94}
//! {"peak_rss_bytes":2900000000}
//! ```
//! `reference/turns.py` is the same for programs in Python, `compare/src/turns.rs` for those in other Rust
//! libraries.

use serde::{Deserialize, Serialize};
use serde_json::json;
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

/// What a piece of work took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// Milliseconds.
    pub ms: f64,
    /// The loss before the update, in nats a target, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
}

impl Turn {
    /// The time since `start`.
    pub fn since(start: Instant) -> Turn {
        Turn { ms: start.elapsed().as_secs_f64() * 1e3, loss: None }
    }
}

/// Warms up by one piece of `work`, then does one for each line of `input`.
///
/// # Errors
/// Those of `work`, of reading and of writing.
pub fn serve(
    mut work: impl FnMut() -> Result<Turn, Box<dyn Error>>,
    input: impl BufRead,
    mut output: impl Write,
) -> Result<(), Box<dyn Error>> {
    let mut say = |line: String| -> Result<(), Box<dyn Error>> {
        writeln!(output, "{line}")?;
        Ok(output.flush()?)
    };
    work()?;
    say(json!({ "ready": true }).to_string())?;
    for line in input.lines() {
        line?;
        say(serde_json::to_string(&work()?)?)?;
    }
    say(json!({ "peak_rss_bytes": train::peak_rss_bytes() }).to_string())
}

/// [`serve`] between standard input and output.
///
/// # Errors
/// As [`serve`].
pub fn serve_stdio(
    work: impl FnMut() -> Result<Turn, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    serve(work, std::io::stdin().lock(), std::io::stdout().lock())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn each_line_is_one_piece_of_work() {
        let (mut done, mut output) = (0, Vec::new());
        let work = || {
            done += 1;
            Ok(Turn { ms: f64::from(done), loss: (done == 3).then_some(0.5) })
        };
        serve(work, &b"\n\n"[..], &mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(lines[0], json!({ "ready": true }));
        assert_eq!(lines[1], json!({ "ms": 2.0 })); // the first warmed up
        assert_eq!(lines[2], json!({ "ms": 3.0, "loss": 0.5 }));
        assert!(lines[3].get("peak_rss_bytes").is_some());
        assert_eq!((lines.len(), done), (4, 3));
        let read: Turn = serde_json::from_value(lines[2].clone()).unwrap();
        assert_eq!(read, Turn { ms: 3.0, loss: Some(0.5) });
    }

    #[test]
    fn work_that_fails_ends_it() {
        let mut output = Vec::new();
        let failed = serve(|| Err("no memory".into()), &b"\n"[..], &mut output);
        assert_eq!(failed.unwrap_err().to_string(), "no memory");
        assert!(output.is_empty());
    }
}
