use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Person;
use crate::{Name, Scope, Timestamp};

/// Working time by which approvals are due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CalendarView {
    /// Whose it is: `*`, everybody's, or one namespace's, which goes before everybody's of the same name.
    pub scope: Scope,
    /// Its name, by which definitions call it.
    pub name: Name,
    /// The IANA time zone.
    pub time_zone: String,
    /// For each weekday with working time (`monday` …), its spans (`09:00-12:30`).
    pub hours: BTreeMap<String, Vec<String>>,
    /// Days without working time.
    #[serde(default)]
    pub holidays: Vec<String>,
    /// Who changed it last.
    pub changed_by: Person,
    /// When.
    pub changed_at: Timestamp,
}
