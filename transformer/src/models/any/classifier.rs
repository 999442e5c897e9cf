//! A classifier made of whatever checkpoint.

use super::Model;
use crate::Error;
use crate::models::head::{HeadConfig, HeadKind, Problem, family};
use crate::pretrained::{Checkpoint, Pretrained, Report};
use tensor::Rng;

impl Model {
    /// The model of a checkpoint as a classifier of these labels. A head that knows them all stays;
    /// one for other labels, or for something else, is left behind, and a fresh one is drawn: see [`Pretrained::with_fresh_head`].
    ///
    /// # Errors
    /// As [`Model::from_pretrained`], and if the architecture has no classifier.
    pub fn classifier(
        mut checkpoint: Checkpoint,
        labels: &[String],
        rng: &mut Rng,
    ) -> Result<(Model, Report), Error> {
        let family = family(&checkpoint.config).ok_or_else(|| {
            checkpoint.config.wrong(
                "a classifier is made of bert, roberta, distilbert, gpt2, llama, qwen2 and qwen3",
            )
        })?;
        let before = HeadConfig::of(&checkpoint.config, family, HeadKind::Hidden)?;
        let kind = HeadKind::Classification;
        let fits = before.kind == kind && before.problem == Problem::OneClass;
        let wanted = match fits && labels.iter().all(|label| before.labels.contains(label)) {
            true => before.clone(),
            false => HeadConfig { kind, labels: labels.to_vec(), problem: Problem::OneClass },
        };
        if before != wanted {
            let of_head =
                |name: &str| name.starts_with("classifier.") || name.starts_with("score.");
            checkpoint.tensors.retain(|name, _| !of_head(name));
        }
        checkpoint.config.values.remove("num_labels");
        checkpoint.config.values.extend(wanted.to_json(family, ""));
        fn of<M: Pretrained>(
            (checkpoint, rng): (Checkpoint, &mut Rng),
            wrap: impl FnOnce(M) -> Model,
        ) -> Result<(Model, Report), Error> {
            let (model, report) = M::with_fresh_head(checkpoint, rng)?;
            Ok((wrap(model), report))
        }
        match family {
            "GPT2" => of((checkpoint, rng), Model::Gpt2),
            "Llama" | "Qwen2" | "Qwen3" => of((checkpoint, rng), Model::Llama),
            _ => of((checkpoint, rng), Model::Bert),
        }
    }
}
