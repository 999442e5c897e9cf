//! Data: rows of a file, and the prompt and target a task makes of each.
//!
//! ```no_run
//! use train::data::{Task, read_rows};
//!
//! let rows = read_rows("products.jsonl")?;
//! let examples = rows.examples(Task::Describe)?;
//! # Ok::<(), train::data::DataError>(())
//! ```

mod csv;
mod error;
mod json;
mod rows;
mod task;

pub use error::DataError;
pub use rows::{Row, Rows, Value, read_rows};
pub use task::{Example, Task};
