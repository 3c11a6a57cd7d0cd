//! The mark of emergency access where decisions are taken.

use domain::{EmergencyState, view::EmergencyView};
use leptos::prelude::*;

use crate::{
    components::{Banner, Moment, Tone},
    i18n::use_texts,
    view,
};

/// Who holds a role by emergency access, and who asks for one.
#[component]
pub(super) fn InEmergency(emergencies: Vec<EmergencyView>) -> impl IntoView {
    let t = use_texts();
    emergencies
        .into_iter()
        .map(|emergency| {
            let name = &emergency.person.name;
            let (tone, title) = match emergency.state {
                EmergencyState::InForce => (Tone::Danger, t.approvals.emergency_in_force(name)),
                _ => (Tone::Warning, t.approvals.emergency_asked(name)),
            };
            view! {
                <Banner tone=tone title=title>
                    <p>
                        {emergency.reason} " · " <Moment at=emergency.ends_at exact=true/> " · "
                        <a href=format!("/emergencies/{}", emergency.id)>{t.approvals.emergency_show()}</a>
                    </p>
                </Banner>
            }
        })
        .collect::<Vec<_>>()
}
