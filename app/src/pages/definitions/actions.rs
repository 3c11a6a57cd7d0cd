//! What may be done with a version: each a form that works without JavaScript.

use domain::{Operation, Problem, VersionState, view::UsesView};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use super::{address_fields, side::uses_list};
use crate::{
    api::definitions::{
        CommentOnDefinition, CopyDefinition, DeleteDefinition, LIST, PublishDefinition, ResolveComment,
        RetireDefinition, ReturnDefinition, SubmitDefinition, VersionAddress, WithdrawDefinition, definition_href,
    },
    components::{
        Button, ButtonLook, Dialog, FormFeedback, Glyph, LinkButton, TextArea, TextField, Toggle, dialog_href,
        use_toasts,
    },
    errors::field_message,
    i18n::use_texts,
    session::may,
    submission::{Submission, SubmitForm, when_done},
    url_state::href_with,
    view,
};

/// The actions of a version's page; the page owns them, so that they outlive what is drawn.
#[derive(Clone, Copy)]
pub(super) struct Actions {
    done: RwSignal<usize>,
    submit: Submission<SubmitDefinition>,
    withdraw: Submission<WithdrawDefinition>,
    send_back: Submission<ReturnDefinition>,
    publish: Submission<PublishDefinition>,
    retire: Submission<RetireDefinition>,
    copy: Submission<CopyDefinition>,
    delete: Submission<DeleteDefinition>,
    pub(super) comment: Submission<CommentOnDefinition>,
    pub(super) resolve: Submission<ResolveComment>,
    /// The comment that is being typed: it outlives whatever else is done meanwhile.
    pub(super) said: RwSignal<String>,
}

impl Actions {
    /// Each says that it is done, closes its dialog, and has the page fetched anew, or goes where there is more to do.
    pub(super) fn new() -> Self {
        let t = use_texts().definitions;
        let toasts = use_toasts();
        let location = use_location();
        let navigate = use_navigate();
        let times = RwSignal::new(0);
        let actions = Self {
            done: times,
            submit: Submission::new(),
            withdraw: Submission::new(),
            send_back: Submission::new(),
            publish: Submission::new(),
            retire: Submission::new(),
            copy: Submission::new(),
            delete: Submission::new(),
            comment: Submission::new(),
            resolve: Submission::new(),
            said: RwSignal::new(String::new()),
        };
        let done = |words: &'static str| {
            let navigate = navigate.clone();
            let (path, query) = (location.pathname, location.query);
            move |()| {
                let here = href_with(&path.get_untracked(), &query.get_untracked(), &[("line", None)]);
                navigate(&here, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
                toasts.done(words);
                times.update(|times| *times += 1);
            }
        };
        when_done(actions.submit, done(t.submitted()));
        when_done(actions.withdraw, done(t.withdrawn()));
        when_done(actions.send_back, done(t.returned()));
        when_done(actions.publish, done(t.published()));
        when_done(actions.retire, done(t.retired()));
        let commented = done(t.commented());
        when_done(actions.comment, move |()| {
            actions.said.set(String::new());
            commented(());
        });
        when_done(actions.resolve, done(t.resolved()));
        let go = navigate.clone();
        when_done(actions.copy, move |saved| {
            let page = definition_href(&saved.namespace, &saved.name, &saved.version);
            go(&format!("{page}/edit"), NavigateOptions::default());
        });
        when_done(actions.delete, move |()| {
            toasts.done(t.deleted());
            navigate(LIST, NavigateOptions::default());
        });
        actions
    }

    /// Grows when something was done; not when it was refused, or what was typed would be gone with the page drawn anew.
    pub(super) fn done(self) -> usize {
        self.done.get()
    }
}

/// What the buttons and dialogs need to know of the version.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) at: VersionAddress,
    /// With its version, for questions that name it.
    pub(super) title: String,
    pub(super) state: VersionState,
    pub(super) digest: String,
    /// What the person may do with it.
    pub(super) allowed: Vec<Operation>,
    pub(super) uses: UsesView,
}

