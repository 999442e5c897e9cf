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

/// Keys and values of one layer, `[batch_size, n_kv_heads, n, d_k]`: n grows to the capacity.
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
    /// Appends the keys and values of new positions and returns those of all, as constants: a cache
    /// has no gradient.
    ///
    /// # Panics
    /// If they go beyond the capacity.
    #[track_caller]
    pub fn extend(&mut self, k: &Var, v: &Var) -> (Var, Var) {
        let (start, added) = (self.len, k.size(-2));
        assert!(start + added <= self.capacity, "cache: {} positions are full", self.capacity);
        self.len += added;
        let append = |store: &mut Option<Tensor>, new: &Var| {
            if store.as_ref().is_none_or(|store| store.size(2) < self.len) {
                let mut shape = new.shape().to_vec();
                shape[2] = (2 * self.len).min(self.capacity); // so that few appends copy
                let old = store.replace(Tensor::zeros(&shape));
                if let (Some(old), Some(store)) = (old, &mut *store) {
                    store.assign_at(2, 0, &old.narrow(2, 0, start));
                }
            }
            let store = store.as_mut().expect("it was just made");
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

#[cfg(test)]
mod tests {
    use super::*;
    use tensor::{Float, Rng};

    #[test]
    fn grows_with_what_it_holds() {
        let mut rng = Rng::seeded(1);
        let all = rng.normal(&[2, 3, 9, 4], 1.0);
        let mut cache = Cache::new(1, 2, usize::MAX);
        let mut start = 0;
        for count in [3, 1, 1, 1, 2, 1] {
            let new = Var::constant(all.narrow(2, start, count));
            start += count;
            let (k, v) = cache.layers[0].extend(&new, &(&new * 2.0));
            let seen = all.narrow(2, 0, start);
            assert_eq!(k.value().to_vec(), seen.to_vec());
            assert_eq!(v.value().to_vec(), (seen * 2.0).to_vec());
        }
    }

    #[test]
    fn rows_are_left_out_repeated_and_in_any_order() {
        let mut cache = Cache::new(1, 3, 4);
        let rows = |values: [Float; 3]| Var::constant(Tensor::new(values, &[3, 1, 1, 1]));
        cache.advance(&[true, false, true]);
        cache.layers[0].extend(&rows([1.0, 2.0, 3.0]), &rows([4.0, 5.0, 6.0]));
        cache.layers[0].memory(|| (rows([7.0, 8.0, 9.0]), rows([0.0, 1.0, 2.0])));
        cache.reorder(&[2, 0, 0, 1]);
        assert_eq!(cache.is_token, [[true], [true], [true], [false]]);
        let new = Var::constant(Tensor::zeros(&[4, 1, 1, 1]));
        let (k, v) = cache.layers[0].extend(&new, &new);
        assert_eq!(k.value().to_vec(), [3.0, 0.0, 1.0, 0.0, 1.0, 0.0, 2.0, 0.0]);
        assert_eq!(v.value().to_vec(), [6.0, 0.0, 4.0, 0.0, 4.0, 0.0, 5.0, 0.0]);
        let (k, v) = cache.layers[0].memory(|| unreachable!("it is computed once"));
        assert_eq!(k.value().to_vec(), [9.0, 7.0, 7.0, 8.0]);
        assert_eq!(v.value().to_vec(), [2.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "cache: 2 positions are full")]
    fn goes_no_further_than_its_capacity() {
        let new = Var::constant(Tensor::zeros(&[1, 1, 3, 1]));
        Cache::new(1, 1, 2).layers[0].extend(&new, &new);
    }
}
