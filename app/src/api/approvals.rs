//! Filled by their own author.
