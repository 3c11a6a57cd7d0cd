//! A log of any length: only what is in sight is drawn. It follows its end, stops following when somebody scrolls up,
//! searches, wraps and downloads.

use std::fmt::Write as _;

use domain::{RunId, view::LogLine};
use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;

use super::{Button, ButtonLook, Glyph};
use crate::{
    api::runs::{LINES_AT_ONCE, run_logs},
    i18n::use_texts,
    model::log_window::{LogWindow, ROW_HEIGHT, Slice, find},
    view,
};

/// The lines of a run's log, or of one of its tasks. The page owns it, so that it outlives what is drawn.
#[derive(Clone, Copy)]
pub struct LogStore {
    lines: RwSignal<Vec<LogLine>>,
    /// Which run and task the lines are of.
    source: RwSignal<Option<(RunId, String)>>,
    loading: RwSignal<bool>,
}

impl LogStore {
    /// An empty log.
    pub fn new() -> Self {
        Self { lines: RwSignal::new(Vec::new()), source: RwSignal::new(None), loading: RwSignal::new(false) }
    }

    /// Shows the log of a run (of one task where `reference` is not empty), and fetches all of it, in the browser.
    pub fn show(self, run: RunId, reference: &str) {
        let wanted = Some((run, reference.to_owned()));
        if self.source.get_untracked() == wanted {
            return;
        }
        self.source.set(wanted);
        self.lines.set(Vec::new());
        self.fetch();
    }

    /// Adds a line that the live stream brought.
    pub fn add(self, line: LogLine) {
        let mine = self.source.try_with_untracked(|source| {
            source.as_ref().is_some_and(|(_, reference)| is_within(&line.reference, reference))
        });
        let mine = mine.unwrap_or_default();
        // While earlier lines are still being fetched this one comes with them.
        if mine && !self.loading.get_untracked() && self.last_seq().is_some_and(|last| last < line.seq) {
            self.lines.update(|lines| lines.push(line));
        }
    }

    /// The place of the last line; `None` once the page is gone.
    fn last_seq(self) -> Option<i64> {
        self.lines.try_with_untracked(|lines| lines.last().map_or(0, |line| line.seq))
    }

    /// Fetches what is missing, page by page.
    pub fn fetch(self) {
        let Some((run, reference)) = self.source.get_untracked() else { return };
        if self.loading.get_untracked() {
            return;
        }
        self.loading.set(true);
        // Not bound to what is drawn now, which live changes replace; ends by itself when the page is gone.
        leptos::task::spawn_local(async move {
            loop {
                let Some(after) = self.last_seq() else { return };
                let answer = run_logs(run, reference.clone(), after).await;
                let source = self.source.try_get_untracked().flatten();
                if source.as_ref() != Some(&(run, reference.clone())) {
                    // Another log is wanted by now.
                    self.loading.try_set(false);
                    if source.is_some() {
                        self.fetch();
                    }
                    return;
                }
                let Ok(more) = answer else { break };
                let full = more.len() >= LINES_AT_ONCE as usize;
                self.lines.try_update(|lines| lines.extend(more.into_iter().filter(|line| line.seq > after)));
                if !full {
                    break;
                }
            }
            self.loading.try_set(false);
        });
    }
}

