//! Pages as a PDF.

use krilla::{
    Document, SerializeSettings,
    color::rgb,
    configure::{Accessibility, Archival, ConfigurationBuilder, ValidationError},
    error::KrillaError,
    geom::{PathBuilder, Point, Rect},
    metadata::{DateTime, Metadata},
    num::NormalizedF32,
    page::PageSettings,
    paint::{Fill, FillRule},
    surface::Surface,
    tagging::{Artifact, ArtifactType, ContentTag, SpanTag},
};
use time::OffsetDateTime;

use crate::{
    NotRendered,
    layout::{Belongs, Ink, Item, PAPER, Pages},
    model::Report,
    outline::{self, Drawn},
    text,
    typeface::{Typeface, Weight},
};

impl Ink {
    fn colour(self) -> rgb::Color {
        let (red, green, blue) = match self {
            Self::Black => (0x1c, 0x22, 0x2b),
            Self::Grey => (0x5a, 0x64, 0x70),
            Self::Hairline => (0xdd, 0xe1, 0xe6),
            Self::Line => (0x8a, 0x93, 0x9e),
            Self::Panel => (0xf4, 0xf5, 0xf7),
            Self::Good => (0x2f, 0x85, 0x5a),
            Self::Notice => (0xc4, 0x83, 0x11),
            Self::Problem => (0xb8, 0x32, 0x2f),
        };
        rgb::Color::new(red, green, blue)
    }
}

/// Draws the pages; gives the bytes of the PDF.
pub(crate) fn paint(report: &Report, pages: Pages, typeface: &Typeface) -> Result<Vec<u8>, NotRendered> {
    let rules = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A2_A)
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| NotRendered::Rules(format!("{error:?}")))?;
    let mut document = Document::new_with(SerializeSettings { configuration: rules, ..SerializeSettings::default() });
    let mut drawn = Drawn::nothing(&pages.parts);
    for items in pages.sheets {
        let paper = PageSettings::from_wh(PAPER.0, PAPER.1).unwrap_or_default();
        let mut page = document.start_page_with(paper);
        let mut surface = page.surface();
        for item in items {
            draw(&mut surface, item, typeface, &mut drawn);
        }
    }
    document.set_metadata(metadata(report, pages.title, typeface));
    outline::bookmark(&mut document, pages.bookmarks);
    outline::tag(&mut document, report.language, pages.parts, drawn);
    document.finish().map_err(refusal)
}

fn draw(surface: &mut Surface<'_>, item: Item, typeface: &Typeface, drawn: &mut Drawn) {
    match item {
        Item::Area { x, y, width, height, ink } => {
            let mut path = PathBuilder::new();
            if let Some(area) = Rect::from_xywh(x, y, width, height) {
                path.push_rect(area);
            }
            if let Some(path) = path.finish() {
                surface.start_tagged(artifact(ArtifactType::Layout));
                fill(surface, ink);
                surface.draw_path(&path);
                surface.end_tagged();
            }
        }
        Item::Line { x, y, style, text, belongs } => {
            let face = typeface.face(style.weight);
            let whole = text::whole(&text);
            let identifier = surface.start_tagged(match belongs {
                Belongs::To(_) => ContentTag::Span(SpanTag::empty().with_actual_text(whole.as_deref())),
                Belongs::Head => artifact(ArtifactType::Header),
                Belongs::Foot => artifact(ArtifactType::Footer),
                Belongs::Repeated => artifact(ArtifactType::PaginationOther),
            });
            if !text.is_empty() {
                fill(surface, style.ink);
                surface.draw_glyphs(Point::from_xy(x, y), &face.set(&text), face.font(), &text, style.size, false);
            }
            surface.end_tagged();
            if let Belongs::To(part) = belongs {
                drawn.add(part, identifier);
            }
        }
    }
}

fn artifact(kind: ArtifactType) -> ContentTag<'static> {
    ContentTag::Artifact(Artifact::with_kind(kind))
}

fn fill(surface: &mut Surface<'_>, ink: Ink) {
    surface.set_fill(Some(Fill { paint: ink.colour().into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }));
}

fn metadata(report: &Report, title: String, typeface: &Typeface) -> Metadata {
    let face = typeface.face(Weight::Regular);
    let shown = |text: &str| text::line(text, face).chars().take(300).collect::<String>();
    let (author, program) = (shown(&report.about.author), shown(&report.about.program));
    let created = report.about.utc();
    // The versions of a document are those of one title, from one organisation; the contents give each an identity of
    // its own.
    let document = format!("{title}\n{}\n{author}", shown(&report.subtitle));
    let metadata = Metadata::new()
        .title(title)
        .description(shown(&report.subtitle))
        .creator(program)
        .language(report.language.tag().to_owned())
        .creation_date(date(created))
        .document_id(document);
    if author.is_empty() { metadata } else { metadata.authors(vec![author]) }
}

fn date(at: OffsetDateTime) -> DateTime {
    DateTime::new(u16::try_from(at.year()).unwrap_or(0))
        .month(at.month().into())
        .day(at.day())
        .hour(at.hour())
        .minute(at.minute())
        .second(at.second())
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

fn refusal(error: KrillaError) -> NotRendered {
    match error {
        KrillaError::Font(..) => NotRendered::Fonts,
        KrillaError::Limit(_) => NotRendered::TooLong,
        KrillaError::Validation(errors) => {
            if errors.iter().any(|(error, _)| *error == ValidationError::TooManyIndirectObjects) {
                return NotRendered::TooLong;
            }
            NotRendered::Rules(errors.iter().map(|(error, _)| format!("{error:?}")).collect::<Vec<_>>().join(", "))
        }
        other => NotRendered::Rules(other.to_string()),
    }
}
