//! What may be done with a run, each behind a question that names the run.

use domain::{RunId, view::RunSummary};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

use crate::{
    api::runs::{CancelRun, ResolveTask, ResumeRun, ResumeRunFrom, RetryRun, SkipTask, SuspendRun},
    components::{Button, ButtonLook, Dialog, FormFeedback, Glyph, LinkButton, TextArea, dialog_href, use_toasts},
    i18n::{RunsTexts, use_texts},
    live::{Topic, use_live},
    submission::{Submission, SubmitForm, when_done},
    url_state::href_with,
    view,
};

/// The actions of the run page; the page owns them, so that they outlive what is drawn.
#[derive(Clone, Copy)]
pub(super) struct RunActions {
    done: RwSignal<usize>,
    cancel: Submission<CancelRun>,
    suspend: Submission<SuspendRun>,
    resume: Submission<ResumeRun>,
    retry: Submission<RetryRun>,
    resolve: Submission<ResolveTask>,
    skip: Submission<SkipTask>,
    resume_from: Submission<ResumeRunFrom>,
}

impl RunActions {
    /// Each closes its dialog when it is done, says so, and has the page fetched anew.
    pub(super) fn new() -> Self {
        let t = use_texts();
        let live = use_live();
        let toasts = use_toasts();
        let location = use_location();
        let navigate = use_navigate();
        let times = RwSignal::new(0);
        let done = move |text: fn(RunsTexts, String) -> String| {
            let navigate = navigate.clone();
            let (path, query) = (location.pathname, location.query);
            move |run: RunSummary| {
                let href = href_with(&path.get_untracked(), &query.get_untracked(), &[]);
                navigate(&href, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
                toasts.done(text(t.runs, t.common.run_number(run.number)));
                live.touch(Topic::Runs);
                times.update(|times| *times += 1);
            }
        };
        let actions = Self {
            done: times,
            cancel: Submission::new(),
            suspend: Submission::new(),
            resume: Submission::new(),
            retry: Submission::new(),
            resolve: Submission::new(),
            skip: Submission::new(),
            resume_from: Submission::new(),
        };
        when_done(actions.cancel, done(RunsTexts::cancelled));
        when_done(actions.suspend, done(RunsTexts::suspended));
        when_done(actions.resume, done(RunsTexts::resumed));
        when_done(actions.retry, done(RunsTexts::retried));
        when_done(actions.resolve, done(RunsTexts::resolved));
        when_done(actions.skip, done(RunsTexts::resolved));
        when_done(actions.resume_from, done(RunsTexts::resolved));
        actions
    }

    /// Grows when something was done; not when it was refused, or what was typed would be gone with the page drawn anew.
    pub(super) fn done(self) -> usize {
        self.done.get()
    }
}

/// The openers of the dialogs, for the page's head.
#[component]
pub(super) fn ActionButtons(allowed: Vec<String>) -> impl IntoView {
    let t = use_texts().runs;
    let may = |action: &str| allowed.iter().any(|allowed| allowed == action);
    view! {
        {may("retry")
            .then(|| view! { <LinkButton href=dialog_href("retry") icon=Glyph::Retry>{t.retry()}</LinkButton> })}
        {may("resume")
            .then(|| view! { <LinkButton href=dialog_href("resume") icon=Glyph::Runs>{t.resume()}</LinkButton> })}
        {may("suspend")
            .then(|| view! { <LinkButton href=dialog_href("suspend") icon=Glyph::Pause>{t.suspend()}</LinkButton> })}
        {may("cancel")
            .then(|| {
                view! {
                    <LinkButton href=dialog_href("cancel") look=ButtonLook::Danger icon=Glyph::CircleSlash>
                        {t.cancel()}
                    </LinkButton>
                }
            })}
    }
}

/// The dialogs.
#[component]
pub(super) fn ActionDialogs(actions: RunActions, id: RunId, number: i64, allowed: Vec<String>) -> impl IntoView {
    let t = use_texts();
    let name = t.common.run_number(number);
    let may = |action: &str| allowed.iter().any(|allowed| allowed == action);
    let hidden = move || view! { <input type="hidden" name="id" value=id.to_string()/> };
    let (cancel, suspend, resume, retry) = (actions.cancel, actions.suspend, actions.resume, actions.retry);
    view! {
        {may("cancel")
            .then(|| {
                let title = t.runs.cancel_run(&name);
                let words = StoredValue::new(title.clone());
                view! {
                    <Dialog name="cancel" title=title>
                        <SubmitForm to=cancel>
                            <FormFeedback problem=cancel.problem()/>
                            {hidden()}
                            <p>{t.runs.cancel_text()}</p>
                            <TextArea
                                name="reason"
                                label=t.runs.reason()
                                hint=t.runs.reason_hint()
                                error=cancel.error("/reason")
                                maxlength=500_u32
                            />
                            <div class="dialog__foot">
                                <Button look=ButtonLook::Danger busy=cancel.pending()>{words.get_value()}</Button>
                            </div>
                        </SubmitForm>
                    </Dialog>
                }
            })}
        {may("suspend")
            .then(|| {
                let title = t.runs.suspend_run(&name);
                let words = StoredValue::new(title.clone());
                view! {
                    <Dialog name="suspend" title=title>
                        <SubmitForm to=suspend>
                            <FormFeedback problem=suspend.problem()/>
                            {hidden()}
                            <p>{t.runs.suspend_text()}</p>
                            <div class="dialog__foot">
                                <Button look=ButtonLook::Primary busy=suspend.pending()>{words.get_value()}</Button>
                            </div>
                        </SubmitForm>
                    </Dialog>
                }
            })}
        {may("resume")
            .then(|| {
                let title = t.runs.resume_run(&name);
                let words = StoredValue::new(title.clone());
                view! {
                    <Dialog name="resume" title=title>
                        <SubmitForm to=resume>
                            <FormFeedback problem=resume.problem()/>
                            {hidden()}
                            <p>{t.runs.resume_text()}</p>
                            <div class="dialog__foot">
                                <Button look=ButtonLook::Primary busy=resume.pending()>{words.get_value()}</Button>
                            </div>
                        </SubmitForm>
                    </Dialog>
                }
            })}
        {may("retry")
            .then(|| {
                let title = t.runs.retry_run(&name);
                let words = StoredValue::new(title.clone());
                view! {
                    <Dialog name="retry" title=title>
                        <SubmitForm to=retry>
                            <FormFeedback problem=retry.problem()/>
                            {hidden()}
                            <p>{t.runs.retry_text()}</p>
                            <div class="dialog__foot">
                                <Button look=ButtonLook::Primary busy=retry.pending()>{words.get_value()}</Button>
                            </div>
                        </SubmitForm>
                    </Dialog>
                }
            })}
    }
}

/// What became of a call whose outcome is unknown: the operator finds out and says it.
#[component]
pub(super) fn ResolveDialog(actions: RunActions, id: RunId, reference: String, occurrence: u32) -> impl IntoView {
    let t = use_texts().runs;
    let resolve = actions.resolve;
    let reference = StoredValue::new(reference);
    let choice = |value: &'static str, title: &'static str, text: &'static str, first: bool| {
        view! {
            <label class="check">
                <input class="check__input" type="radio" name="resolution" value=value checked=first/>
                <span>
                    <strong>{title}</strong>
                    " "
                    <span class="muted">{text}</span>
                </span>
            </label>
        }
    };
    view! {
        <Dialog name="resolve" title=t.resolve()>
            <SubmitForm to=resolve>
                <div class="stack">
                    <FormFeedback problem=resolve.problem()/>
                    <input type="hidden" name="id" value=id.to_string()/>
                    <input type="hidden" name="reference" value=reference.get_value()/>
                    <input type="hidden" name="occurrence" value=occurrence.to_string()/>
                    <fieldset class="checks">
                        <legend class="field__label">{t.resolve_question()}</legend>
                        {choice("try-again", t.resolve_try_again(), t.resolve_try_again_text(), true)}
                        {choice("done", t.resolve_done(), t.resolve_done_text(), false)}
                        {choice("failed", t.resolve_failed(), t.resolve_failed_text(), false)}
                    </fieldset>
                    <TextArea
                        name="text"
                        id="resolve-detail"
                        label=t.resolve_detail()
                        hint=t.resolve_detail_hint()
                        error=resolve.error("/text")
                        optional=true
                        rows=3
                    />
                    <Button look=ButtonLook::Primary busy=resolve.pending()>{t.resolve()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

/// Passes over a task.
#[component]
pub(super) fn SkipDialog(actions: RunActions, id: RunId, reference: String, occurrence: u32) -> impl IntoView {
    let t = use_texts().runs;
    let skip = actions.skip;
    let reference = StoredValue::new(reference);
    view! {
        <Dialog name="skip" title=t.skip()>
            <SubmitForm to=skip>
                <div class="stack">
                    <FormFeedback problem=skip.problem()/>
                    <input type="hidden" name="id" value=id.to_string()/>
                    <input type="hidden" name="reference" value=reference.get_value()/>
                    <input type="hidden" name="occurrence" value=occurrence.to_string()/>
                    <p>{t.skip_text()}</p>
                    <Reason id="skip-reason" error=skip.error("/reason")/>
                    <TextArea
                        name="text"
                        id="skip-output"
                        label=t.output()
                        hint=t.skip_output_hint()
                        error=skip.error("/text")
                        optional=true
                        rows=3
                    />
                    <Button look=ButtonLook::Danger busy=skip.pending()>{t.skip()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

/// Goes on from a task with another input, which begins as the one that the task had.
#[component]
pub(super) fn ResumeFromDialog(actions: RunActions, id: RunId, reference: String, input: String) -> impl IntoView {
    let t = use_texts().runs;
    let resume = actions.resume_from;
    let (reference, input) = (StoredValue::new(reference), StoredValue::new(input));
    view! {
        <Dialog name="resume-from" title=t.resume_from()>
            <SubmitForm to=resume>
                <div class="stack">
                    <FormFeedback problem=resume.problem()/>
                    <input type="hidden" name="id" value=id.to_string()/>
                    <input type="hidden" name="reference" value=reference.get_value()/>
                    <p>{t.resume_from_text()}</p>
                    <Reason id="resume-from-reason" error=resume.error("/reason")/>
                    <TextArea
                        name="text"
                        id="resume-from-input"
                        label=t.input()
                        value=Signal::stored(input.get_value())
                        hint=t.resume_from_input_hint()
                        error=resume.error("/text")
                        rows=6
                    />
                    <Button look=ButtonLook::Danger busy=resume.pending()>{t.resume_from()}</Button>
                </div>
            </SubmitForm>
        </Dialog>
    }
}

#[component]
fn Reason(id: &'static str, error: Signal<Option<String>>) -> impl IntoView {
    let t = use_texts().runs;
    view! { <TextArea name="reason" id=id label=t.reason() hint=t.reason_hint() error=error maxlength=2_000_u32 rows=2/> }
}
