//! Prompts of similar length side by side.

use crate::Error;
use transformer::{Autoregressive, Generation, Hooks, Tokenizer};

/// Rows that are computed side by side.
const BATCH_SIZE: usize = 32;

/// Prompts, and what writes on after them.
pub(crate) struct Batches<'a, M> {
    pub model: &'a M,
    pub tokenizer: &'a Tokenizer,
    pub prompts: &'a [&'a [u32]],
}

impl<M: Autoregressive> Batches<'_, M> {
    /// The new tokens of each of `rows`, in their order.
    pub fn write(&self, rows: &[usize], settings: &Generation) -> Result<Vec<Vec<u32>>, Error> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&place| self.prompts[rows[place]].len());
        let fit = order.partition_point(|&place| self.fits(self.prompts[rows[place]], settings));
        let (fitting, long) = order.split_at(fit);
        let to_the_end = Generation {
            max_new_tokens: None,
            max_length: self.model.max_seq_len(),
            ..settings.clone()
        };
        let mut found = vec![Vec::new(); rows.len()];
        for (places, settings) in [(fitting, settings), (long, &to_the_end)] {
            for places in places.chunks(BATCH_SIZE) {
                let batch: Vec<usize> = places.iter().map(|&place| rows[place]).collect();
                for (&place, new) in places.iter().zip(self.batch(&batch, settings)?) {
                    found[place] = new;
                }
            }
        }
        Ok(found)
    }

    fn batch(&self, rows: &[usize], settings: &Generation) -> Result<Vec<Vec<u32>>, Error> {
        let prompts: Vec<&[u32]> = rows.iter().map(|&row| self.prompts[row]).collect();
        let draws: Vec<u64> = prompts.iter().map(|prompt| fingerprint(prompt)).collect();
        let tokenizer = Some(self.tokenizer);
        let hooks = Hooks { tokenizer, draws: &draws, ..Hooks::default() };
        let written = self.model.generate_with(&prompts, settings, hooks)?;
        let new = |(written, prompt): (transformer::Generated, &&[u32])| {
            written.ids[self.model.first_tokens(prompt).len()..].to_vec()
        };
        Ok(written.into_iter().zip(&prompts).map(new).collect())
    }

    /// Whether the context has room for all new tokens.
    fn fits(&self, prompt: &[u32], settings: &Generation) -> bool {
        let (Some(context), Some(new)) = (self.model.max_seq_len(), settings.max_new_tokens) else {
            return true;
        };
        self.model.first_tokens(prompt).len().saturating_add(new) <= context
    }
}

/// What fixes the draws of a prompt, whatever stands beside it. Fowler–Noll–Vo, 1a.
fn fingerprint(prompt: &[u32]) -> u64 {
    let bytes = prompt.iter().flat_map(|id| id.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}
