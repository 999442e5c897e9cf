//! Texts that are written as a whole: for the rows of a task, or after one prompt.

use super::arguments::Arguments;
use crate::Error;
use crate::cli::model::Loaded;
use crate::data::{Example, Rows, Task};
use crate::metrics::UNKNOWN;
use crate::sequence::{Sequence, pairs, prompted};
use crate::writing::{self, Texts, Written, confidences, evidence, sequence};
use std::path::Path;
use transformer::{Autoregressive, Generation};

/// What writes, and how.
pub struct Writer<'a> {
    pub arguments: &'a Arguments,
    pub loaded: &'a Loaded,
    pub settings: &'a Generation,
    pub json: bool,
}

/// Tokens that are given, and the row they stand for.
#[derive(Default)]
pub struct Prompt {
    pub ids: Vec<u32>,
    pub line: usize,
    /// The question and its context, where there is one.
    pub asked: Option<(String, String)>,
}

/// What was written to a prompt, and what is told of it.
pub struct Told {
    pub written: Written,
    /// How sure the model is of it, if that was asked for.
    pub confidence: Option<f64>,
    /// The sentence of the context that it rests on, if that was asked for; empty if it is none.
    pub cited: Option<String>,
}

impl Writer<'_> {
    /// Writes what a task asks for: a file's rows to a file, a row of the command line to stdout.
    pub fn task(&self, rows: &Rows) -> Result<(), Error> {
        let source = &self.arguments.source;
        let task = source.task.unwrap_or(Task::Describe);
        self.loaded.require_language_model()?;
        let prompts = self.prompts(task, rows)?;
        match &source.output {
            Some(path) => self.file(rows, &prompts, path),
            None => self.one(&prompts[0], true),
        }
    }

    /// Writes on after a text, as it is.
    pub fn prompt(&self, text: &str) -> Result<(), Error> {
        let ids = self.loaded.tokenizer()?.encode_special(text)?;
        self.one(&Prompt { ids, line: 1, asked: None }, false)
    }

    /// The prompts that training would make of the rows.
    fn prompts(&self, task: Task, rows: &Rows) -> Result<Vec<Prompt>, Error> {
        let examples = rows.rows.iter().map(|row| task.prompt(row));
        let examples: Vec<Example> = examples.collect::<Result<_, _>>()?;
        let model = &self.loaded.model;
        for example in &examples {
            example.check_ids(&rows.file, model.vocab_size())?;
        }
        let tokenizer = Some((self.loaded.tokenizer()?, self.loaded.required_end_token()?));
        let sequences = match model.is_encoder_decoder() {
            true => pairs(&examples, tokenizer),
            false => prompted(&examples, tokenizer),
        };
        let sequences = sequences.map_err(|error| error.in_file(Path::new(&*rows.file)))?;
        let prompt = |(sequence, example): (&Sequence, Example)| Prompt {
            ids: sequence.prompt().to_vec(),
            line: sequence.line,
            asked: example.question.zip(example.context),
        };
        let prompts: Vec<Prompt> = sequences.iter().zip(examples).map(prompt).collect();
        self.refuse_long(&prompts)?;
        Ok(prompts)
    }

    fn refuse_long(&self, prompts: &[Prompt]) -> Result<(), Error> {
        let model = &self.loaded.model;
        let Some(context) = model.max_seq_len() else { return Ok(()) };
        let is_long = |prompt: &&Prompt| model.first_tokens(&prompt.ids).len() >= context;
        let long: Vec<&Prompt> = prompts.iter().filter(is_long).collect();
        match long.first() {
            None => Ok(()),
            Some(first) => Err(Error::settings(format!(
                "{} rows leave no room in the model's context of {context} tokens, the first is \
                 line {}; shorten them, or leave them out",
                long.len(),
                first.line
            ))),
        }
    }

    /// The texts of some prompts, with what is told of each, and the number of tokens written.
    pub fn write(&self, prompts: &[Prompt]) -> Result<(Vec<Vec<Told>>, usize), Error> {
        let tokenizer = self.loaded.tokenizer()?;
        let ids: Vec<&[u32]> = prompts.iter().map(|prompt| &prompt.ids[..]).collect();
        let wording = self.arguments.rules.wording();
        let Texts { rows, tokens } =
            writing::write(&self.loaded.model, tokenizer, &ids, self.settings, &wording)?;
        let mut confidences = self.confidences(prompts, &rows)?.into_iter();
        let mut told = |(row, prompt): (Vec<Written>, &Prompt)| {
            row.into_iter().map(|text| self.told(prompt, text, confidences.next())).collect()
        };
        let rows = rows.into_iter().zip(prompts).map(&mut told);
        Ok((rows.collect::<Result<Vec<Vec<Told>>, Error>>()?, tokens))
    }

    /// How sure the model is of each text, if that is needed.
    fn confidences(&self, prompts: &[Prompt], rows: &[Vec<Written>]) -> Result<Vec<f64>, Error> {
        let rules = &self.arguments.rules;
        if !rules.confidence && rules.threshold.is_none() {
            return Ok(Vec::new());
        }
        let is_pair = self.loaded.model.is_encoder_decoder();
        let texts = prompts.iter().zip(rows).flat_map(|(prompt, row)| {
            row.iter().map(|text| sequence(is_pair, &prompt.ids, &text.ids, prompt.line))
        });
        confidences(&self.loaded.model, &texts.collect::<Vec<_>>())
    }

    /// An answer of which the model is too little sure is withheld, and rests on nothing.
    fn told(
        &self,
        prompt: &Prompt,
        mut written: Written,
        confidence: Option<f64>,
    ) -> Result<Told, Error> {
        let rules = &self.arguments.rules;
        let is_withheld = confidence.zip(rules.threshold).is_some_and(|(p, least)| p < least);
        if is_withheld {
            written = Written { text: UNKNOWN.into(), ids: written.ids, ..Written::default() };
        }
        let cited = match (&prompt.asked, rules.cite) {
            (_, false) => None,
            (Some((question, context)), true) if !is_withheld => {
                let (model, tokenizer) = (&self.loaded.model, self.loaded.tokenizer()?);
                let found = evidence(model, tokenizer, context, question, &written.ids)?;
                Some(found.map_or(String::new(), |evidence| evidence.sentence))
            }
            _ => Some(String::new()),
        };
        Ok(Told { written, confidence: confidence.filter(|_| rules.confidence), cited })
    }
}

/// A text as a row holds it: the space that parts it from its prompt is no part of it.
pub fn shown(text: &str, is_task: bool) -> &str {
    match is_task {
        true => text.strip_prefix(' ').unwrap_or(text),
        false => text,
    }
}
