//! What came of a row, and the file that keeps it.

use super::Roofline;
use crate::work::median;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use tensor::Precision;

/// How far the losses of two programs that do the same may lie apart, relative to their size: by
/// rounding, and where products are rounded to bf16, which each does at places of its own.
pub const LOSS_TOLERANCE: [(&str, f64); 2] = [("f32", 1e-3), ("bf16", 1e-2)];

/// What a piece of work can't be faster than.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Its floating-point operations.
    Flops(f64),
    /// The bytes it reads from memory.
    Bytes(f64),
}

/// One row: a piece of work, done by ours and one other in turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What it is called on the command line.
    pub name: String,
    /// What was done.
    pub title: String,
    /// `f32` or `bf16`.
    pub precision: String,
    /// The day, as 2026-11-28.
    pub date: String,
    /// The processor's name.
    pub cpu: String,
    /// Threads of each.
    pub threads: usize,
    /// How much one turn does, in `unit`s times seconds.
    pub amount: f64,
    /// What its speed is told in: `tokens/s`, `GFLOP/s`.
    pub unit: String,
    /// What it can't be faster than, where that is known.
    pub bound: Option<Bound>,
    /// What the machine could do: the medians of one measurement a round.
    pub roofline: Roofline,
    /// Versions of what it is compared with.
    pub versions: BTreeMap<String, String>,
    /// Ours first.
    pub sides: Vec<Played>,
}

/// What one of them did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// Who.
    pub name: String,
    /// Its command, the places of files left open.
    pub command: String,
    /// The time of each turn, in milliseconds.
    pub ms: Vec<f64>,
    /// The loss of each turn, where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<f64>,
    /// The most memory it held, in bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Why it did not play to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Played {
    /// The median time of a turn, in milliseconds, if it played to the end.
    pub fn median_ms(&self) -> Option<f64> {
        (self.failed.is_none() && !self.ms.is_empty()).then(|| median(&self.ms))
    }
}

impl Outcome {
    /// Ours.
    pub fn ours(&self) -> Option<&Played> {
        self.sides.first()
    }

    /// Those that ours is compared with.
    pub fn peers(&self) -> &[Played] {
        self.sides.get(1..).unwrap_or(&[])
    }

    /// How many times faster ours is: its median time in theirs.
    pub fn speed_ratio(&self, peer: &Played) -> Option<f64> {
        Some(peer.median_ms()? / self.ours()?.median_ms()?)
    }

    /// Our peak memory as a share of theirs.
    pub fn memory_ratio(&self, peer: &Played) -> Option<f64> {
        Some(self.ours()?.peak_rss_bytes? as f64 / peer.peak_rss_bytes? as f64)
    }

    /// The speed of one of them, in [`Outcome::unit`].
    pub fn speed(&self, side: &Played) -> Option<f64> {
        Some(self.amount / side.median_ms()? * 1e3)
    }

    /// Operations a second at the measured peak, in the row's precision.
    pub fn peak_flops(&self) -> f64 {
        self.roofline.flops(self.precision())
    }

    fn precision(&self) -> Precision {
        if self.precision == "bf16" { Precision::Bf16 } else { Precision::F32 }
    }

    /// What ours reaches of what the machine could do.
    pub fn share_of_roofline(&self) -> Option<f64> {
        let seconds = self.ours()?.median_ms()? / 1e3;
        Some(self.roofline.least_seconds(self.bound?, self.precision()) / seconds)
    }

    /// The largest distance between our losses and theirs, turn by turn, relative to ours; NaN
    /// where one is none.
    pub fn loss_difference(&self, peer: &Played) -> Option<f64> {
        let pairs = self.ours()?.losses.iter().zip(&peer.losses);
        pairs.map(|(ours, theirs)| ((ours - theirs) / ours).abs()).max_by(f64::total_cmp)
    }

    /// # Errors
    /// If the losses of two differ by more than rounding: then they did not do the same work.
    pub fn check_losses(&self) -> Result<(), String> {
        let tolerance = LOSS_TOLERANCE.iter().find(|(name, _)| *name == self.precision);
        let &(_, most) = tolerance.ok_or(format!("{} is no precision", self.precision))?;
        for peer in self.peers() {
            if let Some(difference) =
                self.loss_difference(peer).filter(|found| found.is_nan() || *found > most)
            {
                return Err(format!(
                    "{}: the losses of {} differ from ours by {difference:.1e} of them, more than \
                     {most:.0e}: it is not the same work",
                    self.name, peer.name
                ));
            }
        }
        Ok(())
    }
}

