//! The life of a definition: written, checked, reviewed, published, retired.

mod actions;
mod changes;
mod checks;
mod comments;
mod editor;
mod file_reports;
mod form_preview;
mod import;
mod list;
mod new;
mod outcomes;
mod page;
mod repositories;
mod repository_dialogs;
mod side;
mod source;
mod steps;
mod trial;
mod writing;

use domain::VersionState;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

pub use editor::DraftPage;
pub use form_preview::FormPreviewPage;
pub use import::ImportPage;
pub use list::DefinitionsPage;
pub use new::NewDefinitionPage;
pub use page::DefinitionPage;
pub use repositories::RepositoriesPage;
pub use trial::TrialPage;

use crate::{
    api::definitions::VersionAddress,
    components::{Badge, Glyph, Tone},
    i18n::use_texts,
    view,
};

/// The version that the address names.
fn version_in_address() -> Memo<VersionAddress> {
    let params = use_params_map();
    Memo::new(move |_| {
        params.with(|params| {
            let part = |name: &str| params.get(name).unwrap_or_default();
            VersionAddress { namespace: part("namespace"), name: part("name"), version: part("version") }
        })
    })
}

/// The fields by which forms say which version they are about.
fn address_fields(at: &VersionAddress) -> AnyView {
    let VersionAddress { namespace, name, version } = at.clone();
    view! {
        <input type="hidden" name="at[namespace]" value=namespace/>
        <input type="hidden" name="at[name]" value=name/>
        <input type="hidden" name="at[version]" value=version/>
    }
}

/// Where a version stands in its life.
#[component]
fn StateBadge(state: VersionState) -> impl IntoView {
    let t = use_texts().definitions;
    let (tone, glyph, label) = match state {
        VersionState::Draft => (Tone::Neutral, Glyph::Pencil, t.state_draft()),
        VersionState::InReview => (Tone::Warning, Glyph::PersonClock, t.state_in_review()),
        VersionState::Published => (Tone::Success, Glyph::CircleCheck, t.state_published()),
        VersionState::Retired => (Tone::Neutral, Glyph::CircleSlash, t.state_retired()),
    };
    view! { <Badge tone glyph label/> }
}
