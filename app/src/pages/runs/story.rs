//! The one thing to know about a run, in a sentence.

use domain::{
    ApprovalState, DecisionKind, RunStatus, TaskStatus, Timestamp, WaitsFor,
    view::{ApprovalDetail, RunDetail, RunError, TaskView},
};
use leptos::prelude::*;

use crate::{
    components::{Moment, Tone, timeline::span_text},
    i18n::{Texts, sentence},
    view,
};

/// How many people are named before the rest is counted.
const NAMED: usize = 3;

/// A sentence about a run.
pub(super) struct Story {
    pub(super) tone: Tone,
    pub(super) words: Vec<AnyView>,
    /// What happened or was said, in somebody's own words.
    pub(super) quote: Option<String>,
    /// What to do about it.
    pub(super) remedy: Option<&'static str>,
}

/// What there is to know about a run, most pressing first.
pub(super) fn story(t: Texts, run: &RunDetail, tasks: &[TaskView], approvals: &[ApprovalDetail]) -> Story {
    let summary = &run.summary;
    let told = |tone: Tone, key: &str, task: Option<&TaskView>, people: String, at: Option<Timestamp>| {
        let template = t.runs.by_key(key).unwrap_or_default();
        let title = task.map(|task| task.title.clone()).unwrap_or_default();
        let words = sentence(template, |place| match place {
            "task" => view! { <strong>{title.clone()}</strong> },
            "people" => view! { <strong>{people.clone()}</strong> },
            "moment" => at.map_or_else(|| ().into_any(), |at| view! { <Moment at=at/> }),
            _ => ().into_any(),
        });
        Story { tone, words, quote: None, remedy: None }
    };
    let latest = |wanted: &[TaskStatus]| tasks.iter().rev().find(|task| wanted.contains(&task.status));

    if let Some(task) = latest(&[TaskStatus::Unknown]) {
        let story = told(Tone::Danger, "story_unknown", Some(task), String::new(), task.started_at);
        return Story { quote: detail(task.error.as_ref()), remedy: Some(t.runs.remedy_unknown()), ..story };
    }
    if summary.needs_attention {
        let failed = tasks.iter().rev().find(|task| task.compensation && task.status == TaskStatus::Faulted);
        let key = if failed.is_some() { "story_undo_failed" } else { "story_attention" };
        let story = told(Tone::Danger, key, failed, String::new(), Some(summary.updated_at));
        let error = failed.and_then(|task| task.error.as_ref()).or(run.error.as_ref());
        return Story { quote: detail(error), remedy: Some(t.runs.remedy_attention()), ..story };
    }
    if let (Some(limit), false) = (summary.waits_for, summary.status.is_final()) {
        let key = match limit {
            WaitsFor::Workflow => "story_limit_workflow",
            WaitsFor::Namespace => "story_limit_namespace",
            WaitsFor::Connection => "story_limit_connection",
        };
        return told(Tone::Neutral, key, None, String::new(), Some(summary.created_at));
    }
    match summary.status {
        RunStatus::Pending => told(Tone::Neutral, "story_pending", None, String::new(), Some(summary.created_at)),
        RunStatus::Waiting => {
            if let Some(approval) = approvals.iter().find(|a| a.summary.state == ApprovalState::Pending) {
                if approval.summary.returned {
                    let asked = approval.decisions.last();
                    let people = approval.summary.requester.name.clone();
                    let story =
                        told(Tone::Warning, "story_returned", None, people, asked.map(|asked| asked.decided_at));
                    return Story { quote: asked.map(|asked| asked.comment.clone()), ..story };
                }
                let people = still_asked(t, approval);
                let key = if people.is_empty() { "story_waiting_decision" } else { "story_waiting_people" };
                return told(Tone::Warning, key, None, people, Some(approval.summary.opened_at));
            }
            if let Some(task) = latest(&[TaskStatus::Retrying]) {
                let story = told(Tone::Warning, "story_retrying", Some(task), String::new(), task.started_at);
                return Story { quote: detail(task.error.as_ref()), ..story };
            }
            let task = latest(&[TaskStatus::Waiting]);
            let key = if task.is_some() { "story_waiting_task" } else { "story_waiting" };
            told(Tone::Warning, key, task, String::new(), task.and_then(|t| t.started_at).or(Some(summary.updated_at)))
        }
        RunStatus::Running => match latest(&[TaskStatus::Running, TaskStatus::Retrying]) {
            Some(task) if task.compensation => told(Tone::Warning, "story_undoing", Some(task), String::new(), None),
            Some(task) => told(Tone::Info, "story_running_task", Some(task), String::new(), task.started_at),
            None => told(Tone::Info, "story_running", None, String::new(), summary.started_at),
        },
        RunStatus::Suspended => told(Tone::Neutral, "story_suspended", None, String::new(), Some(summary.updated_at)),
        RunStatus::Cancelled => {
            let key = if summary.compensated { "story_cancelled_undone" } else { "story_cancelled" };
            let story = told(Tone::Neutral, key, None, String::new(), summary.ended_at);
            Story { quote: detail(run.error.as_ref()), ..story }
        }
        RunStatus::Completed => {
            let story = told(Tone::Success, "story_completed", None, String::new(), summary.ended_at);
            let took = summary.started_at.zip(summary.ended_at).map(|(from, until)| span_text(t, from, until));
            Story { quote: took.map(|took| t.runs.took(took)), ..story }
        }
        RunStatus::Faulted if summary.rejected => {
            let rejected = approvals.iter().filter(|approval| approval.summary.state == ApprovalState::Rejected);
            let mut rejections = rejected.flat_map(|approval| &approval.decisions);
            let by = rejections.rfind(|decision| decision.decision != DecisionKind::Approve);
            let key = match by.map(|decision| decision.decision) {
                Some(DecisionKind::RequestChanges) => "story_changes_asked",
                Some(_) => "story_rejected",
                None => "story_rejected_by_time",
            };
            let people = by.map(|decision| decision.person.name.clone()).unwrap_or_default();
            let at = by.map(|decision| decision.decided_at).or(summary.ended_at);
            let quote = by.map(|decision| decision.comment.clone()).filter(|comment| !comment.is_empty());
            Story { quote, ..told(Tone::Danger, key, None, people, at) }
        }
        RunStatus::Faulted => {
            let task = tasks.iter().rev().find(|task| task.status == TaskStatus::Faulted && !task.compensation);
            let key = match (task, summary.compensated) {
                (Some(_), true) => "story_faulted_undone",
                (Some(_), false) => "story_faulted",
                (None, _) => "story_faulted_whole",
            };
            let story = told(Tone::Danger, key, task, String::new(), summary.ended_at);
            let error = run.error.as_ref().or(task.and_then(|task| task.error.as_ref()));
            Story { quote: detail(error), remedy: error.and_then(|error| remedy(t, error)), ..story }
        }
    }
}

