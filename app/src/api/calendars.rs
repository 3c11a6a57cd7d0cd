//! Calendars of working time.

use domain::{Name, Scope, view::CalendarView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{go_on, scope, subjects};
use crate::{door::Door, errors::AppError};

/// All calendars, by name.
#[server(protocol = Door, prefix = "/ui", endpoint = "calendars")]
pub async fn calendars() -> Result<Vec<CalendarView>, AppError> {
    let (service, caller) = scope()?;
    Ok(service.calendars(&caller).await?)
}

/// Adds a calendar, or replaces it; of everybody where no namespace is named. The hours of each day are spans with commas
/// between them, holidays are dates with spaces, commas or lines between them.
#[server(protocol = Door, prefix = "/ui", endpoint = "put-calendar")]
pub async fn put_calendar(
    #[server(default)] place: String,
    name: String,
    time_zone: String,
    #[server(default)] monday: String,
    #[server(default)] tuesday: String,
    #[server(default)] wednesday: String,
    #[server(default)] thursday: String,
    #[server(default)] friday: String,
    #[server(default)] saturday: String,
    #[server(default)] sunday: String,
    #[server(default)] holidays: String,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let named = [
        ("monday", monday),
        ("tuesday", tuesday),
        ("wednesday", wednesday),
        ("thursday", thursday),
        ("friday", friday),
        ("saturday", saturday),
        ("sunday", sunday),
    ];
    let parts = |text: &str, between: &[char]| {
        let parts = text.split(between).map(str::trim).filter(|part| !part.is_empty());
        parts.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let hours = named.iter().map(|(day, text)| ((*day).to_owned(), parts(text, &[','])));
    let text = service::CalendarText {
        time_zone: time_zone.trim().to_owned(),
        hours: hours.filter(|(_, spans)| !spans.is_empty()).collect(),
        holidays: parts(&holidays, &[',', ' ', '\n', '\r']),
    };
    service.put_calendar(&caller, subjects::place(&place)?, subjects::calendar(&name)?, text).await?;
    go_on("/admin/grants");
    Ok(())
}

/// Deletes a calendar.
#[server(protocol = Door, prefix = "/ui", endpoint = "delete-calendar")]
pub async fn delete_calendar(scope: Scope, name: Name) -> Result<(), AppError> {
    let (service, caller) = self::scope()?;
    service.delete_calendar(&caller, &scope, &name).await?;
    go_on("/admin/grants");
    Ok(())
}
