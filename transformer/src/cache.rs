//! Keys and values of earlier positions, kept so that decoding computes each position once.

use autograd::Var;
use tensor::Tensor;

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
        let layer = LayerCache { keys: None, values: None, len: 0, capacity };
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
}

/// Keys and values of one layer, `[batch_size, n_heads, capacity, d_k]`.
#[derive(Clone, Debug)]
pub struct LayerCache {
    keys: Option<Tensor>,
    values: Option<Tensor>,
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
}
