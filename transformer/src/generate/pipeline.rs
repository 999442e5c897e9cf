//! What is done to the scores of the next token before one is chosen, in the order of Hugging Face's
//! Transformers.

use super::{
    Allowed, BadTexts, Generation, bad_words, min_length, no_repeat_ngrams, repetition_penalty,
    words,
};
use crate::{Error, Tokenizer};
use tensor::Float;

/// What the settings, and a hook, do to scores, the same in every mode. What sampling alone does
/// follows in [`super::sampling`].
pub(super) struct Pipeline<'a> {
    settings: &'a Generation,
    end_tokens: &'a [u32],
    bad_words: Vec<Vec<u32>>,
    bad_texts: BadTexts<'a>,
    tokenizer: Option<&'a Tokenizer>,
    allowed: Option<Allowed<'a>>,
    vocab_size: usize,
}

impl<'a> Pipeline<'a> {
    /// # Errors
    /// If a forbidden sequence holds an id beyond the vocabulary, or there are rules about text but
    /// nothing to read it with.
    pub fn new(
        settings: &'a Generation,
        end_tokens: &'a [u32],
        allowed: Option<Allowed<'a>>,
        tokenizer: Option<&'a Tokenizer>,
        vocab_size: usize,
    ) -> Result<Pipeline<'a>, Error> {
        let beyond = |id: &&u32| **id as usize >= vocab_size;
        if let Some(id) = settings.bad_words.iter().flatten().find(beyond) {
            return Err(Error::Request(format!(
                "bad_words holds token {id}, beyond the vocabulary of {vocab_size} tokens"
            )));
        }
        if settings.min_words > 0 && tokenizer.is_none() {
            let text = "min_words needs a tokenizer; call generate_with, with one among the hooks";
            return Err(Error::Request(text.into()));
        }
        let bad_texts = BadTexts::new(settings, tokenizer)?;
        // To forbid the end itself would be to say: go on for ever.
        let ends = |word: &&Vec<u32>| !matches!(word[..], [id] if end_tokens.contains(&id));
        let bad_words = settings.bad_words.iter().filter(ends).cloned().collect();
        Ok(Pipeline { settings, end_tokens, bad_words, bad_texts, tokenizer, allowed, vocab_size })
    }

    /// Changes the scores of the next token, of one text or of all beams of one: `row` is its number,
    /// `histories` are the tokens so far, of which the first `prompt_len` were given.
    ///
    /// # Errors
    /// If the hook allows no token, or one beyond the vocabulary.
    pub fn process(
        &self,
        row: usize,
        prompt_len: usize,
        histories: &[&[u32]],
        scores: &mut [Float],
    ) -> Result<(), Error> {
        let settings = self.settings;
        let pairs = histories.iter().zip(scores.chunks_exact_mut(self.vocab_size));
        for (history, scores) in pairs {
            if settings.repetition_penalty != 1.0 {
                repetition_penalty(history, scores, settings.repetition_penalty);
            }
            no_repeat_ngrams(history, scores, settings.no_repeat_ngram_size.unwrap_or(0));
            bad_words(history, scores, &self.bad_words);
            min_length(history.len(), scores, settings.min_length, self.end_tokens);
            let least = prompt_len.saturating_add(settings.min_new_tokens);
            min_length(history.len(), scores, least, self.end_tokens);
            self.min_words(history, prompt_len, scores)?;
        }
        match self.allowed {
            Some(allowed) => self.allow(allowed, row, histories, scores),
            None => Ok(()),
        }
    }

    /// Forbids the end while the new text has too few words.
    fn min_words(
        &self,
        history: &[u32],
        prompt_len: usize,
        scores: &mut [Float],
    ) -> Result<(), Error> {
        let least = self.settings.min_words;
        if let (Some(tokenizer), true) = (self.tokenizer, least > 0) {
            let words = words::count(&tokenizer.decode(&history[prompt_len.min(history.len())..])?);
            min_length(words, scores, least, self.end_tokens);
        }
        Ok(())
    }

    /// Whether a token after the new ones so far completes a text that may not be written. Asked of one
    /// that was chosen: to ask it of all would be to read the vocabulary at each step.
    pub fn completes_bad_text(&self, new: &[u32], id: u32) -> Result<bool, Error> {
        self.bad_texts.are_completed(new, id)
    }

    /// Forbids what the hook does not allow. Where all that it allows was forbidden before, in every
    /// beam, it outranks what forbade it.
    fn allow(
        &self,
        allowed: Allowed<'_>,
        row: usize,
        histories: &[&[u32]],
        scores: &mut [Float],
    ) -> Result<(), Error> {
        let mut masks = vec![0.0; scores.len()];
        for (history, mask) in histories.iter().zip(masks.chunks_exact_mut(self.vocab_size)) {
            let Some(ids) = allowed(row, history) else { continue };
            mask.fill(Float::NEG_INFINITY);
            if ids.is_empty() {
                let text = format!("the hook allows no token after {} of row {row}", history.len());
                return Err(Error::Request(text));
            }
            for id in ids {
                *mask.get_mut(id as usize).ok_or_else(|| {
                    Error::Request(format!(
                        "the hook allows token {id}, beyond the vocabulary of {} tokens",
                        self.vocab_size
                    ))
                })? = 0.0;
            }
        }
        let none = Float::NEG_INFINITY;
        if scores.iter().zip(&masks).all(|(score, mask)| score + mask == none) {
            scores.copy_from_slice(&masks);
        } else {
            scores.iter_mut().zip(&masks).for_each(|(score, mask)| *score += mask);
        }
        Ok(())
    }
}

