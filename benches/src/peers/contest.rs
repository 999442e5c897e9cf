//! A row, played.

use super::{Contestant, Outcome, Paths, Played, Roofline, Row, cpu_name};
use std::collections::BTreeMap;

/// Lets the contestants of a row take turns, so many rounds, each begun by `round`. One that can't
/// start, or fails, is left behind with its reason; the others go on.
pub fn contest(
    mut players: Vec<(Played, Result<Contestant, String>)>,
    rounds: usize,
    mut round: impl FnMut(),
) -> Vec<Played> {
    for _ in 0..rounds {
        round();
        for (played, contestant) in &mut players {
            let Ok(running) = contestant else { continue };
            match running.turn() {
                Ok(turn) => {
                    played.ms.push(turn.ms);
                    played.losses.extend(turn.loss);
                }
                Err(reason) => *contestant = Err(reason),
            }
        }
    }
    let end = |(mut played, contestant): (Played, Result<Contestant, String>)| {
        match contestant.and_then(Contestant::finish) {
            Ok(peak) => played.peak_rss_bytes = peak,
            Err(reason) => played.failed = Some(reason),
        }
        played
    };
    players.into_iter().map(end).collect()
}

/// Starts what a row compares, lets them play, and tells what came of it. The machine's peak is
/// measured at the beginning of each round, so that it meets the noise that the programs meet.
pub fn with(
    row: &Row,
    paths: &Paths,
    rounds: usize,
    versions: &BTreeMap<String, String>,
) -> Outcome {
    let start = |side: &super::Side| {
        let played =
            Played { name: side.program.name().into(), command: side.shown(), ..Played::default() };
        let contestant =
            paths.command(side).and_then(|mut command| Contestant::start(&mut command));
        (played, contestant)
    };
    let players = row.sides.iter().map(start).collect();
    let mut peaks = Vec::new();
    let sides = contest(players, rounds, || peaks.push(Roofline::measure(paths.threads)));
    Outcome {
        name: row.name.clone(),
        title: row.title.clone(),
        precision: row.precision.into(),
        date: jiff::Timestamp::now().to_string().chars().take(10).collect(),
        cpu: cpu_name(),
        threads: paths.threads,
        amount: row.amount,
        unit: row.unit.into(),
        bound: row.bound,
        roofline: Roofline::median(&peaks),
        versions: versions.clone(),
        sides,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn they_take_turns_and_who_fails_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let player = |name: &str, turns: usize| {
            let script = format!(
                r#"echo '{{"ready":true}}'; n=0
                while read line; do
                  n=$((n + 1)); [ $n -gt {turns} ] && {{ echo "tired" >&2; exit 1; }}
                  printf {name} >>{}; echo "{{\"ms\":$n,\"loss\":$n}}"
                done
                echo '{{"peak_rss_bytes":9}}'"#,
                log.display()
            );
            let command = Contestant::start(Command::new("sh").args(["-c", &script]));
            (Played { name: name.into(), ..Played::default() }, command)
        };
        let absent = (Played::default(), Err("not there".into()));
        let mut begun = 0;
        let played =
            contest(vec![player("A", 9), player("B", 2), absent, player("C", 9)], 3, || begun += 1);
        assert_eq!(begun, 3);
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "ABCABCAC");
        assert_eq!(played[0].ms, [1.0, 2.0, 3.0]);
        assert_eq!(played[0].losses, [1.0, 2.0, 3.0]);
        assert_eq!((played[0].peak_rss_bytes, &played[0].failed), (Some(9), &None));
        assert_eq!(played[1].failed.as_deref(), Some("tired"));
        assert_eq!(played[1].median_ms(), None);
        assert_eq!(played[2].failed.as_deref(), Some("not there"));
        assert_eq!(played[3].median_ms(), Some(2.0));
    }
}
