//! The ways to decide, far enough apart that one is never taken for the other.

use std::collections::BTreeMap;

use domain::{DecisionKind, ErrorCode, Problem, view::ApprovalDetail};
use leptos::prelude::*;
use serde_json::Value;
use server_fn::ServerFn;
use wasm_bindgen::JsCast;

use super::keys::{APPROVE, APPROVE_DIALOG, REASON, REJECT_DIALOG};
use crate::{
    api::approvals::Decide,
    components::{
        Button, ButtonLook, Card, Dialog, Field, FormFeedback, Glyph, SettingField, TextArea, TextField, described_by,
        field_error, setting_id,
    },
    i18n::use_texts,
    model::{
        connection_settings::{Setting, form},
        narrowing,
    },
    session::use_me,
    submission::{Submission, SubmitForm},
    view,
};

/// The id of the password beside the reason of a rejection.
const PASSWORD_TO_REFUSE: &str = "password-to-refuse";
/// The most characters of a comment.
const COMMENT: usize = 2_000;

/// What is being typed; the page owns it, so that live changes do not take it away.
#[derive(Clone, Copy)]
pub(super) struct Words {
    comment: RwSignal<String>,
    reason: RwSignal<String>,
    /// A rejection was tried without a reason.
    missing: RwSignal<bool>,
    /// What was typed into other fields, by their ids.
    typed: RwSignal<BTreeMap<String, String>>,
}

impl Words {
    pub(super) fn new() -> Self {
        Self {
            comment: RwSignal::new(String::new()),
            reason: RwSignal::new(String::new()),
            missing: RwSignal::new(false),
            typed: RwSignal::new(BTreeMap::new()),
        }
    }

    /// Takes note of what is typed anywhere on the page.
    pub(super) fn note(self, event: &leptos::ev::Event) {
        let Some(target) = event.target() else { return };
        let Some(id) = target.dyn_ref::<web_sys::Element>().map(web_sys::Element::id) else { return };
        let text = match target.dyn_ref::<web_sys::HtmlInputElement>().filter(|input| input.type_() == "checkbox") {
            Some(switch) => switch.checked().to_string(),
            None => event_target_value(event),
        };
        self.typed.update_untracked(|typed| drop(typed.insert(id, text)));
    }

    /// What a field begins with: what was typed into it before it was drawn anew.
    pub(super) fn begin(self, id: &str, otherwise: String) -> String {
        self.typed.with_untracked(|typed| typed.get(id).cloned()).unwrap_or(otherwise)
    }

    fn settings(self, schema: &Value, values: &Value, place: &str) -> Vec<Setting> {
        let mut settings = form(schema, values, false);
        for setting in &mut settings {
            let otherwise = std::mem::take(&mut setting.value);
            setting.value = self.begin(&setting_id(setting, place), otherwise);
        }
        settings
    }

    pub(super) fn clear(self) {
        self.comment.set(String::new());
        self.reason.set(String::new());
        self.missing.set(false);
        self.typed.update(BTreeMap::clear);
    }
}