impl Default for LogStore {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a task's lines belong to the log of `reference`: its own and those of the tasks within it.
fn is_within(task: &str, reference: &str) -> bool {
    task.strip_prefix(reference).is_some_and(|rest| reference.is_empty() || rest.is_empty() || rest.starts_with('/'))
}

/// The log, with its bar of controls.
#[component]
pub fn LogView(
    /// The lines.
    store: LogStore,
    /// The first lines, as the server sent them with the page.
    first: Vec<LogLine>,
    /// Name of the file to download.
    #[prop(into)]
    file: String,
    /// Whether lines may still come.
    #[prop(into)]
    open: Signal<bool>,
) -> impl IntoView {
    let t = use_texts().runs;
    let first = StoredValue::new(first);
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    // What the server sent is shown until the browser has fetched its own.
    let with_lines = move |read: &mut dyn FnMut(&[LogLine])| {
        store.lines.with(|lines| if lines.is_empty() { first.with_value(|first| read(first)) } else { read(lines) });
    };

    let follow = RwSignal::new(true);
    let wrap = RwSignal::new(false);
    let search = RwSignal::new(String::new());
    let at = RwSignal::new(0_usize);
    let scrolled = RwSignal::new(0.0_f64);
    let view_size = RwSignal::new((0.0_f64, 0.0_f64));
    let pane = NodeRef::<html::Div>::new();

    let columns = Memo::new(move |_| wrap.get().then(|| columns_of(view_size.get().0)));
    let window = Memo::new(move |_| {
        let mut measured = LogWindow::default();
        with_lines(&mut |lines| {
            measured = LogWindow::measure(lines.iter().map(|line| line.text.as_str()), columns.get());
        });
        measured
    });
    let slice = Memo::new(move |_| {
        // The first frame is the server's: it cannot know how high the pane is.
        let height = if alive.get() { view_size.get().1.max(200.0) } else { 600.0 };
        window.with(|window| window.slice(scrolled.get(), height))
    });
    let found = Memo::new(move |_| {
        let needle = search.get();
        let mut found = Vec::new();
        if !needle.is_empty() {
            with_lines(&mut |lines| found = find(lines.iter().map(|line| line.text.as_str()), &needle));
        }
        found
    });
    let current = Memo::new(move |_| {
        let at = at.get();
        found.with(|found| found.get(at.min(found.len().saturating_sub(1))).copied())
    });

    let measure = move || {
        // Asked for by the browser, possibly after the view has gone.
        if let Some(pane) = pane.try_get_untracked().flatten() {
            view_size.try_set((f64::from(pane.client_width()), f64::from(pane.client_height())));
        }
    };
    Effect::new(move |_| {
        let _ = pane.get();
        // The pane grows with its lines, up to a limit.
        window.with(|window| _ = window.len());
        request_animation_frame(measure);
    });
    let resized = window_event_listener(leptos::ev::resize, move |_| measure());
    on_cleanup(move || resized.remove());
    // Follows the end, once the new height has been drawn.
    Effect::new(move |_| {
        let height = window.with(|window| window.top_of(window.len()));
        if follow.get() && height > 0.0 {
            request_animation_frame(move || {
                if let Some(pane) = pane.try_get_untracked().flatten() {
                    pane.set_scroll_top(pane.scroll_height());
                }
            });
        }
    });
    Effect::new(move |_| {
        let Some(line) = current.get() else { return };
        follow.set(false);
        if let Some(pane) = pane.get_untracked() {
            pane.set_scroll_top(whole(window.with_untracked(|window| window.top_of(line)) - 3.0 * ROW_HEIGHT));
        }
    });

    let on_scroll = move |_| {
        let Some(pane) = pane.try_get_untracked().flatten() else { return };
        let top = f64::from(pane.scroll_top());
        let at_end = top + f64::from(pane.client_height()) >= f64::from(pane.scroll_height()) - ROW_HEIGHT;
        let upwards = top + 1.0 < scrolled.get_untracked();
        scrolled.set(top);
        if at_end && search.with_untracked(String::is_empty) {
            follow.set(true);
        } else if upwards {
            follow.set(false);
        }
    };
    let step = move |forward: bool| {
        let count = found.with_untracked(Vec::len);
        if count > 0 {
            at.update(|at| *at = if forward { (*at + 1) % count } else { (*at + count - 1) % count });
        }
    };
    let on_key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Enter" {
            event.prevent_default();
            step(!event.shift_key());
        }
    };
    let on_search = move |event| {
        search.set(event_target_value(&event));
        at.set(0);
    };
    let download = move |_| {
        let mut text = String::new();
        with_lines(&mut |lines| {
            for line in lines {
                let _ = writeln!(text, "{} {} {} {}", line.at, line.level, line.reference, line.text);
            }
        });
        save(&file, &text);
    };
    let count = Memo::new(move |_| window.with(LogWindow::len));
    let matches_text = move || {
        let count = found.with(Vec::len);
        match (search.with(String::is_empty), count) {
            (true, _) => String::new(),
            (false, 0) => t.log_no_match().to_owned(),
            (false, count) => t.log_matches(at.get().min(count - 1) + 1, count),
        }
    };
    let rows = move || {
        let Slice { lines: range, .. } = slice.get();
        let mut rows = Vec::new();
        let needle = search.get().to_lowercase();
        let marked = current.get();
        with_lines(&mut |lines| {
            let visible = lines.iter().enumerate().skip(range.start).take(range.len());
            rows = visible.map(|(index, line)| row(index, line, &needle, marked == Some(index))).collect();
        });
        rows
    };
    let above = move || px(slice.get().top);
    let below = move || {
        let slice = slice.get();
        px(slice.height - window.with(|window| window.top_of(slice.lines.end)))
    };

    view! {
        <div class="log">
            <div class="log__bar">
                <input
                    class="input log__search"
                    type="search"
                    aria-label=t.log_search()
                    placeholder=t.log_search()
                    prop:value=move || search.get()
                    on:input=on_search
                    on:keydown=on_key
                />
                <span class="log__matches" role="status">{matches_text}</span>
                <span class="log__gap"></span>
                <Button
                    kind="button"
                    look=ButtonLook::Quiet
                    small=true
                    attr:aria-pressed=move || if follow.get() { "true" } else { "false" }
                    on:click=move |_| follow.update(|follow| *follow = !*follow)
                >
                    {t.log_follow()}
                </Button>
                <Button
                    kind="button"
                    look=ButtonLook::Quiet
                    small=true
                    attr:aria-pressed=move || if wrap.get() { "true" } else { "false" }
                    on:click=move |_| wrap.update(|wrap| *wrap = !*wrap)
                >
                    {t.log_wrap()}
                </Button>
                <Button kind="button" look=ButtonLook::Quiet small=true icon=Glyph::Download on:click=download>
                    {t.log_download()}
                </Button>
            </div>
            <div
                class="log__pane"
                class:log__pane--wrap=move || wrap.get()
                node_ref=pane
                role="log"
                aria-live="off"
                aria-label=t.log()
                tabindex="0"
                on:scroll=on_scroll
            >
                <svg class="log__space" width="1" height=above aria-hidden="true"></svg>
                <ol class="log__lines">{rows}</ol>
                <svg class="log__space" width="1" height=below aria-hidden="true"></svg>
            </div>
            <p class="log__foot">
                <span>{move || t.log_lines(count.get())}</span>
                <span role="status">
                    {move || match (store.loading.get(), open.get()) {
                        (true, _) => t.log_loading(),
                        (false, true) => t.log_live(),
                        (false, false) => t.log_ended(),
                    }}
                </span>
            </p>
        </div>
    }
}

