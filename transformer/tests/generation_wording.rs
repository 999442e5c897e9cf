//! Rules about text, in every mode, held against rules about tokens where each word is one token.

use std::path::PathBuf;
use tokenizers::models::wordlevel::WordLevel;
use transformer::generate::words;
use transformer::{Autoregressive, Generation, Gpt2, Hooks, Pretrained, Tokenizer};

const PROMPT: &[u32] = &[5, 17, 80, 3];

fn gpt2() -> Gpt2 {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gpt2_tiny");
    Gpt2::from_pretrained(folder).unwrap()
}

/// Token 7 is the word `w7`.
fn tokenizer() -> Tokenizer {
    let vocab =
        (0..97).map(|id| (format!("w{id}"), id)).collect::<tokenizers::models::bpe::Vocab>();
    let model = WordLevel::builder().vocab(vocab).unk_token("w0".into()).build().unwrap();
    Tokenizer::from_inner(tokenizers::Tokenizer::new(model))
}

/// Greedy, and with beams.
fn modes() -> [Generation; 2] {
    let greedy = Generation { max_new_tokens: Some(12), ..Generation::default() };
    [greedy.clone(), Generation { num_beams: 3, ..greedy }]
}

fn new_ids(settings: &Generation) -> Vec<u32> {
    let tokenizer = tokenizer();
    let hooks = Hooks { tokenizer: Some(&tokenizer), ..Hooks::default() };
    let found = gpt2().generate_with(&[PROMPT], settings, hooks).unwrap().remove(0);
    found.ids[PROMPT.len()..].to_vec()
}

#[test]
fn a_bad_text_is_forbidden_as_its_tokens_are() {
    for settings in modes() {
        let whole = new_ids(&settings);
        let (one, two) = (vec![whole[2]], whole[3..5].to_vec());
        let text = |ids: &[u32]| tokenizer().decode(ids).unwrap();
        let bad_texts = vec![text(&one).to_uppercase(), text(&two)];
        let ids = new_ids(&Generation { bad_texts: bad_texts.clone(), ..settings.clone() });
        let bad_words = vec![one, two];
        assert_eq!(ids, new_ids(&Generation { bad_words, ..settings.clone() }));
        assert!(ids != whole && !bad_texts.iter().any(|bad| words::contains(&text(&ids), bad)));
    }
}

#[test]
fn a_bad_text_is_not_drawn() {
    for seed in 0..20 {
        let bad_texts: Vec<String> = (0..60).map(|id| format!("W{id}")).collect();
        let drawn = Generation { do_sample: true, bad_texts, seed, ..modes()[0].clone() };
        let ids = new_ids(&drawn);
        assert!(ids.len() == 12 && ids.iter().all(|&id| id >= 60), "{ids:?}");
    }
}

#[test]
fn words_hold_the_end_back_as_tokens_do() {
    for settings in modes() {
        let end_tokens = Some(new_ids(&settings)[1..3].to_vec());
        let ends = Generation { end_tokens, ..settings };
        assert!(new_ids(&ends).len() < 7);
        let by_tokens = new_ids(&Generation { min_new_tokens: 6, ..ends.clone() });
        assert_eq!(new_ids(&Generation { min_words: 6, ..ends }), by_tokens);
        assert!(by_tokens.len() >= 7);
    }
}

#[test]
fn a_row_ends_with_the_word_after_the_last() {
    for settings in modes() {
        let ids = new_ids(&Generation { max_words: Some(5), ..settings });
        assert_eq!(ids.len(), 6);
    }
}

#[test]
fn rules_about_text_need_a_tokenizer() {
    let (plain, model) = (&modes()[0], gpt2());
    let error = |settings: Generation| {
        let text = model.generate(PROMPT, &settings).unwrap_err().to_string();
        assert!(settings.max_words.is_some() || settings.process(&[1], 9, &mut [0.0]).is_err());
        text
    };
    let cure = "a tokenizer; call generate_with, with one among the hooks";
    let bad_texts = vec!["w1".into()];
    let texts = error(Generation { bad_texts, ..plain.clone() });
    assert_eq!(texts, format!("bad_texts need {cure}"));
    let min = error(Generation { min_words: 1, ..plain.clone() });
    assert_eq!(min, format!("min_words needs {cure}"));
    let max = error(Generation { max_words: Some(1), ..plain.clone() });
    assert_eq!(max, format!("max_words needs {cure}"));
}

#[test]
fn rules_that_contradict_each_other_say_so() {
    let error = |settings: Generation| settings.check().unwrap_err().to_string();
    let plain = &modes()[0];
    assert_eq!(
        error(Generation { min_words: 9, max_words: Some(5), ..plain.clone() }),
        "min_words is 9, but max_words is 5; ask for no more than that"
    );
    assert_eq!(
        error(Generation { max_words: Some(0), ..plain.clone() }),
        "max_words is 0; it must be at least 1, or absent"
    );
    assert_eq!(
        error(Generation { bad_texts: vec![" ".into()], ..plain.clone() }),
        "bad_texts hold an empty one, which is everywhere; leave it out"
    );
}
