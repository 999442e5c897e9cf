//! Keys and values of earlier positions, kept so that decoding computes each position once.

use autograd::Var;
use tensor::{Indices, Tensor};

/// The cache of a whole model: one [`LayerCache`] a layer, and which positions are real tokens.
#[derive(Clone, Debug)]
pub struct Cache {
    pub(crate) layers: Vec<LayerCache>,
    /// Row by row whether each position so far is a real token: `[batch_size][n_keys]`.
    pub(crate) is_token: Vec<Vec<bool>>,
}

impl Cache {
    /// An empty cache for rows of up to `capacity` positions.
    pub fn new(n_layers: usize, batch_size: usize, capacity: usize) -> Cache {
        let layer = LayerCache { keys: None, values: None, memory: None, len: 0, capacity };
        Cache { layers: vec![layer; n_layers], is_token: vec![Vec::new(); batch_size] }
    }

    /// How many positions it holds.
    pub fn len(&self) -> usize {
        self.is_token.first().map_or(0, Vec::len)
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Notes that positions follow, `is_token` row by row, and returns each one's number among its
    /// row's tokens.
    pub(crate) fn advance(&mut self, is_token: &[bool]) -> Vec<u32> {
        let width = is_token.len() / self.is_token.len().max(1);
        let mut positions = Vec::with_capacity(is_token.len());
        for (row, new) in self.is_token.iter_mut().zip(is_token.chunks(width.max(1))) {
            for &is_token in new {
                positions.push(row.iter().filter(|&&seen| seen).count() as u32);
                row.push(is_token);
            }
        }
        positions
    }

    /// Row `i` becomes what row `rows[i]` was: beams go on from the best of the last step.
    ///
    /// # Panics
    /// If there is no such row.
    #[track_caller]
    pub fn reorder(&mut self, rows: &[usize]) {
        self.is_token = rows.iter().map(|&row| self.is_token[row].clone()).collect();
        let indices = Indices::new(rows.to_vec(), &[rows.len()]);
        let pick = |x: &mut Tensor| *x = x.index_select(0, &indices);
        for layer in &mut self.layers {
            [&mut layer.keys, &mut layer.values].into_iter().flatten().for_each(pick);
            if let Some((k, v)) = &mut layer.memory {
                for x in [k, v] {
                    *x = Var::constant(x.value().index_select(0, &indices));
                }
            }
        }
    }
}

/// Keys and values of one layer, `[batch_size, n_kv_heads, capacity, d_k]`.
#[derive(Clone, Debug)]
pub struct LayerCache {
    keys: Option<Tensor>,
    values: Option<Tensor>,
    /// Keys and values of the encoder's output, computed once.
    memory: Option<(Var, Var)>,
    len: usize,
    capacity: usize,
}

impl LayerCache {
    /// Appends the keys and values of new positions and returns those of all.
    ///
    /// # Panics
    /// If they go beyond the capacity.
    #[track_caller]
    pub fn extend(&mut self, k: &Var, v: &Var) -> (Var, Var) {
        let (start, added) = (self.len, k.size(-2));
        assert!(start + added <= self.capacity, "cache: {} positions are full", self.capacity);
        self.len += added;
        let append = |store: &mut Option<Tensor>, new: &Var| {
            let mut shape = new.shape().to_vec();
            shape[2] = self.capacity;
            let store = store.get_or_insert_with(|| Tensor::zeros(&shape));
            store.assign_at(2, start, new.value());
            Var::constant(store.narrow(2, 0, self.len))
        };
        (append(&mut self.keys, k), append(&mut self.values, v))
    }

    /// The keys and values of the encoder's output, computed by the first call.
    pub fn memory(&mut self, compute: impl FnOnce() -> (Var, Var)) -> (Var, Var) {
        self.memory.get_or_insert_with(compute).clone()
    }
}