fn row(index: usize, line: &LogLine, needle: &str, current: bool) -> impl IntoView + use<> {
    let class = format!("log__line log__line--{}", line.level);
    let time = line.at.to_string().get(11..23).unwrap_or_default().to_owned();
    view! {
        <li class=class class:log__line--current=current value=(index + 1).to_string()>
            <span class="log__time">{time}</span>
            <span class="log__text">{marked(&line.text, needle)}</span>
        </li>
    }
}

/// The text with what was searched for marked.
fn marked(text: &str, needle: &str) -> Vec<AnyView> {
    let lower = text.to_lowercase();
    // Where lower case has another length than the text, places do not match: then nothing is marked.
    if needle.is_empty() || lower.len() != text.len() {
        return vec![view! { <span>{text.to_owned()}</span> }];
    }
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, _) in lower.match_indices(needle) {
        if let (Some(before), Some(hit)) = (text.get(from..at), text.get(at..at + needle.len())) {
            if !before.is_empty() {
                parts.push(view! { <span>{before.to_owned()}</span> });
            }
            parts.push(view! { <mark>{hit.to_owned()}</mark> });
            from = at + needle.len();
        }
    }
    if let Some(rest) = text.get(from..).filter(|rest| !rest.is_empty()) {
        parts.push(view! { <span>{rest.to_owned()}</span> });
    }
    parts
}

/// Characters of the log's font that fit beside the time, at the style sheet's 13 px.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a width in pixels")]
fn columns_of(width: f64) -> usize {
    const LETTER: f64 = 7.83;
    const TIME: f64 = 128.0;
    ((width - TIME) / LETTER).max(20.0) as usize
}

fn px(length: f64) -> String {
    format!("{:.0}", length.max(0.0))
}

#[expect(clippy::cast_possible_truncation, reason = "the browser scrolls by whole pixels")]
fn whole(length: f64) -> i32 {
    length.max(0.0) as i32
}

/// Lets the browser save a text as a file.
fn save(name: &str, text: &str) {
    let parts = js_sys::Array::of1(&text.into());
    let options = web_sys::BlobPropertyBag::new();
    options.set_type("text/plain;charset=utf-8");
    let Ok(blob) = web_sys::Blob::new_with_str_sequence_and_options(&parts, &options) else { return };
    let Ok(url) = web_sys::Url::create_object_url_with_blob(&blob) else { return };
    if let Ok(link) = document().create_element("a") {
        let _ = link.set_attribute("href", &url);
        let _ = link.set_attribute("download", name);
        if let Ok(link) = link.dyn_into::<web_sys::HtmlElement>() {
            link.click();
        }
    }
    let _ = web_sys::Url::revoke_object_url(&url);
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn a_box_has_the_lines_of_its_tasks() {
        assert!(is_within("/do/0/a", ""));
        assert!(is_within("/do/0/a", "/do/0/a"));
        assert!(is_within("/do/0/a/try/0/b", "/do/0/a"));
        assert!(!is_within("/do/0/ab", "/do/0/a"));
    }
}
