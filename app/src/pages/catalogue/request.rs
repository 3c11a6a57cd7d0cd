//! The request form. What is typed survives everything: it is kept in the browser at once and on the server soon after,
//! and comes back after the end of a sign-in, a reload or a way back.

use std::{collections::BTreeMap, time::Duration};

use domain::{DraftId, ErrorCode, WorkflowRef};
use leptos::{ev, leptos_dom::helpers::TimeoutHandle, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};
use serde_json::json;
use server_fn::ServerFn;
use wasm_bindgen::JsValue;

use super::{NotSetUp, request_href, workflow_href, workflow_in_address};
use crate::{
    api::catalogue::{RequestData, ReviewRequest, keep_draft, request_form},
    components::{
        Banner, Button, ButtonLook, Card, FormFeedback, Glyph, Icon, LinkButton, Moment, PageHeader, Skeleton, Tone,
        load,
        schema_form::{
            ErrorSummary, FormState, KeptForm, Pairs, SchemaFields, field_key, forget, kept, remember, typed_before,
        },
    },
    data::Data,
    i18n::use_texts,
    session::use_me,
    submission::{Submission, when_done},
    url_state::query_text,
    view,
};

/// How long after the last letter the server is asked to keep the request.
const PAUSE: Duration = Duration::from_millis(1_500);
const FORM: &str = "request-form";

/// The page of the request form.
#[component]
pub fn RequestPage() -> impl IntoView {
    let address = workflow_in_address();
    let draft = query_text("draft");
    let check = query_text("check");
    let data = Data::new(
        move || (address.get(), draft.get().parse::<DraftId>().ok(), check.with(|check| check == "true")),
        |((namespace, name), draft, check)| request_form(namespace, name, draft, check),
    );
    load(
        data,
        || view! { <div class="request"><Skeleton lines=3/><Skeleton lines=12/></div> },
        |data| view! { <RequestForm data/> },
    )
}

/// Whether the server has what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    /// Nothing was typed since.
    Idle,
    /// It is being sent.
    Sending,
    /// The server has it.
    Kept,
    /// Only this browser has it.
    HereOnly,
    /// Only this browser has it, because the sign-in has ended.
    SignedOut,
}

