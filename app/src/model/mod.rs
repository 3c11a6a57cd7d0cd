//! What pages compute without drawing: plain functions with tests of their own.

pub mod connection_settings;
pub mod figures;
pub mod graph_layout;
pub mod log_window;
pub mod narrowing;
pub mod proof;
