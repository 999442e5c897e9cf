//! Texts that end what is generated.

use super::Generation;
use crate::{Error, Tokenizer};

/// Looks for stop texts in new tokens.
pub(super) struct StopTexts<'a> {
    texts: &'a [String],
    tokenizer: Option<&'a Tokenizer>,
    /// The bytes of the longest text.
    longest: usize,
}

impl<'a> StopTexts<'a> {
    /// # Errors
    /// If there are stop texts, but nothing to read them with.
    pub fn new(
        settings: &'a Generation,
        tokenizer: Option<&'a Tokenizer>,
    ) -> Result<StopTexts<'a>, Error> {
        let texts = &settings.stop[..];
        if !texts.is_empty() && tokenizer.is_none() {
            let text = "stop texts need a tokenizer; call generate_with, with one among the hooks";
            return Err(Error::Request(text.into()));
        }
        let longest = texts.iter().map(String::len).max().unwrap_or(0);
        Ok(StopTexts { texts, tokenizer, longest })
    }

    /// Whether the text of new tokens holds a stop text that the last of them completes. Special tokens
    /// count as they are written.
    pub fn is_complete(&self, new: &[u32]) -> Result<bool, Error> {
        let (Some(tokenizer), false) = (self.tokenizer, self.texts.is_empty()) else {
            return Ok(false);
        };
        // Each token is a byte at least; the first may lose a space in front.
        let window = &new[new.len().saturating_sub(self.longest + 1)..];
        let text = tokenizer.decode_special(window)?;
        Ok(self.texts.iter().any(|stop| text.contains(stop)))
    }
}
