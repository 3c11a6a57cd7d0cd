//! The policies as a whole: the golden table, and what must hold for every combination of roles.

#[cfg(test)]
mod fixture;
mod matrix;
mod rules;
mod visibility;
