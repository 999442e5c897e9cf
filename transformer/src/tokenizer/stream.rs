//! Text as its tokens come.

use super::Tokenizer;
use crate::Error;

/// Decodes tokens one by one into pieces of text. No piece splits a character, and all pieces
/// together are what [`Tokenizer::decode`] makes of all tokens.
///
/// ```no_run
/// # let tokenizer = transformer::Tokenizer::from_pretrained("folder").unwrap();
/// let mut stream = tokenizer.stream();
/// for id in [17, 4, 256] {
///     print!("{}", stream.push(id).unwrap());
/// }
/// println!("{}", stream.finish().unwrap());
/// ```
#[derive(Clone, Debug)]
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    waits: Waits,
    /// Tokens before the next piece, from where a character begins, and those of it: how a token is
    /// written may depend on whether one stands before it.
    window: Vec<u32>,
    /// How much of the window's text was given out, in bytes.
    given: usize,
    /// How many of the window's tokens have been given out whole.
    settled: usize,
}

/// Which tokens' text is open until others follow.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Waits {
    /// That of an incomplete character.
    Characters,
    /// That of all tokens `<0x..>`, which stand for bytes: a run of them is text or is not, as a whole.
    Bytes,
    /// All: what comes last may change what came first.
    All,
}

impl Tokenizer {
    /// Decodes tokens one by one, special ones left out.
    pub fn stream(&self) -> TextStream<'_> {
        let waits = Waits::of(self);
        TextStream { tokenizer: self, waits, window: Vec::new(), given: 0, settled: 0 }
    }
}

impl TextStream<'_> {
    /// The text that one more token settles; often its own, at times none.
    ///
    /// # Errors
    /// If the tokenizer can't decode it.
    pub fn push(&mut self, id: u32) -> Result<String, Error> {
        let Some(token) = self.tokenizer.inner.id_to_token(id) else { return Ok(String::new()) };
        if self.tokenizer.is_special(id) {
            return Ok(String::new());
        }
        self.window.push(id);
        let is_byte = token.len() == 6 && token.starts_with("<0x") && token.ends_with('>');
        match self.waits {
            Waits::All => return Ok(String::new()),
            Waits::Bytes if is_byte => return Ok(String::new()),
            Waits::Bytes | Waits::Characters => {}
        }
        let text = self.tokenizer.decode(&self.window)?;
        // The last of them may be the beginning of a character.
        let whole = text.strip_suffix(char::REPLACEMENT_CHARACTER);
        let piece = self.give(whole.unwrap_or(&text));
        if whole.is_none() && !piece.is_empty() {
            self.window.drain(..self.settled);
            self.settled = self.window.len();
            self.given = self.tokenizer.decode(&self.window)?.len();
        }
        Ok(piece)
    }

    /// The text that was still open.
    ///
    /// # Errors
    /// If the tokenizer can't decode it.
    pub fn finish(mut self) -> Result<String, Error> {
        let text = self.tokenizer.decode(&self.window)?;
        Ok(self.give(&text))
    }

    /// What of the window's text has not been given out yet.
    fn give(&mut self, text: &str) -> String {
        let piece = text.get(self.given..).unwrap_or_default().to_string();
        self.given = self.given.max(text.len());
        piece
    }
}

impl Waits {
    fn of(tokenizer: &Tokenizer) -> Waits {
        let decoder = serde_json::to_value(tokenizer.inner.get_decoder()).unwrap_or_default();
        let (mut waits, mut is_fused) = (Waits::Characters, false);
        let parts = decoder["decoders"].as_array().map_or(std::slice::from_ref(&decoder), |d| d);
        for part in parts {
            match part["type"].as_str() {
                Some("ByteFallback") => waits = Waits::Bytes,
                Some("Fuse") => is_fused = true,
                Some("Strip") if part["stop"] == 0 && part["start"].as_u64() < Some(2) => {}
                Some("Replace") if !is_fused => {}
                Some("ByteLevel" | "WordPiece" | "Metaspace" | "BPEDecoder") | None => {}
                Some(_) => return Waits::All,
            }
        }
        waits
    }
}
