//! What a model is worth on the rows of a task.

use crate::Error;
use crate::cli::model::Loaded;
use crate::data::{Example, Task};
use crate::evaluation::{self, Answered, Scores, likelihood};
use crate::metrics::{Answer, answerability, choose_threshold};
use crate::report::{self, Group};
use crate::retrieval::{self, Neighbours};
use crate::saliency;
use crate::sequence::{Sequence, cut, fitting, labelled, packed, pairs, prompted};
use crate::writing;
use serde_json::{Map, Value, json};
use std::path::Path;
use transformer::Tokenizer;

/// What a model is measured on, and what fits the baselines.
pub struct Measured<'a> {
    pub task: Task,
    pub loaded: &'a Loaded,
    /// The file of the examples.
    pub file: &'a Path,
    pub examples: &'a [Example],
    pub training: Option<&'a [Example]>,
    /// Rows on which the confidence is chosen below which a question is not answered.
    pub valid: Option<(&'a Path, &'a [Example])>,
    /// Tokens to which texts are cut that are to be classified.
    pub cut: Option<usize>,
    /// Turns questions into vectors, to find the nearest known one.
    pub encoder: Option<&'a Loaded>,
}

/// What came of it.
#[derive(Default)]
pub struct Outcome {
    /// The figures.
    pub result: Map<String, Value>,
    /// The texts that were written or the classes that were told; none of a language model.
    pub texts: Vec<String>,
    /// Rows to show.
    pub groups: Vec<Group>,
}

