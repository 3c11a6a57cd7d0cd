//! The period that a page of the auditors is about: days of UTC in the address.

use std::time::Duration;

use domain::Timestamp;
use leptos::prelude::*;
use leptos_router::params::ParamsMap;

use super::filters::RangePresets;
use crate::{
    components::{Button, Day, TextField},
    i18n::{sentence, use_texts},
    view,
};

/// The period that an address asks about: from the beginning of a day to the end of a day. What cannot be read is left out.
pub(super) fn period_of(query: &ParamsMap) -> (Option<Timestamp>, Option<Timestamp>) {
    let midnight = |key: &str| -> Option<Timestamp> { format!("{}T00:00:00Z", query.get(key)?.trim()).parse().ok() };
    (midnight("from"), midnight("to").map(|day| day + Duration::from_hours(24)))
}

/// The first and the last day of a period.
pub(super) fn days_of(from: Timestamp, to: Timestamp) -> (String, String) {
    let day = |at: Timestamp| at.to_utc().date().to_string();
    (day(from), day(to - Duration::from_micros(1)))
}

/// A period as the query of an address of REST.
pub(super) fn period_query(from: Timestamp, to: Timestamp) -> String {
    let moment = |at: Timestamp| urlencoding::encode(&at.to_string()).into_owned();
    format!("from={}&to={}", moment(from), moment(to))
}

/// Which time a page is about, and another one. The form is sent by GET, so it works without JavaScript.
#[component]
pub(super) fn Period(
    /// The page.
    #[prop(into)]
    action: String,
    from: Timestamp,
    to: Timestamp,
    /// What else the address says and goes on saying.
    #[prop(optional)]
    kept: Vec<(&'static str, String)>,
) -> impl IntoView {
    let t = use_texts();
    let (first, last) = days_of(from, to);
    let words = sentence(t.questions.by_key("period").unwrap_or_default(), |place| match place {
        "from" => view! { <Day at=from/> },
        _ => view! { <Day at=to - Duration::from_micros(1)/> },
    });
    let kept = kept.into_iter().filter(|(_, value)| !value.is_empty());
    let kept: Vec<_> = kept.map(|(name, value)| view! { <input type="hidden" name=name value=value/> }).collect();
    view! {
        <section class="filters" aria-label=t.questions.field_period()>
            <p>{words}</p>
            <RangePresets/>
            <form class="filters__form" method="get" action=action>
                {kept}
                <TextField name="from" label=t.audit.field_from() kind="date" value=first optional=true/>
                <TextField name="to" label=t.audit.field_to() kind="date" value=last optional=true/>
                <div class="filters__actions">
                    <Button>{t.common.apply()}</Button>
                </div>
            </form>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_of_whole_days() {
        let mut query = ParamsMap::new();
        query.insert("from", "2026-11-01".to_owned());
        query.insert("to", "2026-11-30".to_owned());
        let (from, to) = period_of(&query);
        let (from, to) = (from.unwrap(), to.unwrap());
        assert_eq!(from.to_string(), "2026-11-01T00:00:00.000000Z");
        assert_eq!(to.to_string(), "2026-12-01T00:00:00.000000Z");
        assert_eq!(period_of(&ParamsMap::new()), (None, None));
        assert_eq!(days_of(from, to), ("2026-11-01".to_owned(), "2026-11-30".to_owned()));
        assert!(period_query(from, to).starts_with("from=2026-11-01T00%3A00"), "{}", period_query(from, to));
    }
}
