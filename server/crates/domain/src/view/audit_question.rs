use serde::{Deserialize, Serialize};

use crate::{AnswerEvery, CellKind, Timestamp};

/// The same words in each language of the interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Words {
    /// English.
    pub en: String,
    /// Korean.
    pub ko: String,
}

impl Words {
    /// The words in a language (`en`, `ko`); in English where it is another one.
    #[must_use]
    pub fn in_language(&self, language: &str) -> &str {
        if language == "ko" { &self.ko } else { &self.en }
    }
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditQuestionColumn {
    /// Its name in the query.
    pub name: String,
    /// What it holds.
    pub kind: CellKind,
    /// Its heading.
    pub title: Words,
}

/// A saved question of auditors: its words, its query, and whether the caller has it answered every so often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditQuestionView {
    /// Its name in addresses.
    pub name: String,
    /// What it is called.
    pub title: Words,
    /// What is asked.
    pub asks: Words,
    /// What counts.
    pub counts: Words,
    /// What the answer cannot show.
    pub unseen: Words,
    /// Days up to now that it is asked about unless told.
    pub days: u32,
    /// The columns of its answer, in order.
    pub columns: Vec<AuditQuestionColumn>,
    /// The query as it runs: `$1` is the beginning of the period, `$2` its end, `$3` the most rows; times are microseconds
    /// since 1970.
    pub query: String,
    /// How often the caller has it answered.
    #[serde(default)]
    pub every: Option<AnswerEvery>,
    /// When it is answered next for the caller.
    #[serde(default)]
    pub due_at: Option<Timestamp>,
}

/// A cell of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AnswerCell {
    /// What it holds, as the kind of its column says; empty for nothing.
    pub text: String,
    /// Where the portal has what it speaks of.
    #[serde(default)]
    pub link: Option<String>,
}

/// The answer to a saved question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditAnswerView {
    /// The question.
    pub question: AuditQuestionView,
    /// The beginning of the period.
    pub from: Timestamp,
    /// Its end, which does not belong to it.
    pub to: Timestamp,
    /// The rows, each with a cell for each column.
    pub rows: Vec<Vec<AnswerCell>>,
    /// Whether there are more rows than an answer has.
    pub cut_off: bool,
    /// Whether entries of the period were archived, so that what they say is not in it.
    #[serde(default)]
    pub archived: bool,
}
