//! Several decisions at once: each with its choice and its reason, each answered by itself.

use std::collections::BTreeMap;

use domain::{
    ApprovalId, DecisionResult, Problem, WhyAlone,
    view::{ChosenApproval, DecisionOutcome},
};
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::matter::{Matter, choices};
use crate::{
    api::approvals::{DecideChosen, chosen_approvals},
    components::{
        Banner, Button, ButtonLook, Card, EmptyState, FormFeedback, Glyph, LinkButton, PageHeader, PolicyNames,
        SelectField, Skeleton, TextArea, Tone, load,
    },
    data::Data,
    errors,
    i18n::{Texts, use_texts},
    live::{Topic, use_live},
    pages::catalogue::InputList,
    submission::{Submission, SubmitForm, when_done},
    view,
};

/// Those that were chosen in the queue.
#[component]
pub fn ChosenPage() -> impl IntoView {
    let t = use_texts();
    let live = use_live();
    let query = use_location().query;
    let ids = Memo::new(move |_| query.with(|query| query.get_all("id").unwrap_or_default().join(",")));
    let sent = Memo::new(move |_| query.with(|query| query.get_str("sent").is_some()));
    let decide = Submission::<DecideChosen>::new();
    // Looked at again once something was decided; what was typed stays where nothing was.
    let done = RwSignal::new(0_u32);
    let data = Data::new(move || (ids.get(), done.get()), |(ids, _)| chosen_approvals(ids));
    when_done(decide, move |_| {
        done.update(|done| *done += 1);
        live.touch(Topic::Approvals);
    });
    view! {
        <PageHeader title=t.approvals.chosen_title() subtitle=t.approvals.chosen_text()>
            <LinkButton href="/approvals" icon=Glyph::ChevronLeft>{t.approvals.back()}</LinkButton>
        </PageHeader>
        {load(
            data,
            || view! { <Card><Skeleton lines=12/></Card> },
            move |chosen| {
                if chosen.is_empty() {
                    return view! {
                        <Card>
                            <EmptyState
                                glyph=Glyph::CircleCheck
                                title=t.approvals.chosen_none()
                                text=t.approvals.chosen_none_text()
                            />
                        </Card>
                    };
                }
                // Not drawn anew by an answer: only by what is there once something was decided. What was typed would be lost.
                let outcomes = untrack(move || decide.output()).unwrap_or_default().into_iter();
                let outcomes: BTreeMap<_, _> = outcomes.map(|one| (one.approval, one)).collect();
                let told = sent.get_untracked() || !outcomes.is_empty();
                view! { <Chosen chosen outcomes told decide/> }
            },
        )}
    }
}

#[component]
fn Chosen(
    chosen: Vec<ChosenApproval>,
    outcomes: BTreeMap<ApprovalId, DecisionOutcome>,
    /// Whether it was sent: what cannot be decided any more is then an answer, not a warning.
    told: bool,
    decide: Submission<DecideChosen>,
) -> impl IntoView {
    let t = use_texts();
    let open = chosen.iter().any(is_open);
    let decided = chosen.iter().filter(|one| one.said.is_some()).count();
    let all = chosen.len();
    let rows: Vec<_> = chosen
        .into_iter()
        .enumerate()
        .map(|(number, one)| {
            let outcome = outcomes.get(&one.summary.id).cloned();
            row(t, number, one, outcome, decide)
        })
        .collect();
    view! {
        <div class="chosen">
            {told.then(|| view! { <Banner tone=Tone::Info title=t.approvals.chosen_done(decided, all)/> })}
            <SubmitForm to=decide>
                <div class="stack">
                    <FormFeedback problem=decide.problem()/>
                    {open
                        .then(|| {
                            view! {
                                <Card title=t.approvals.chosen_common() subtitle=t.approvals.chosen_common_text()>
                                    <TextArea name="common" label=t.approvals.reason() optional=true rows=2/>
                                </Card>
                            }
                        })}
                    {rows}
                    {open
                        .then(|| {
                            view! {
                                <div class="chosen__send">
                                    <Button look=ButtonLook::Primary icon=Glyph::Check busy=decide.pending()>
                                        {t.approvals.chosen_send()}
                                    </Button>
                                </div>
                            }
                        })}
                </div>
            </SubmitForm>
        </div>
    }
}

