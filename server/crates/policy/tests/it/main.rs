//! The policies as a whole: the golden table, and what must hold for every combination of roles.

mod document;
#[cfg(test)]
mod fixture;
mod matrix;
mod own;
mod rules;
mod visibility;