/// All that was measured: rows of this run, and those of earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its rows.
    pub rows: Vec<Outcome>,
}

impl Record {
    /// Reads a file, if there is one.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn read(path: &Path) -> Result<Record, Box<dyn Error>> {
        match path.exists() {
            true => Ok(serde_json::from_str(&fs::read_to_string(path)?)?),
            false => Ok(Record::default()),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        Ok(fs::write(path, serde_json::to_string_pretty(self)? + "\n")?)
    }

    /// Takes in a row of one of the `names`, in place of an earlier one of the same name. The rows
    /// stand in the order of `names`; those that are not among them are measured no more, and left
    /// out.
    pub fn insert(&mut self, outcome: Outcome, names: &[String]) {
        self.rows.retain(|row| row.name != outcome.name && names.contains(&row.name));
        self.rows.push(outcome);
        self.rows.sort_by_key(|row| names.iter().position(|name| *name == row.name));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Ours took 2, 1 and 4 seconds, theirs 3, 5 and 4; a third could not start.
    pub fn outcome(name: &str) -> Outcome {
        let side = |name: &str, ms: &[f64], peak| Played {
            name: name.into(),
            command: format!("{name} --model gpt2"),
            ms: ms.to_vec(),
            losses: vec![10.0; ms.len()],
            peak_rss_bytes: Some(peak),
            failed: None,
        };
        let absent = Played { failed: Some("no module named jax".into()), ..side("JAX", &[], 1) };
        Outcome {
            name: name.into(),
            title: format!("The step {name}"),
            precision: "f32".into(),
            date: "2026-11-28".into(),
            cpu: "A processor".into(),
            threads: 2,
            amount: 1024.0,
            unit: "tokens/s".into(),
            bound: Some(Bound::Flops(1e11)),
            roofline: Roofline { flops_f32: 1e11, flops_bf16: 2e11, bytes_per_second: 1e10 },
            versions: BTreeMap::from([("torch".into(), "2.15.0".into())]),
            sides: vec![
                side("Attendant", &[2000.0, 1000.0, 4000.0], 2 << 30),
                side("PyTorch", &[3000.0, 5000.0, 4000.0], 4 << 30),
                absent,
            ],
        }
    }

    #[test]
    fn ratios_are_those_of_medians() {
        let outcome = outcome("a");
        let [peer, absent] = outcome.peers() else { panic!("two peers") };
        assert_eq!(outcome.speed_ratio(peer), Some(2.0));
        assert_eq!(outcome.memory_ratio(peer), Some(0.5));
        assert_eq!(outcome.speed(peer), Some(256.0));
        assert_eq!(outcome.share_of_roofline(), Some(0.5));
        assert_eq!(outcome.speed_ratio(absent), None);
        let read = Outcome { bound: Some(Bound::Bytes(1e10)), ..outcome.clone() };
        assert_eq!(read.share_of_roofline(), Some(0.5));
        let bf16 = Outcome { precision: "bf16".into(), ..outcome };
        assert_eq!(bf16.share_of_roofline(), Some(0.25));
    }

    #[test]
    fn losses_that_differ_are_other_work() {
        let mut outcome = outcome("a");
        outcome.sides[1].losses[2] = 10.009;
        assert!(outcome.check_losses().is_ok());
        outcome.sides[1].losses[1] = 10.02;
        let reason = outcome.check_losses().unwrap_err();
        assert!(
            reason.starts_with("a: the losses of PyTorch differ from ours by 2.0e-3"),
            "{reason}"
        );
        let bf16 = Outcome { precision: "bf16".into(), ..outcome.clone() };
        assert!(bf16.check_losses().is_ok());
        outcome.sides[1].losses[1] = f64::NAN;
        assert!(outcome.check_losses().is_err());
    }

    #[test]
    fn earlier_rows_stay_unless_they_are_measured_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("performance.json");
        let names = ["a", "b", "c"].map(String::from);
        let mut record = Record::read(&path).unwrap();
        record.insert(outcome("gone"), &["gone".into()]);
        for name in ["c", "a"] {
            record.insert(outcome(name), &names);
        }
        record.write(&path).unwrap();
        let mut read = Record::read(&path).unwrap();
        assert_eq!(read, record);
        let newer = Outcome { date: "2026-11-29".into(), ..outcome("c") };
        read.insert(newer, &names);
        read.insert(outcome("b"), &names);
        let rows: Vec<&str> = read.rows.iter().map(|row| &row.name[..]).collect();
        assert_eq!(rows, ["a", "b", "c"]);
        assert_eq!(read.rows[2].date, "2026-11-29");
    }
}
