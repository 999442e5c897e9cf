//! The same work here and elsewhere, side by side: `cargo bench --bench peers`.
//!
//! Each contestant is a program that takes [turns](crate::turns). Those of one row, ours and one
//! other, run beside each other and take turns A B A B, so that both meet the same machine. What came
//! of it is kept in `docs/performance.json`, from which alone the page and the plot are made.

mod contest;
mod contestant;
mod outcome;
mod page;
mod plot;
mod roofline;
mod rows;
mod versions;

pub use contest::{contest, with};
pub use contestant::Contestant;
pub use outcome::{Bound, LOSS_TOLERANCE, Outcome, Played, Record};
pub use page::page;
pub use plot::plot;
pub use roofline::{Roofline, cpu_name};
pub use rows::{Paths, Program, Row, Side, rows, smallest};
pub use versions::locked_versions;