impl Subject {
    fn allows(&self, operation: Operation) -> bool {
        self.allowed.contains(&operation)
    }

    /// Whether the text may be copied to a new version.
    fn can_be_copied(&self) -> bool {
        self.state.has_been_published() && may(Operation::DefinitionSave)
    }
}

/// The buttons in the page's head, the next step last.
#[component]
pub(super) fn ActionButtons(subject: Subject, actions: Actions) -> impl IntoView {
    let t = use_texts();
    let Actions { submit, withdraw, publish, .. } = actions;
    let page = subject.at.href();
    let at = StoredValue::new(subject.at.clone());
    let fields = move || at.with_value(address_fields);
    let digest = subject.digest.clone();
    view! {
        {subject
            .allows(Operation::DefinitionDelete)
            .then(|| {
                view! {
                    <LinkButton href=dialog_href("delete") look=ButtonLook::Danger icon=Glyph::Trash>
                        {t.common.delete()}
                    </LinkButton>
                }
            })}
        {subject
            .allows(Operation::DefinitionSave)
            .then(|| {
                view! { <LinkButton href=format!("{page}/edit") icon=Glyph::Pencil>{t.definitions.edit()}</LinkButton> }
            })}
        {subject
            .allows(Operation::DefinitionSubmit)
            .then(|| {
                view! {
                    <SubmitForm to=submit>
                        {fields()}
                        <Button look=ButtonLook::Primary busy=submit.pending() icon=Glyph::ArrowRight>
                            {t.definitions.submit()}
                        </Button>
                    </SubmitForm>
                }
            })}
        {subject
            .allows(Operation::DefinitionWithdraw)
            .then(|| {
                view! {
                    <SubmitForm to=withdraw>
                        {fields()}
                        <Button busy=withdraw.pending() icon=Glyph::Undo>{t.definitions.withdraw()}</Button>
                    </SubmitForm>
                }
            })}
        {subject
            .allows(Operation::DefinitionReturn)
            .then(|| {
                view! {
                    <LinkButton href=dialog_href("return") icon=Glyph::Undo>{t.definitions.send_back()}</LinkButton>
                }
            })}
        {subject
            .allows(Operation::DefinitionPublish)
            .then(|| {
                view! {
                    <SubmitForm to=publish>
                        {fields()}
                        <input type="hidden" name="digest" value=digest/>
                        <Button look=ButtonLook::Primary busy=publish.pending() icon=Glyph::Check>
                            {t.definitions.publish()}
                        </Button>
                    </SubmitForm>
                }
            })}
        {subject
            .allows(Operation::DefinitionRetire)
            .then(|| {
                view! {
                    <LinkButton href=dialog_href("retire") look=ButtonLook::Danger icon=Glyph::CircleSlash>
                        {t.definitions.retire()}
                    </LinkButton>
                }
            })}
        {subject
            .can_be_copied()
            .then(|| {
                view! { <LinkButton href=dialog_href("copy") icon=Glyph::Copy>{t.definitions.copy()}</LinkButton> }
            })}
    }
}

/// Why a button of the head did not do what it says.
#[component]
pub(super) fn Refusals(actions: Actions) -> impl IntoView {
    view! {
        <Refusal problem=actions.submit.problem()/>
        <Refusal problem=actions.withdraw.problem()/>
        <Refusal problem=actions.publish.problem()/>
        <Refusal problem=actions.resolve.problem()/>
    }
}

/// A problem with everything that it names.
#[component]
fn Refusal(problem: Signal<Option<Problem>>) -> impl IntoView {
    let t = use_texts();
    let reasons = move || {
        let errors = problem.with(|problem| problem.as_ref().map(|problem| problem.errors.clone()).unwrap_or_default());
        let errors: Vec<_> = errors
            .iter()
            // Those of no field stand in the banner already.
            .filter(|error| !error.pointer.is_empty())
            .map(|error| view! { <li>{field_message(t, error)}</li> })
            .collect();
        (!errors.is_empty()).then(|| view! { <ul class="uses">{errors}</ul> })
    };
    view! {
        <FormFeedback problem=problem/>
        {reasons}
    }
}

