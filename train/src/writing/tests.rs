use super::*;
use tensor::{Float, Tensor};
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordlevel::WordLevel;
use transformer::Padded;

const TOKENS: [&str; 6] = ["name:", "Red", "blue", "lamp", ".", "<end>"];

/// A model that knows the last token alone: row `i` holds the probabilities after token `i`.
struct Chain {
    table: [[Float; 6]; 6],
    max_seq_len: Option<usize>,
}

impl Autoregressive for Chain {
    type State = ();

    fn vocab_size(&self) -> usize {
        6
    }

    fn max_seq_len(&self) -> Option<usize> {
        self.max_seq_len
    }

    fn end_tokens(&self) -> Vec<u32> {
        vec![5]
    }

    fn first_tokens<'a>(&'a self, ids: &'a [u32]) -> &'a [u32] {
        ids
    }

    fn start(&self, _ids: &[&[u32]], _capacity: usize) -> Result<(), transformer::Error> {
        Ok(())
    }

    fn next_scores(&self, tokens: &Padded, (): &mut ()) -> Tensor {
        let last = tokens.tokens.ids().chunks_exact(tokens.tokens.shape()[1]);
        let rows = last.map(|row| self.table[row[row.len() - 1] as usize]);
        let rows: Vec<Float> = rows.flatten().map(Float::ln).collect();
        Tensor::new(&rows, &[rows.len() / 6, 6])
    }

    fn reorder(&self, (): &mut (), _rows: &[usize]) {}
}

/// It writes a lamp; three in ten are red, two blue..
fn chain() -> Chain {
    let table = [
        [0.0, 0.3, 0.2, 0.5, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        [0.0, 0.2, 0.2, 0.0, 0.0, 0.6],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    ];
    Chain { table, max_seq_len: None }
}

fn tokenizer() -> Tokenizer {
    let vocab = (0..).zip(TOKENS).map(|(id, token)| (token.to_string(), id)).collect::<Vocab>();
    let model = WordLevel::builder().vocab(vocab).unk_token("name:".into()).build().unwrap();
    let mut inner = tokenizers::Tokenizer::new(model);
    inner.add_special_tokens(&[tokenizers::AddedToken::from("<end>", true)]);
    Tokenizer::from_inner(inner)
}

fn settings() -> Generation {
    Generation { max_new_tokens: Some(40), ..Generation::default() }
}

/// The variants of one prompt.
fn one(model: &Chain, settings: &Generation, wording: &Wording) -> Vec<Written> {
    write(model, &tokenizer(), &[&[0]], settings, wording).unwrap().rows.remove(0)
}

fn must_have(words: &[&str], tries: usize) -> Wording {
    let must_have = words.iter().map(|word| word.to_string()).collect();
    Wording { must_have, tries, ..Wording::default() }
}

#[test]
fn without_rules_it_is_greedy() {
    let prompts: [&[u32]; 40] = [&[0]; 40];
    let texts = write(&chain(), &tokenizer(), &prompts, &settings(), &Wording::default());
    let texts = texts.unwrap();
    assert_eq!((texts.rows.len(), texts.tokens), (40, 120));
    for written in texts.rows.concat() {
        assert_eq!((&written.text[..], &written.ids[..]), ("lamp .", &[3, 4, 5][..]));
        assert_eq!((written.faults, written.is_cut), (0, false));
    }
}

#[test]
fn a_text_is_drawn_until_it_has_each_word() {
    let written = one(&chain(), &settings(), &must_have(&["RED", "blue lamp"], 60)).remove(0);
    assert!(written.text.contains("Red") && written.text.contains("blue lamp"), "{written:?}");
    assert_eq!(written.faults, 0);
    let written = one(&chain(), &settings(), &must_have(&["green", "lamp"], 3)).remove(0);
    assert_eq!((written.missing, &written.text[..]), (vec!["green".to_string()], "lamp ."));
}

#[test]
fn variants_differ_where_the_model_can() {
    let wording = Wording { variants: 3, tries: 60, ..Wording::default() };
    let found = one(&chain(), &settings(), &wording);
    let mut texts: Vec<&str> = found.iter().map(|written| &written.text[..]).collect();
    assert_eq!(texts[0], "lamp .");
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 3);
    let mut narrow = chain();
    narrow.table[0] = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0];
    narrow.table[4] = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    let found = one(&narrow, &settings(), &wording);
    assert_eq!([0, 1, 2].map(|i| found[i].is_repeated), [false, true, true]);
}

#[test]
fn a_text_ends_within_its_range_of_words() {
    let least = Generation { min_words: 3, ..settings() };
    let written = one(&chain(), &least, &Wording::default()).remove(0);
    assert_eq!((&written.text[..], written.is_short), ("lamp . Red lamp .", false));
    let most = Generation { max_words: Some(4), min_words: 4, ..settings() };
    let written = one(&chain(), &most, &Wording::default()).remove(0);
    assert_eq!((&written.text[..], written.is_cut), ("lamp . Red lamp . Red", true));
    assert_eq!((&written.ids[..], written.faults), (&[3, 4, 1, 3, 4, 1][..], 1));
    let few = Generation { min_words: 9, max_new_tokens: Some(5), ..settings() };
    let written = one(&chain(), &few, &Wording::default()).remove(0);
    assert_eq!((written.is_short, written.faults), (true, 1));
}

#[test]
fn what_lies_beyond_the_last_sentence_is_cut_off() {
    let mut endless = chain();
    endless.table[4] = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0];
    let most = Generation { max_words: Some(4), ..settings() };
    let written = one(&endless, &most, &Wording::default()).remove(0);
    assert_eq!((&written.text[..], &written.ids[..]), ("lamp . Red lamp .", &[3, 4, 1, 3, 4][..]));
    assert_eq!((written.is_cut, written.faults), (false, 0));
}

#[test]
fn a_prompt_gets_the_same_whatever_stands_beside_it() {
    let drawn = Generation { do_sample: true, ..settings() };
    let prompts: Vec<Vec<u32>> = (0..70).map(|i| vec![0; 1 + i * 7 % 12]).collect();
    let prompts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
    let wording = Wording { variants: 2, tries: 4, ..must_have(&["red"], 4) };
    let all = write(&chain(), &tokenizer(), &prompts, &drawn, &wording).unwrap();
    for (prompt, row) in prompts.iter().zip(&all.rows) {
        let alone = write(&chain(), &tokenizer(), &[prompt], &drawn, &wording).unwrap();
        assert_eq!(&alone.rows[0], row);
    }
}

#[test]
fn a_long_prompt_takes_the_room_there_is() {
    let narrow = Chain { max_seq_len: Some(9), ..chain() };
    let least = Generation { min_words: 30, max_new_tokens: Some(6), ..settings() };
    let prompts: [&[u32]; 2] = [&[0; 7], &[0; 2]];
    let texts = write(&narrow, &tokenizer(), &prompts, &least, &Wording::default()).unwrap();
    let new: Vec<usize> = texts.rows.iter().map(|row| row[0].ids.len()).collect();
    assert_eq!(new, [2, 6]);
    let error = write(&narrow, &tokenizer(), &[&[0; 10]], &least, &Wording::default());
    assert!(error.unwrap_err().to_string().contains("the prompt has 10 tokens"));
}

#[test]
fn rules_that_make_no_sense_say_so() {
    let error = |wording: Wording| wording.check().unwrap_err().to_string();
    let none = Wording { tries: 0, ..Wording::default() };
    assert_eq!(error(none), "tries and variants must be at least 1");
    assert_eq!(error(must_have(&[" "], 1)), "must_have holds an empty word; leave it out");
}
