//! What others fell into: padding, caches, modes that should agree, draws that should repeat, ends of
//! several kinds, tokens that come one by one.

use std::ops::ControlFlow;
use std::path::PathBuf;
use tensor::{Float, Tokens};
use tokenizers::models::wordlevel::WordLevel;
use transformer::{
    Autoregressive, DecoderOnly, Generated, Generation, Gpt2, Hooks, Model, NewToken, Pretrained,
    Tokenizer,
};

const PROMPTS: [&[u32]; 3] = [&[5, 17, 80, 3], &[60], &[1, 2, 3, 1, 2, 3, 1]];
const TOLERANCE: f64 = if size_of::<Float>() == 8 { 1e-12 } else { 1e-5 };

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn gpt2() -> Gpt2 {
    Gpt2::from_pretrained(fixture("gpt2_tiny")).unwrap()
}

/// Rules of every kind.
fn ruled() -> Generation {
    Generation {
        max_new_tokens: Some(12),
        repetition_penalty: 1.3,
        no_repeat_ngram_size: Some(2),
        bad_words: vec![vec![7], vec![3, 1]],
        min_new_tokens: 6,
        end_tokens: Some(vec![53, 20]),
        ..Generation::default()
    }
}

fn modes() -> [Generation; 4] {
    let plain = Generation { max_new_tokens: Some(12), ..Generation::default() };
    [
        plain.clone(),
        ruled(),
        Generation { num_beams: 3, num_return_sequences: 2, ..plain },
        Generation { num_beams: 3, ..ruled() },
    ]
}

fn with(model: &impl Autoregressive, rows: &[&[u32]], settings: &Generation) -> Vec<Generated> {
    model.generate_with(rows, settings, Hooks::default()).unwrap()
}

fn new_ids(settings: &Generation) -> Vec<u32> {
    gpt2().generate(PROMPTS[0], settings).unwrap()[PROMPTS[0].len()..].to_vec()
}

#[track_caller]
fn assert_same(ours: &[Generated], theirs: &[Generated]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!(ours.ids, theirs.ids);
        for (a, b) in ours.log_probabilities.iter().zip(&theirs.log_probabilities) {
            assert!((a - b).abs() < TOLERANCE, "{a} {b}");
        }
    }
}

#[test]
fn a_padded_batch_gets_what_each_gets_alone() {
    for settings in modes() {
        for name in ["gpt2_tiny", "models/llama_grouped"] {
            let model = Model::from_pretrained(fixture(name)).unwrap();
            let words = settings.bad_words.iter().filter(|_| model.vocab_size() > 60);
            let settings = Generation { bad_words: words.cloned().collect(), ..settings.clone() };
            let fits =
                |prompt: &&&[u32]| prompt.iter().all(|&id| (id as usize) < model.vocab_size());
            let prompts: Vec<&[u32]> = PROMPTS.iter().filter(fits).copied().collect();
            let together = with(&model, &prompts, &settings);
            let alone: Vec<_> =
                prompts.iter().flat_map(|prompt| with(&model, &[prompt], &settings)).collect();
            assert_same(&together, &alone);
        }
    }
}

#[test]
fn cached_equals_uncached() {
    let model = gpt2();
    for settings in [Generation::default(), ruled()] {
        let found = with(&model, &[PROMPTS[2]], &settings).remove(0);
        let mut ids = PROMPTS[2].to_vec();
        for (index, &log_p) in found.log_probabilities.iter().enumerate() {
            let all = model.forward(&Tokens::batch(&[&ids], 97).unwrap());
            let mut scores = all.value().narrow(1, ids.len() - 1, 1).to_vec();
            settings.process(&ids, PROMPTS[2].len(), &mut scores).unwrap();
            let best = (0..97).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
            let sum: f64 = scores.iter().map(|&x| f64::from(x - scores[best]).exp()).sum();
            assert!((log_p + sum.ln()).abs() < TOLERANCE, "token {index}");
            ids.push(best as u32);
        }
        assert_eq!(found.ids, ids);
    }
}

#[test]
fn modes_that_must_agree_agree() {
    let model = gpt2();
    for greedy in [modes()[0].clone(), ruled()] {
        let expected = model.generate_batch(&PROMPTS, &greedy).unwrap();
        let sampled = Generation { do_sample: true, ..greedy.clone() };
        for same in [
            Generation { num_beams: 1, ..greedy.clone() },
            Generation { top_k: Some(1), ..sampled.clone() },
            Generation { temperature: 0.0, ..sampled.clone() },
            Generation { top_p: Some(1e-6), ..sampled.clone() },
            Generation { min_p: Some(1.0), ..sampled.clone() },
        ] {
            assert_eq!(model.generate_batch(&PROMPTS, &same).unwrap(), expected, "{same:?}");
        }
    }
}

#[test]
fn draws_are_fixed_by_their_seed() {
    let sampled = Generation {
        do_sample: true,
        temperature: 0.9,
        top_k: Some(40),
        top_p: Some(0.95),
        max_new_tokens: Some(8),
        seed: 5,
        ..Generation::default()
    };
    let ids = new_ids(&sampled);
    assert_eq!(ids, [34, 35, 20, 53, 48, 28, 11, 78]);
    assert_ne!(new_ids(&Generation { seed: 6, ..sampled.clone() }), ids);
    let two = Generation { num_return_sequences: 2, ..sampled.clone() };
    let model = gpt2();
    let side_by_side = model.generate_batch(&[PROMPTS[0], PROMPTS[0]], &sampled).unwrap();
    assert_eq!(model.generate_batch(&[PROMPTS[0]], &two).unwrap(), side_by_side);
    assert_ne!(side_by_side[0], side_by_side[1]);
}

