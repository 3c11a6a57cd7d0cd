//! Writing policies.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use crate::{
    api::policies::{ProposePolicies, policies_to_change},
    components::{Button, ButtonLook, Card, FormFeedback, PageHeader, Skeleton, TextArea, TextField, load},
    data::Data,
    i18n::use_texts,
    submission::{Calls, Submission, SubmitForm, when_done},
    url_state::query_text,
    view,
};

/// Proposes policies, from those in force or from an earlier set (`?from=3`).
#[component]
pub fn ProposePage() -> impl IntoView {
    let t = use_texts();
    let propose = Submission::<ProposePolicies>::new();
    let navigate = use_navigate();
    when_done(propose, move |version| {
        navigate(&format!("/policies/sets/{version}"), NavigateOptions::default());
    });
    let from = query_text("from");
    let data = Data::new(move || from.get(), |from| policies_to_change(from.parse().ok()));
    view! {
        <PageHeader title=t.policies.propose() subtitle=t.policies.propose_lead()/>
        <Card>
            {load(
                data,
                || view! { <Skeleton lines=12/> },
                move |(source, based_on)| {
                    view! {
                        <SubmitForm to=propose>
                            <PolicyFields to=propose source note=String::new() based_on/>
                            <Button look=ButtonLook::Primary busy=propose.pending()>{t.policies.propose_it()}</Button>
                        </SubmitForm>
                    }
                },
            )}
        </Card>
    }
}

/// The fields of a proposal, with all that is wrong in its text.
#[component]
pub(super) fn PolicyFields(
    #[prop(into)] to: Calls,
    source: String,
    note: String,
    based_on: Option<i64>,
) -> impl IntoView {
    let t = use_texts();
    let problem = to.problem();
    let faults = move || {
        let errors = problem.get().map(|problem| problem.errors).unwrap_or_default();
        let faults: Vec<_> = errors
            .into_iter()
            .filter(|error| error.pointer == "/source")
            .map(|error| view! { <li><code>{error.message}</code></li> })
            .collect();
        (!faults.is_empty()).then(|| view! { <ul class="faults" role="alert">{faults}</ul> })
    };
    let note_error = crate::components::field_error(problem, "/note");
    let shown = source.clone();
    view! {
        <div class="stack policies-form">
            <FormFeedback problem=problem/>
            <TextField
                name="note"
                label=t.policies.note()
                hint=t.policies.note_hint()
                value=Signal::stored(note)
                maxlength=500_u32
                error=note_error
            />
            <TextArea
                name="source"
                label=t.policies.source()
                hint=t.policies.source_hint()
                value=Signal::stored(source)
                rows=20
                optional=true
            />
            {faults}
            <input type="hidden" name="based_on" value=based_on.map(|version| version.to_string()).unwrap_or_default()/>
            // Without JavaScript the area begins empty.
            {(!shown.is_empty())
                .then(|| {
                    view! {
                        <details>
                            <summary>{t.policies.begins_with()}</summary>
                            <pre class="code" tabindex="0" role="region" aria-label=t.policies.begins_with()>{shown}</pre>
                        </details>
                    }
                })}
        </div>
    }
}
