//! Requests of one's own, runs for operators, and the page of one run.

mod actions;
mod journal;
mod lists;
mod page;
mod story;
mod task_panel;

pub use lists::{RequestsPage, RunsPage};
pub use page::RunPage;
