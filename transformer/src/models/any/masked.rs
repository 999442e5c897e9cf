//! A masked language model made of whatever encoder's checkpoint.

use super::Model;
use crate::Error;
use crate::models::Bert;
use crate::models::head::{HeadConfig, HeadKind, family};
use crate::pretrained::{Checkpoint, Pretrained, Report};
use tensor::Rng;

impl Model {
    /// The encoder of a checkpoint with the head that fills in hidden tokens. A head for that stays;
    /// where there is none, a fresh one is drawn: see [`Pretrained::with_fresh_head`].
    ///
    /// # Errors
    /// As [`Model::from_pretrained`], and if the architecture is no encoder's.
    pub fn masked_language_model(
        mut checkpoint: Checkpoint,
        rng: &mut Rng,
    ) -> Result<(Model, Report), Error> {
        let family = family(&checkpoint.config);
        let family = family.filter(|family| ["Bert", "Roberta", "DistilBert"].contains(family));
        let family = family.ok_or_else(|| {
            checkpoint.config.wrong(format!(
                "model_type is {}; a masked language model is made of bert, roberta and distilbert",
                checkpoint.config.text("model_type").unwrap_or("missing")
            ))
        })?;
        let head = HeadConfig { kind: HeadKind::LanguageModel, ..HeadConfig::default() };
        checkpoint.config.values.extend(head.to_json(family, "ForMaskedLM"));
        let (model, report) = Bert::with_fresh_head(checkpoint, rng)?;
        Ok((Model::Bert(model), report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Module;
    use std::path::{Path, PathBuf};

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name)
    }

    fn model(name: &str) -> Result<(Model, Report), Error> {
        let checkpoint = Checkpoint::open(&fixture(name))?;
        Model::masked_language_model(checkpoint, &mut Rng::seeded(1))
    }

    #[test]
    fn a_head_stays_and_is_drawn_where_there_is_none() {
        let (kept, report) = model("bert_masked").unwrap();
        assert!(report.fresh.is_empty());
        let whole = Model::from_pretrained(fixture("bert_masked")).unwrap();
        for ((name, a), (_, b)) in kept.parameters().iter().zip(whole.parameters()) {
            assert_eq!(a.value().to_vec(), b.value().to_vec(), "{name}");
        }
        for name in ["bert_bare", "bert_classify", "roberta_answer", "distilbert_bare"] {
            let (drawn, report) = model(name).unwrap();
            assert_eq!(drawn.head_kind(), HeadKind::LanguageModel);
            assert_eq!(report.fresh.len(), 5, "{name}: {:?}", report.fresh);
            let of = |end: &str| {
                let parameters = drawn.parameters().into_iter();
                let mut found = parameters.filter(|(name, _)| name == end);
                found.next().unwrap().1.value().to_vec()
            };
            assert!(of("head.norm.gamma").iter().all(|&scale| scale == 1.0));
            assert!(of("head.bias").iter().all(|&bias| bias == 0.0));
        }
    }

    #[test]
    fn a_decoder_fills_in_nothing() {
        let error = model("gpt2_base").unwrap_err().to_string();
        let expected =
            "model_type is gpt2; a masked language model is made of bert, roberta and distilbert";
        assert!(error.ends_with(expected), "{error}");
    }
}
