//! What other systems say of calls that were not made.

use serde::{Deserialize, Serialize};

use crate::ApprovalId;

/// What another system says of a call that was not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CallPlan {
    /// What the call would come to.
    pub effect: PlannedEffect,
    /// In a sentence, in English.
    pub words: String,
    /// What would be another; at most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<PlannedField>,
    /// The same of a text: lines with `+` come, those with `-` go, the others stand around them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
}

/// What a call would come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum PlannedEffect {
    /// It would change something.
    Changes,
    /// It is so already.
    Nothing,
    /// It would fail.
    Fails,
    /// The other system was not asked, or could not be.
    Unasked,
}

/// A value that would be another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlannedField {
    /// What it is of, as the other system calls it.
    pub name: String,
    /// What it is; absent where there is none.
    #[serde(default)]
    pub before: Option<String>,
    /// What it would be; absent where there would be none.
    #[serde(default)]
    pub after: Option<String>,
}

impl CallPlan {
    /// The most fields that are listed.
    const FIELDS: usize = 100;
    /// The most characters of a value that are shown.
    const SHOWN: usize = 500;

    fn new(effect: PlannedEffect, words: impl Into<String>) -> Self {
        Self { effect, words: words.into(), fields: Vec::new(), difference: None }
    }

    /// It would change something.
    #[must_use]
    pub fn changes(words: impl Into<String>) -> Self {
        Self::new(PlannedEffect::Changes, words)
    }

    /// It is so already.
    #[must_use]
    pub fn nothing(words: impl Into<String>) -> Self {
        Self::new(PlannedEffect::Nothing, words)
    }

    /// It would fail.
    #[must_use]
    pub fn fails(words: impl Into<String>) -> Self {
        Self::new(PlannedEffect::Fails, words)
    }

    /// The other system was not asked, or could not be.
    #[must_use]
    pub fn unasked(words: impl Into<String>) -> Self {
        Self::new(PlannedEffect::Unasked, words)
    }

    /// With these values, cut where they are long.
    #[must_use]
    pub fn with_fields(mut self, fields: impl IntoIterator<Item = PlannedField>) -> Self {
        let cut = |value: Option<String>| {
            value.map(|value| match value.char_indices().nth(Self::SHOWN) {
                Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
                None => value,
            })
        };
        let fields = fields.into_iter().take(Self::FIELDS);
        self.fields =
            fields.map(|field| PlannedField { before: cut(field.before), after: cut(field.after), ..field }).collect();
        self
    }

    /// With a text of what comes and goes.
    #[must_use]
    pub fn with_difference(mut self, difference: impl Into<String>) -> Self {
        self.difference = Some(difference.into()).filter(|text| !text.is_empty());
        self
    }
}

impl PlannedField {
    /// A value that is `before`, and would be `after`.
    #[must_use]
    pub fn new(name: impl Into<String>, before: Option<String>, after: Option<String>) -> Self {
        Self { name: name.into(), before, after }
    }
}

/// What a run would do next if an approval were given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ForesightView {
    /// The approval.
    pub approval: ApprovalId,
    /// The calls in their order; at most 100.
    pub calls: Vec<ForeseenCall>,
    /// Whether there would be more than these.
    pub more: bool,
    /// Whether the run would then wait for something that nobody can foresee: an event, or another decision that is not
    /// given.
    pub waits: bool,
    /// Whether more may come of which nobody can say anything, since it depends on what is answered until then.
    pub open_end: bool,
}

/// A call that is to come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ForeseenCall {
    /// JSON pointer to the task.
    pub reference: String,
    /// The task's title for people.
    pub title: String,
    /// The function.
    pub function: String,
    /// The n-th call of this task from now on, from 1.
    pub occurrence: u32,
    /// How many more decisions have to be given before it.
    pub decisions: u32,
    /// Whether it only reads.
    pub reads: bool,
    /// What it would do, in English; absent where its connector cannot say, or where that is not certain yet.
    #[serde(default)]
    pub would: Option<String>,
    /// How sure it is.
    pub certainty: Certainty,
    /// What the other system says of it; absent where it says nothing, or was not asked.
    #[serde(default)]
    pub plan: Option<CallPlan>,
}

/// How sure a call is that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// It comes, and with what is known already, if those before it succeed.
    Known,
    /// It comes with what is known already and a secret, which is not read for this.
    Secret,
    /// It comes, but its arguments depend on what calls before it give.
    Arguments,
    /// Whether it comes depends on what calls before it give.
    Perhaps,
}
