//! What holds for all operations inside a closure: whether they are recorded, and where dropout
//! takes its randomness from.

use std::cell::{Cell, RefCell};
use tensor::Rng;

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
    static DROPOUT: RefCell<Option<Rng>> = const { RefCell::new(None) };
}

/// Runs `compute` without recording: nothing is kept for a backward that will not come.
///
/// ```
/// use autograd::{Var, no_grad};
/// let x = Var::leaf(tensor::Tensor::ones(&[2]));
/// assert!(no_grad(|| x.sum()).backward().is_err());
/// ```
pub fn no_grad<T>(compute: impl FnOnce() -> T) -> T {
    with_recording(false, compute)
}

/// Whether operations are recorded on this thread just now.
pub fn is_recording() -> bool {
    RECORDING.get()
}

/// Runs `compute` with recording, also inside of [`no_grad`]: to compute again what a
/// backward needs.
pub(crate) fn recording<T>(compute: impl FnOnce() -> T) -> T {
    with_recording(true, compute)
}

fn with_recording<T>(is_recording: bool, compute: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDING.set(self.0);
        }
    }
    let _restore = Restore(RECORDING.replace(is_recording));
    compute()
}

/// Runs `compute` with dropout switched on, its randomness fixed by `rng`.
///
/// Outside of this scope dropout does nothing, so that an evaluation can't drop by accident; and a
/// training step that seeds it from (seed, step) draws the same masks when it is repeated after a
/// crash.
pub fn with_dropout<T>(rng: Rng, compute: impl FnOnce() -> T) -> T {
    with_dropout_state(Some(rng), compute)
}

/// Runs `compute` with the generator of an earlier [`dropout_state`], or without dropout.
pub(crate) fn with_dropout_state<T>(rng: Option<Rng>, compute: impl FnOnce() -> T) -> T {
    struct Restore(Option<Rng>);
    impl Drop for Restore {
        fn drop(&mut self) {
            DROPOUT.replace(self.0.take());
        }
    }
    let _restore = Restore(DROPOUT.replace(rng));
    compute()
}

/// Whether dropout is switched on: inside of [`with_dropout`].
pub fn is_dropping() -> bool {
    DROPOUT.with_borrow(Option::is_some)
}

/// The generator of the enclosing [`with_dropout`] as it is now.
pub(crate) fn dropout_state() -> Option<Rng> {
    DROPOUT.with_borrow(Option::clone)
}

/// Calls `draw` with the generator of the enclosing [`with_dropout`], if there is one.
pub(crate) fn dropout_rng<T>(draw: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    DROPOUT.with_borrow_mut(|rng| rng.as_mut().map(draw))
}
