//! One training step: forward, loss, backward, clipping by 1.0, AdamW.

use super::{Source, ids};
use crate::turns::Turn;
use clap::Args;
use std::error::Error;
use std::time::Instant;
use tensor::{Float, Precision, Rng, with_precision};
use train::Learner;
use train::optimizer::{AdamW, Optimizer};
use train::sequence::{Sequence, Target};
use transformer::lora::LoraConfig;
use transformer::{Model, Module};

/// The learning rate and the weight decay of every measured step.
const LR: f64 = 1e-4;
const WEIGHT_DECAY: f64 = 0.01;

/// What is learned in a step.
#[derive(Args, Clone, Debug)]
pub struct Step {
    /// Where the model comes from.
    #[command(flatten)]
    pub source: Source,
    /// Sequences a step
    #[arg(long, default_value_t = 4)]
    pub batch: usize,
    /// Tokens a sequence
    #[arg(long, default_value_t = 256)]
    pub seq: usize,
    /// Precision of matrix products
    #[arg(long, value_parser = super::precisions(), default_value = "f32")]
    pub precision: Precision,
    /// Train low-rank adapters alone, as `attendant train --lora`: r=8,alpha=16,targets=q_proj+v_proj
    #[arg(long, value_name = "r=R,...")]
    pub lora: Option<LoraConfig>,
}

/// A model, the rows that it reads each step, and the optimizer's memory.
pub struct TrainStep {
    model: Model,
    rows: Vec<Sequence>,
    targets: usize,
    optimizer: AdamW,
    precision: Precision,
}

impl TrainStep {
    /// Before the first step.
    ///
    /// # Errors
    /// If the model can't be loaded or does not take such rows, or nothing of it would be trained.
    pub fn new(step: &Step) -> Result<TrainStep, Box<dyn Error>> {
        if step.batch == 0 || step.seq < 2 {
            return Err("--batch must be at least 1, --seq at least 2".into());
        }
        let mut model = step.source.learner()?;
        if let Some(most) = model.max_seq_len().filter(|&most| step.seq > most) {
            return Err(format!("--seq is at most {most}, the model's context").into());
        }
        match &step.lora {
            Some(config) => model.attach_adapters(config, &mut Rng::seeded(1))?,
            None if is_quantized(&model) => {
                return Err("quantized matrices are not trained; add --lora r=8".into());
            }
            None => {}
        }
        let rows = rows(&model, step);
        let targets = rows.iter().map(Sequence::target_count).sum();
        let optimizer = AdamW { clip: Some(1.0), ..AdamW::new(WEIGHT_DECAY) };
        Ok(TrainStep { model, rows, targets, optimizer, precision: step.precision })
    }

    /// Takes the next step. Its loss is that before the update, in nats a target.
    ///
    /// # Errors
    /// If the loss or a gradient is not finite.
    pub fn step(&mut self) -> Result<Turn, Box<dyn Error>> {
        let start = Instant::now();
        let rows: Vec<&Sequence> = self.rows.iter().collect();
        let (loss, gradients) = with_precision(self.precision, || -> Result<_, Box<dyn Error>> {
            let loss = self.model.loss_sum(&rows)? / self.targets as Float;
            Ok((loss.item(), loss.backward()?))
        })?;
        self.optimizer.step(&mut self.model, &gradients, LR)?;
        drop(gradients);
        Ok(Turn { loss: Some(loss.into()), ..Turn::since(start) })
    }

    /// Tokens that the model reads in a step.
    pub fn tokens(&self) -> usize {
        self.rows.iter().map(Sequence::input_len).sum()
    }

    /// The model as it is.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

/// Rows of [`ids`], one behind the other; those that a decoder reads have one more, which is the last
/// target. An encoder tells the class of each: 0 and 1 in turn.
fn rows(model: &Model, step: &Step) -> Vec<Sequence> {
    let classes = model.labels().len();
    let row = |row: usize| match classes {
        0 => {
            let len = step.seq + 1;
            Sequence::whole(ids(row * len..(row + 1) * len, model.vocab_size()), row)
        }
        _ => {
            let ids = ids(row * step.seq..(row + 1) * step.seq, model.vocab_size());
            Sequence { ids, target: Target::Class((row % classes) as u32), line: row }
        }
    };
    (0..step.batch).map(row).collect()
}

fn is_quantized(model: &Model) -> bool {
    let formats = model.parameters().into_iter();
    let mut formats = formats.filter_map(|(_, parameter)| parameter.value().packed_format());
    formats.any(|format| format.block_len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use train::Preset;

    fn tiny() -> Step {
        Step {
            source: Source::preset(Preset::Tiny),
            batch: 2,
            seq: 8,
            precision: Precision::F32,
            lora: None,
        }
    }

    #[test]
    fn steps_learn_the_rows() {
        let folder = tempfile::tempdir().unwrap();
        Source::preset(Preset::EncoderTiny).learner().unwrap().save(folder.path()).unwrap();
        for step in [
            tiny(),
            Step { precision: Precision::Bf16, ..tiny() },
            Step { lora: Some("r=2".parse().unwrap()), ..tiny() },
            Step { source: Source::files(folder.path()), ..tiny() }, // a classifier
        ] {
            let mut work = TrainStep::new(&step).unwrap();
            let losses: Vec<f64> = (0..8).map(|_| work.step().unwrap().loss.unwrap()).collect();
            assert!(losses[7] < losses[0], "{losses:?}");
            assert_eq!(work.tokens(), 16);
        }
    }

    #[test]
    fn rounded_products_give_the_losses_of_exact_ones() {
        let losses = |precision| -> Vec<f64> {
            let mut work =
                TrainStep::new(&Step { batch: 1, seq: 32, precision, ..tiny() }).unwrap();
            (0..100).map(|_| work.step().unwrap().loss.unwrap()).collect()
        };
        let [exact, rounded] = [Precision::F32, Precision::Bf16].map(losses);
        assert_ne!(exact, rounded);
        for (exact, rounded) in exact.into_iter().zip(rounded) {
            assert!((exact - rounded).abs() < 1e-2 * exact, "{exact} {rounded}");
        }
    }

    #[test]
    fn adapters_are_trained_alone() {
        let step = Step { lora: Some("r=2,targets=c_attn".parse().unwrap()), ..tiny() };
        let mut work = TrainStep::new(&step).unwrap();
        let values = |work: &TrainStep| -> Vec<(String, Vec<Float>)> {
            let parameters = work.model().parameters().into_iter();
            parameters.map(|(name, parameter)| (name, parameter.value().to_vec())).collect()
        };
        let before = values(&work);
        work.step().unwrap();
        let after = values(&work);
        assert_ne!(before, after);
        for ((name, before), (_, after)) in before.into_iter().zip(after) {
            assert!(name.contains(".adapter.") || before == after, "{name}");
        }
    }

    #[test]
    fn what_can_not_be_measured_is_an_error() {
        let error = |step: Step| TrainStep::new(&step).err().expect("an error").to_string();
        assert_eq!(error(Step { seq: 300, ..tiny() }), "--seq is at most 256, the model's context");
        assert_eq!(
            error(Step { batch: 0, ..tiny() }),
            "--batch must be at least 1, --seq at least 2"
        );
    }
}
