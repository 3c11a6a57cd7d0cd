//! Reports as PDF: what is said in a [`Report`], and [`render`], which sets it on pages of A4.
//!
//! Everything here is pure: the same report gives the same bytes, on every machine, at every time. What comes out is
//! archivable and accessible (PDF/A-2a and PDF/UA-1): fonts are embedded, and headings, tables and their cells are told
//! to screen readers.
//!
//! # How to use it
//! ```
//! use report::{About, Block, Column, Language, Mark, Report, Row, Section, render};
//!
//! let report = Report {
//!     title: "Changes of grants".into(),
//!     subtitle: "1 to 30 November 2026".into(),
//!     language: Language::English,
//!     about: About {
//!         author: "Example Ltd".into(),
//!         program: "Rondo 0.1.0".into(),
//!         created: time::OffsetDateTime::UNIX_EPOCH,
//!     },
//!     sections: vec![Section {
//!         heading: "Entries".into(),
//!         blocks: vec![
//!             Block::Text("Everything that was refused is marked.".into()),
//!             Block::Facts(vec![("Entries".into(), "2".into())]),
//!             Block::Table {
//!                 columns: vec![Column::new("No.", 1.0), Column::new("What", 5.0)],
//!                 rows: vec![
//!                     Row::new(["1", "mina gave the role operator to jun"]),
//!                     Row::new(["2", "refused: jun gives the role administrator to jun"]).marked(Mark::Problem),
//!                 ],
//!             },
//!         ],
//!     }],
//! };
//! assert!(render(&report)?.starts_with(b"%PDF-1.7"));
//! # Ok::<(), report::NotRendered>(())
//! ```
//!
//! # What to expect of it
//! - Lines break between words; words that are longer than a line, such as hashes, anywhere; Chinese and Japanese
//!   between any two characters. Columns have the share of the width that they ask for, but never less than some
//!   characters.
//! - Tables go on over pages, with their headings on each. A row stays on one page if it can.
//! - Any text is fine. Control characters are dropped, and what the fonts have no sign for is shown as a box and read
//!   as U+FFFD.
//!
//! # How to
//! - **Add a kind of block**: a variant of [`Block`], how it is set in `layout`, and what it is to a screen reader in
//!   `outline`.
//! - **Change the looks**: the measures and inks at the top of `layout` and `paint`; then look at the pages, since the
//!   snapshots show only their text: `REPORT_SAMPLES=DIRECTORY cargo nextest run --workspace -E 'test(samples)'` writes
//!   samples into that directory.
//! - **Change the fonts**: `fonts/README.md`, and `typeface`.

mod layout;
mod model;
mod outline;
mod paint;
mod text;
mod typeface;
mod wrap;

pub use model::{About, Block, Column, Language, Mark, Report, Row, Section};

#[cfg(test)]
mod tests;

/// Why a report could not be rendered. None of it depends on which characters a text has, only on how much there is.
#[derive(Debug, thiserror::Error)]
pub enum NotRendered {
    /// The fonts that are built into the program cannot be read.
    #[error("the fonts in this program are damaged: install the program anew")]
    Fonts,
    /// There is more in the report than one PDF can hold.
    #[error("the report is too long for one PDF: choose a shorter period, or fewer entries")]
    TooLong,
    /// The PDF would not keep the rules of archivable, accessible documents.
    #[error("the report cannot be made an archivable PDF, please report this as a bug of Rondo: {0}")]
    Rules(String),
}

/// Sets the report on pages; gives the bytes of a PDF.
pub fn render(report: &Report) -> Result<Vec<u8>, NotRendered> {
    let typeface = typeface::Typeface::built_in().ok_or(NotRendered::Fonts)?;
    paint::paint(report, layout::lay_out(report, typeface), typeface)
}
