//! The course, and the product-text tasks.

pub mod catalogue;
pub mod heat_map;
