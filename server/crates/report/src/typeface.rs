//! The typeface: which signs there are, how wide they are, and how they are put together.

use std::{collections::HashMap, io::Read, sync::LazyLock};

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::{
    FontRef, MetadataProvider,
    instance::{LocationRef, Size},
    metrics::BoundingBox,
};

use crate::text::REPLACEMENT;

const REGULAR: &[u8] = include_bytes!("../fonts/NanumGothic.ttf.br");
const BOLD: &[u8] = include_bytes!("../fonts/NanumGothicBold.ttf.br");

/// What stands for a character that the typeface has no sign for: an empty box.
const BOX: char = '□';

/// The marks above and below letters, with the sign that the typeface has for them. Letters that it lacks, such as
/// those of German and Czech, are put together with these.
const ACCENTS: [(char, char); 13] = [
    ('\u{300}', '`'),
    ('\u{301}', '´'),
    ('\u{302}', '^'),
    ('\u{303}', '˜'),
    ('\u{304}', '‾'),
    ('\u{306}', '˘'),
    ('\u{307}', '˙'),
    ('\u{308}', '¨'),
    ('\u{30a}', '˚'),
    ('\u{30b}', '˝'),
    ('\u{30c}', 'ˇ'),
    ('\u{327}', '¸'),
    ('\u{328}', '˛'),
];

/// How heavy letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weight {
    /// For reading.
    Regular,
    /// For headings.
    Bold,
}

/// The faces of the typeface.
pub(crate) struct Typeface {
    regular: Face,
    bold: Face,
}

impl Typeface {
    /// The typeface that is built into the program; nothing if it is damaged. It is unpacked once.
    pub(crate) fn built_in() -> Option<&'static Self> {
        static TYPEFACE: LazyLock<Option<Typeface>> =
            LazyLock::new(|| Some(Typeface { regular: Face::unpack(REGULAR)?, bold: Face::unpack(BOLD)? }));
        TYPEFACE.as_ref()
    }

    /// The face of that weight. Both have the same signs.
    pub(crate) fn face(&self, weight: Weight) -> &Face {
        match weight {
            Weight::Regular => &self.regular,
            Weight::Bold => &self.bold,
        }
    }
}

/// A face: one weight of the typeface.
pub(crate) struct Face {
    font: Font,
    signs: HashMap<char, Sign>,
}

/// The sign of a character, in parts of the size of the letters.
#[derive(Clone, Copy)]
struct Sign {
    glyph: GlyphId,
    advance: f32,
    bounds: Bounds,
}

/// What a sign covers.
#[derive(Clone, Copy, Default)]
struct Bounds {
    left: f32,
    bottom: f32,
    right: f32,
    top: f32,
}

impl Bounds {
    fn new(of: BoundingBox, em: f32) -> Self {
        Self { left: of.x_min / em, bottom: of.y_min / em, right: of.x_max / em, top: of.y_max / em }
    }

    fn middle(self) -> f32 {
        f32::midpoint(self.left, self.right)
    }
}

impl Face {
    fn unpack(packed: &[u8]) -> Option<Self> {
        let mut file = Vec::new();
        brotli::Decompressor::new(packed, 1 << 16).read_to_end(&mut file).ok()?;
        let signs = signs(&file)?;
        Some(Self { font: Font::new(file.into(), 0)?, signs })
    }

    /// The font, as it is embedded.
    pub(crate) fn font(&self) -> Font {
        self.font.clone()
    }

    /// Whether there is a sign for the character.
    pub(crate) fn has(&self, character: char) -> bool {
        self.signs.contains_key(&character)
    }

    /// How wide the text is in letters of that size.
    pub(crate) fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|character| self.advance(character)).sum::<f32>() * size
    }

    /// How far the character moves what follows, in parts of the size of the letters.
    pub(crate) fn advance(&self, character: char) -> f32 {
        self.sign(character).map_or(0.0, |sign| sign.advance)
    }

    fn sign(&self, character: char) -> Option<&Sign> {
        self.signs.get(&character).or_else(|| self.signs.get(&BOX))
    }

    /// The signs of the text, one for each character.
    pub(crate) fn set(&self, text: &str) -> Vec<KrillaGlyph> {
        let mut below: Option<Sign> = None;
        let following = text.chars().skip(1).map(Some).chain([None]);
        text.char_indices()
            .zip(following)
            .filter_map(|((at, character), next)| {
                // An accent takes the place of the dot.
                let dotless = character == 'i' && next.is_some_and(|next| accent(next).is_some());
                let sign = *self.sign(if dotless { 'ı' } else { character })?;
                let (x, y) = match below {
                    Some(letter) if accent(character).is_some() => over(letter, sign),
                    _ => {
                        below = Some(sign);
                        (0.0, 0.0)
                    }
                };
                let range = at..at + character.len_utf8();
                Some(KrillaGlyph::new(sign.glyph, sign.advance, x, y, 0.0, range, None))
            })
            .collect()
    }
}

/// The sign for a mark above or below a letter.
pub(crate) fn accent(mark: char) -> Option<char> {
    ACCENTS.iter().find(|(combining, _)| *combining == mark).map(|(_, sign)| *sign)
}

/// How far to move an accent so that it stands over, or below, the middle of the letter before it.
fn over(letter: Sign, accent: Sign) -> (f32, f32) {
    const GAP: f32 = 0.05;
    let x = letter.bounds.middle() - accent.bounds.middle() - letter.advance;
    let below = accent.bounds.top < 0.1;
    let y = if below { 0.0 } else { (letter.bounds.top + GAP - accent.bounds.bottom).max(-0.06) };
    (x, y)
}

/// The signs of a font file, by character, its accents included.
fn signs(file: &[u8]) -> Option<HashMap<char, Sign>> {
    let font = FontRef::new(file).ok()?;
    let metrics = font.glyph_metrics(Size::unscaled(), LocationRef::default());
    let em = f32::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
    let sign = |glyph: skrifa::GlyphId| -> Option<Sign> {
        let advance = metrics.advance_width(glyph)? / em;
        let bounds = metrics.bounds(glyph).map(|bounds| Bounds::new(bounds, em)).unwrap_or_default();
        (advance > 0.0).then(|| Sign { glyph: GlyphId::new(glyph.to_u32()), advance, bounds })
    };
    let mut signs: HashMap<char, Sign> = font
        .charmap()
        .mappings()
        .filter(|(_, glyph)| glyph.to_u32() != 0)
        .filter_map(|(code, glyph)| Some((char::from_u32(code)?, sign(glyph)?)))
        .collect();
    for (mark, shown) in ACCENTS {
        if let Some(sign) = signs.get(&shown) {
            signs.insert(mark, Sign { advance: 0.0, ..*sign });
        }
    }
    signs.insert(REPLACEMENT, *signs.get(&BOX)?);
    Some(signs)
}
