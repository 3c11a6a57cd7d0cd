//! Pages that are never stale: the server tells by server-sent events what has changed, and resources that depend on a
//! version are fetched again.
//!
//! ```ignore
//! let live = use_live();
//! let runs = Data::new(move || (query.get(), live.version(Topic::Runs)), |(query, _)| api::runs::runs(query));
//! ```
//! One stream per page follows everything of the signed-in person; the run page opens one more for its run. Streams close
//! while the tab is hidden, since a browser keeps few connections to one server, and what was missed is fetched on return.

use std::time::Duration;

use domain::{RunId, view::LogLine};
use leptos::prelude::*;
use serde::Deserialize;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{EventSource, MessageEvent, VisibilityState};

use crate::json;

/// How long after a refused connection the next is tried.
const RETRY: Duration = Duration::from_secs(5);

/// What can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Runs that the person may see.
    Runs,
    /// Approvals that the person may see.
    Approvals,
    /// The person's notices.
    Notifications,
    /// Repositories whose branches bring definitions, or what came of them.
    Repositories,
    /// Connections, or whether they work.
    Connections,
    /// Triggers, or what was delivered to them.
    Triggers,
    /// Runners, whether they are there, or what they run.
    Runners,
}

/// The versions that resources depend on.
#[derive(Clone, Copy, Debug)]
pub struct Live {
    runs: RwSignal<u64>,
    approvals: RwSignal<u64>,
    notifications: RwSignal<u64>,
    repositories: RwSignal<u64>,
    connections: RwSignal<u64>,
    triggers: RwSignal<u64>,
    runners: RwSignal<u64>,
    /// Whether the stream is cut off.
    pub offline: RwSignal<bool>,
}

impl Live {
    /// Grows with each change of the topic. Read it where the resource's source is.
    pub fn version(self, topic: Topic) -> u64 {
        self.signal(topic).get()
    }

    /// Marks the topic as changed, after something was done on this page.
    pub fn touch(self, topic: Topic) {
        self.signal(topic).update(|version| *version += 1);
    }

    fn touch_all(self) {
        for topic in [
            Topic::Runs,
            Topic::Approvals,
            Topic::Notifications,
            Topic::Repositories,
            Topic::Connections,
            Topic::Triggers,
            Topic::Runners,
        ] {
            self.touch(topic);
        }
    }

    fn signal(self, topic: Topic) -> RwSignal<u64> {
        match topic {
            Topic::Runs => self.runs,
            Topic::Approvals => self.approvals,
            Topic::Notifications => self.notifications,
            Topic::Repositories => self.repositories,
            Topic::Connections => self.connections,
            Topic::Triggers => self.triggers,
            Topic::Runners => self.runners,
        }
    }
}

#[derive(Deserialize)]
struct Changed {
    topics: Vec<String>,
}

/// Opens the person's stream (in the browser, where `signed_in`), and makes [`use_live`] work below.
pub(crate) fn provide_live(signed_in: bool) -> Live {
    let live = Live {
        runs: RwSignal::new(0),
        approvals: RwSignal::new(0),
        notifications: RwSignal::new(0),
        repositories: RwSignal::new(0),
        connections: RwSignal::new(0),
        triggers: RwSignal::new(0),
        runners: RwSignal::new(0),
        offline: RwSignal::new(false),
    };
    provide_context(live);
    if signed_in {
        let url = Signal::derive(|| Some("/api/v1/stream".to_owned()));
        let changed = move |_event: &str, data: &str| {
            let Ok(changed) = json::read::<Changed>(data.as_bytes()) else { return };
            for topic in changed.topics {
                match topic.as_str() {
                    "runs" => live.touch(Topic::Runs),
                    "approvals" => live.touch(Topic::Approvals),
                    "notifications" => live.touch(Topic::Notifications),
                    "repositories" => live.touch(Topic::Repositories),
                    "connections" => live.touch(Topic::Connections),
                    "triggers" => live.touch(Topic::Triggers),
                    "runners" => live.touch(Topic::Runners),
                    _ => {}
                }
            }
        };
        follow(url, &["changed"], changed, move || live.touch_all(), Some(live.offline));
    }
    live
}

