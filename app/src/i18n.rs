//! Languages and texts. The texts come from `app/locales/`; `build.rs` makes a function of each.
//!
//! ```ignore
//! let t = use_texts();
//! view! { <h1>{t.home.title()}</h1> <p>{t.common.minutes(5)}</p> }
//! ```

use std::{fmt::Display, str::FromStr};

use crate::view;
use domain::{UserId, view::Person};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

#[expect(clippy::doc_markdown, reason = "what is said of a text is the text")]
mod texts {
    use super::{Count, Display, Locale, choose, fill, look_up};

    include!(concat!(env!("OUT_DIR"), "/texts.rs"));
}

pub use texts::*;

/// A language of the interface. It stays the same until the page is loaded again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

impl Locale {
    /// All languages.
    pub const ALL: [Self; 2] = [Self::En, Self::Ko];

    /// The BCP 47 tag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }

    /// The language's name in the language itself.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Ko => "한국어",
        }
    }

    /// The language for a visitor: the account's preference, else the cookie `locale`, else the first language of
    /// `Accept-Language` that there is (by quality), else English.
    pub fn negotiate(preference: Option<&str>, cookie: Option<&str>, accept_language: Option<&str>) -> Self {
        let chosen = [preference, cookie].into_iter().flatten().find_map(|text| text.parse().ok());
        chosen.or_else(|| Self::accepted(accept_language?)).unwrap_or_default()
    }

    fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for part in header.split(',') {
            let (tag, parameters) = part.split_once(';').unwrap_or((part, ""));
            let quality = parameters.trim().strip_prefix("q=").and_then(|q| q.parse().ok()).unwrap_or(1.0_f32);
            let Ok(locale) = tag.trim().parse() else { continue };
            if quality > 0.0 && best.is_none_or(|(better, _)| quality > better) {
                best = Some((quality, locale));
            }
        }
        best.map(|(_, locale)| locale)
    }
}

/// The text names no language of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownLocale;

impl FromStr for Locale {
    type Err = UnknownLocale;

    /// Reads a BCP 47 tag by its language (`ko-KR` is Korean).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let language = text.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|locale| locale.as_str().eq_ignore_ascii_case(language)).ok_or(UnknownLocale)
    }
}

/// The texts in the page's language.
pub fn use_texts() -> Texts {
    Texts::new(use_context::<Locale>().unwrap_or_default())
}

impl Texts {
    /// What a person is called. Those whose names are words of ours are the schedule, in whose name runs begin by themselves, and the
    /// trigger, in whose name others have them begin.
    pub fn name_of(self, person: &Person) -> String {
        match person.id {
            UserId::SCHEDULE => self.common.schedule_name().to_owned(),
            UserId::TRIGGER => self.common.trigger_name().to_owned(),
            _ => person.name.clone(),
        }
    }
}

/// A number that words depend on.
pub trait Count: Display {
    /// Whether it is exactly one.
    fn is_one(&self) -> bool;
}

macro_rules! counts {
    ($($number:ty),+) => {$(
        impl Count for $number {
            fn is_one(&self) -> bool {
                *self == 1
            }
        }
    )+};
}

counts!(u32, u64, usize, i64, i32);

/// Which of two forms a Korean particle has after `word`: the first after a closed syllable, the second after an open one.
pub fn particle(word: &str, closed: &'static str, open: &'static str) -> &'static str {
    let Some(last) = word.chars().rev().find(|c| c.is_alphanumeric()) else { return open };
    let code = u32::from(last);
    let (is_closed, is_rieul) = match last {
        '\u{AC00}'..='\u{D7A3}' => ((code - 0xAC00) % 28 != 0, (code - 0xAC00) % 28 == 8),
        // Read as 영, 일, 삼, 육, 칠, 팔.
        '0' | '3' | '6' | 'm' | 'M' | 'n' | 'N' => (true, false),
        '1' | '7' | '8' | 'l' | 'L' => (true, true),
        _ => (false, false),
    };
    // 로 follows an open syllable and one that ends in ㄹ.
    if is_closed && !(closed == "으로" && is_rieul) { closed } else { open }
}

