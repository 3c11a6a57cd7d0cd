//! Search and commands (Ctrl K or ⌘ K): go to a page, request a workflow, decide, find a run by its number.

use leptos::{ev, html, prelude::*};
use leptos_router::hooks::use_navigate;
use wasm_bindgen::JsCast;

use super::navigation::groups;
use crate::{
    api::palette::{PaletteHit, PaletteKind, palette},
    components::{Glyph, Icon},
    i18n::use_texts,
    session::use_me,
    view,
};

/// Whether the palette is open.
#[derive(Clone, Copy)]
pub(crate) struct PaletteOpen(pub(crate) RwSignal<bool>);

/// The button in the bar at the top. Without JavaScript it leads to the catalogue's search.
#[component]
pub(super) fn PaletteOpener() -> impl IntoView {
    let t = use_texts().frame;
    let open = use_context::<PaletteOpen>();
    let press = move |event: ev::MouseEvent| {
        if let Some(PaletteOpen(open)) = open {
            event.prevent_default();
            event.stop_propagation();
            open.set(true);
        }
    };
    view! {
        <a class="palette-opener" href="/catalogue" role="button" aria-label=t.command() aria-haspopup="dialog" on:click=press>
            <Icon glyph=Glyph::Search/>
            <span class="palette-opener__label" aria-hidden="true">{t.command()}</span>
            <kbd class="palette-opener__key" aria-hidden="true">"Ctrl K"</kbd>
        </a>
    }
}

#[derive(Clone, PartialEq)]
struct Line {
    glyph: Glyph,
    kind: &'static str,
    label: String,
    detail: String,
    href: String,
}

/// The palette itself; nothing until it is opened.
#[component]
pub(super) fn Palette() -> impl IntoView {
    let Some(PaletteOpen(open)) = use_context::<PaletteOpen>() else { return ().into_any() };
    let handle = window_event_listener_on_client(move |event: ev::KeyboardEvent| {
        if (event.ctrl_key() || event.meta_key()) && event.key().eq_ignore_ascii_case("k") {
            event.prevent_default();
            open.update(|open| *open = !*open);
        }
    });
    on_cleanup(handle);
    view! {
        <Show when=move || open.get()>
            <PaletteDialog open/>
        </Show>
    }
}

/// Listens to keys from when the page is alive; returns what ends it.
fn window_event_listener_on_client(
    listener: impl Fn(ev::KeyboardEvent) + Clone + 'static,
) -> impl FnOnce() + Send + Sync + 'static {
    let handle = StoredValue::new(None::<WindowListenerHandle>);
    Effect::new(move |_| handle.set_value(Some(window_event_listener(ev::keydown, listener.clone()))));
    move || {
        if let Some(Some(handle)) = handle.try_update_value(Option::take) {
            handle.remove();
        }
    }
}