/// Who has been asked in the stage that is open, and has not decided there, in words.
fn still_asked(t: Texts, approval: &ApprovalDetail) -> String {
    let stage = approval.summary.stage;
    let decided = |id| approval.decisions.iter().any(|decision| decision.stage == stage && decision.person.id == id);
    let names: Vec<&str> = approval
        .approvers
        .iter()
        .filter(|approver| approver.stage == stage && !decided(approver.person.id))
        .map(|approver| approver.person.name.as_str())
        .collect();
    if names.len() > NAMED {
        let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        return t.runs.and_more(named, names.len() - NAMED);
    }
    names.join(", ")
}

/// What an error says in its own words.
pub(super) fn detail(error: Option<&RunError>) -> Option<String> {
    let error = error?;
    let words = if error.detail.is_empty() { &error.title } else { &error.detail };
    (!words.is_empty()).then(|| words.clone())
}

/// What usually helps against an error of this kind. What a target answered says more than that it was reached.
pub(super) fn remedy(t: Texts, error: &RunError) -> Option<&'static str> {
    let kind = error.kind.rsplit(['/', '#', ':']).next().unwrap_or_default();
    let answered = match error.status {
        401 => Some("authentication"),
        403 => Some("authorization"),
        404 => Some("not_found"),
        408 | 504 => Some("timeout"),
        409 => Some("conflict"),
        400 | 422 => Some("validation"),
        _ => None,
    };
    let by = |kind: &str| t.runs.by_key(&format!("remedy_{kind}"));
    let by_kind = if kind == "communication" && answered.is_some() { None } else { by(&kind.replace('-', "_")) };
    by_kind.or_else(|| by(answered.unwrap_or("runtime")))
}
