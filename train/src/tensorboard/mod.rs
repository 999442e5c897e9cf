//! Event files, which TensorBoard shows: scalars, histograms and texts over the steps of a run.
//!
//! | file | what it holds |
//! |---|---|
//! | `writer` | [`EventWriter`]: what a run calls |
//! | `message` | the fields of the Protocol Buffers messages that are written |
//! | `record` | lengths and checksums around them |

mod message;
mod record;
mod writer;

pub use writer::EventWriter;
