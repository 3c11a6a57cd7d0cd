//! Searches that somebody has named, and samples of what is found.

use domain::view::AuditViewView;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::filters::OtherFilters;
use crate::{
    api::audit::{DeleteAuditView, SaveAuditView, audit_views},
    components::{Badge, Button, FormFeedback, Glyph, Icon, Skeleton, TextField, Toggle, Tone, load, use_toasts},
    data::Data,
    i18n::use_texts,
    submission::{Submission, SubmitForm, when_done},
    url_state::href_with,
    view,
};

/// Named searches as links, a form that names this one, and a form that draws a sample of what it finds.
#[component]
pub(super) fn Keep() -> impl IntoView {
    let t = use_texts();
    let query = use_location().query;
    let save = Submission::<SaveAuditView>::new();
    let delete = Submission::<DeleteAuditView>::new();
    let toasts = use_toasts();
    when_done(save, move |()| toasts.done(t.audit.view_saved()));
    let views = Data::new(move || (save.version().get(), delete.version().get()), |_| audit_views());
    // Without the mark of the question, and without what belongs to a page of the list.
    let here = move || {
        let address = href_with("", &query.get(), &[("verify", None)]);
        address.trim_start_matches('?').to_owned()
    };
    view! {
        <div class="keep">
            {load(views, || view! { <Skeleton lines=1/> }, move |views| view! { <Named views delete/> })}
            <FormFeedback problem=delete.problem()/>
            <details class="filters__more">
                <summary class="button button--small">
                    <Icon glyph=Glyph::Plus/>
                    <span class="button__text">{t.audit.keep()}</span>
                </summary>
                <div class="keep__forms">
                    <SubmitForm to=save>
                        <FormFeedback problem=save.problem()/>
                        <input type="hidden" name="query" value=here/>
                        <div class="row-form">
                            <TextField
                                name="name"
                                id="view-name"
                                label=t.audit.view_name()
                                hint=t.audit.view_hint()
                                maxlength=100_u32
                                error=save.error("/name")
                            />
                            <Toggle name="shared" label=t.audit.view_share() hint=t.audit.view_share_hint()/>
                            <Button busy=save.pending()>{t.audit.view_save()}</Button>
                        </div>
                    </SubmitForm>
                    <form method="get" action="/audit/sample">
                        {move || view! { <OtherFilters query=query.get() but=""/> }}
                        <div class="row-form">
                            <TextField
                                name="size"
                                id="sample-size"
                                label=t.audit.sample_size()
                                kind="number"
                                value="25".to_owned()
                            />
                            <TextField
                                name="seed"
                                id="sample-seed"
                                label=t.audit.sample_seed()
                                hint=t.audit.sample_hint()
                                maxlength=100_u32
                            />
                            <Button>{t.audit.sample_draw()}</Button>
                        </div>
                    </form>
                </div>
            </details>
        </div>
    }
}

#[component]
fn Named(views: Vec<AuditViewView>, delete: Submission<DeleteAuditView>) -> impl IntoView {
    let t = use_texts();
    if views.is_empty() {
        return ().into_any();
    }
    let items: Vec<_> = views
        .into_iter()
        .map(|named| {
            let href = format!("/audit?{}", named.query);
            let label = t.audit.view_delete(&named.name);
            if let Some(owner) = named.owner {
                return view! {
                    <li class="keep__view">
                        <a class="chip" href=href>{named.name}</a>
                        <span class="muted">{t.audit.view_of(&owner.name)}</span>
                    </li>
                }
                .into_any();
            }
            let shared = named
                .shared
                .then(|| view! { <Badge tone=Tone::Info glyph=Glyph::People label=t.audit.view_shared()/> });
            view! {
                <li class="keep__view">
                    <a class="chip" href=href>{named.name.clone()}</a>
                    {shared}
                    <SubmitForm to=delete>
                        <input type="hidden" name="name" value=named.name/>
                        <button class="icon-button" type="submit" aria-label=label.clone() title=label>
                            <Icon glyph=Glyph::Cross/>
                        </button>
                    </SubmitForm>
                </li>
            }
            .into_any()
        })
        .collect();
    view! {
        <div class="chips">
            <span class="chips__label" id="views-label">{t.audit.views()}</span>
            <ul class="keep__views" aria-labelledby="views-label">{items}</ul>
        </div>
    }
}