impl Measured<'_> {
    pub fn outcome(&self) -> Result<Outcome, Error> {
        match self.task {
            Task::Classify => self.classify(),
            Task::MaskedLanguageModel => Err(Error::Usage(
                "--task masked-language-model is trained, not measured here; train --valid tells its \
                 loss"
                    .into(),
            )),
            Task::LanguageModel => {
                Ok(Outcome { result: self.language_model()?, ..Outcome::default() })
            }
            Task::Describe | Task::Answer | Task::Seq2seq => self.written(),
        }
    }

    fn language_model(&self) -> Result<Map<String, Value>, Error> {
        let Measured { loaded, file, examples, training, .. } = *self;
        loaded.require_language_model()?;
        let Some(seq_len) = loaded.model.max_seq_len() else {
            return Err(Error::settings(format!(
                "{}: is a {}, which does not write on; measure --task seq2seq",
                loaded.source().display(),
                loaded.model.model_type()
            )));
        };
        let has_text = examples.iter().all(|example| example.ids.is_none());
        let tokenizer = match has_text {
            true => Some((loaded.tokenizer()?, loaded.required_end_token()?)),
            false => loaded.tokenizer.as_ref().zip(loaded.end_tokens().first().copied()),
        };
        let blocks = packed(examples, tokenizer, seq_len).or_else(|_| short(examples, tokenizer));
        let blocks = blocks.map_err(|error| error.in_file(file))?;
        let bytes = match loaded.tokenizer.as_ref() {
            Some(tokenizer) => Some(block_bytes(&blocks, tokenizer)?),
            None => None,
        };
        let scores = likelihood(&loaded.model, &blocks, bytes.as_deref())?;
        let baselines = training
            .filter(|_| has_text)
            .map(|training| evaluation::language_model_baselines(training, examples));
        Ok(figures(&scores, Map::new(), baselines))
    }

    fn classify(&self) -> Result<Outcome, Error> {
        let Measured { loaded, file, examples, training, .. } = *self;
        let names = loaded.model.labels();
        let sequences = labelled(examples, loaded.tokenizer.as_ref(), names);
        let sequences = sequences.map_err(|error| error.in_file(file))?;
        let sequences = self.short_enough(sequences)?;
        let likelihood = likelihood(&loaded.model, &sequences, None)?;
        let told = evaluation::classify(&loaded.model, &sequences)?;
        let labels: Vec<String> = told.iter().map(|told| names[told.class].clone()).collect();
        let scores = likelihood.only("loss").and(evaluation::classes(examples, &labels));
        let has_text = examples.iter().all(|example| example.ids.is_none());
        let baselines = training
            .filter(|_| has_text)
            .map(|training| evaluation::classify_baselines(training, examples, &scores))
            .transpose()?;
        let details = evaluation::class_details(examples, names, &told);
        let groups = report::shown_classes(examples, &labels, &told);
        Ok(Outcome { result: figures(&scores, details, baselines), texts: labels, groups })
    }

    fn written(&self) -> Result<Outcome, Error> {
        let Measured { loaded, examples, training, .. } = *self;
        loaded.require_language_model()?;
        let sequences = sequences_of(loaded, self.file, examples)?;
        if examples.iter().any(|example| example.ids.is_some()) {
            // Ids have no text whose bytes and words could be measured.
            let result = likelihood(&loaded.model, &sequences, None)?.estimates();
            return Ok(Outcome { result, ..Outcome::default() });
        }
        let bytes = evaluation::target_bytes(examples);
        let likelihood = likelihood(&loaded.model, &sequences, Some(&bytes))?;
        let answered = self.write(&sequences)?;
        let texts: Vec<String> = answered.iter().map(|answer| answer.text.clone()).collect();
        let shop = evaluation::shop_vocabulary(examples.iter().chain(training.unwrap_or_default()));
        let mut scores = likelihood.and(match self.task {
            Task::Describe => evaluation::descriptions(examples, &texts, &shop),
            _ => evaluation::texts(examples, &texts),
        });
        let mut baselines = None;
        if let Some(training) = training {
            scores = scores.and(evaluation::copies(training, &texts));
            let found = self.nearest_questions(training)?;
            baselines = Some(match self.task {
                Task::Describe => {
                    evaluation::describe_baselines(training, examples, &shop, &scores)
                }
                task => {
                    let found = found.as_deref();
                    evaluation::text_baselines(task, training, examples, found, &scores)
                }
            });
        }
        let mut details = evaluation::variety(&texts);
        details.append(&mut self.answerability(&sequences, &answered)?);
        let groups = report::shown_texts(examples, &texts);
        Ok(Outcome { result: figures(&scores, details, baselines), texts, groups })
    }

    fn write(&self, sequences: &[Sequence]) -> Result<Vec<Answered>, Error> {
        let (tokenizer, end) = (self.loaded.tokenizer()?, self.loaded.required_end_token()?);
        evaluation::write(&self.loaded.model, tokenizer, sequences, end)
    }

    /// The answer to the training question that is nearest to each by its vector.
    fn nearest_questions(&self, training: &[Example]) -> Result<Option<Vec<String>>, Error> {
        let Some(encoder) = self.encoder else { return Ok(None) };
        let vectors = |rows: &[Example]| {
            let text = |row: &Example| row.question.clone().unwrap_or_else(|| row.prompt.clone());
            let texts: Vec<String> = rows.iter().map(text).collect();
            let longest = encoder.longest_text()?;
            retrieval::embed(&encoder.model, encoder.tokenizer()?, &texts, longest)
        };
        let known = Neighbours::new(vectors(training)?)?;
        let nearest = known.nearest_of_each(&vectors(self.examples)?, 1)?;
        let answer = |found: &Vec<(usize, _)>| {
            found.first().map_or(String::new(), |&(row, _)| training[row].target_text().into())
        };
        Ok(Some(nearest.iter().map(answer).collect()))
    }

    /// How well the model tells what it can't answer, with the confidence that is best on other rows.
    fn answerability(
        &self,
        sequences: &[Sequence],
        answered: &[Answered],
    ) -> Result<Map<String, Value>, Error> {
        let Some((file, valid)) = self.valid else { return Ok(Map::new()) };
        let known = sequences_of(self.loaded, file, valid)?;
        self.refuse_long(&known)?;
        let known_answers = self.answers(valid, &known, &self.write(&known)?)?;
        let threshold = choose_threshold(&known_answers);
        let answers = self.answers(self.examples, sequences, answered)?;
        let told = answerability(&answers, threshold, evaluation::BOOTSTRAP_SEED);
        let figures = [
            ("answer_threshold", json!(told.threshold)),
            ("answer_worth", json!(told.worth)),
            ("answerability_accuracy", json!(told.accuracy)),
            ("answerability_f1", json!(told.f1)),
        ];
        Ok(figures.into_iter().map(|(name, figure)| (name.to_string(), figure)).collect())
    }

    /// What was written, and how sure the model is of it.
    fn answers(
        &self,
        examples: &[Example],
        sequences: &[Sequence],
        answered: &[Answered],
    ) -> Result<Vec<Answer>, Error> {
        let is_pair = self.loaded.model.is_encoder_decoder();
        let rows = sequences.iter().zip(answered).map(|(sequence, answer)| {
            writing::sequence(is_pair, sequence.prompt(), &answer.ids, sequence.line)
        });
        let rows: Vec<Sequence> = rows.collect();
        let confidences = writing::confidences(&self.loaded.model, &rows)?;
        let answers = examples.iter().zip(answered).zip(confidences);
        let answer = |((row, answer), sure): ((&Example, &Answered), f64)| {
            Answer::new(row, &answer.text, sure)
        };
        Ok(answers.map(answer).collect())
    }

    /// Has the rows of a classifier's groups tell which of their words speak for what was told.
    ///
    /// # Errors
    /// If the model's gradients are not numbers.
    pub fn tint(&self, groups: &mut [Group]) -> Result<(), Error> {
        let Loaded { model, tokenizer: Some(tokenizer), .. } = self.loaded else { return Ok(()) };
        if self.task != Task::Classify || self.examples.iter().any(|row| row.ids.is_some()) {
            return Ok(());
        }
        let longest = [self.loaded.longest_text()?, self.cut].into_iter().flatten().min();
        for row in groups.iter_mut().flat_map(|group| &mut group.rows) {
            let class = model.labels().iter().position(|label| *label == row.written);
            let text: String = row.given.iter().map(|(word, _)| &word[..]).collect();
            row.given = saliency::words(model, tokenizer, &text, longest, class)?;
        }
        Ok(())
    }

    /// Texts no longer than the model reads: cut, where that was asked for.
    fn short_enough(&self, sequences: Vec<Sequence>) -> Result<Vec<Sequence>, Error> {
        let context = self.loaded.model.max_seq_len();
        let Some(longest) = self.cut else {
            self.refuse_long(&sequences)?;
            return Ok(sequences);
        };
        let (kept, shortened, _) = cut(sequences, longest.min(context.unwrap_or(usize::MAX)));
        if let Some(line) = shortened.first() {
            let (file, count) = (self.file.display(), shortened.len());
            eprintln!("warning: {file}: {count} rows were cut; the first is line {line}");
        }
        Ok(kept)
    }

    fn refuse_long(&self, sequences: &[Sequence]) -> Result<(), Error> {
        let Some(context) = self.loaded.model.max_seq_len() else { return Ok(()) };
        let (_, long) = fitting(sequences.to_vec(), context);
        match long.first() {
            None => Ok(()),
            Some(line) => Err(Error::settings(format!(
                "{} rows are longer than the model's context of {context} tokens, the first is \
                 line {line}; leave them out{}",
                long.len(),
                if self.task == Task::Classify { ", or add --cut" } else { "" },
            ))),
        }
    }
}

