//! `attendant generate`

mod arguments;
mod faults;
mod file;
mod one;
mod rules;
mod source;
mod stream;
mod writer;

pub use arguments::Arguments;

use super::Common;
use super::model::Loaded;
use super::output::print;
use crate::Error;
use serde_json::json;
use std::ops::ControlFlow;
use std::time::Instant;
use stream::Stream;
use transformer::{Autoregressive, Generation, Hooks, NewToken};
use writer::Writer;

pub fn run(arguments: &Arguments, common: &Common) -> Result<(), Error> {
    arguments.check()?;
    let folder = Generation::from_pretrained(&arguments.model)?;
    let mut settings = arguments.settings(&folder, common.seed)?; // before weights are read
    let rows = arguments.source.rows(&arguments.rules)?;
    let loaded = Loaded::open(&arguments.model)?;
    if settings.end_tokens.is_none() {
        settings.end_tokens = Some(loaded.end_tokens());
    }
    if !settings.stop.is_empty() {
        loaded.tokenizer()?;
    }
    let writer = Writer { arguments, loaded: &loaded, settings: &settings, json: common.json };
    match (rows, &arguments.prompt) {
        (Some(rows), _) => writer.task(&rows),
        (None, Some(prompt)) if arguments.is_judged() => writer.prompt(prompt),
        _ => stream(arguments, &loaded, &settings, common.json),
    }
}

/// Writes token by token, as the settings say.
fn stream(
    arguments: &Arguments,
    loaded: &Loaded,
    settings: &Generation,
    json: bool,
) -> Result<(), Error> {
    let prompts: Vec<Vec<u32>> = match &arguments.prompt {
        Some(text) => vec![loaded.tokenizer()?.encode_special(text)?],
        None => arguments.ids.iter().map(|row| row.0.clone()).collect(),
    };
    let is_one = prompts.len() == 1 && settings.num_return_sequences == 1;
    let mut stream = match (&loaded.tokenizer, json || !is_one) {
        // What an encoder read is not repeated.
        (Some(tokenizer), false) => Some(Stream::new(tokenizer, arguments.repeated(loaded))),
        _ => None,
    };
    let mut on_token = |token: NewToken| match &mut stream {
        Some(stream) => stream.push(token.id),
        None => ControlFlow::Continue(()),
    };
    let tokenizer = loaded.tokenizer.as_ref();
    let hooks = Hooks { tokenizer, on_token: Some(&mut on_token), ..Hooks::default() };
    let start = Instant::now();
    let rows = loaded.model.generate_with(&prompts, settings, hooks)?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(stream) = stream {
        return stream.finish();
    }
    let (mut ids, mut texts, mut count) = (Vec::new(), Vec::new(), 0);
    for (row, generated) in rows.into_iter().enumerate() {
        let prompt = &prompts[row / settings.num_return_sequences.max(1)];
        let new = &generated.ids[loaded.model.first_tokens(prompt).len()..];
        count += new.len();
        texts.push(tokenizer.map(|tokenizer| tokenizer.decode(new)).transpose()?);
        ids.push(generated.ids);
    }
    if !json {
        let line = |(text, ids): (&Option<String>, &Vec<u32>)| match text {
            Some(text) => text.clone(),
            None => format!("{ids:?}"),
        };
        return print(texts.iter().zip(&ids).map(line).collect::<Vec<_>>().join("\n"));
    }
    let (ids, text) = match is_one {
        true => (json!(ids[0]), json!(texts[0])),
        false => (json!(ids), json!(texts)),
    };
    print(json!({ "ids": ids, "text": text, "tokens_per_second": count as f64 / seconds }))
}
