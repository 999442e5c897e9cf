//! Data: rows of a file, and the prompt and target a task makes of each.
//!
//! ```no_run
//! use train::data::{Task, parse_rows, read_rows};
//!
//! let rows = read_rows("products.jsonl")?;
//! let examples = rows.examples(Task::Describe)?;
//! # Ok::<(), train::data::DataError>(())
//! ```

mod answerable;
mod csv;
mod error;
mod json;
mod lines;
mod prompt;
mod rows;
mod task;
mod write;

pub use error::DataError;
pub(crate) use prompt::answer_prompt;
pub(crate) use rows::open;
pub use rows::{Row, RowStream, Rows, Value, parse_rows, read_rows, stream_rows};
pub use task::{Example, Task, count_in, given_text};
pub use write::RowWriter;
