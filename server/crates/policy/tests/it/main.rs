//! The policies as a whole: the golden table, and what must hold for every combination of roles.

#[cfg(test)]
mod document;
#[cfg(test)]
mod fixture;
mod matrix;
#[cfg(test)]
mod own;
mod rules;
mod visibility;
