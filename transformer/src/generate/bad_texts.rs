//! Texts that may not be written, whatever tokens spell them.

use super::{Generation, words};
use crate::{Error, Tokenizer};

/// Bytes of the longest character.
const CHARACTER: usize = 4;

/// Looks for forbidden texts in new tokens.
///
/// A list of each text's tokens would miss some: a word begins with a space or not, with a capital or
/// not, and can be spelled in pieces. So the text itself is read: the token that would complete one is
/// not taken, as with [`super::bad_words`].
pub(super) struct BadTexts<'a> {
    texts: &'a [String],
    tokenizer: Option<&'a Tokenizer>,
    /// Tokens that hold any of the texts, and a whole character before it.
    window: usize,
}

impl<'a> BadTexts<'a> {
    /// # Errors
    /// If there are such texts, but nothing to read them with.
    pub fn new(
        settings: &'a Generation,
        tokenizer: Option<&'a Tokenizer>,
    ) -> Result<BadTexts<'a>, Error> {
        let texts = &settings.bad_texts[..];
        if !texts.is_empty() && tokenizer.is_none() {
            let text = "bad_texts need a tokenizer; call generate_with, with one among the hooks";
            return Err(Error::Request(text.into()));
        }
        // In another case a character may take more bytes; each token is one at least.
        let longest = texts.iter().map(|text| text.chars().count() * CHARACTER).max();
        Ok(BadTexts { texts, tokenizer, window: longest.unwrap_or(0) + CHARACTER + 1 })
    }

    /// Whether a token completes a forbidden text after the new tokens so far.
    pub fn are_completed(&self, new: &[u32], id: u32) -> Result<bool, Error> {
        let (Some(tokenizer), false) = (self.tokenizer, self.texts.is_empty()) else {
            return Ok(false);
        };
        let first = (new.len() + 1).saturating_sub(self.window);
        let text = tokenizer.decode(&[&new[first..], &[id]].concat())?;
        Ok(self.texts.iter().any(|bad| words::stands(&text, bad, first > 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizers::models::bpe::Vocab;
    use tokenizers::models::wordlevel::WordLevel;

    /// Tokens of words and pieces, joined as they are.
    fn tokenizer() -> Tokenizer {
        let tokens = ["?", "ch", "eap", " ", "Cheap", "er", "a", " cheaper"];
        let vocab = (0..).zip(tokens).map(|(id, token)| (token.to_string(), id)).collect::<Vocab>();
        let model = WordLevel::builder().vocab(vocab).unk_token("?".into()).build().unwrap();
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_decoder(Some(tokenizers::decoders::fuse::Fuse::new()));
        Tokenizer::from_inner(inner)
    }

    #[test]
    fn any_spelling_is_seen_at_its_last_token() {
        let settings = Generation { bad_texts: vec!["cheap".into()], ..Generation::default() };
        let tokenizer = tokenizer();
        let bad = BadTexts::new(&settings, Some(&tokenizer)).unwrap();
        for (new, is_bad) in [
            (&[1, 2][..], true),
            (&[3, 1, 2], true),
            (&[6, 3, 4], true),
            (&[4], true),
            (&[1], false),
            (&[6, 1, 2], false), // "acheap"
            (&[7], false),
        ] {
            let (id, new) = new.split_last().unwrap();
            assert_eq!(bad.are_completed(new, *id).unwrap(), is_bad, "{new:?} {id}");
        }
        // The end of a longer word is at the beginning of what is read.
        let long = [&[6, 4][..], &[6; 23]].concat();
        assert!(!bad.are_completed(&long, 6).unwrap());
    }

    #[test]
    fn texts_need_a_tokenizer() {
        let settings = Generation { bad_texts: vec!["x".into()], ..Generation::default() };
        assert_eq!(
            BadTexts::new(&settings, None).err().unwrap().to_string(),
            "bad_texts need a tokenizer; call generate_with, with one among the hooks"
        );
        let none = BadTexts::new(&Generation { bad_texts: Vec::new(), ..settings }, None).is_ok();
        assert!(none);
    }
}