#[component]
fn PaletteDialog(open: RwSignal<bool>) -> impl IntoView {
    let t = use_texts();
    let node = NodeRef::<html::Dialog>::new();
    let input = NodeRef::<html::Input>::new();
    let typed = RwSignal::new(String::new());
    let chosen = RwSignal::new(0_usize);
    let navigate = use_navigate();

    let places: Vec<Line> = use_me()
        .map(|me| groups(t.frame, &me))
        .unwrap_or_default()
        .into_iter()
        .flat_map(|group| group.places)
        .map(|place| Line {
            glyph: place.glyph,
            kind: t.frame.command_go(),
            label: place.label.to_owned(),
            detail: String::new(),
            href: place.href.to_owned(),
        })
        .chain([Line {
            glyph: Glyph::Person,
            kind: t.frame.command_go(),
            label: t.frame.account().to_owned(),
            detail: String::new(),
            href: "/account".to_owned(),
        }])
        .collect();
    let found = LocalResource::new(move || {
        let words = typed.get();
        async move { palette(words).await.unwrap_or_default() }
    });
    let lines = Memo::new(move |_| {
        let words = typed.get().to_lowercase();
        let matching = places.iter().filter(|place| place.label.to_lowercase().contains(words.trim())).cloned();
        let hits = found.get().unwrap_or_default().into_iter().map(|hit| line_of(t, hit));
        // Places are known at once and stay where they are when the server's answer comes: nothing may move away from
        // under somebody's pointer.
        let mut lines: Vec<Line> = matching.chain(hits).collect();
        lines.truncate(12);
        lines
    });

    Effect::new(move |_| {
        if let Some(dialog) = node.get() {
            let _ = dialog.show_modal();
            if let Some(input) = input.get() {
                let _ = input.focus();
            }
        }
    });
    let go = StoredValue::new_local(move |href: &str| {
        open.set(false);
        navigate(href, leptos_router::NavigateOptions::default());
    });
    let on_key = move |event: ev::KeyboardEvent| {
        let count = lines.with(Vec::len);
        match event.key().as_str() {
            "ArrowDown" if count > 0 => chosen.update(|at| *at = (*at + 1) % count),
            "ArrowUp" if count > 0 => chosen.update(|at| *at = (*at + count - 1) % count),
            "Enter" => {
                if let Some(line) = lines.with(|lines| lines.get(chosen.get()).cloned()) {
                    go.with_value(|go| go(&line.href));
                }
            }
            _ => return,
        }
        event.prevent_default();
    };
    let on_backdrop = move |event: ev::MouseEvent| {
        let on_dialog = event.target().is_some_and(|target| target.dyn_ref::<web_sys::HtmlDialogElement>().is_some());
        if on_dialog {
            open.set(false);
        }
    };
    let options = move || {
        let views: Vec<_> = lines
            .get()
            .into_iter()
            .enumerate()
            .map(|(at, line)| {
                let href = line.href.clone();
                view! {
                    <li
                        class="palette__line"
                        id=format!("palette-{at}")
                        role="option"
                        aria-selected=move || if chosen.get() == at { "true" } else { "false" }
                        on:mousemove=move |_| chosen.set(at)
                        on:click=move |_| go.with_value(|go| go(&href))
                    >
                        <Icon glyph=line.glyph/>
                        <span class="palette__label">{line.label}</span>
                        <span class="palette__detail">{line.detail}</span>
                        <span class="palette__kind">{line.kind}</span>
                    </li>
                }
            })
            .collect();
        views
    };
    view! {
        <dialog
            class="palette"
            node_ref=node
            aria-label=t.frame.command_title()
            on:close=move |_| open.set(false)
            on:click=on_backdrop
        >
            <div class="palette__box">
                <div class="palette__search">
                    <Icon glyph=Glyph::Search/>
                    <input
                        class="palette__input"
                        node_ref=input
                        type="search"
                        role="combobox"
                        aria-expanded="true"
                        aria-controls="palette-list"
                        aria-activedescendant=move || format!("palette-{}", chosen.get())
                        aria-label=t.frame.command_title()
                        placeholder=t.frame.command_hint()
                        autocomplete="off"
                        on:input=move |event| {
                            chosen.set(0);
                            typed.set(event_target_value(&event));
                        }
                        on:keydown=on_key
                    />
                </div>
                <ul class="palette__list" id="palette-list" role="listbox" aria-label=t.frame.command_title()>
                    {options}
                </ul>
                <Show when=move || lines.with(Vec::is_empty)>
                    <p class="palette__none">{t.frame.command_none()}</p>
                </Show>
                <p class="palette__keys">{t.frame.command_keys()}</p>
            </div>
        </dialog>
    }
}

fn line_of(t: crate::i18n::Texts, hit: PaletteHit) -> Line {
    let (glyph, kind) = match hit.kind {
        PaletteKind::Workflow => (Glyph::Steps, t.frame.command_launch()),
        PaletteKind::Approval => (Glyph::Decisions, t.frame.command_decide()),
        PaletteKind::Run => (Glyph::Runs, t.frame.command_run()),
    };
    Line { glyph, kind, label: hit.label, detail: hit.detail, href: hit.href }
}
