use std::time::Duration;

use leptos::prelude::*;

use super::{Button, ButtonLook, Glyph, Icon, Tone};
use crate::{i18n::use_texts, view};

/// How long a message stays, in seconds; one with an undo stays twice as long.
const STAY: u64 = 6;

#[derive(Clone)]
struct Toast {
    id: u64,
    tone: Tone,
    text: String,
    undo: Option<Callback<()>>,
}

/// Short messages about what was just done.
#[derive(Clone, Copy)]
pub struct Toasts {
    list: RwSignal<Vec<Toast>>,
    next: RwSignal<u64>,
}

impl Toasts {
    /// Says that something was done.
    pub fn done(self, text: impl Into<String>) {
        self.push(Tone::Success, text.into(), None);
    }

    /// Says that something was done and can be undone for a while.
    pub fn done_with_undo(self, text: impl Into<String>, undo: impl Fn() + Send + Sync + 'static) {
        self.push(Tone::Success, text.into(), Some(Callback::new(move |()| undo())));
    }

    /// Says that something failed.
    pub fn failed(self, text: impl Into<String>) {
        self.push(Tone::Danger, text.into(), None);
    }

    fn push(self, tone: Tone, text: String, undo: Option<Callback<()>>) {
        let id = self.next.get_untracked();
        self.next.set(id + 1);
        let stay = Duration::from_secs(if undo.is_some() { 2 * STAY } else { STAY });
        self.list.update(|list| list.push(Toast { id, tone, text, undo }));
        set_timeout(move || self.remove(id), stay);
    }

    fn remove(self, id: u64) {
        self.list.try_update(|list| list.retain(|toast| toast.id != id));
    }
}

/// Makes [`use_toasts`] work below.
pub fn provide_toasts() -> Toasts {
    let toasts = Toasts { list: RwSignal::new(Vec::new()), next: RwSignal::new(0) };
    provide_context(toasts);
    toasts
}

/// Where to say that something was done.
pub fn use_toasts() -> Toasts {
    use_context::<Toasts>().unwrap_or_else(provide_toasts)
}

/// Where the messages appear.
#[component]
pub fn ToastRegion() -> impl IntoView {
    let t = use_texts().common;
    let toasts = use_toasts();
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For each=move || toasts.list.get() key=|toast| toast.id let:toast>
                <div class=format!("toast toast--{}", toast.tone.as_str())>
                    <Icon glyph=if toast.tone == Tone::Danger { Glyph::Octagon } else { Glyph::CircleCheck }/>
                    <span class="toast__text">{toast.text.clone()}</span>
                    {toast
                        .undo
                        .map(|undo| {
                            view! {
                                <Button kind="button" look=ButtonLook::Quiet small=true on:click=move |_| {
                                    undo.run(());
                                    toasts.remove(toast.id);
                                }>{t.undo()}</Button>
                            }
                        })}
                    <button
                        class="icon-button icon-button--small"
                        type="button"
                        aria-label=t.close()
                        on:click=move |_| toasts.remove(toast.id)
                    >
                        <Icon glyph=Glyph::Cross/>
                    </button>
                </div>
            </For>
        </div>
    }
}