/// Rows of a task that writes. Text needs a tokenizer and its end token; rows of ids take them where
/// they are.
fn sequences_of(
    loaded: &Loaded,
    file: &Path,
    examples: &[Example],
) -> Result<Vec<Sequence>, Error> {
    let tokenizer = match examples.iter().any(|example| example.ids.is_some()) {
        true => loaded.tokenizer.as_ref().zip(loaded.end_tokens().first().copied()),
        false => Some((loaded.tokenizer()?, loaded.required_end_token()?)),
    };
    let sequences = match loaded.model.is_encoder_decoder() {
        true => pairs(examples, tokenizer),
        false => prompted(examples, tokenizer),
    };
    sequences.map_err(|error| error.in_file(file))
}

/// The lines of the rows of a task that writes which the model can't read whole, told on stderr.
///
/// # Errors
/// If a text can't be tokenized, or no row is left.
pub fn too_long(
    task: Task,
    loaded: &Loaded,
    file: &Path,
    examples: &[Example],
) -> Result<Vec<usize>, Error> {
    let is_written = matches!(task, Task::Describe | Task::Answer | Task::Seq2seq);
    let (true, Some(context)) = (is_written, loaded.model.max_seq_len()) else {
        return Ok(Vec::new());
    };
    loaded.require_language_model()?;
    let (kept, long) = fitting(sequences_of(loaded, file, examples)?, context);
    if let Some(line) = long.first() {
        let told = format!(
            "{}: {} of {} rows are longer than the model's context of {context} tokens; the first \
             is line {line}",
            file.display(),
            long.len(),
            examples.len()
        );
        if kept.is_empty() {
            return Err(Error::settings(told));
        }
        eprintln!("warning: {told}; they are left out");
    }
    Ok(long)
}

/// Data that does not fill one block of the model's context, as one shorter block.
fn short(
    examples: &[Example],
    tokenizer: Option<(&Tokenizer, u32)>,
) -> Result<Vec<Sequence>, Error> {
    let mut all = packed(examples, tokenizer, 1)?;
    let first = all.remove(0);
    let rest = all.into_iter().map(|block| block.ids[1]);
    Ok(vec![Sequence { ids: first.ids.into_iter().chain(rest).collect(), ..first }])
}

/// Bytes of the text of each block's targets; end tokens have none.
fn block_bytes(blocks: &[Sequence], tokenizer: &Tokenizer) -> Result<Vec<usize>, Error> {
    let bytes = |block: &Sequence| Ok(tokenizer.decode(&block.ids[1..])?.len());
    blocks.iter().map(bytes).collect()
}

/// One object of all that was measured.
fn figures(
    scores: &Scores,
    mut details: Map<String, Value>,
    baselines: Option<Value>,
) -> Map<String, Value> {
    let mut result = scores.estimates();
    result.append(&mut details);
    result.extend(baselines.map(|baselines| ("baselines".to_string(), baselines)));
    result
}
