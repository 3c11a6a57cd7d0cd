//! The words of the questions. Their queries are those of the store.

use std::sync::LazyLock;

use domain::view::{AuditQuestionColumn, Words};
use serde::Deserialize;
use store::questions::{self, Question};

/// A question with its words.
pub(super) struct Saved {
    pub(super) question: &'static Question,
    pub(super) text: Text,
}

/// The words of a question, as they stand in a file of `server/questions`.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    pub(super) title: Words,
    pub(super) asks: Words,
    pub(super) counts: Words,
    pub(super) unseen: Words,
    /// Days up to now that are asked about unless told.
    pub(super) days: u32,
    pub(super) about: About,
    pub(super) columns: Vec<AuditQuestionColumn>,
}

/// What a question is about, which says what it is asked every so often.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum About {
    /// What happened in a period: each answer goes on where the last one ended.
    Period,
    /// What has come to be by the end of a period: each answer looks back for as long.
    State,
}

macro_rules! texts {
    ($($name:literal),+ $(,)?) => {
        const TEXTS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../../questions/", $name, ".yaml")))),+];
    };
}

texts!(
    "changes-without-approval",
    "decisions-within-a-minute",
    "decisions-by-substitutes",
    "unused-roles",
    "conflicting-roles",
    "emergency-access",
    "failed-sign-ins",
    "published-without-tests",
);

/// The texts are built in, and a test reads them all.
static ALL: LazyLock<Vec<Saved>> = LazyLock::new(|| TEXTS.iter().filter_map(|(name, text)| read(name, text)).collect());

fn read(name: &str, text: &str) -> Option<Saved> {
    Some(Saved { question: questions::named(name)?, text: serde_saphyr::from_str(text).ok()? })
}

/// All questions.
pub(super) fn all() -> &'static [Saved] {
    &ALL
}

/// The question of this name.
pub(super) fn named(name: &str) -> Option<&'static Saved> {
    ALL.iter().find(|saved| saved.question.name == name)
}

#[cfg(test)]
mod tests {
    use domain::{CellKind, Operation};

    use super::*;

    #[test]
    fn every_question_has_its_words_in_both_languages() {
        for (name, text) in TEXTS {
            let read = serde_saphyr::from_str::<Text>(text);
            assert!(read.is_ok(), "{name}: {:?}", read.err());
        }
        let names: Vec<_> = all().iter().map(|saved| saved.question.name).collect();
        assert_eq!(names, questions::ALL.iter().map(|question| question.name).collect::<Vec<_>>());
        for Saved { question, text } in all() {
            let headings = text.columns.iter().map(|column| &column.title);
            for words in [&text.title, &text.asks, &text.counts, &text.unseen].into_iter().chain(headings) {
                assert!(!words.en.trim().is_empty() && words.en.is_ascii(), "{}: {}", question.name, words.en);
                let is_korean = words.ko.chars().any(|letter| ('\u{ac00}'..='\u{d7a3}').contains(&letter));
                assert!(is_korean, "{}: {}", question.name, words.ko);
            }
            assert!((1..=366).contains(&text.days), "{}", question.name);
        }
    }

    #[test]
    fn every_column_is_one_of_the_query() {
        for Saved { question, text } in all() {
            for column in &text.columns {
                let named = format!(" AS {}", column.name);
                assert!(question.query.contains(&named), "{}: {}", question.name, column.name);
            }
            assert!(text.columns.iter().any(|column| column.kind != CellKind::Text), "{}", question.name);
        }
    }

    #[test]
    fn a_role_is_used_by_operations_that_there_are() {
        let query = questions::named("unused-roles").unwrap().query;
        let quoted = query.split('\'').skip(1).step_by(2);
        let actions: Vec<_> = quoted.filter(|word| word.contains('.')).collect();
        assert!(actions.len() > 40, "{actions:?}");
        for action in actions {
            assert!(action.parse::<Operation>().is_ok(), "{action}");
        }
    }
}
