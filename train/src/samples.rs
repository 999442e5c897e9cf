//! What a model writes while it learns.

use serde::{Deserialize, Serialize};

/// A line of `samples.jsonl`: what the model wrote after a prompt at one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The step, from 1.
    pub step: usize,
    /// What it was given.
    pub prompt: String,
    /// What it wrote.
    pub text: String,
    /// What was right, where it is known.
    #[serde(default)]
    pub target: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_a_line() {
        let line = r#"{"step":2,"prompt":"name: lamp","text":"A red","target":"A lamp."}"#;
        let sample: Sample = serde_json::from_str(line).unwrap();
        assert_eq!(sample.target.as_deref(), Some("A lamp."));
        assert_eq!(serde_json::to_string(&sample).unwrap(), line);
        let unknown: Sample =
            serde_json::from_str(r#"{"step":2,"prompt":"a","text":"b"}"#).unwrap();
        assert_eq!(unknown.target, None);
    }
}
