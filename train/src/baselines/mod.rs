//! Baselines: what a score must beat to mean something.

mod bm25;
mod copy;
mod lbfgs;
mod logistic_regression;
mod majority;
mod nearest;
mod nearest_text;
mod ngram;
mod sparse;
mod template;
mod tfidf;
mod words;

pub use bm25::Bm25;
pub use copy::copy;
pub use logistic_regression::TfidfLogisticRegression;
pub use majority::Majority;
pub use nearest::NearestProduct;
pub use nearest_text::NearestText;
pub use ngram::NGram;
pub use template::template;
