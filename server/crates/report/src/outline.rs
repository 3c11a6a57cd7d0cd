//! What the pieces of a report are to a screen reader, and to whoever else reads its structure.

use std::num::NonZeroU16;

use krilla::{
    Document,
    destination::XyzDestination,
    geom::Point,
    outline::{Outline, OutlineNode},
    tagging::{Identifier, Node, TableHeaderScope, Tag, TagGroup, TagKind, TagTree},
};

use crate::model::Language;

/// What a piece is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The title of the report.
    Title(String),
    /// A section with its heading.
    Section,
    /// The heading of a section.
    Heading(String),
    /// A paragraph.
    Paragraph,
    /// Text that is shown as it is.
    Code,
    /// A table, or facts.
    Table,
    /// The headings of a table.
    Head,
    /// The rows of a table.
    Body,
    /// A row.
    Row,
    /// The heading of a column.
    ColumnTitle,
    /// The name of a fact.
    RowTitle,
    /// A cell.
    Cell,
}

/// A piece of the report, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part(usize);

/// The pieces of a report, each with the one it belongs to, in the order in which they are read.
#[derive(Debug, Default)]
pub(crate) struct Parts(Vec<(Role, Option<Part>)>);

impl Parts {
    /// Adds a piece that belongs to another, or to the report.
    pub(crate) fn add(&mut self, role: Role, of: Option<Part>) -> Part {
        self.0.push((role, of));
        Part(self.0.len() - 1)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Where a bookmark leads to.
#[derive(Debug)]
pub(crate) struct Bookmark {
    /// What it is called.
    pub(crate) title: String,
    /// The page, counted from zero.
    pub(crate) page: usize,
    /// How far down on it.
    pub(crate) y: f32,
}

/// Gives the document its bookmarks.
pub(crate) fn bookmark(document: &mut Document, bookmarks: Vec<Bookmark>) {
    let mut outline = Outline::new();
    for Bookmark { title, page, y } in bookmarks {
        outline.push_child(OutlineNode::new(title, XyzDestination::new(page, Point::from_xy(0.0, y))));
    }
    document.set_outline(outline);
}

/// What was drawn of each piece.
#[derive(Debug)]
pub(crate) struct Drawn(Vec<Vec<Identifier>>);

impl Drawn {
    /// Nothing yet.
    pub(crate) fn nothing(parts: &Parts) -> Self {
        Self(vec![Vec::new(); parts.len()])
    }

    /// Some of that piece was drawn.
    pub(crate) fn add(&mut self, part: Part, identifier: Identifier) {
        if let Some(drawn) = self.0.get_mut(part.0) {
            drawn.push(identifier);
        }
    }
}

/// Gives the document its structure.
pub(crate) fn tag(document: &mut Document, language: Language, parts: Parts, drawn: Drawn) {
    let mut groups: Vec<(Vec<Node>, TagKind, Option<Part>)> = parts
        .0
        .into_iter()
        .zip(drawn.0)
        .map(|((role, of), drawn)| (drawn.into_iter().map(Node::Leaf).collect(), kind(role), of))
        .collect();
    // Pieces come after those that they belong to: from the last to the first, each is whole when it is handed over.
    let mut whole = Vec::new();
    while let Some((mut children, kind, of)) = groups.pop() {
        if is_group(&kind) {
            children.reverse();
        }
        let group = Node::Group(TagGroup::with_children(kind, children));
        match of.and_then(|part| groups.get_mut(part.0)) {
            Some((siblings, ..)) => siblings.push(group),
            None => whole.push(group),
        }
    }
    whole.reverse();
    document.set_tag_tree(TagTree::from(whole).with_lang(Some(language.tag().to_owned())));
}

/// Whether it is made of other pieces, which were handed over from the last to the first.
fn is_group(kind: &TagKind) -> bool {
    matches!(kind, TagKind::Section(_) | TagKind::Table(_) | TagKind::THead(_) | TagKind::TBody(_) | TagKind::TR(_))
}

fn kind(role: Role) -> TagKind {
    const TITLE: NonZeroU16 = NonZeroU16::MIN;
    const HEADING: NonZeroU16 = TITLE.saturating_add(1);
    match role {
        Role::Title(title) => Tag::Hn(TITLE, Some(title)).into(),
        Role::Section => Tag::Section.into(),
        Role::Heading(title) => Tag::Hn(HEADING, Some(title)).into(),
        Role::Paragraph => Tag::P.into(),
        Role::Code => Tag::Code.into(),
        Role::Table => Tag::Table.into(),
        Role::Head => Tag::THead.into(),
        Role::Body => Tag::TBody.into(),
        Role::Row => Tag::TR.into(),
        Role::ColumnTitle => Tag::TH(TableHeaderScope::Column).into(),
        Role::RowTitle => Tag::TH(TableHeaderScope::Row).into(),
        Role::Cell => Tag::TD.into(),
    }
}
