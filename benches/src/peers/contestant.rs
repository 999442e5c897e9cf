//! A program that takes turns.

use crate::turns::Turn;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

/// A running program, waiting for its turn.
pub struct Contestant {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    complaints: Option<JoinHandle<String>>,
}

impl Contestant {
    /// Starts a program and waits until it has built all it needs and warmed up.
    ///
    /// # Errors
    /// If it can't be started or ends before that: the last line of what it said.
    pub fn start(command: &mut Command) -> Result<Contestant, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = command.get_program().display().to_string();
        let mut child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
        let mut errors = child.stderr.take().expect("it is piped");
        let complaints = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text); // what was read until it failed is enough
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut contestant = Contestant {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().expect("it is piped")),
            complaints: Some(complaints),
            child,
        };
        match contestant.answer()?.get("ready") {
            Some(Value::Bool(true)) => Ok(contestant),
            _ => Err("it said something else than that it is ready".into()),
        }
    }

    /// Lets it do one piece of work.
    ///
    /// # Errors
    /// If it ends, or answers something else than its time.
    pub fn turn(&mut self) -> Result<Turn, String> {
        let input = self.input.as_mut().expect("it is taken at the end alone");
        input.write_all(b"\n").and_then(|()| input.flush()).map_err(|error| error.to_string())?;
        let answer = self.answer()?;
        let turn: Turn = serde_json::from_value(answer).map_err(|error| error.to_string())?;
        match turn.ms > 0.0 && turn.loss.is_none_or(f64::is_finite) {
            true => Ok(turn),
            false => Err(format!("{turn:?} is no turn")),
        }
    }

    /// Ends it; returns the most memory it held, in bytes.
    ///
    /// # Errors
    /// If it ends before it tells.
    pub fn finish(mut self) -> Result<Option<u64>, String> {
        drop(self.input.take());
        Ok(self.answer()?.get("peak_rss_bytes").and_then(Value::as_u64))
    }

    /// The next line of its output.
    fn answer(&mut self) -> Result<Value, String> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(|error| error.to_string())?;
        match line.is_empty() {
            true => Err(self.last_words()),
            false => line.parse().map_err(|_| format!("it said {:?}", line.trim())),
        }
    }

    /// The last line it said before it ended.
    fn last_words(&mut self) -> String {
        let _ = self.child.kill();
        let text = self.complaints.take().and_then(|thread| thread.join().ok());
        let text = text.unwrap_or_default();
        let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
        last.unwrap_or("it ended without a word").into()
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A shell's script as a contestant.
    pub fn shell(script: &str) -> Result<Contestant, String> {
        Contestant::start(Command::new("sh").args(["-c", script]))
    }

    #[test]
    fn it_answers_line_by_line() {
        let mut contestant = shell(
            r#"echo '{"ready":true}'; n=1
            while read line; do echo "{\"ms\":$n,\"loss\":0.5}"; n=$((n + 1)); done
            echo '{"peak_rss_bytes":7}'"#,
        )
        .unwrap();
        assert_eq!(contestant.turn(), Ok(Turn { ms: 1.0, loss: Some(0.5) }));
        assert_eq!(contestant.turn(), Ok(Turn { ms: 2.0, loss: Some(0.5) }));
        assert_eq!(contestant.finish(), Ok(Some(7)));
    }

    #[test]
    fn one_that_can_not_play_says_why() {
        let reason = |script: &str| shell(script).err().expect("an error");
        assert_eq!(reason("echo Traceback >&2; echo no such module >&2; exit 1"), "no such module");
        assert_eq!(reason("exit 0"), "it ended without a word");
        assert_eq!(reason("echo hello"), "it said \"hello\"");
        assert_eq!(reason("echo '{}'"), "it said something else than that it is ready");
        let missing = Contestant::start(&mut Command::new("no-such-program-anywhere"));
        let reason = missing.err().expect("an error");
        assert!(reason.starts_with("no-such-program-anywhere: "), "{reason}");
        let mut dies = shell(r#"echo '{"ready":true}'; read line; echo killed >&2"#).unwrap();
        assert_eq!(dies.turn(), Err("killed".into()));
        let mut lies = shell(r#"echo '{"ready":true}'; read line; echo '{"ms":0}'"#).unwrap();
        assert!(lies.turn().is_err());
    }
}
