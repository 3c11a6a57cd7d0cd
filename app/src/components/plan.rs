//! What another system says of a call that was not made.

use domain::view::{CallPlan, PlannedEffect};
use leptos::prelude::*;

use super::{Badge, Column, Glyph, Table, Tone};
use crate::{i18n::Texts, view};

/// What the call would come to, and what would be another.
pub fn plan_view(t: Texts, plan: CallPlan) -> AnyView {
    let (tone, glyph, label) = match plan.effect {
        PlannedEffect::Changes => (Tone::Info, Glyph::Pencil, t.approvals.plan_changes()),
        PlannedEffect::Nothing => (Tone::Neutral, Glyph::CircleCheck, t.approvals.plan_nothing()),
        PlannedEffect::Fails => (Tone::Danger, Glyph::CircleCross, t.approvals.plan_fails()),
        PlannedEffect::Unasked => (Tone::Warning, Glyph::CircleSlash, t.approvals.plan_unasked()),
    };
    let value = |value: Option<String>| match value {
        Some(value) => view! { <code>{value}</code> },
        None => view! { <span class="muted">{t.approvals.plan_absent()}</span> },
    };
    let rows: Vec<_> = plan
        .fields
        .into_iter()
        .map(|field| {
            view! {
                <tr>
                    <th scope="row">{field.name}</th>
                    <td data-label=t.approvals.plan_before()>{value(field.before)}</td>
                    <td data-label=t.approvals.plan_after()>{value(field.after)}</td>
                </tr>
            }
        })
        .collect();
    let table = (!rows.is_empty()).then(|| {
        let heads = [t.approvals.plan_value(), t.approvals.plan_before(), t.approvals.plan_after()];
        let columns: Vec<Column> = heads.map(Column::new).into();
        view! { <Table label=t.approvals.plan_values() columns>{rows}</Table> }
    });
    let difference = plan.difference.map(|text| {
        view! {
            <pre class="plan__difference" tabindex="0" role="region" aria-label=t.approvals.plan_difference()>{text}</pre>
        }
    });
    view! {
        <div class="plan">
            // What other systems say is in English.
            <p class="plan__line"><Badge tone glyph label/> " " <span lang="en">{plan.words}</span></p>
            {table}
            {difference}
        </div>
    }
}
