//! Rows of which tokens are hidden, each step others.

use crate::data::Example;
use crate::evaluation::likeliest;
use crate::masking::Masking;
use crate::sequence::{Sequence, Sequences, Target};
use crate::settings::stream;
use crate::{Error, Learner};
use autograd::no_grad;
use std::borrow::Cow;
use tensor::Rng;
use transformer::Tokenizer;

/// Rows that are computed side by side.
const BATCH_SIZE: usize = 32;

/// Texts for a masked language model. What is hidden of a row is drawn from the seed, the step and the
/// row's place among the rows, and from nothing else: a run that goes on hides what it would have
/// hidden. Outside of steps, each row has what the seed alone hides.
#[derive(Clone, Debug)]
pub struct MaskedRows {
    rows: Vec<Sequence>,
    masking: Masking,
    seed: u64,
}

impl MaskedRows {
    /// Of rows that [`whole_texts`] makes; those in which a row hides tokens already stay as they are.
    /// With them come the lines of the rows that have no word to hide, which are left out.
    pub fn new(rows: Vec<Sequence>, masking: Masking, seed: u64) -> (MaskedRows, Vec<usize>) {
        let asks = |row: &Sequence| {
            row.target_count() > 0 || row.ids.iter().any(|&id| masking.is_word(id))
        };
        let (rows, empty): (Vec<_>, Vec<_>) = rows.into_iter().partition(asks);
        let lines = empty.into_iter().map(|row| row.line).collect();
        (MaskedRows { rows, masking, seed }, lines)
    }

    fn hidden(&self, index: usize, step: usize) -> Cow<'_, Sequence> {
        let row = &self.rows[index];
        if row.target_count() > 0 {
            return Cow::Borrowed(row);
        }
        let drawn_for = [stream::MASKS, step as u64, index as u64];
        let mut row = row.clone();
        let hidden = self.masking.hide(&mut row.ids, &mut Rng::derived(self.seed, &drawn_for));
        Cow::Owned(Sequence { target: Target::Hidden(hidden), ..row })
    }
}

impl Sequences for MaskedRows {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn get(&self, index: usize) -> Result<Cow<'_, Sequence>, Error> {
        Ok(self.hidden(index, 0))
    }

    fn of_step(&self, index: usize, step: usize) -> Result<Cow<'_, Sequence>, Error> {
        Ok(self.hidden(index, step))
    }
}

/// Each example as a text, with the special tokens that the tokenizer puts around it, nothing of it
/// hidden but what is hidden in a row of ids.
///
/// # Errors
/// If a text cannot be tokenized.
pub fn whole_texts(examples: &[Example], tokenizer: &Tokenizer) -> Result<Vec<Sequence>, Error> {
    let sequence = |example: &Example| {
        let ids = match &example.ids {
            Some(ids) => ids.clone(),
            None => tokenizer.encode_special(&example.prompt)?,
        };
        let places = example.places.iter().flatten().copied();
        let hidden = places.zip(example.target_ids.iter().flatten().copied()).collect();
        Ok(Sequence { ids, target: Target::Hidden(hidden), line: example.line })
    };
    examples.iter().map(sequence).collect()
}

/// The likeliest token for each hidden one of the rows, row by row.
///
/// # Errors
/// If an id is not in the model's vocabulary, or the model fills in no tokens.
pub fn fill_in(model: &impl Learner, rows: &[Sequence]) -> Result<Vec<Vec<u32>>, Error> {
    let mut filled = Vec::new();
    for rows in rows.chunks(BATCH_SIZE) {
        let rows: Vec<&Sequence> = rows.iter().collect();
        let (scores, _) = no_grad(|| model.scores(&rows))?;
        let scores = scores.value().contiguous();
        let mut told = scores.data().chunks(scores.size(-1)).map(|s| likeliest(s) as u32);
        let of_row = |row: &&Sequence| told.by_ref().take(row.target_count()).collect();
        filled.extend(rows.iter().map(of_row));
    }
    Ok(filled)
}

