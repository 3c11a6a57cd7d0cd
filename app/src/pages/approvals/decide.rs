//! The two ways to decide, far enough apart that one is never taken for the other.

use domain::{DecisionKind, view::ApprovalDetail};
use leptos::prelude::*;
use server_fn::ServerFn;

use super::keys::{APPROVE, REASON};
use crate::{
    api::approvals::Decide,
    components::{Button, ButtonLook, Field, Glyph, described_by},
    i18n::use_texts,
    submission::Submission,
    view,
};

/// The most characters of a comment.
const COMMENT: usize = 2_000;

/// What is being typed; the page owns it, so that live changes do not take it away.
#[derive(Clone, Copy)]
pub(super) struct Words {
    comment: RwSignal<String>,
    reason: RwSignal<String>,
    /// A rejection was tried without a reason.
    missing: RwSignal<bool>,
}

impl Words {
    pub(super) fn new() -> Self {
        Self {
            comment: RwSignal::new(String::new()),
            reason: RwSignal::new(String::new()),
            missing: RwSignal::new(false),
        }
    }

    pub(super) fn clear(self) {
        self.comment.set(String::new());
        self.reason.set(String::new());
        self.missing.set(false);
    }
}

/// The forms for the decision.
#[component]
pub(super) fn DecisionForms(detail: ApprovalDetail, decide: Submission<Decide>, words: Words) -> impl IntoView {
    let t = use_texts();
    let approval = detail.summary.id;
    let digest = StoredValue::new(detail.summary.digest);
    let action = <Decide as ServerFn>::PATH;
    let send = move |decision: DecisionKind, comment: String| {
        decide.send(&Decide { approval, decision, comment, digest: digest.get_value() });
    };
    let approve = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        send(DecisionKind::Approve, words.comment.get_untracked());
    };
    let refuse = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let reason = words.reason.get_untracked();
        words.missing.set(reason.trim().is_empty());
        if reason.trim().is_empty() {
            focus_reason();
            return;
        }
        let asked = event.submitter().and_then(|button| button.get_attribute("value"));
        let decision = asked.and_then(|value| value.parse().ok()).unwrap_or(DecisionKind::Reject);
        send(decision, reason);
    };
    let from_server = decide.error("/comment");
    let reason_error = Signal::derive(move || {
        if words.missing.get() { Some(t.approvals.reason_missing().to_owned()) } else { from_server.get() }
    });
    let hidden = move || {
        view! {
            <input type="hidden" name="approval" value=approval.to_string()/>
            <input type="hidden" name="digest" value=digest.get_value()/>
        }
    };
    let busy = decide.pending();
    view! {
        <section class="decide" aria-label=t.approvals.your_decision()>
            <div class="decide__ways">
                <form class="decide__way decide__way--approve" method="post" action=action on:submit=approve>
                    {hidden()}
                    <input type="hidden" name="decision" value="approve"/>
                    <Field id="comment" label=t.approvals.comment() optional=true>
                        <textarea
                            class="input input--area"
                            id="comment"
                            name="comment"
                            rows="2"
                            maxlength=COMMENT
                            aria-describedby=described_by("comment")
                            prop:value=move || words.comment.get()
                            on:input=move |event| words.comment.set(event_target_value(&event))
                        ></textarea>
                    </Field>
                    <Button look=ButtonLook::Primary icon=Glyph::Check busy=busy attr:id=APPROVE>
                        {t.approvals.approve()}
                    </Button>
                </form>
                <form class="decide__way decide__way--reject" method="post" action=action on:submit=refuse>
                    {hidden()}
                    <Field id=REASON label=t.approvals.reason() hint=t.approvals.reason_hint() error=reason_error>
                        <textarea
                            class="input input--area"
                            id=REASON
                            name="comment"
                            rows="2"
                            maxlength=COMMENT
                            aria-required="true"
                            aria-describedby=described_by(REASON)
                            aria-invalid=move || reason_error.with(Option::is_some).then_some("true")
                            prop:value=move || words.reason.get()
                            on:input=move |event| {
                                words.reason.set(event_target_value(&event));
                                words.missing.set(false);
                            }
                        ></textarea>
                    </Field>
                    <div class="decide__buttons">
                        <Button look=ButtonLook::Danger icon=Glyph::Cross busy=busy name="decision" value="reject">
                            {t.approvals.reject()}
                        </Button>
                        <Button icon=Glyph::Undo busy=busy name="decision" value="request-changes">
                            {t.approvals.request_changes()}
                        </Button>
                    </div>
                </form>
            </div>
        </section>
    }
}

fn focus_reason() {
    use wasm_bindgen::JsCast;

    let field = document().get_element_by_id(REASON).and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(field) = field {
        let _ = field.focus();
    }
}
