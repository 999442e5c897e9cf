//! Where a token stands: added to its embedding, turned into its queries and keys, or added to the
//! scores of attention.
//!
//! | module | what it holds |
//! |---|---|
//! | [`mod@sinusoidal`] | waves of many lengths, added to the embeddings |
//! | [`rotary`] | queries and keys turned by their positions |
//! | [`relative`] | a learned number for each head and distance, added to scores |
//! | [`mod@alibi`] | a penalty that grows with the distance, added to scores |

pub mod alibi;
pub mod relative;
pub mod rotary;
pub mod sinusoidal;

pub use alibi::alibi;
pub use relative::RelativePositionBias;
pub use rotary::{Rotary, Rotation};
pub use sinusoidal::sinusoidal;
