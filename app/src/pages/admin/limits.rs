use domain::{Operation, view::NamespaceLimitsView};
use leptos::prelude::*;

use super::{
    close_dialog,
    namespace_card::{Held, NamespaceCard, held},
};
use crate::{
    api::admin::{LimitNamespace, UnlimitNamespace, namespace_limits},
    components::{Button, ButtonLook, FormFeedback, Glyph, Moment, TextField, use_toasts},
    data::Data,
    i18n::use_texts,
    session::may,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// How many runs and calls of a namespace are executed at once, for those who decide it.
#[component]
pub fn Limits() -> impl IntoView {
    may(Operation::LimitList).then(|| view! { <OfNamespaces/> })
}

#[component]
fn OfNamespaces() -> impl IntoView {
    let t = use_texts().admin;
    let limit = Submission::<LimitNamespace>::new();
    let unlimit = Submission::<UnlimitNamespace>::new();
    let toasts = use_toasts();
    let close = close_dialog();
    when_done(limit, move |()| {
        toasts.done(t.limits_set());
        close();
    });
    when_done(unlimit, move |()| toasts.done(t.limits_removed()));
    let data = Data::new(move || (limit.version().get(), unlimit.version().get()), |_| namespace_limits());
    let list = view! {
        <FormFeedback problem=unlimit.problem()/>
        {held(data, Glyph::Clock, t.limits_none(), move |limits| line(limits, unlimit))}
    };
    view! {
        <NamespaceCard
            title=t.limits()
            lead=t.limits_lead()
            list=list
            dialog="limits"
            add=t.limits_set_it()
            verb=t.limits_set_it()
            to=limit
        >
            <p>{t.limits_text()}</p>
            <TextField
                name="namespace"
                id="limit-namespace"
                label=t.place()
                code=true
                maxlength=63_u32
                error=limit.error("/namespace")
            />
            <TextField name="runs" kind="number" optional=true label=t.limits_runs() error=limit.error("/runs")/>
            <TextField name="calls" kind="number" optional=true label=t.limits_calls() error=limit.error("/calls")/>
        </NamespaceCard>
    }
}

fn line(limits: NamespaceLimitsView, unlimit: Submission<UnlimitNamespace>) -> Held {
    let t = use_texts().admin;
    let what = limits.namespace.to_string();
    let namespace = what.clone();
    let away = view! {
        <SubmitForm to=unlimit>
            <input type="hidden" name="namespace" value=namespace/>
            <Button small=true look=ButtonLook::Danger>{t.limits_remove()}</Button>
        </SubmitForm>
    };
    let counts = [limits.runs.map(|runs| t.limits_of_runs(runs)), limits.calls.map(|calls| t.limits_of_calls(calls))];
    let counts = counts.into_iter().flatten().map(|words| view! { <span>{words}</span> });
    let changed = view! { <span>{limits.changed_by.name} " " <Moment at=limits.changed_at/></span> };
    Held { what, details: counts.chain([changed]).collect(), away }
}