/// The versions of this page.
pub fn use_live() -> Live {
    use_context::<Live>().unwrap_or_else(|| provide_live(false))
}

/// Follows one run: the returned version grows with each of its changes, and `on_log` gets its log lines.
pub fn follow_run(id: Signal<Option<RunId>>, on_log: impl Fn(LogLine) + Clone + 'static) -> ReadSignal<u64> {
    let (version, set_version) = signal(0_u64);
    let bump = move || set_version.update(|version| *version += 1);
    // The page sets the id anew with each answer; only another id is another stream.
    let url = Memo::new(move |_| id.get().map(|id| format!("/api/v1/runs/{id}/stream")));
    let event = move |event: &str, data: &str| match event {
        "run" => bump(),
        "log" => {
            if let Ok(line) = json::read(data.as_bytes()) {
                on_log(line);
            }
        }
        _ => {}
    };
    follow(url.into(), &["run", "log"], event, bump, None);
    version
}

/// An open stream; dropping it closes it.
struct Stream {
    source: EventSource,
    _on_event: Vec<Closure<dyn FnMut(MessageEvent)>>,
    _on_state: Closure<dyn FnMut()>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.source.set_onopen(None);
        self.source.set_onerror(None);
        self.source.close();
    }
}

/// Keeps a stream open to `url` while the tab is visible. `missed` is called when a stream comes back.
fn follow(
    url: Signal<Option<String>>,
    events: &'static [&'static str],
    on_event: impl Fn(&str, &str) + Clone + 'static,
    missed: impl Fn() + Clone + 'static,
    offline: Option<RwSignal<bool>>,
) {
    let attempt = RwSignal::new(0_u64);
    Effect::new(move |_| {
        let document = document();
        let visibility = move || _ = attempt.try_update(|attempt| *attempt += 1);
        let listener = Closure::<dyn FnMut()>::new(visibility);
        let _ = document.add_event_listener_with_callback("visibilitychange", listener.as_ref().unchecked_ref());
        let listener = StoredValue::new_local(listener);
        on_cleanup(move || {
            listener.try_with_value(|listener| {
                let target = leptos::prelude::document();
                let _ =
                    target.remove_event_listener_with_callback("visibilitychange", listener.as_ref().unchecked_ref());
            });
        });
    });
    Effect::new(move |earlier: Option<bool>| {
        attempt.track();
        let Some(url) = url.get() else { return false };
        if document().visibility_state() == VisibilityState::Hidden {
            return true;
        }
        let stream = open(&url, events, on_event.clone(), missed.clone(), earlier == Some(true), attempt, offline);
        let stream = StoredValue::new_local(stream);
        on_cleanup(move || stream.try_update_value(|stream| *stream = None).unwrap_or_default());
        true
    });
}

fn open(
    url: &str,
    events: &'static [&'static str],
    on_event: impl Fn(&str, &str) + Clone + 'static,
    missed: impl Fn() + 'static,
    again: bool,
    attempt: RwSignal<u64>,
    offline: Option<RwSignal<bool>>,
) -> Option<Stream> {
    let source = EventSource::new(url).ok()?;
    let mut on_events = Vec::new();
    for name in events {
        let on_event = on_event.clone();
        let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            on_event(name, &event.data().as_string().unwrap_or_default());
        });
        let _ = source.add_event_listener_with_callback(name, listener.as_ref().unchecked_ref());
        on_events.push(listener);
    }
    let seen = std::cell::Cell::new(again);
    let on_state = {
        let source = source.clone();
        Closure::<dyn FnMut()>::new(move || {
            let state = source.ready_state();
            if let Some(offline) = offline {
                offline.try_set(state != EventSource::OPEN);
            }
            if state == EventSource::OPEN {
                if seen.replace(true) {
                    missed();
                }
            } else if state == EventSource::CLOSED {
                set_timeout(move || _ = attempt.try_update(|attempt| *attempt += 1), RETRY);
            }
        })
    };
    source.set_onopen(Some(on_state.as_ref().unchecked_ref()));
    source.set_onerror(Some(on_state.as_ref().unchecked_ref()));
    Some(Stream { source, _on_event: on_events, _on_state: on_state })
}
