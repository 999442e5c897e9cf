//! The course, and the product-text tasks.

pub mod catalogue;
