//! A talk with a chat model; its answers appear as they are written.
//!
//! `cargo run --release --example chat -- --model SMOLLM2`, where SMOLLM2 is the GGUF file of
//! SmolLM2-135M-Instruct, or another model with a chat template.

use clap::Parser;
use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::ops::ControlFlow;
use std::path::PathBuf;
use transformer::{
    Autoregressive, ChatTemplate, Generation, Hooks, Message, Model, NewToken, Tokenizer,
};

/// Talk with a model.
#[derive(Parser)]
struct Arguments {
    /// A folder, a .gguf file, or hf:ORG/NAME
    #[arg(long)]
    model: PathBuf,
    /// What the model is told before the talk
    #[arg(long)]
    system: Option<String>,
    /// What you say; repeat to go on. Where absent, lines are read from stdin
    #[arg(long)]
    message: Vec<String>,
    /// Tokens of an answer at most
    #[arg(long, default_value_t = 200)]
    max_new_tokens: usize,
    /// 0 for the most probable words, above for others too
    #[arg(long, default_value_t = 0.0)]
    temperature: tensor::Float,
    /// Fixes the draws
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let chat = Chat::open(&arguments)?;
    let mut messages: Vec<Message> =
        arguments.system.iter().map(|text| Message::new("system", text)).collect();
    let lines: Box<dyn Iterator<Item = std::io::Result<String>>> =
        match arguments.message.is_empty() {
            true => Box::new(stdin().lock().lines()),
            false => Box::new(arguments.message.clone().into_iter().map(Ok)),
        };
    for line in lines {
        messages.push(Message::new("user", line?));
        let answer = chat.answer(&messages)?;
        messages.push(Message::new("assistant", answer));
    }
    Ok(())
}

/// A model and what turns messages into its tokens.
struct Chat {
    model: Model,
    tokenizer: Tokenizer,
    template: ChatTemplate,
    settings: Generation,
}

impl Chat {
    fn open(arguments: &Arguments) -> Result<Chat, Box<dyn Error>> {
        let source = &arguments.model;
        let template = ChatTemplate::from_pretrained(source)?;
        let made = Generation::from_pretrained(source)?;
        let settings = Generation {
            max_new_tokens: Some(arguments.max_new_tokens),
            do_sample: arguments.temperature > 0.0,
            temperature: arguments.temperature,
            repetition_penalty: made.repetition_penalty,
            end_tokens: made.end_tokens,
            seed: arguments.seed,
            ..Generation::default()
        };
        Ok(Chat {
            model: Model::from_pretrained(source)?,
            tokenizer: Tokenizer::from_pretrained(source)?,
            template: template.ok_or("the model has no chat template")?,
            settings,
        })
    }

    /// Prints the model's answer as it is written, and returns it.
    fn answer(&self, messages: &[Message]) -> Result<String, Box<dyn Error>> {
        let prompt = self.tokenizer.encode(&self.template.render(messages, true)?)?;
        let (mut stream, mut answer, mut failed) = (self.tokenizer.stream(), String::new(), None);
        let mut on_token = |token: NewToken| match stream.push(token.id) {
            Ok(piece) => {
                print!("{piece}");
                answer += &piece;
                let _ = stdout().flush();
                ControlFlow::Continue(())
            }
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        };
        let hooks = Hooks {
            tokenizer: Some(&self.tokenizer),
            on_token: Some(&mut on_token),
            ..Hooks::default()
        };
        self.model.generate_with(&[prompt], &self.settings, hooks)?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let rest = stream.finish()?;
        println!("{rest}");
        Ok(answer + &rest)
    }
}
