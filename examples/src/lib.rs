//! The course, and the product-text tasks.

pub mod catalogue;
pub mod heat_map;
pub mod intents;
pub mod jsonl;
pub mod kit;
mod phrases;
pub mod questions;
pub mod reviews;