impl Generation {
    /// What these settings do, in every mode, to the scores of the token after `history`, of which the
    /// first `prompt_len` tokens were given. For a loop of one's own; sampling goes on with
    /// [`super::sampling::candidates`].
    ///
    /// # Errors
    /// If a setting is out of range, `bad_words` holds an id beyond the vocabulary, or there is a rule
    /// about text, which needs a tokenizer.
    pub fn process(
        &self,
        history: &[u32],
        prompt_len: usize,
        scores: &mut [Float],
    ) -> Result<(), Error> {
        self.check()?;
        let end_tokens = self.end_tokens.as_deref().unwrap_or_default();
        let pipeline = Pipeline::new(self, end_tokens, None, None, scores.len())?;
        pipeline.process(0, prompt_len, &[history], scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Float = Float::NEG_INFINITY;

    fn error(settings: &Generation, allowed: Option<Allowed<'_>>) -> String {
        let process = |pipeline: Pipeline<'_>| pipeline.process(0, 1, &[&[1]], &mut [0.0; 3]);
        Pipeline::new(settings, &[2], allowed, None, 3).and_then(process).unwrap_err().to_string()
    }

    #[test]
    fn the_end_is_no_bad_word() {
        let bad_words = vec![vec![2], vec![0], vec![1, 2]];
        let settings = Generation { bad_words, ..Generation::default() };
        let mut scores = [0.0; 3];
        let pipeline = Pipeline::new(&settings, &[2], None, None, 3).unwrap();
        pipeline.process(0, 1, &[&[0]], &mut scores).unwrap();
        assert_eq!(scores, [NONE, 0.0, 0.0]);
    }

    #[test]
    fn what_is_allowed_outranks_what_is_forbidden() {
        let settings = Generation { bad_words: vec![vec![0]], ..Generation::default() };
        let allowed = |_: usize, history: &[u32]| Some(vec![history[0]]);
        let pipeline = Pipeline::new(&settings, &[2], Some(&allowed), None, 3).unwrap();
        let mut scores = [1.0; 6];
        pipeline.process(0, 1, &[&[1], &[0]], &mut scores).unwrap();
        assert_eq!(scores, [NONE, 1.0, NONE, NONE, NONE, NONE]);
        let mut scores = [1.0; 3];
        pipeline.process(0, 1, &[&[0]], &mut scores).unwrap();
        assert_eq!(scores, [0.0, NONE, NONE]);
    }

    #[test]
    fn ids_beyond_the_vocabulary_are_errors() {
        let settings = Generation { bad_words: vec![vec![0, 3]], ..Generation::default() };
        assert_eq!(
            error(&settings, None),
            "bad_words holds token 3, beyond the vocabulary of 3 tokens"
        );
        let settings = Generation::default();
        assert_eq!(
            error(&settings, Some(&|_, _| Some(vec![7]))),
            "the hook allows token 7, beyond the vocabulary of 3 tokens"
        );
        assert_eq!(
            error(&settings, Some(&|_, _| Some(vec![]))),
            "the hook allows no token after 1 of row 0"
        );
    }
}