/// The questions behind some of the buttons.
#[component]
pub(super) fn ActionDialogs(subject: Subject, actions: Actions) -> impl IntoView {
    let t = use_texts();
    let Actions { send_back, retire, copy, delete, .. } = actions;
    let title = subject.title.clone();
    let at = StoredValue::new(subject.at.clone());
    let fields = move || at.with_value(address_fields);
    let uses = StoredValue::new(subject.uses.clone());
    view! {
        {subject
            .allows(Operation::DefinitionDelete)
            .then(|| {
                let title = t.definitions.delete_it(&title);
                let words = StoredValue::new(title.clone());
                view! {
                    <Dialog name="delete" title=title>
                        <SubmitForm to=delete>
                            <div class="stack">
                                <FormFeedback problem=delete.problem()/>
                                {fields()}
                                <p>{t.definitions.delete_text()}</p>
                                <Button look=ButtonLook::Danger busy=delete.pending()>{words.get_value()}</Button>
                            </div>
                        </SubmitForm>
                    </Dialog>
                }
            })}
        {subject
            .allows(Operation::DefinitionReturn)
            .then(|| {
                let title = t.definitions.return_it(&title);
                let words = StoredValue::new(title.clone());
                view! {
                    <Dialog name="return" title=title>
                        <SubmitForm to=send_back>
                            <div class="stack">
                                <FormFeedback problem=send_back.problem()/>
                                {fields()}
                                <TextArea
                                    name="comment"
                                    id="return-comment"
                                    label=t.definitions.return_reason()
                                    hint=t.definitions.return_hint()
                                    maxlength=4000_u32
                                    error=send_back.error("/comment")
                                />
                                <Button look=ButtonLook::Primary busy=send_back.pending()>{words.get_value()}</Button>
                            </div>
                        </SubmitForm>
                    </Dialog>
                }
            })}
        {subject
            .allows(Operation::DefinitionRetire)
            .then(|| {
                let title = t.definitions.retire_it(&title);
                let words = StoredValue::new(title.clone());
                view! {
                    <Dialog name="retire" title=title>
                        <SubmitForm to=retire>
                            <div class="stack">
                                <Refusal problem=retire.problem()/>
                                {fields()}
                                <p>{t.definitions.retire_text()}</p>
                                {uses.with_value(|uses| uses_list(t, uses))}
                                {uses
                                    .with_value(|uses| !uses.is_empty())
                                    .then(|| {
                                        view! {
                                            <Toggle
                                                name="anyway"
                                                label=t.definitions.anyway()
                                                hint=t.definitions.anyway_hint()
                                            />
                                        }
                                    })}
                                <Button look=ButtonLook::Danger busy=retire.pending()>{words.get_value()}</Button>
                            </div>
                        </SubmitForm>
                    </Dialog>
                }
            })}
        {subject
            .can_be_copied()
            .then(|| {
                view! {
                    <Dialog name="copy" title=t.definitions.copy_it(&title)>
                        <SubmitForm to=copy>
                            <div class="stack">
                                <FormFeedback problem=copy.problem()/>
                                {fields()}
                                <p>{t.definitions.copy_text()}</p>
                                <TextField
                                    name="number"
                                    label=t.definitions.copy_number()
                                    hint=t.definitions.version_hint()
                                    code=true
                                    maxlength=64_u32
                                    error=copy.error("/version")
                                />
                                <Button look=ButtonLook::Primary busy=copy.pending()>{t.definitions.copy()}</Button>
                            </div>
                        </SubmitForm>
                    </Dialog>
                }
            })}
    }
}
