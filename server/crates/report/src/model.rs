//! What a report says.

use time::{OffsetDateTime, UtcOffset};

/// A report: a title, and sections under it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is, in a few words; above the first page and at the head of the others.
    pub title: String,
    /// What it is about more closely, such as a period; below the title. May be empty.
    pub subtitle: String,
    /// The language that it is written in.
    pub language: Language,
    /// Where it comes from.
    pub about: About,
    /// Its contents. Each section is a bookmark.
    pub sections: Vec<Section>,
}

/// The language of a report: that of the words which the rendering adds, and the one screen readers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Korean.
    Korean,
}

/// Where a report comes from; at its head and foot, and in the properties of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The organisation that gives it out.
    pub author: String,
    /// The program that made it, with its version.
    pub program: String,
    /// When it was made. The only time in the document.
    pub created: OffsetDateTime,
}

/// A part of a report under a heading.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// What stands under it.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Paragraphs, one a line.
    Text(String),
    /// Names and values, one pair below the other.
    Facts(Vec<(String, String)>),
    /// Rows under headings, which are repeated on every page. Cells beyond the last column get a column without a
    /// heading: nothing that was given is left out.
    Table {
        /// The columns, from left to right.
        columns: Vec<Column>,
        /// The rows, from top to bottom.
        rows: Vec<Row>,
    },
    /// Text that is shown as it is, its lines and blanks included: checkpoints, commands.
    Code(String),
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its heading. Only as much as fits on three lines is shown.
    pub title: String,
    /// How wide it is in proportion to the others.
    pub share: f32,
}

impl Column {
    /// A column of that title and share of the width.
    pub fn new(title: impl Into<String>, share: f32) -> Self {
        Self { title: title.into(), share }
    }
}

/// A row of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Its cells, from left to right.
    pub cells: Vec<String>,
    /// What draws the eye to it.
    pub mark: Option<Mark>,
}

impl Row {
    /// A row without a mark.
    pub fn new<Cell: Into<String>>(cells: impl IntoIterator<Item = Cell>) -> Self {
        Self { cells: cells.into_iter().map(Into::into).collect(), mark: None }
    }

    /// The same row with a mark.
    #[must_use]
    pub fn marked(self, mark: Mark) -> Self {
        Self { mark: Some(mark), ..self }
    }
}

/// A coloured bar beside a row. It only draws the eye: the row's own text must say what is the matter, for those who
/// see no colours or hear the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it should be.
    Good,
    /// Worth a look.
    Notice,
    /// Not as it should be.
    Problem,
}

impl About {
    /// When the report was made, by UTC.
    pub(crate) fn utc(&self) -> OffsetDateTime {
        self.created.checked_to_offset(UtcOffset::UTC).unwrap_or(self.created)
    }
}

impl Language {
    /// The tag of the language, as in BCP 47.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }

    /// The words at the foot of a page.
    pub(crate) fn page(self, number: usize, of: usize) -> String {
        match self {
            Self::English => format!("Page {number} of {of}"),
            Self::Korean => format!("{of}쪽 중 {number}쪽"),
        }
    }
}
