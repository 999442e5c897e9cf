//! A text on stdout as it is written.

use crate::Error;
use crate::cli::output::{print, print_part};
use std::ops::ControlFlow;
use transformer::{TextStream, Tokenizer};

/// A text that is written on stdout as its tokens come, behind its prompt.
pub struct Stream<'a> {
    prompt: &'a str,
    text: TextStream<'a>,
    is_begun: bool,
    failed: Option<Error>,
}

impl<'a> Stream<'a> {
    pub fn new(tokenizer: &'a Tokenizer, prompt: &'a str) -> Stream<'a> {
        Stream { prompt, text: tokenizer.stream(), is_begun: false, failed: None }
    }

    /// Breaks off where stdout can't be written.
    pub fn push(&mut self, id: u32) -> ControlFlow<()> {
        let written = self.text.push(id).map_err(Error::from).and_then(|piece| self.write(&piece));
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// The prompt waits for the first token: a failure before it leaves stdout empty.
    fn write(&mut self, piece: &str) -> Result<(), Error> {
        let prompt = if self.is_begun { "" } else { self.prompt };
        self.is_begun = true;
        print_part(format_args!("{prompt}{piece}"))
    }

    pub fn finish(mut self) -> Result<(), Error> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let prompt = if self.is_begun { "" } else { self.prompt };
        print(format_args!("{prompt}{}", self.text.finish()?))
    }
}