/// Whether it can be decided here.
fn is_open(one: &ChosenApproval) -> bool {
    one.refusal.is_none() && one.alone != Some(WhyAlone::StepUp)
}

fn row(
    t: Texts,
    number: usize,
    one: ChosenApproval,
    outcome: Option<DecisionOutcome>,
    decide: Submission<DecideChosen>,
) -> AnyView {
    let (open, form) = (is_open(&one), one.alone == Some(WhyAlone::Form));
    let name = move |field: &str| format!("rows[{number}][{field}]");
    let answer = answer(t, &one, outcome);
    let fields = open.then(|| {
        let (id, digest) = (one.summary.id, one.summary.digest.clone());
        let said = choices(t, form).map(|(kind, words)| (kind.to_string(), words.to_owned()));
        let options = [(String::new(), t.approvals.chosen_leave().to_owned())].into_iter().chain(said).collect();
        view! {
            <input type="hidden" name=name("approval") value=id.to_string()/>
            <input type="hidden" name=name("digest") value=digest/>
            <div class="chosen__fields">
                <SelectField
                    name=name("decision")
                    id=format!("decision-{id}")
                    label=t.approvals.your_decision()
                    options=options
                    optional=true
                />
                <TextArea
                    name=name("comment")
                    id=format!("comment-{id}")
                    label=t.approvals.reason()
                    hint=t.approvals.chosen_reason()
                    optional=true
                    rows=2
                    error=error_at(t, decide.problem(), format!("/{id}/comment"))
                />
            </div>
        }
    });
    view! {
        <Matter summary=one.summary>
            <InputList input=one.input schema=one.input_schema/>
            {answer}
            {fields}
        </Matter>
    }
}

/// What became of it, or why it cannot be decided here.
fn answer(t: Texts, one: &ChosenApproval, outcome: Option<DecisionOutcome>) -> Option<AnyView> {
    let id = one.summary.id;
    let replaced = one.replaced_by.map(|id| format!("/approvals/{id}"));
    if let Some(kind) = one.said.filter(|_| one.refusal.is_some() && replaced.is_none()) {
        let key = format!("done_{}", kind.as_str().replace('-', "_"));
        return Some(view! { <Banner tone=Tone::Success title=t.approvals.by_key(&key).unwrap_or_default()/> });
    }
    let problem = outcome.as_ref().and_then(|outcome| outcome.problem.clone());
    let difference = outcome.as_ref().and_then(|outcome| outcome.difference.clone()).or(replaced);
    let result = outcome.map(|outcome| outcome.result);
    if difference.is_some() || result == Some(DecisionResult::Changed) {
        let href = difference.unwrap_or_else(|| format!("/approvals/{id}"));
        return Some(view! {
            <Banner tone=Tone::Warning title=t.approvals.chosen_changed()>
                <LinkButton href=href small=true icon=Glyph::ArrowRight>{t.approvals.chosen_difference()}</LinkButton>
            </Banner>
        });
    }
    if let Some(alone) = one.alone {
        let (tone, text) = match alone {
            WhyAlone::StepUp => (Tone::Warning, t.approvals.alone_step_up()),
            WhyAlone::Form => (Tone::Info, t.approvals.alone_form()),
        };
        return Some(view! { <Banner tone=tone title=t.approvals.alone()><p>{text}</p></Banner> });
    }
    let (code, policies, detail) = match problem {
        Some(Problem { code, policies, detail, .. }) => (code, policies, detail),
        None => (one.refusal?, Vec::new(), String::new()),
    };
    Some(view! {
        <Banner tone=Tone::Warning title=errors::title(t, code)>
            <p>{errors::remedy(t, code)}</p>
            {(!detail.is_empty()).then(|| view! { <p>{detail}</p> })}
            {(!policies.is_empty()).then(|| view! { <p><PolicyNames policies/></p> })}
        </Banner>
    })
}

fn error_at(t: Texts, problem: Signal<Option<Problem>>, pointer: String) -> Signal<Option<String>> {
    Signal::derive(move || {
        problem.with(|problem| {
            let error = problem.as_ref()?.errors.iter().find(|error| error.pointer == pointer)?;
            Some(errors::field_message(t, error))
        })
    })
}
