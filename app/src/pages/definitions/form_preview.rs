//! What people will see who request a workflow: its form, which goes nowhere.

use leptos::prelude::*;

use super::version_in_address;
use crate::{
    api::definitions::{VersionAddress, definition_version},
    components::{
        Card, EmptyState, Glyph, LinkButton, PageHeader, Skeleton, load,
        schema_form::{FormState, SchemaFields},
    },
    data::Data,
    i18n::use_texts,
    view,
};

/// The page of the form of a version.
#[component]
pub fn FormPreviewPage() -> impl IntoView {
    let t = use_texts();
    let at = version_in_address();
    let data = Data::new(move || at.get(), definition_version);
    load(
        data,
        || view! { <div class="request"><Skeleton lines=3/><Skeleton lines=12/></div> },
        move |version| {
            let back = at.with_untracked(VersionAddress::href);
            let form = match version.item.input_schema {
                Some(schema) => {
                    let state = FormState::new(schema, None, Vec::new());
                    view! { <SchemaFields state/> }
                }
                None => view! { <EmptyState glyph=Glyph::Requests title=t.definitions.no_form()/> },
            };
            view! {
                <PageHeader title=t.definitions.form_of(&version.item.title) subtitle=t.definitions.form_lead()>
                    <LinkButton href=back icon=Glyph::ChevronLeft>{t.common.back()}</LinkButton>
                </PageHeader>
                <div class="request"><Card>{form}</Card></div>
            }
        },
    )
}