/// The password once more, where the decision needs it: from the beginning, or since the server has said so.
#[component]
pub(super) fn Password(
    id: &'static str,
    step_up: bool,
    #[prop(into)] problem: Signal<Option<Problem>>,
    words: Words,
) -> impl IntoView {
    let t = use_texts();
    let error = field_error(problem, "/password");
    let login = use_me().map(|me| me.login).unwrap_or_default();
    let asked = move |problem: &Problem| {
        problem.code == ErrorCode::StepUpRequired || problem.errors.iter().any(|error| error.pointer == "/password")
    };
    let wanted = Memo::new(move |earlier: Option<&bool>| {
        step_up || earlier == Some(&true) || problem.with(|problem| problem.as_ref().is_some_and(asked))
    });
    view! {
        <Show when=move || wanted.get()>
            // For programs that keep passwords: whose it is.
            <input type="text" autocomplete="username" value=login.clone() readonly=true hidden=true/>
            <TextField
                name="password"
                id=id.to_owned()
                label=t.approvals.password()
                hint=t.approvals.password_hint()
                kind="password"
                autocomplete="current-password"
                value=words.begin(id, String::new())
                error
            />
        </Show>
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
        let (fields, password) = (BTreeMap::new(), words.begin(PASSWORD_TO_REFUSE, String::new()));
        decide.send(&Decide { approval, decision, comment, digest: digest.get_value(), fields, password });
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
    let (step_up, problem) = (detail.step_up, decide.problem());
    let asks = detail.form.as_ref().map(|schema| words.settings(schema, &Value::Null, "/filledIn"));
    let fields: Vec<_> = asks
        .into_iter()
        .flatten()
        .map(|setting| view! { <SettingField setting problem=decide.problem() place="/filledIn"/> })
        .collect();
    view! {
        <section class="decide" aria-label=t.approvals.your_decision()>
            <div class="decide__ways">
                <div class="decide__way decide__way--approve">
                    <SubmitForm to=decide>
                        <div class="stack">
                            {hidden()}
                            <input type="hidden" name="decision" value="approve"/>
                            {fields}
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
                            <Password id="password" step_up problem words/>
                            <Button look=ButtonLook::Primary icon=Glyph::Check busy=busy attr:id=APPROVE>
                                {t.approvals.approve()}
                            </Button>
                        </div>
                    </SubmitForm>
                </div>
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
                    <Password id=PASSWORD_TO_REFUSE step_up problem words/>
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

/// What may be permitted instead of what was asked for.
#[component]
pub(super) fn Narrowing(detail: ApprovalDetail, decide: Submission<Decide>, words: Words) -> impl IntoView {
    let t = use_texts();
    let schema = detail.input_schema.as_ref().map(|schema| narrowing::schema(schema, &detail.narrow));
    let settings = schema.map(|schema| words.settings(&schema, &detail.input, "/narrowed")).unwrap_or_default();
    if settings.is_empty() {
        return None;
    }
    let fields: Vec<_> = settings
        .into_iter()
        .map(|setting| view! { <SettingField setting problem=decide.problem() place="/narrowed"/> })
        .collect();
    Some(view! {
        <Card title=t.approvals.narrow() subtitle=t.approvals.narrow_text()>
            <SubmitForm to=decide>
                <div class="stack">
                    <input type="hidden" name="approval" value=detail.summary.id.to_string()/>
                    <input type="hidden" name="digest" value=detail.summary.digest.clone()/>
                    <input type="hidden" name="decision" value="narrow"/>
                    {fields}
                    <TextArea
                        name="comment"
                        id="narrow-reason"
                        label=t.approvals.reason()
                        hint=t.approvals.narrow_reason()
                        rows=2
                        value=words.begin("narrow-reason", String::new())
                        error=decide.error("/comment")
                    />
                    <Password id="password-to-narrow" step_up=detail.step_up problem=decide.problem() words/>
                    <Button icon=Glyph::Undo busy=decide.pending()>{t.approvals.narrow_send()}</Button>
                </div>
            </SubmitForm>
        </Card>
    })
}

/// The same two decisions for the keyboard: each asked for in a dialog that says about what.
#[component]
pub(super) fn DecisionDialogs(detail: ApprovalDetail, decide: Submission<Decide>, words: Words) -> impl IntoView {
    let t = use_texts();
    let summary = detail.summary;
    let what = t.approvals.row(&summary.workflow_title, t.name_of(&summary.requester), summary.run_number);
    let (approval, digest, what) = (summary.id, StoredValue::new(summary.digest), StoredValue::new(what));
    let dialogs = [
        (DecisionKind::Approve, APPROVE_DIALOG, t.approvals.approve(), ButtonLook::Primary, Glyph::Check),
        (DecisionKind::Reject, REJECT_DIALOG, t.approvals.reject(), ButtonLook::Danger, Glyph::Cross),
    ];
    dialogs
        .into_iter()
        .map(|(kind, name, verb, look, glyph)| {
            let step_up = detail.step_up;
            let optional = kind == DecisionKind::Approve;
            let error = decide.error("/comment");
            let (text, area, label, password) = if optional {
                (words.comment, "dialog-comment", t.approvals.comment(), "dialog-password")
            } else {
                (words.reason, "dialog-reason", t.approvals.reason(), "dialog-password-to-refuse")
            };
            view! {
                <Dialog name title=verb>
                    <SubmitForm to=decide>
                        <div class="stack">
                            <p>{what.get_value()}</p>
                            <p class="muted">
                                {t.approvals.digest()} " " <code class="digest digest--whole">{digest.get_value()}</code>
                            </p>
                            <FormFeedback problem=decide.problem()/>
                            <input type="hidden" name="approval" value=approval.to_string()/>
                            <input type="hidden" name="digest" value=digest.get_value()/>
                            <input type="hidden" name="decision" value=kind.as_str()/>
                            <Field
                                id=area
                                label
                                optional
                                error
                            >
                                <textarea
                                    class="input input--area"
                                    id=area
                                    name="comment"
                                    rows="3"
                                    maxlength=COMMENT
                                    autofocus=true
                                    aria-required=(!optional).then_some("true")
                                    aria-describedby=described_by(area)
                                    aria-invalid=move || error.with(Option::is_some).then_some("true")
                                    prop:value=move || text.get()
                                    on:input=move |event| text.set(event_target_value(&event))
                                ></textarea>
                            </Field>
                            <Password
                                id=password
                                step_up
                                problem=decide.problem()
                                words
                            />
                            <Button look icon=glyph busy=decide.pending()>{verb}</Button>
                        </div>
                    </SubmitForm>
                </Dialog>
            }
        })
        .collect_view()
}

fn focus_reason() {
    let field = document().get_element_by_id(REASON).and_then(|field| field.dyn_into::<web_sys::HtmlElement>().ok());
    if let Some(field) = field {
        let _ = field.focus();
    }
}