/// A text in one of the languages, which are in the order of [`Locale::ALL`].
const fn choose(locale: Locale, [english, korean]: [&'static str; 2]) -> &'static str {
    match locale {
        Locale::En => english,
        Locale::Ko => korean,
    }
}

/// The text of a key in a table that is sorted by key.
fn look_up(texts: &[(&str, [&'static str; 2])], key: &str, locale: Locale) -> Option<&'static str> {
    let at = texts.binary_search_by(|(known, _)| (*known).cmp(key)).ok()?;
    texts.get(at).map(|(_, translations)| choose(locale, *translations))
}

/// Korean particles that stand right after a place in a text, with their forms after a closed and an open syllable.
const PARTICLES: [(&str, &str, &str); 5] = [
    ("을(를)", "을", "를"),
    ("이(가)", "이", "가"),
    ("은(는)", "은", "는"),
    ("과(와)", "과", "와"),
    ("(으)로", "으로", "로"),
];

/// A text with its places (`{name}`) filled. Written once for all texts: what differs between them is data.
fn fill(template: &str, places: &[(&str, &dyn Display)]) -> String {
    let mut text = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((name, tail)) = after.split_once('}') else { break };
        let value =
            places.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string()).unwrap_or_default();
        text.push_str(&value);
        rest = tail;
        if let Some((pair, closed, open)) = PARTICLES.iter().find(|(pair, ..)| tail.starts_with(pair)) {
            text.push_str(particle(&value, closed, open));
            rest = tail.strip_prefix(pair).unwrap_or(tail);
        }
    }
    text.push_str(rest);
    text
}

/// A text with its places filled by views, for sentences with links or emphasis in them.
///
/// `template` comes from `by_key`; `fill` is asked for each place by its name.
pub fn sentence(template: &str, mut fill: impl FnMut(&str) -> AnyView) -> Vec<AnyView> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        if !before.is_empty() {
            parts.push(view! { <span>{before.to_owned()}</span> });
        }
        parts.push(fill(name));
        rest = tail;
    }
    if !rest.is_empty() {
        parts.push(view! { <span>{rest.to_owned()}</span> });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_decides_before_the_cookie_and_the_cookie_before_the_browser() {
        assert_eq!(Locale::negotiate(Some("en"), Some("ko"), Some("ko")), Locale::En);
        assert_eq!(Locale::negotiate(None, Some("ko"), Some("en")), Locale::Ko);
        assert_eq!(Locale::negotiate(None, Some("xx"), Some("fr, ko-KR;q=0.8, en;q=0.5")), Locale::Ko);
        assert_eq!(Locale::negotiate(None, None, Some("de")), Locale::En);
        assert_eq!(Locale::negotiate(None, None, None), Locale::En);
    }

    #[test]
    fn texts_agree_with_numbers_and_sounds() {
        let (en, ko) = (Texts::new(Locale::En), Texts::new(Locale::Ko));
        assert_eq!(en.common.minutes_ago(1_u64), "1 minute ago");
        assert_eq!(en.common.minutes_ago(3_u64), "3 minutes ago");
        assert_eq!(ko.frame.signed_in_as("민수"), "민수로 로그인함");
        assert_eq!(ko.frame.signed_in_as("하늘님"), "하늘님으로 로그인함");
        assert_eq!(en.common.by_key("state_running"), Some("Running"));
        assert_eq!(ko.common.by_key("no such key"), None);
    }

    #[test]
    fn korean_particles_follow_the_last_sound() {
        assert_eq!(particle("실행", "을", "를"), "을");
        assert_eq!(particle("워크플로", "을", "를"), "를");
        assert_eq!(particle("R-1042", "이", "가"), "가");
        assert_eq!(particle("R-1040", "이", "가"), "이");
        assert_eq!(particle("서울", "으로", "로"), "로");
        assert_eq!(particle("부산", "으로", "로"), "으로");
        assert_eq!(particle("", "을", "를"), "를");
    }
}
