use domain::{ErrorCode, NamedPolicy, Operation, Problem};
use leptos::prelude::*;

use super::{Banner, Button, ButtonLook, Glyph, Icon, Tone};
use crate::{errors, i18n::use_texts, session::may, view};

/// The policies that determined something, as links for those who may read them.
#[component]
pub fn PolicyNames(
    /// The policies.
    policies: Vec<NamedPolicy>,
) -> impl IntoView {
    let readable = may(Operation::PolicyRead);
    let names: Vec<_> = policies
        .into_iter()
        .enumerate()
        .map(|(index, NamedPolicy { id, title })| {
            let between = if index > 0 { ", " } else { "" };
            let name = if readable {
                view! { <a href=format!("/policies/{id}")>{title}</a> }
            } else {
                view! { <span>{title}</span> }
            };
            view! { {between} {name} }
        })
        .collect();
    view! { <span>{names}</span> }
}

/// A problem in words: what happened, what it means, what to do, and the number to tell an operator.
#[component]
pub fn ProblemView(
    /// The problem.
    problem: Problem,
    /// As a banner within a form or card, not as the content of a page.
    #[prop(optional)]
    compact: bool,
) -> impl IntoView {
    let t = use_texts();
    let title = errors::title(t, problem.code);
    let remedy = errors::remedy(t, problem.code);
    // In a form a field's error stands beside the field; a page that has no other content has no fields, either.
    let whole: Vec<_> = problem
        .errors
        .iter()
        .filter(|error| !compact || error.pointer.is_empty())
        .map(|error| view! { <p>{errors::field_message(t, error)}</p> })
        .collect();
    let detail = problem.detail.clone();
    // A refusal is always explained: by what forbids it, or by that nothing permits it.
    let why = match problem.code.status() {
        403 if !problem.policies.is_empty() => {
            let policies = problem.policies.clone();
            Some(view! { <p class="problem__why">{t.errors.why_policies()} " " <PolicyNames policies/></p> })
        }
        403 if problem.code == ErrorCode::Forbidden => {
            Some(view! { <p class="problem__why">{t.errors.why_none()}</p> })
        }
        _ => None,
    };
    let retry = problem.retry_after.map(|seconds| t.errors.retry_after(seconds));
    // Who typed something wrong needs no number for the operator.
    let trace = if problem.status >= 500 { problem.trace_id.clone() } else { String::new() };
    let body = view! {
        {(!remedy.is_empty()).then(|| view! { <p>{remedy}</p> })}
        {(!detail.is_empty()).then(|| view! { <p class="problem__detail">{detail}</p> })}
        {why}
        {whole}
        {retry.map(|text| view! { <p>{text}</p> })}
        {(!trace.is_empty())
            .then(|| view! { <p class="problem__trace">{t.errors.trace()} " " <code>{trace}</code></p> })}
    };
    if compact {
        return view! { <Banner tone=Tone::Danger title=title>{body}</Banner> };
    }
    let again = problem.status >= 500;
    let glyph = match problem.code {
        ErrorCode::Forbidden | ErrorCode::Unauthenticated => Glyph::Key,
        ErrorCode::NotFound | ErrorCode::LinkInvalid => Glyph::Question,
        _ => Glyph::Octagon,
    };
    view! {
        <div class="state state--problem" role="alert">
            <span class="state__icon"><Icon glyph/></span>
            <p class="state__title">{title}</p>
            <div class="state__text">{body}</div>
            {again
                .then(|| {
                    view! {
                        <div class="state__actions">
                            <Button kind="button" look=ButtonLook::Secondary icon=Glyph::Retry on:click=|_| {
                                let _ = window().location().reload();
                            }>{t.errors.reload()}</Button>
                        </div>
                    }
                })}
        </div>
    }
}

/// Nothing here yet: says why, and offers the next step.
#[component]
pub fn EmptyState(
    /// A picture.
    glyph: Glyph,
    /// What is not there.
    #[prop(into)]
    title: String,
    /// What it means.
    #[prop(optional, into)]
    text: Option<String>,
    /// The next step.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="state">
            <span class="state__icon"><Icon glyph/></span>
            <p class="state__title">{title}</p>
            {text.map(|text| view! { <p class="state__text">{text}</p> })}
            {children.map(|children| view! { <div class="state__actions">{children()}</div> })}
        </div>
    }
}
