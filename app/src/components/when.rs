use std::time::Duration;

use domain::Timestamp;
use leptos::prelude::*;

use crate::{
    i18n::{CommonTexts, Locale, Texts, use_texts},
    view,
};

/// The present as the browser tells it, in microseconds since 1970; `None` until the page has come alive, so that the
/// first frame is the server's.
#[derive(Clone, Copy)]
struct Present(RwSignal<Option<i64>>);

/// Makes [`Moment`] count the time; once, at the root.
pub fn provide_present() {
    let present = RwSignal::new(None);
    provide_context(Present(present));
    Effect::new(move |_| {
        present.set(Some(browser_now()));
        let tick = set_interval_with_handle(move || _ = present.try_set(Some(browser_now())), Duration::from_secs(20));
        on_cleanup(move || {
            if let Ok(tick) = tick {
                tick.clear();
            }
        });
    });
}

#[expect(clippy::cast_possible_truncation, reason = "milliseconds since 1970 stay far below 2^53")]
fn browser_now() -> i64 {
    js_sys::Date::now() as i64 * 1000
}

/// A moment: the server writes it in UTC, the browser rewrites it in the viewer's zone, relative to now, with the exact
/// one on hover.
#[component]
pub fn Moment(
    /// When.
    at: Timestamp,
    /// Write the date and time, not how long ago.
    #[prop(optional)]
    exact: bool,
) -> impl IntoView {
    let t = use_texts();
    let present = use_context::<Present>().map(|present| present.0);
    let now = move || present.and_then(|present| present.get());
    let utc = format!("{} UTC", date_time_text(t.locale, utc_parts(at)));
    let first = utc.clone();
    let local = move || date_time_text(t.locale, local_parts(at));
    let title = move || if now().is_some() { local() } else { utc.clone() };
    let text = move || match now() {
        None => first.clone(),
        Some(_) if exact => local(),
        Some(now) => relative_text(t, at.as_micros(), now).unwrap_or_else(local),
    };
    view! { <time class="moment" datetime=at.to_string() title=title>{text}</time> }
}

#[derive(Clone, Copy)]
struct Parts {
    year: i32,
    /// From 1.
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
}

fn utc_parts(at: Timestamp) -> Parts {
    let utc = at.to_utc();
    Parts { year: utc.year(), month: u8::from(utc.month()), day: utc.day(), hour: utc.hour(), minute: utc.minute() }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_possible_wrap,
    reason = "calendar fields are small, milliseconds since 1970 stay far below 2^53"
)]
fn local_parts(at: Timestamp) -> Parts {
    let date = js_sys::Date::new(&((at.as_micros() / 1000) as f64).into());
    Parts {
        year: date.get_full_year() as i32,
        month: date.get_month() as u8 + 1,
        day: date.get_date() as u8,
        hour: date.get_hours() as u8,
        minute: date.get_minutes() as u8,
    }
}

/// `22 Nov 2026, 15:04` or `2026년 11월 22일 15:04`.
/// The day of a moment in UTC.
#[component]
pub fn Day(
    /// When.
    at: Timestamp,
) -> impl IntoView {
    let t = use_texts();
    view! { <time datetime=at.to_utc().date().to_string()>{date_text(t.locale, utc_parts(at))}</time> }
}

fn date_time_text(locale: Locale, parts: Parts) -> String {
    let Parts { hour, minute, .. } = parts;
    let date = date_text(locale, parts);
    match locale {
        Locale::En => format!("{date}, {hour:02}:{minute:02}"),
        Locale::Ko => format!("{date} {hour:02}:{minute:02}"),
    }
}

fn date_text(locale: Locale, parts: Parts) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Parts { year, month, day, .. } = parts;
    match locale {
        Locale::En => {
            let name = MONTHS.get(usize::from(month.saturating_sub(1))).copied().unwrap_or_default();
            format!("{day} {name} {year}")
        }
        Locale::Ko => format!("{year}년 {month}월 {day}일"),
    }
}

/// A text about a number.
type Words = fn(CommonTexts, u64) -> String;

/// How long ago or ahead, for up to a week; `None` beyond, where the date says more.
fn relative_text(t: Texts, at: i64, now: i64) -> Option<String> {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = at.abs_diff(now) / 1_000_000;
    let past = at <= now;
    let t = t.common;
    if seconds < 45 {
        return Some(if past { t.just_now() } else { t.in_a_moment() }.to_owned());
    }
    let (count, ago, ahead): (u64, Words, Words) = if seconds < HOUR {
        ((seconds + 30) / MINUTE, |t, n| t.minutes_ago(n), |t, n| t.in_minutes(n))
    } else if seconds < DAY {
        ((seconds + HOUR / 2) / HOUR, |t, n| t.hours_ago(n), |t, n| t.in_hours(n))
    } else if seconds < 7 * DAY {
        ((seconds + DAY / 2) / DAY, |t, n| t.days_ago(n), |t, n| t.in_days(n))
    } else {
        return None;
    };
    Some(if past { ago(t, count.max(1)) } else { ahead(t, count.max(1)) })
}

/// A length of time in words, in its one or two largest units (`2 h 5 min`).
pub fn duration_text(t: Texts, seconds: u64) -> String {
    let t = t.common;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => t.span_seconds(seconds),
        (0, 0, minutes) => t.span_minutes(minutes),
        (0, hours, 0) => t.span_hours(hours),
        (0, hours, minutes) => t.span_hours_minutes(hours, minutes),
        (days, 0, _) => t.span_days(days),
        (days, hours, _) => t.span_days_hours(days, hours),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_spans_in_both_languages() {
        let at: Timestamp = "2026-11-22T15:04:05Z".parse().unwrap();
        assert_eq!(date_time_text(Locale::En, utc_parts(at)), "22 Nov 2026, 15:04");
        assert_eq!(date_time_text(Locale::Ko, utc_parts(at)), "2026년 11월 22일 15:04");
        assert_eq!(duration_text(Texts::new(Locale::En), 7_500), "2 h 5 min");
        assert_eq!(duration_text(Texts::new(Locale::Ko), 90), "1분");
    }

    #[test]
    fn relative_until_a_week() {
        let t = Texts::new(Locale::En);
        let minutes = |n: i64| n * 60_000_000;
        assert_eq!(relative_text(t, 0, minutes(3)).as_deref(), Some("3 minutes ago"));
        assert_eq!(relative_text(t, minutes(60), 0).as_deref(), Some("in 1 hour"));
        assert_eq!(relative_text(t, 0, minutes(60 * 24 * 8)), None);
    }
}
