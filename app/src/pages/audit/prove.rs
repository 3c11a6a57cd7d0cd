//! The proof that an entry is in the log, checked by the browser itself.
//!
//! The browser remembers the key and the last checkpoint that it has seen: a log that was cut off, put back or written anew since
//! is told by every browser that has proved an entry before.

use domain::view::AuditEntryView;
use leptos::{prelude::*, task::spawn_local};
use serde_json::{from_str, to_string};

use crate::{
    api::audit::{audit_consistency, audit_proof},
    components::{
        Banner, Button, ButtonLook, Glyph, ProblemView, Tone,
        schema_form::{forget, storage},
    },
    errors::AppError,
    i18n::use_texts,
    model::proof::{Evidence, Judgement, Seen},
    parts, view,
};

/// Where the browser keeps what it has seen of the log.
const SEEN: &str = "rondo.audit.seen";

#[derive(Clone)]
enum State {
    Unasked,
    Checking,
    Judged(Judgement),
    Failed(AppError),
}

/// Lets the browser prove the entry as the page shows it; or takes the proof elsewhere.
#[component]
pub(super) fn Prove(entry: AuditEntryView) -> impl IntoView {
    let t = use_texts().audit;
    let seq = entry.seq;
    let state = RwSignal::new(State::Unasked);
    let check = Callback::new(move |()| {
        if matches!(state.get_untracked(), State::Checking) {
            return;
        }
        state.set(State::Checking);
        let entry = entry.clone();
        spawn_local(async move {
            let found = match evaluate(entry).await {
                Ok(judgement) => State::Judged(judgement),
                Err(error) => State::Failed(error),
            };
            // Whoever went elsewhere meanwhile does not see it.
            let _ = state.try_set(found);
        });
    });
    let found = move || match state.get() {
        State::Unasked | State::Checking => ().into_any(),
        State::Judged(judgement) => view! { <Found judgement seq check/> },
        State::Failed(error) => view! { <ProblemView problem=error.0 compact=true/> },
    };
    let proof = format!("/api/v1/audit/entries/{seq}/proof");
    let file = format!("audit-entry-{seq}.json");
    view! {
        <div class="proof">
            <div class="proof__actions">
                <Button
                    kind="button"
                    small=true
                    icon=Glyph::Audit
                    busy=Signal::derive(move || state.with(|state| matches!(state, State::Checking)))
                    on:click=move |_| check.run(())
                >
                    {t.prove()}
                </Button>
                <a href=proof download=file rel="external">{t.proof_download()}</a>
                <span class="muted">{t.proof_text()}</span>
            </div>
            <div aria-live="polite">{found}</div>
        </div>
    }
}

async fn evaluate(shown: AuditEntryView) -> Result<Judgement, AppError> {
    let proof = audit_proof(shown.seq).await?;
    let seen = seen();
    let evidence = |path| Evidence { proof: proof.clone(), shown: shown.clone(), seen: seen.clone(), path };
    let mut judgement = judge(evidence(Vec::new())).await?;
    if let Judgement::Grown { from, to } = judgement {
        let grown = audit_consistency(from, to).await?;
        judgement = judge(evidence(grown.path)).await?;
    }
    if let Judgement::Proved { seen, .. } = &judgement
        && let (Some(storage), Ok(text)) = (storage(), to_string(seen))
    {
        // A browser that may not keep it proves the entry none the less.
        let _ = storage.set_item(SEEN, &text);
    }
    Ok(judgement)
}

async fn judge(evidence: Evidence) -> Result<Judgement, AppError> {
    parts::judge(evidence).await.map_err(|_| AppError::unavailable())
}

fn seen() -> Option<Seen> {
    storage()?.get_item(SEEN).ok()?.and_then(|text| from_str(&text).ok())
}

#[component]
fn Found(judgement: Judgement, seq: i64, check: Callback<()>) -> impl IntoView {
    let t = use_texts().audit;
    let forget_seen = move |_| {
        forget(SEEN);
        check.run(());
    };
    match judgement {
        Judgement::Proved { size, key, before, .. } => {
            let grown = match before {
                Some(before) if before < size => t.proved_grown(before),
                Some(_) => t.proved_same().to_owned(),
                None => t.proved_first().to_owned(),
            };
            view! {
                <Banner tone=Tone::Success title=t.proved()>
                    <p>{t.proved_text(seq.to_string(), size.to_string())} " " {grown}</p>
                    <p class="muted">{t.proved_key()} " " <code>{key}</code></p>
                </Banner>
            }
        }
        // The server has given no hashes that would prove it.
        Judgement::Grown { .. } => view! {
            <Banner tone=Tone::Danger title=t.changed()><p>{t.changed_text()}</p></Banner>
        },
        Judgement::Refuted(what) => view! {
            <Banner tone=Tone::Danger title=t.refuted()>
                <p>{t.refuted_text()}</p>
                <p><code>{what}</code></p>
            </Banner>
        },
        Judgement::Changed(what) => view! {
            <Banner tone=Tone::Danger title=t.changed()>
                <p>{t.changed_text()}</p>
                <p><code>{what}</code></p>
                <Button kind="button" look=ButtonLook::Quiet small=true on:click=forget_seen>{t.forget_seen()}</Button>
            </Banner>
        },
    }
}
