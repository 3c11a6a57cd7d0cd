use domain::{Operation, view::NamespaceLimitsView};
use leptos::prelude::*;

use crate::{
    api::admin::{LimitNamespace, UnlimitNamespace, namespace_limits},
    components::{Button, ButtonLook, Card, FormFeedback, Glyph, Icon, Moment, Skeleton, TextField, load, use_toasts},
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
    let t = use_texts();
    let limit = Submission::<LimitNamespace>::new();
    let unlimit = Submission::<UnlimitNamespace>::new();
    let toasts = use_toasts();
    when_done(limit, move |()| toasts.done(t.admin.limits_set()));
    when_done(unlimit, move |()| toasts.done(t.admin.limits_removed()));
    let data = Data::new(move || (limit.version().get(), unlimit.version().get()), |_| namespace_limits());
    view! {
        <Card title=t.admin.limits()>
            <p>{t.admin.limits_lead()}</p>
            <FormFeedback problem=unlimit.problem()/>
            {load(
                data,
                || view! { <Skeleton lines=2/> },
                move |all| {
                    let lines: Vec<_> = all.into_iter().map(|limits| view! { <Line limits unlimit/> }).collect();
                    view! { <ul class="lines">{lines}</ul> }
                },
            )}
            <SubmitForm to=limit>
                <div class="stack">
                    <FormFeedback problem=limit.problem()/>
                    <TextField name="namespace" id="limit-namespace" label=t.admin.place() code=true error=limit.error("/namespace")/>
                    <TextField name="runs" kind="number" optional=true label=t.admin.limits_runs() error=limit.error("/runs")/>
                    <TextField name="calls" kind="number" optional=true label=t.admin.limits_calls() error=limit.error("/calls")/>
                    <Button busy=limit.pending()>{t.admin.limits_set_it()}</Button>
                </div>
            </SubmitForm>
        </Card>
    }
}

#[component]
fn Line(limits: NamespaceLimitsView, unlimit: Submission<UnlimitNamespace>) -> impl IntoView {
    let t = use_texts();
    let namespace = limits.namespace.to_string();
    let part = |label: &'static str, limit: Option<u32>| limit.map(|limit| view! { <span>{label} ": " {limit}</span> });
    view! {
        <li class="line">
            <span class="line__glyph"><Icon glyph=Glyph::Clock/></span>
            <span class="line__text">
                <span class="line__title line__title--plain"><code>{namespace.clone()}</code></span>
                <span class="line__detail">
                    {part(t.admin.limits_runs(), limits.runs)}
                    {part(t.admin.limits_calls(), limits.calls)}
                    <span>{limits.changed_by.name} " " <Moment at=limits.changed_at/></span>
                </span>
            </span>
            <span class="line__side">
                <SubmitForm to=unlimit>
                    <input type="hidden" name="namespace" value=namespace/>
                    <Button small=true look=ButtonLook::Danger>{t.admin.limits_remove()}</Button>
                </SubmitForm>
            </span>
        </li>
    }
}
