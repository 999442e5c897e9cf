//! Texts for many prompts, held to rules: drawn anew where they break one.
//!
//! What can be kept while a text is written, [`Generation`] keeps: words that may not appear, a range
//! of words. That a word must appear can't be forced without breaking the sentence. So a text that
//! lacks one is drawn anew, as often as [`Wording::tries`] says, and the best is kept; what it still
//! lacks is told.

mod batches;
mod confidence;
mod evidence;
mod written;

pub use confidence::{confidences, sequence};
pub use evidence::{Evidence, evidence};
pub use written::Written;

use crate::Error;
pub(crate) use batches::Batches;
use transformer::{Autoregressive, EarlyStopping, Generation, Tokenizer};

/// What is asked of texts besides the settings of generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wording {
    /// Words, or several in a row, that each text must hold:
    /// [`contains`](transformer::generate::words::contains).
    pub must_have: Vec<String>,
    /// How often a text is drawn, at most, until it breaks no rule.
    pub tries: usize,
    /// Different texts for each prompt.
    pub variants: usize,
}

impl Default for Wording {
    fn default() -> Wording {
        Wording { must_have: Vec::new(), tries: 1, variants: 1 }
    }
}

/// What was written, and what it took.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    /// For each prompt its variants.
    pub rows: Vec<Vec<Written>>,
    /// New tokens that the model computed, those of texts that were not kept among them.
    pub tokens: usize,
}

/// What the model writes to each prompt, those of similar length side by side: of the texts that it
/// tries, the first that breaks no rule, else the first of those that break the fewest.
///
/// The first text is written as `settings` say, the others are drawn: their seeds are those that follow
/// `settings.seed`, and where the settings do not sample, from the nucleus of 0.9. A variant that
/// repeats another breaks a rule too. A prompt that leaves less room in the context than
/// `max_new_tokens` gets what room there is. What is drawn follows from the prompt, the settings and the
/// seed, whatever prompts stand beside it.
///
/// # Errors
/// If settings contradict each other, or a prompt is empty or does not fit the context.
pub fn write(
    model: &impl Autoregressive,
    tokenizer: &Tokenizer,
    prompts: &[&[u32]],
    settings: &Generation,
    wording: &Wording,
) -> Result<Texts, Error> {
    wording.check()?;
    let ends = || model.end_tokens();
    let end_tokens = Some(settings.end_tokens.clone().unwrap_or_else(ends));
    let settings = &Generation { end_tokens, num_return_sequences: 1, ..settings.clone() };
    let batches = Batches { model, tokenizer, prompts };
    let mut texts = Texts { rows: vec![Vec::new(); prompts.len()], tokens: 0 };
    for variant in 0..wording.variants {
        let mut open: Vec<usize> = (0..prompts.len()).collect();
        for attempt in 0..wording.tries {
            let settings = drawn(settings, variant * wording.tries + attempt);
            for (row, new) in open.iter().zip(batches.write(&open, &settings)?) {
                texts.tokens += new.len();
                let variants = &mut texts.rows[*row];
                let earlier = &variants[..variant];
                let written = Written::new(tokenizer, new, &settings, wording, earlier)?;
                keep_better(variants, variant, written);
            }
            open.retain(|&row| texts.rows[row][variant].faults > 0);
        }
    }
    Ok(texts)
}

/// The settings of the text `number` of a prompt.
fn drawn(settings: &Generation, number: usize) -> Generation {
    if number == 0 {
        return settings.clone();
    }
    let is_drawn = settings.do_sample && settings.temperature > 0.0;
    Generation {
        do_sample: true,
        temperature: if is_drawn { settings.temperature } else { 1.0 },
        top_p: if is_drawn { settings.top_p } else { settings.top_p.or(Some(0.9)) },
        num_beams: 1,
        num_return_sequences: 1,
        length_penalty: 1.0,
        early_stopping: EarlyStopping::No,
        seed: settings.seed.wrapping_add(number as u64),
        ..settings.clone()
    }
}

/// Keeps the text in its place, unless one is there that breaks no more rules.
fn keep_better(variants: &mut Vec<Written>, place: usize, written: Written) {
    match variants.get_mut(place) {
        None => variants.push(written),
        Some(kept) if written.faults < kept.faults => *kept = written,
        Some(_) => {}
    }
}

impl Wording {
    /// # Errors
    /// If a word is empty, or there is nothing to write; says what to write instead.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |text: &str| Err(Error::settings(text));
        if self.must_have.iter().any(|word| word.trim().is_empty()) {
            return wrong("must_have holds an empty word; leave it out");
        }
        if self.tries == 0 || self.variants == 0 {
            return wrong("tries and variants must be at least 1");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