/// Of each row, how many of its hidden tokens are the likeliest ones, and how many it hides.
///
/// # Errors
/// As [`fill_in`].
pub fn found(model: &impl Learner, rows: &[Sequence]) -> Result<Vec<(f64, f64)>, Error> {
    let count = |(row, told): (&Sequence, Vec<u32>)| match &row.target {
        Target::Hidden(hidden) => {
            let right = hidden.iter().zip(told).filter(|((_, id), told)| id == told).count();
            (right as f64, hidden.len() as f64)
        }
        _ => (0.0, 0.0),
    };
    Ok(rows.iter().zip(fill_in(model, rows)?).map(count).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::cut;
    use autograd::Parameter;
    use tensor::{Float, Tensor};
    use transformer::models::bert::EncoderHead;
    use transformer::{Bert, BertConfig, Gpt2, Gpt2Config, HeadConfig, HeadKind, Module};

    fn masking() -> Masking {
        Masking { share: 0.3, mask_token: 1, special: vec![0, 1], vocab_size: 11 }
    }

    fn row(ids: &[u32], line: usize) -> Sequence {
        Sequence { ids: ids.to_vec(), target: Target::Hidden(Vec::new()), line }
    }

    fn rows() -> MaskedRows {
        let texts = (0..6).map(|i| row(&[0, 2 + i, 3, 4, 5, 6, 10 - i, 0], i as usize + 1));
        MaskedRows::new(texts.collect(), masking(), 7).0
    }

    fn model(kind: HeadKind) -> Bert {
        let config = BertConfig {
            vocab_size: 11,
            max_seq_len: 8,
            d_model: 8,
            n_layers: 1,
            n_heads: 2,
            d_ff: 16,
            initializer_range: 0.5,
            head: HeadConfig { kind, ..HeadConfig::default() },
            ..BertConfig::default()
        };
        Bert::new(config, &mut Rng::seeded(1)).unwrap()
    }

    #[test]
    fn what_is_hidden_depends_on_seed_step_and_row_alone() {
        let (rows, other) = (rows(), MaskedRows { seed: 8, ..rows() });
        let of = |rows: &MaskedRows, step| -> Vec<Sequence> {
            let all = 0..rows.count();
            all.map(|row| rows.of_step(row, step).unwrap().into_owned()).collect()
        };
        let third = of(&rows, 3);
        assert!(third != of(&rows, 4) && third != of(&other, 3));
        for index in (0..rows.count()).rev() {
            assert_eq!(*rows.of_step(index, 3).unwrap(), third[index]);
            assert_eq!(rows.get(index).unwrap(), rows.get(index).unwrap());
        }
        for (hidden, whole) in third.iter().zip(&rows.rows) {
            let Target::Hidden(places) = &hidden.target else { panic!("of another kind") };
            assert!(!places.is_empty() && hidden.target_count() == places.len());
            let mut ids = hidden.ids.clone();
            places.iter().for_each(|&(place, id)| ids[place as usize] = id);
            assert_eq!(ids, whole.ids);
            assert!(places.iter().all(|(_, id)| *id > 1));
        }
    }

    #[test]
    fn rows_without_words_are_told_and_hidden_ones_stay() {
        let given = Sequence { target: Target::Hidden(vec![(1, 9)]), ..row(&[0, 1, 0], 3) };
        let texts = vec![row(&[0, 0], 1), row(&[0, 5, 0], 2), given.clone()];
        let (rows, empty) = MaskedRows::new(texts, masking(), 7);
        assert_eq!((rows.count(), empty), (2, vec![1]));
        assert_eq!(*rows.of_step(1, 5).unwrap(), given);
        // What is cut off asks for nothing.
        let hidden = Target::Hidden(vec![(1, 9), (2, 8), (3, 7)]);
        let long = Sequence { target: hidden, ..row(&[0, 1, 1, 1, 0], 1) };
        let (kept, ..) = cut(vec![long], 3);
        assert_eq!((&kept[0].ids[..], kept[0].target_count()), (&[0, 1, 0][..], 1));
    }

    #[test]
    fn the_fused_loss_is_that_of_the_scores_and_of_the_rows_alone() {
        let (model, rows) = (model(HeadKind::LanguageModel), rows());
        let mut rows: Vec<Sequence> =
            (0..rows.count()).map(|row| rows.get(row).unwrap().into_owned()).collect();
        rows[2].ids.pop(); // a row that is padded
        let all: Vec<&Sequence> = rows.iter().collect();
        let fused = model.loss_sum(&all).unwrap();
        let losses = model.losses(&all).unwrap();
        assert_eq!(losses.len(), rows.iter().map(Sequence::target_count).sum::<usize>());
        assert!((losses.iter().sum::<f64>() - f64::from(fused.item())).abs() < 1e-4);
        let alone: Float = rows.iter().map(|row| model.loss_sum(&[row]).unwrap().item()).sum();
        assert!((alone - fused.item()).abs() < 1e-4);
        let gradients = fused.backward().unwrap();
        for (name, parameter) in model.parameters() {
            assert!(gradients.get(parameter).is_some(), "{name}");
        }
    }

    #[test]
    fn what_is_likeliest_is_filled_in_and_counted() {
        let mut model = model(HeadKind::LanguageModel);
        let EncoderHead::LanguageModel(head) = &mut model.head else { panic!("another head") };
        let bias = [0.0, 0.0, 0.0, 1e4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        head.bias = Parameter::new(Tensor::new(bias, &[11]));
        let of = |hidden| Sequence { target: Target::Hidden(hidden), ..row(&[0, 1, 1, 0], 1) };
        let rows = [of(vec![(1, 3), (2, 4)]), of(vec![(2, 3)])];
        assert_eq!(fill_in(&model, &rows).unwrap(), [vec![3, 3], vec![3]]);
        assert_eq!(found(&model, &rows).unwrap(), [(1.0, 2.0), (1.0, 1.0)]);
    }

    #[test]
    fn a_model_without_such_a_head_learns_no_hidden_tokens() {
        let row = Sequence { target: Target::Hidden(vec![(1, 3)]), ..row(&[0, 1, 0], 1) };
        assert_eq!(
            model(HeadKind::Hidden).loss_sum(&[&row]).unwrap_err().to_string(),
            "this encoder does not learn hidden tokens: it has no head that fills them in"
        );
        let sizes = Gpt2Config {
            vocab_size: 11,
            d_model: 8,
            n_layers: 1,
            n_heads: 2,
            ..Default::default()
        };
        let decoder = Gpt2::new(sizes, &mut Rng::seeded(1)).unwrap();
        assert_eq!(
            decoder.loss_sum(&[&row]).unwrap_err().to_string(),
            "this gpt2 does not learn hidden tokens: it reads in one direction"
        );
    }
}
