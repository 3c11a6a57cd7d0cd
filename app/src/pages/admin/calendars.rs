use domain::{Operation, view::CalendarView};
use leptos::prelude::*;

use super::{
    close_dialog,
    namespace_card::{Held, NamespaceCard, held},
};
use crate::{
    api::calendars::{DeleteCalendar, PutCalendar, calendars},
    components::{Button, ButtonLook, FormFeedback, Glyph, Moment, TextArea, TextField, use_toasts},
    data::Data,
    i18n::use_texts,
    session::may,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// When there is working time, for those who say when.
#[component]
pub fn Calendars() -> impl IntoView {
    may(Operation::CalendarUpdate).then(|| view! { <OfPortal/> })
}

#[component]
fn OfPortal() -> impl IntoView {
    let t = use_texts().admin;
    let put = Submission::<PutCalendar>::new();
    let delete = Submission::<DeleteCalendar>::new();
    let toasts = use_toasts();
    let close = close_dialog();
    when_done(put, move |()| {
        toasts.done(t.calendar_kept());
        close();
    });
    when_done(delete, move |()| toasts.done(t.calendar_deleted()));
    let data = Data::new(move || (put.version().get(), delete.version().get()), |_| calendars());
    let list = view! {
        <FormFeedback problem=delete.problem()/>
        {held(data, Glyph::Clock, t.calendars_none(), move |calendar| line(calendar, delete))}
    };
    let days = [
        ("monday", "/hours/monday", "09:00-17:00"),
        ("tuesday", "/hours/tuesday", "09:00-17:00"),
        ("wednesday", "/hours/wednesday", "09:00-17:00"),
        ("thursday", "/hours/thursday", "09:00-17:00"),
        ("friday", "/hours/friday", "09:00-17:00"),
        ("saturday", "/hours/saturday", ""),
        ("sunday", "/hours/sunday", ""),
    ];
    view! {
        <NamespaceCard
            title=t.calendars()
            lead=t.calendars_lead()
            list=list
            dialog="calendar"
            add=t.calendar_set()
            verb=t.calendar_keep()
            to=put
        >
            <p>{t.calendar_text()}</p>
            <TextField
                name="place"
                id="calendar-place"
                label=t.place()
                hint=t.calendar_place_hint()
                code=true
                optional=true
                maxlength=63_u32
                error=put.error("/place")
            />
            <TextField name="name" id="calendar-name" label=t.calendar_name() code=true maxlength=63_u32 error=put.error("/name")/>
            <TextField
                name="time_zone"
                label=t.calendar_zone()
                hint=t.calendar_zone_hint()
                code=true
                error=put.error("/timeZone")
            />
            {days
                .into_iter()
                .map(|(day, pointer, value)| {
                    let label = t.by_key(&format!("day_{day}")).unwrap_or_default();
                    view! { <TextField name=day label=label optional=true code=true value=value.to_owned() error=put.error(pointer)/> }
                })
                .collect::<Vec<_>>()}
            <TextArea name="holidays" label=t.calendar_holidays() hint=t.calendar_holidays_hint() optional=true error=put.error("/holidays")/>
        </NamespaceCard>
    }
}

fn line(calendar: CalendarView, delete: Submission<DeleteCalendar>) -> Held {
    let t = use_texts().admin;
    let (scope, name) = (calendar.scope.to_string(), calendar.name.to_string());
    let what = if scope == "*" { name.clone() } else { format!("{scope}/{name}") };
    let away = view! {
        <SubmitForm to=delete>
            <input type="hidden" name="scope" value=scope/>
            <input type="hidden" name="name" value=name/>
            <Button small=true look=ButtonLook::Danger>{t.calendar_delete()}</Button>
        </SubmitForm>
    };
    let holidays = t.calendar_of_holidays(calendar.holidays.len());
    let changed = view! { <span>{calendar.changed_by.name} " " <Moment at=calendar.changed_at/></span> };
    Held {
        what,
        details: vec![view! { <span>{calendar.time_zone}</span> }, view! { <span>{holidays}</span> }, changed],
        away,
    }
}