#[test]
fn each_of_several_tokens_ends_a_text() {
    let free = Generation { max_new_tokens: Some(12), ..Generation::default() };
    let ids = new_ids(&free);
    for end in 0..ids.len() {
        let end_tokens = Some(vec![ids[end], 96, u32::MAX]);
        let first = ids.iter().position(|id| *id == ids[end]).unwrap();
        let ended = new_ids(&Generation { end_tokens, ..free.clone() });
        assert_eq!(ended, ids[..=first]);
    }
    let least = Generation { end_tokens: Some(vec![ids[0]]), min_new_tokens: 3, ..free };
    let ended = new_ids(&least);
    assert!(ended.len() >= 4 && !ended[..3].contains(&ids[0]), "{ended:?}");
}

/// Token 7 is the word `w7`.
fn words() -> Tokenizer {
    let vocab =
        (0..97).map(|id| (format!("w{id}"), id)).collect::<tokenizers::models::bpe::Vocab>();
    let model = WordLevel::builder().vocab(vocab).unk_token("w0".into()).build().unwrap();
    Tokenizer::from_inner(tokenizers::Tokenizer::new(model))
}

#[test]
fn a_stop_text_ends_a_row_in_every_mode() {
    let (model, tokenizer) = (gpt2(), words());
    let drawn = Generation { do_sample: true, max_new_tokens: Some(12), ..Generation::default() };
    for settings in [modes()[0].clone(), drawn, modes()[3].clone()] {
        let whole = with(&model, &[PROMPTS[0]], &settings).remove(0).ids;
        let [_, _, _, _, first, second, ..] = whole[..] else { panic!("{whole:?}") };
        let stop = vec!["never".into(), format!("w{first} w{second}")];
        let settings = Generation { stop, ..settings };
        let hooks = Hooks { tokenizer: Some(&tokenizer), ..Hooks::default() };
        let found = model.generate_with(&[PROMPTS[0]], &settings, hooks).unwrap().remove(0).ids;
        assert!(found.len() >= 6);
        let text = tokenizer.decode(&found[4..]).unwrap();
        let before = tokenizer.decode(&found[4..found.len() - 1]).unwrap();
        let holds = |text: &str| settings.stop.iter().any(|stop| text.contains(stop));
        assert!(holds(&text) || found.len() == whole.len(), "{text}");
        assert!(!holds(&before), "{before}");
        if settings.num_beams == 1 {
            assert_eq!(found, whole[..6]);
        }
    }
    let settings = Generation { stop: vec!["w1".into()], ..Generation::default() };
    assert_eq!(
        model.generate(PROMPTS[0], &settings).unwrap_err().to_string(),
        "stop texts need a tokenizer; call generate_with, with one among the hooks"
    );
}

#[test]
fn tokens_that_come_one_by_one_are_those_of_the_result() {
    let (model, tokenizer) = (gpt2(), words());
    for settings in modes() {
        let mut told: Vec<Vec<NewToken>> = vec![Vec::new(); 6];
        let mut on_token = |token: NewToken| {
            told[token.row].push(token);
            ControlFlow::Continue(())
        };
        let hooks = Hooks { on_token: Some(&mut on_token), ..Hooks::default() };
        let found = model.generate_with(&PROMPTS, &settings, hooks).unwrap();
        assert_same(&found, &with(&model, &PROMPTS, &settings));
        for (row, told) in found.iter().zip(&told) {
            let ids: Vec<u32> = told.iter().map(|token| token.id).collect();
            assert!(!ids.is_empty() && row.ids.ends_with(&ids));
            let log_p: Vec<f64> = told.iter().map(|token| token.log_probability).collect();
            assert_eq!(row.log_probabilities, log_p);
            let mut stream = tokenizer.stream();
            let mut text: String = ids.iter().map(|&id| stream.push(id).unwrap()).collect();
            text += &stream.finish().unwrap();
            assert_eq!(text, tokenizer.decode(&ids).unwrap());
        }
    }
}

#[test]
fn a_caller_stops_all_rows() {
    let mut count = 0;
    let mut on_token = |_: NewToken| {
        count += 1;
        if count == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let hooks = Hooks { on_token: Some(&mut on_token), ..Hooks::default() };
    let found = gpt2().generate_with(&PROMPTS, &modes()[0], hooks).unwrap();
    let new: Vec<usize> = found.iter().map(|row| row.log_probabilities.len()).collect();
    assert_eq!(new, [2, 2, 2]); // the step is finished
}

#[test]
fn only_what_is_allowed_follows_in_every_mode() {
    let drawn = Generation { do_sample: true, max_new_tokens: Some(12), ..Generation::default() };
    let allowed = |row: usize, ids: &[u32]| {
        let last = *ids.last().unwrap();
        (row != 1).then(|| vec![(last + 1) % 97, (last + 2) % 97])
    };
    for settings in modes().into_iter().chain([drawn]) {
        let hooks = Hooks { allowed: Some(&allowed), ..Hooks::default() };
        let found = gpt2().generate_with(&PROMPTS, &settings, hooks).unwrap();
        let texts = found.len() / PROMPTS.len();
        for (index, row) in found.iter().enumerate().filter(|(index, _)| index / texts != 1) {
            let new = row.log_probabilities.len();
            for pair in row.ids[row.ids.len() - new - 1..].windows(2) {
                let step = (97 + pair[1] - pair[0]) % 97;
                assert!(step == 1 || step == 2, "row {index}: {:?}", row.ids);
            }
        }
    }
}