#[component]
fn RequestForm(data: RequestData) -> impl IntoView {
    let t = use_texts();
    let RequestData { workflow, draft, others, errors } = data;
    let item = workflow.item;
    let reference = WorkflowRef { namespace: item.namespace.clone(), name: item.name.clone() };
    let before = typed_before(FORM);
    let schema = item.input_schema.clone().unwrap_or_else(|| json!({"type": "object"}));
    let state = FormState::new(schema, draft.as_ref().map(|draft| &draft.values), errors);
    let kept_at = draft.as_ref().map(|draft| draft.updated_at);
    let draft = RwSignal::new(draft.map(|draft| draft.id));
    let keeping = RwSignal::new(Keeping::Idle);
    let restored = RwSignal::new(false);
    let key =
        StoredValue::new(format!("rondo.request.{}.{reference}", use_me().map(|me| me.login).unwrap_or_default()));
    let keeper = Keeper {
        reference: StoredValue::new(reference.clone()),
        state,
        draft,
        keeping,
        key,
        timer: StoredValue::new(None),
        dirty: StoredValue::new(false),
    };
    keeper.restore(before, restored);
    keeper.watch();

    let action = Submission::<ReviewRequest>::new();
    let navigate = use_navigate();
    when_done(action, move |answer| {
        draft.set(Some(answer.draft));
        keeper.mark_address();
        key.with_value(|key| forget(key));
        if state.show(answer.errors) {
            navigate(&answer.next, NavigateOptions::default());
        }
    });
    // A save on its way would make a second draft beside the one that the review makes.
    let waiting = RwSignal::new(false);
    let send = move || {
        let reference = keeper.reference.get_value();
        action.send(&ReviewRequest {
            namespace: reference.namespace.to_string(),
            name: reference.name.to_string(),
            draft: draft.get_untracked(),
            action: "review".to_owned(),
            fields: keyed(state.pairs()),
        });
    };
    Effect::new(move |_| {
        if keeping.get() != Keeping::Sending && waiting.get() {
            waiting.set(false);
            send();
        }
    });
    let submit = move |event: ev::SubmitEvent| {
        event.prevent_default();
        if state.check_all() {
            keeper.stop();
            waiting.set(true);
        }
    };
    let again = move |_| {
        key.with_value(|key| forget(key));
        let _ = window().location().assign(&keeper.reference.with_value(|reference| request_href(reference, None)));
    };
    let problem = action.problem();
    let path = use_location().pathname;
    let sign_in = move || {
        let here = draft.get().map_or_else(|| path.get(), |id| format!("{}?draft={id}", path.get()));
        format!("/sign-in?next={}", urlencoding::encode(&here))
    };
    let busy = Signal::derive(move || action.pending().get() || waiting.get());
    let send_to = <ReviewRequest as ServerFn>::PATH;
    let back = workflow_href(&reference.namespace, &reference.name);

    view! {
        <PageHeader title=t.catalogue.request_title(&item.title) subtitle=item.summary/>
        <NotSetUp missing=item.missing_connections/>
        <div class="request">
            {(draft.get_untracked().is_none() && !others.is_empty())
                .then(|| {
                    let links: Vec<_> = others
                        .iter()
                        .map(|other| {
                            view! {
                                <li>
                                    <a href=request_href(&reference, Some(other.id)) rel="external">
                                        {t.catalogue.draft_continue()}
                                    </a>
                                    " "
                                    <Moment at=other.updated_at/>
                                </li>
                            }
                        })
                        .collect();
                    view! {
                        <Banner tone=Tone::Info title=t.catalogue.others_title()>
                            <ul class="plain-list">{links}</ul>
                        </Banner>
                    }
                })}
            <Show when=move || restored.get()>
                <Banner tone=Tone::Info title=t.catalogue.restored()>
                    <Button kind="button" look=ButtonLook::Quiet small=true on:click=again>
                        {t.catalogue.start_over()}
                    </Button>
                </Banner>
            </Show>
            <Show when=move || keeping.get() == Keeping::SignedOut>
                <Banner tone=Tone::Warning title=t.catalogue.signed_out()>
                    <a href=sign_in rel="external">{t.catalogue.sign_in_again()}</a>
                </Banner>
            </Show>
            <FormFeedback problem=problem/>
            <ErrorSummary state/>
            <Card>
                <form
                    id=FORM
                    class="request__form"
                    method="post"
                    action=send_to
                    novalidate=true
                    on:submit=submit
                >
                    // Enter in a field presses the first button: it has to be this one, not one that removes a row.
                    <button class="visually-hidden" type="submit" name="action" value="review" tabindex="-1" aria-hidden="true">
                        {t.catalogue.review()}
                    </button>
                    <input type="hidden" name="namespace" value=reference.namespace.to_string()/>
                    <input type="hidden" name="name" value=reference.name.to_string()/>
                    {move || draft.get().map(|id| view! { <input type="hidden" name="draft" value=id.to_string()/> })}
                    {move || state.is_empty().then(|| view! { <p class="muted">{t.catalogue.nothing_to_fill_in()}</p> })}
                    <SchemaFields state/>
                    <div class="request__foot">
                        <LinkButton href=back>{t.common.back()}</LinkButton>
                        <span class="request__kept" role="status">
                            {move || match keeping.get() {
                                Keeping::Idle => {
                                    kept_at.map(|at| view! { {t.catalogue.kept()} " " <Moment at=at/> })
                                }
                                Keeping::Sending => Some(view! { <span>{t.catalogue.keeping()}</span> }),
                                Keeping::Kept => {
                                    Some(
                                        view! {
                                            <Icon glyph=Glyph::Check/>
                                            <span>{t.catalogue.kept()}</span>
                                        },
                                    )
                                }
                                Keeping::HereOnly | Keeping::SignedOut => {
                                    Some(
                                        view! {
                                            <Icon glyph=Glyph::Warning/>
                                            <span>{t.catalogue.kept_here_only()}</span>
                                        },
                                    )
                                }
                            }}
                        </span>
                        <Button look=ButtonLook::Primary name="action" value="review" busy=busy icon=Glyph::ArrowRight>
                            {t.catalogue.review()}
                        </Button>
                    </div>
                </form>
            </Card>
        </div>
    }
}

