//! A model measured on a task, each figure with its interval, beside the baselines.
//!
//! | file | what it holds |
//! |---|---|
//! | `scores` | the figures of one system, and how they differ from another's |
//! | `likelihood` | how well targets are predicted |
//! | `writing` | what a model writes to prompts |
//! | `classes`, `descriptions`, `texts` | what answers of each kind are worth, and the baselines |

mod classes;
mod descriptions;
mod likelihood;
mod scores;
mod texts;
mod writing;

pub use classes::{Prediction, class_details, classes, classify, classify_baselines, likeliest};
pub use descriptions::{
    NGRAM_ORDER, copies, describe_baselines, descriptions, language_model_baselines,
    shop_vocabulary, variety,
};
pub use likelihood::{likelihood, target_bytes};
pub use scores::{BOOTSTRAP_SEED, Scores};
pub use texts::{text_baselines, texts};
pub(crate) use writing::answers;
pub use writing::{Answered, write};
