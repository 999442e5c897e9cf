//! A text, and what is wrong with it.

use super::Wording;
use crate::Error;
use transformer::generate::words::{self, Cut};
use transformer::{Generation, Tokenizer};

/// A text that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The text, without what is beyond `max_words`.
    pub text: String,
    /// Its tokens, the end token included where there is one.
    pub ids: Vec<u32>,
    /// Words that it must hold, and does not.
    pub missing: Vec<String>,
    /// Words that it may not hold, and does: none, unless special tokens part what they spell.
    pub unwanted: Vec<String>,
    /// Whether it has fewer words than `min_words`.
    pub is_short: bool,
    /// Whether it ends in the middle of a sentence: at `max_words`, or for want of new tokens.
    pub is_cut: bool,
    /// Whether it repeats an earlier variant.
    pub is_repeated: bool,
    /// How many rules it breaks; to end in the middle of a sentence is to break `max_words` alone.
    pub faults: usize,
}

impl Written {
    /// Judges new tokens.
    pub(super) fn new(
        tokenizer: &Tokenizer,
        ids: Vec<u32>,
        settings: &Generation,
        wording: &Wording,
        earlier: &[Written],
    ) -> Result<Written, Error> {
        let whole = tokenizer.decode(&ids)?;
        let cut = settings.max_words.and_then(|most| words::cut(&whole, settings.min_words, most));
        let ends = ids.last().is_some_and(|id| ends(settings).contains(id))
            || settings.stop.iter().any(|stop| whole.contains(stop));
        let mut written = match cut {
            Some(Cut { text, is_sentence }) => Written {
                ids: spelling(tokenizer, ids, text)?,
                text: text.to_string(),
                is_cut: !is_sentence,
                ..Written::default()
            },
            None => {
                let is_cut = !(ends || words::ends_sentence(&whole));
                Written { ids, text: whole, is_cut, ..Written::default() }
            }
        };
        written.judge(settings, wording, earlier);
        Ok(written)
    }

    fn judge(&mut self, settings: &Generation, wording: &Wording, earlier: &[Written]) {
        let text = &self.text;
        let has = |word: &&String| words::contains(text, word);
        self.missing = wording.must_have.iter().filter(|word| !has(word)).cloned().collect();
        self.unwanted = settings.bad_texts.iter().filter(has).cloned().collect();
        self.is_short = words::count(text) < settings.min_words;
        self.is_repeated = earlier.iter().any(|other| other.text.trim() == text.trim());
        // Who sets no limit of words asked for no whole sentences: the limit of tokens just cuts.
        let is_cut = self.is_cut && settings.max_words.is_some();
        let flags = [self.is_short, is_cut, self.is_repeated];
        let flags = flags.into_iter().filter(|&flag| flag).count();
        self.faults = self.missing.len() + self.unwanted.len() + flags;
    }
}

fn ends(settings: &Generation) -> &[u32] {
    settings.end_tokens.as_deref().unwrap_or_default()
}

/// The fewest first tokens whose text begins with `text`.
fn spelling(tokenizer: &Tokenizer, mut ids: Vec<u32>, text: &str) -> Result<Vec<u32>, Error> {
    for count in 1..ids.len() {
        if tokenizer.decode(&ids[..count])?.starts_with(text) {
            ids.truncate(count);
            break;
        }
    }
    Ok(ids)
}
