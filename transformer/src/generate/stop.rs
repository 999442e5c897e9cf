//! Texts that end what is generated, and words beyond those it may have.

use super::{Generation, words};
use crate::{Error, Tokenizer};

/// Looks for stop texts in new tokens, and counts their words.
pub(super) struct StopTexts<'a> {
    texts: &'a [String],
    tokenizer: Option<&'a Tokenizer>,
    /// The bytes of the longest text.
    longest: usize,
    max_words: Option<usize>,
}

impl<'a> StopTexts<'a> {
    /// # Errors
    /// If there are stop texts or a limit of words, but nothing to read them with.
    pub fn new(
        settings: &'a Generation,
        tokenizer: Option<&'a Tokenizer>,
    ) -> Result<StopTexts<'a>, Error> {
        let texts = &settings.stop[..];
        if !texts.is_empty() && tokenizer.is_none() {
            let text = "stop texts need a tokenizer; call generate_with, with one among the hooks";
            return Err(Error::Request(text.into()));
        }
        if settings.max_words.is_some() && tokenizer.is_none() {
            let text = "max_words needs a tokenizer; call generate_with, with one among the hooks";
            return Err(Error::Request(text.into()));
        }
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        Ok(StopTexts { texts, tokenizer, longest, max_words: settings.max_words })
    }

    /// Whether the text of new tokens has more words than it may, or holds a stop text that the last of
    /// them completes. Special tokens count as they are written, and as no words.
    pub fn is_complete(&self, new: &[u32]) -> Result<bool, Error> {
        let Some(tokenizer) = self.tokenizer else { return Ok(false) };
        if let Some(most) = self.max_words
            && words::count(&tokenizer.decode(new)?) > most
        {
            return Ok(true);
        }
        if self.texts.is_empty() {
            return Ok(false);
        }
        // Each token is a byte at least; the first may lose a space in front.
        let window = &new[new.len().saturating_sub(self.longest + 1)..];
        let text = tokenizer.decode_special(window)?;
        Ok(self.texts.iter().any(|stop| text.contains(stop)))
    }
}
