//! Greedy and beam search against Transformers', on the fixture that `fixtures/make_generation.py`
//! makes.

use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use tensor::Float;
use transformer::generate::beam;
use transformer::{Autoregressive, EarlyStopping, Generation, Gpt2, Pretrained};

#[derive(Deserialize)]
struct Fixture {
    max_new_tokens: usize,
    prompts: Vec<Vec<u32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    settings: Settings,
    ids: Vec<Vec<Vec<u32>>>,
    scores: Option<Vec<Vec<f64>>>,
}

#[derive(Deserialize)]
struct Settings {
    eos_token_id: Vec<u32>,
    num_beams: usize,
    num_return_sequences: usize,
    length_penalty: Option<Float>,
    early_stopping: Option<Value>,
}

impl Fixture {
    fn settings(&self, case: &Case) -> Generation {
        let settings = &case.settings;
        Generation {
            max_new_tokens: Some(self.max_new_tokens),
            end_tokens: Some(settings.eos_token_id.clone()),
            num_beams: settings.num_beams,
            num_return_sequences: settings.num_return_sequences,
            length_penalty: settings.length_penalty.unwrap_or(1.0),
            early_stopping: match &settings.early_stopping {
                None | Some(Value::Bool(false)) => EarlyStopping::No,
                Some(Value::Bool(true)) => EarlyStopping::Yes,
                _ => EarlyStopping::Never,
            },
            ..Generation::default()
        }
    }

    /// The prompts with what follows them.
    fn whole(&self, case: &Case) -> Vec<Vec<Vec<u32>>> {
        let join = |prompt: &Vec<u32>, new: &Vec<u32>| [&prompt[..], new].concat();
        let pairs = self.prompts.iter().zip(&case.ids);
        pairs.map(|(prompt, new)| new.iter().map(|new| join(prompt, new)).collect()).collect()
    }
}

fn fixture() -> (Gpt2, Fixture) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gpt2_tiny");
    let text = fs::read_to_string(folder.join("generation.json")).unwrap();
    (Gpt2::from_pretrained(folder).unwrap(), serde_json::from_str(&text).unwrap())
}

#[test]
fn ids_and_scores_equal_transformers() {
    let (model, fixture) = fixture();
    for (index, case) in fixture.cases.iter().enumerate() {
        let settings = fixture.settings(case);
        let ids = model.generate_batch(&fixture.prompts, &settings).unwrap();
        assert_eq!(ids, fixture.whole(case).concat(), "case {index}: {settings:?}");
        let Some(scores) = &case.scores else { continue };
        let found = beam::search(&model, &fixture.prompts, &settings).unwrap();
        for (found, score) in found.concat().iter().zip(scores.concat()) {
            assert!((found.score - score).abs() < 1e-4, "case {index}: {} {score}", found.score);
        }
    }
}

#[test]
fn a_prompt_alone_gets_what_it_gets_in_a_batch() {
    let (model, fixture) = fixture();
    for case in fixture.cases.iter().filter(|case| case.settings.num_beams == 4) {
        let settings = fixture.settings(case);
        for (prompt, expected) in fixture.prompts.iter().zip(fixture.whole(case)) {
            assert_eq!(model.generate_batch(&[prompt], &settings).unwrap(), expected);
        }
    }
}

#[test]
fn one_beam_is_greedy() {
    let (model, fixture) = fixture();
    let case = fixture.cases.iter().find(|case| case.settings.eos_token_id == [43]).unwrap();
    let settings = fixture.settings(case);
    assert_eq!(settings.num_beams, 1);
    let found = beam::search(&model, &fixture.prompts, &settings).unwrap().concat();
    let ids: Vec<_> = found.into_iter().map(|hypothesis| hypothesis.ids).collect();
    assert_eq!(ids, fixture.whole(case).concat());
}

#[test]
fn nothing_new_and_no_prompt() {
    let (model, fixture) = fixture();
    for num_beams in [1, 3] {
        let settings = Generation { max_new_tokens: Some(0), num_beams, ..Generation::default() };
        assert_eq!(model.generate_batch(&fixture.prompts, &settings).unwrap(), fixture.prompts);
        let none: [&[u32]; 0] = [];
        assert!(model.generate_batch(&none, &settings).unwrap().is_empty());
    }
}

#[test]
fn settings_of_beams_that_make_no_sense_are_errors() {
    let (model, _) = fixture();
    let error = |settings: Generation| model.generate(&[1], &settings).unwrap_err().to_string();
    let default = Generation::default;
    assert_eq!(
        error(Generation { num_beams: 2, do_sample: true, ..default() }),
        "num_beams needs greedy search; leave out do_sample"
    );
    assert_eq!(
        error(Generation { num_beams: 0, ..default() }),
        "num_beams and num_return_sequences must be at least 1"
    );
    assert_eq!(
        error(Generation { num_beams: 2, num_return_sequences: 2, ..default() }),
        "generate returns one sequence; for num_return_sequences take generate_batch"
    );
    let three = Generation { num_beams: 2, num_return_sequences: 3, ..default() };
    assert_eq!(
        model.generate_batch(&[[1]], &three).unwrap_err().to_string(),
        "num_return_sequences is 3, but num_beams is 2; ask for at most as many sequences as there \
         are beams, or set do_sample"
    );
    assert_eq!(
        error(Generation { length_penalty: 2.0, ..default() }),
        "length_penalty and early_stopping need beams; set num_beams above 1"
    );
    assert_eq!(
        error(Generation { num_beams: 2, length_penalty: Float::NAN, ..default() }),
        "length_penalty must be a finite number"
    );
    let drawn = Generation { do_sample: true, ..default() };
    assert_eq!(
        beam::search(&model, &[[1]], &drawn).unwrap_err().to_string(),
        "beam search draws nothing; leave out do_sample"
    );
}

#[test]
fn beams_of_generation_config_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str| {
        fs::write(folder.path().join("generation_config.json"), text).unwrap();
        Generation::from_pretrained(folder.path())
    };
    let beams = "\"num_beams\": 4, \"length_penalty\": 0.5, \"num_return_sequences\": 2";
    let expected = Generation {
        num_beams: 4,
        length_penalty: 0.5,
        early_stopping: EarlyStopping::Never,
        num_return_sequences: 2,
        ..Generation::default()
    };
    assert_eq!(read(&format!("{{{beams}, \"early_stopping\": \"never\"}}")).unwrap(), expected);
    let yes = read("{\"num_beams\": 2, \"early_stopping\": true}").unwrap();
    assert_eq!(yes.early_stopping, EarlyStopping::Yes);
    let one = read("{\"length_penalty\": 0.5, \"early_stopping\": true}").unwrap();
    assert_eq!(one, Generation::default());
    let wrong = read("{\"num_beams\": 2, \"early_stopping\": 1}").unwrap_err().to_string();
    assert!(wrong.ends_with("early_stopping is 1; it can be false, true or \"never\""), "{wrong}");
}
