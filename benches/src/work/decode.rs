//! Decoding: a prompt is read at once, then one token after the other is chosen greedily, end tokens
//! as any other.

use super::{Source, ids};
use crate::turns::Turn;
use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;
use tensor::packed::Format;
use tensor::{Precision, with_precision};
use transformer::{Autoregressive, Generation, Hooks, Model, NewToken, packing};

/// A model, what it reads and how much it writes.
pub struct Decode {
    model: Model,
    prompt: Vec<u32>,
    new_tokens: usize,
    precision: Precision,
}

/// What the tokens of one text took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Seconds from the start to the first new token.
    pub reading: f64,
    /// Seconds from the first new token to the last.
    pub writing: f64,
}

impl Decode {
    /// Of `bf16`, matrices that are not packed already are kept in two bytes a number, and those of a
    /// quantized model multiply numbers rounded so.
    ///
    /// # Errors
    /// If the model can't be loaded, or there is nothing to read or to write.
    pub fn new(
        source: &Source,
        prompt_tokens: usize,
        new_tokens: usize,
        precision: Precision,
    ) -> Result<Decode, Box<dyn Error>> {
        if prompt_tokens == 0 || new_tokens == 0 {
            return Err("--prompt-tokens and --new-tokens must be at least 1".into());
        }
        let mut model = source.model()?;
        if precision == Precision::Bf16 {
            packing::pack_matrices(&mut model, Format::BF16);
        }
        let prompt = ids(0..prompt_tokens, model.vocab_size());
        Ok(Decode { model, prompt, new_tokens, precision })
    }

    /// Reads one token and writes two: pages are touched and threads woken before anything is timed.
    ///
    /// # Errors
    /// As [`Decode::write`].
    pub fn warm_up(&self) -> Result<(), Box<dyn Error>> {
        self.moments(&self.prompt[..1], 2).map(|_| ())
    }

    /// Writes the text once.
    ///
    /// # Errors
    /// If the text is longer than the model's context.
    pub fn write(&self) -> Result<Moments, Box<dyn Error>> {
        self.moments(&self.prompt, self.new_tokens)
    }

    fn moments(&self, prompt: &[u32], new_tokens: usize) -> Result<Moments, Box<dyn Error>> {
        let settings = Generation {
            max_new_tokens: Some(new_tokens),
            end_tokens: Some(Vec::new()),
            ..Generation::default()
        };
        let (start, mut moments) = (Instant::now(), Vec::new());
        let mut on_token = |_: NewToken| {
            moments.push(start.elapsed().as_secs_f64());
            ControlFlow::Continue(())
        };
        let hooks = Hooks { on_token: Some(&mut on_token), ..Hooks::default() };
        with_precision(self.precision, || self.model.generate_with(&[prompt], &settings, hooks))?;
        let (reading, last) = (moments[0], moments[moments.len() - 1]);
        Ok(Moments { reading, writing: last - reading })
    }

    /// Writes the text once: the time is that of the tokens after the first, or of reading the prompt
    /// where one token is all that is written.
    ///
    /// # Errors
    /// As [`Decode::write`].
    pub fn turn(&self) -> Result<Turn, Box<dyn Error>> {
        let moments = self.write()?;
        let seconds = if self.new_tokens == 1 { moments.reading } else { moments.writing };
        Ok(Turn { ms: 1e3 * seconds, loss: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use train::Preset;

    #[test]
    fn reading_and_writing_take_their_time() {
        let tiny = Source::preset(Preset::Tiny);
        for precision in [Precision::F32, Precision::Bf16] {
            let decode = Decode::new(&tiny, 16, 4, precision).unwrap();
            let moments = decode.write().unwrap();
            assert!(moments.reading > 0.0 && moments.writing > 0.0, "{moments:?}");
            assert!(decode.turn().unwrap().ms > 0.0);
        }
        let one = Decode::new(&tiny, 16, 1, Precision::F32).unwrap();
        assert_eq!(one.write().unwrap().writing, 0.0);
        assert!(one.turn().unwrap().ms > 0.0);
        assert!(Decode::new(&tiny, 0, 1, Precision::F32).is_err());
    }
}