fn keyed(pairs: Pairs) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (field_key(&name), value)).collect()
}

/// Keeps what is typed.
#[derive(Clone, Copy)]
struct Keeper {
    reference: StoredValue<WorkflowRef>,
    state: FormState,
    draft: RwSignal<Option<DraftId>>,
    keeping: RwSignal<Keeping>,
    key: StoredValue<String>,
    timer: StoredValue<Option<TimeoutHandle>>,
    /// Something was typed while the last save was on its way.
    dirty: StoredValue<bool>,
}

impl Keeper {
    fn remember(self) {
        let draft = self.draft.get_untracked().map(|id| id.to_string()).unwrap_or_default();
        let form = KeptForm { draft, pairs: self.state.pairs() };
        self.key.with_value(|key| remember(key, &form));
    }

    /// Brings back what was typed before the page came alive, or what only this browser has.
    fn restore(self, before: Option<Pairs>, restored: RwSignal<bool>) {
        let before = StoredValue::new(before);
        Effect::new(move |earlier: Option<()>| {
            if earlier.is_some() {
                return;
            }
            let now = self.state.pairs();
            if let Some(before) = before.get_value()
                && before != now
            {
                self.state.replace(before);
                self.state.touch();
                return;
            }
            let Some(kept) = self.key.with_value(|key| kept(key)) else { return };
            let draft = self.draft.get_untracked();
            let belongs = draft.is_none_or(|draft| kept.draft == draft.to_string());
            if belongs && kept.pairs != now {
                self.draft.set(draft.or_else(|| kept.draft.parse().ok()));
                self.state.replace(kept.pairs);
                self.state.touch();
                restored.set(true);
            }
        });
    }

    /// Keeps each change: in the browser at once, on the server after a pause.
    fn watch(self) {
        Effect::new(move |earlier: Option<u64>| {
            let edits = self.state.edits();
            if earlier.is_some_and(|earlier| earlier != edits) {
                self.remember();
                self.stop();
                self.timer.set_value(set_timeout_with_handle(move || self.save(), PAUSE).ok());
            }
            edits
        });
        on_cleanup(move || self.stop());
    }

    fn stop(self) {
        if let Some(Some(timer)) = self.timer.try_update_value(Option::take) {
            timer.clear();
        }
    }

    /// A reload, and the way back from the review, find the draft by the address; the router need not know.
    fn mark_address(self) {
        let href = self.reference.with_value(|reference| request_href(reference, self.draft.get_untracked()));
        if let Ok(history) = window().history() {
            let state = history.state().unwrap_or(JsValue::NULL);
            let _ = history.replace_state_with_url(&state, "", Some(&href));
        }
    }

    fn save(self) {
        if self.keeping.get_untracked() == Keeping::Sending {
            self.dirty.set_value(true);
            return;
        }
        self.keeping.set(Keeping::Sending);
        let reference = self.reference.get_value();
        let draft = self.draft.get_untracked();
        let fields = keyed(self.state.pairs());
        leptos::task::spawn_local_scoped(async move {
            let answer = keep_draft(reference.namespace.to_string(), reference.name.to_string(), draft, fields).await;
            match answer {
                Ok(kept) => {
                    self.draft.set(Some(kept.id));
                    self.mark_address();
                    self.keeping.set(Keeping::Kept);
                    if self.dirty.try_update_value(std::mem::take).unwrap_or_default() {
                        self.save();
                    } else {
                        self.key.with_value(|key| forget(key));
                    }
                }
                Err(error) if error.0.code == ErrorCode::Unauthenticated => self.keeping.set(Keeping::SignedOut),
                Err(_) => self.keeping.set(Keeping::HereOnly),
            }
        });
    }
}
