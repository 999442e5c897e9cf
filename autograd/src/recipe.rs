//! Values that are cheaper to make again than to keep.
//!
//! What a normalization or a nonlinearity gives, the matrix product behind it wants to see again in
//! its backward; but its own input is kept anyway, and from that it is made again in less time than
//! it takes to read the memory that it would fill. Chen et al. 2016, *Training Deep Nets with
//! Sublinear Memory Cost*, section 3.2, where the operations to drop are the cheap ones.

use crate::Var;
use std::sync::{Arc, Mutex, PoisonError};
use tensor::Tensor;

/// How a value is made again, and the value, once it is made, as long as another operation waits
/// for it.
pub(crate) struct Recipe {
    make: Box<dyn Fn() -> Tensor + Send + Sync>,
    made: Mutex<Option<Tensor>>,
}

/// A value that a backward keeps: the tensor, or how to make it again.
pub struct Kept(Form);

enum Form {
    Tensor(Tensor),
    Recipe(Arc<Recipe>),
}

impl Kept {
    /// The tensor. What two operations keep is made once.
    pub fn get(self) -> Tensor {
        match self.0 {
            Form::Tensor(tensor) => tensor,
            Form::Recipe(recipe) => {
                let mut made = recipe.made.lock().unwrap_or_else(PoisonError::into_inner);
                made.get_or_insert_with(&recipe.make).clone()
            }
        }
    }

    /// Bytes that it holds until then.
    pub fn bytes(&self) -> usize {
        match &self.0 {
            Form::Tensor(tensor) => tensor.bytes(),
            Form::Recipe(_) => 0,
        }
    }
}

impl Var {
    /// The same value, which an operation that keeps it may make again by `make` instead: from what
    /// is kept anyway, and to the same bits.
    ///
    /// ```
    /// use autograd::Var;
    /// fn double(x: &Var) -> Var {
    ///     let (y, kept) = (x.value().map(|x| 2.0 * x), x.value().clone());
    ///     let y = Var::record("double", [x], y, [], |dy, []| [(dy * 2.0).into()]);
    ///     y.made_again_by(move || kept.map(|x| 2.0 * x))
    /// }
    /// let x = Var::leaf(tensor::Tensor::ones(&[1, 1]));
    /// let y = double(&x).matmul(&double(&x));
    /// assert_eq!(y.backward().unwrap().get(&x).unwrap().item(), 8.0);
    /// ```
    pub fn made_again_by(mut self, make: impl Fn() -> Tensor + Send + Sync + 'static) -> Var {
        if self.needs_gradient() {
            let recipe = Recipe { make: Box::new(make), made: Mutex::new(None) };
            *self.recipe_mut() = Some(Arc::new(recipe));
        }
        self
    }

    /// [`Var::saved_if`], or how to make the value again.
    pub fn kept_if(&self, needed: bool) -> Kept {
        Kept(match self.recipe() {
            Some(recipe) if needed => Form::Recipe(recipe.clone()),
            _ => Form::Tensor(self.saved_if(needed)),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::Var;
    use crate::ops::linear::linear;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tensor::{Rng, Tensor};

    #[test]
    fn gradients_are_the_same_to_the_bit_and_fewer_bytes_are_kept() {
        let mut rng = Rng::seeded(1);
        let [x, w, gamma, beta, b] =
            [&[6, 8][..], &[8, 8], &[8], &[8], &[8]].map(|shape| Var::leaf(rng.normal(shape, 1.0)));
        let weights = Var::constant(rng.normal(&[6, 8], 1.0));
        // The same value without its recipe: a view of all of it.
        let plain = |x: Var| x.narrow(0, 0, 6);
        let again = |x: Var| x;
        let loss = |keep: &dyn Fn(Var) -> Var| {
            let mut y = x.clone();
            y = linear(&keep(y.layer_norm(&gamma, &beta, 1e-5)), &w, &b);
            y = keep(y.gelu_tanh()).matmul(&w);
            y = keep(y.swiglu(&x)).matmul(&w);
            y = linear(&keep(y.rms_norm(&gamma, 1e-5)), &w, &b);
            y = keep(y.gelu()).matmul(&w);
            y = keep(y.silu()).matmul(&w);
            (y * &weights).sum()
        };
        let [kept, made] = [loss(&plain), loss(&again)];
        let dropped = kept.saved_bytes() - made.saved_bytes();
        assert_eq!(dropped, 6 * x.value().bytes());
        let [kept, made] = [kept, made].map(|loss| loss.backward().unwrap());
        for leaf in [&x, &w, &gamma, &beta, &b] {
            assert_eq!(kept.get(leaf).unwrap().to_vec(), made.get(leaf).unwrap().to_vec());
        }
    }

    #[test]
    fn what_several_keep_is_made_once() {
        let x = Var::leaf(Tensor::ones(&[2, 2]));
        let count = Arc::new(AtomicUsize::new(0));
        let (value, counted) = (x.value().clone(), count.clone());
        let y = Var::record("same", [&x], value.clone(), [], |dy, []| [dy.into()]);
        let y = y.made_again_by(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            value.clone()
        });
        let w = Var::leaf(Tensor::ones(&[2, 2]));
        let loss = (y.matmul(&w) + y.matmul(&w) + y.matmul(&w)).sum();
        drop(y);
        loss.backward().unwrap();
        assert_eq!(count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_constant_has_no_recipe() {
        let x = Var::constant(Tensor::ones(&[2])).made_again_by(|| panic!("made"));
        assert_eq!(x.kept_if(true).get().to_vec(), [1.0, 1.0]);
    }
}
