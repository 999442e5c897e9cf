//! Ctrl-C and SIGTERM: asked for after each step, so that a run ends where it can go on.

use crate::Error;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether someone wants the process to end.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From here on a first Ctrl-C or SIGTERM is noted; a second ends the process at once, with the
    /// status that shells give for it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn install() -> Result<Interrupt, Error> {
        let noted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds nothing noted, and notes itself.
            flag::register_conditional_shutdown(signal, 128 + signal, noted.clone())
                .and_then(|_| flag::register(signal, noted.clone()))
                .map_err(|error| {
                    Error::settings(format!("signals cannot be listened to: {error}"))
                })?;
        }
        Ok(Interrupt(noted))
    }

    /// Whether one came.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_noted() {
        let interrupt = Interrupt::install().unwrap();
        assert!(!interrupt.requested());
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert!(interrupt.requested());
    }
}
