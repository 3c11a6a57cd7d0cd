//! Journals and snapshots that were written stay readable. For each pair of [`Event::FORMAT`] and [`RunState::VERSION`]
//! there is a file with what was written then: a definition, its journal, and the state after it.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use workflow::harness::{Answer, Scenario};
use workflow::{
    CallRequest, Capability, CloudEvent, Definition, Event, FunctionCatalogue, RunState, apply, outstanding,
};

/// Everything that a state can hold at once: a call, a timer, an approval, a subscription, an iteration that waits, a
/// process that nobody waits for, a completed task that can be taken back, an extension at work.
const DEFINITION: &str = "
document: {dsl: 1.0.3, namespace: test, name: journal, version: 1.0.0}
use: {extensions: [{watch: {extend: composite, before: [{look: {call: silent}}]}}]}
timeout: {after: P1D}
do:
- first: {set: {n: '${ .n }'}, export: {as: '{n: .n}'}, metadata: {rondo: {compensate: [{undo: {set: {}}}]}}}
- all:
    fork:
      branches:
      - call: {call: silent, with: {n: '${ .n }'}, timeout: {after: PT1H}}
      - pause: {wait: P2D}
      - ask: {call: approval, with: {approvers: [{user: ana}], due: PT2H}}
      - hear:
          listen: {to: {any: [{with: {type: t}, correlate: {room: {from: .roomid}}}], until: {all: [{with: {type: u}}, {with: {type: v}}]}}}
          foreach: {do: [{say: {call: silent, with: {it: '${ $item }'}}}]}
      - forget: {run: {await: false, shell: {command: silent}}}
      - nothing: {set: '${ null }'}
      - loop: {for: {in: '[1, 2]'}, do: [{each: {emit: {event: {with: {source: /s, type: w, data: '${ $item }'}}}}}]}
      - watched: {do: [{inner: {set: {}}}]}
      - again: {try: [{fails: {raise: {error: {type: 'https://example.com/e', status: 500}}}}], catch: {retry: {delay: PT5M}}}
";

fn definition() -> Definition {
    let mut catalogue = FunctionCatalogue::new();
    catalogue.register("silent", json!({"type": "object"}), "Silent").unwrap();
    catalogue.allow(Capability::ALL);
    Definition::parse(DEFINITION, &catalogue).unwrap()
}

fn file() -> PathBuf {
    let name = format!("events-{}-state-{}.json", Event::FORMAT, RunState::VERSION);
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals").join(name)
}

fn event(id: &str, kind: &str) -> CloudEvent {
    CloudEvent::from_value(json!({"id": id, "source": "/s", "type": kind, "roomid": "x", "data": null})).unwrap()
}

/// Writes the file of a new format: `RONDO_WRITE_JOURNAL=1 cargo test -p workflow --test journal`.
fn write() {
    let definition = definition();
    let mut silent = Quiet;
    let events = vec![event("1", "t"), event("2", "t"), event("3", "u")];
    let outcome = Scenario::new(&definition, json!({"n": 1})).events(events).limit(12).drive(&mut silent);
    let written = json!({"journal": outcome.journal, "state": outcome.state});
    std::fs::create_dir_all(file().parent().unwrap()).unwrap();
    std::fs::write(file(), serde_json::to_string_pretty(&written).unwrap() + "\n").unwrap();
}

struct Quiet;

impl workflow::harness::Responder for Quiet {
    fn call(&mut self, _: &CallRequest) -> Answer {
        Answer::Silent
    }

    fn approval(&mut self, _: &workflow::ApprovalRequest) -> Answer {
        Answer::Silent
    }
}

/// Older programs wrote these. Their snapshots are not used, but their journals are, and end where they did.
#[test]
fn journals_of_earlier_formats_are_read() {
    let folder = file().parent().unwrap().to_owned();
    let mut earlier = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path == file() {
            continue;
        }
        earlier += 1;
        let written: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let journal: Vec<Event> = serde_json::from_value(written["journal"].clone()).unwrap();
        let mut state = RunState::new();
        for event in &journal {
            apply(&definition(), &mut state, event);
        }
        let state = serde_json::to_value(&state).unwrap();
        for part in ["calls", "timers", "subscriptions", "detached", "attempts", "completed", "context", "shown"] {
            assert_eq!(state[part], written["state"][part], "{part}");
        }
    }
    assert!(earlier > 0);
}

#[test]
fn what_was_written_in_the_current_format_is_read() {
    if std::env::var_os("RONDO_WRITE_JOURNAL").is_some() {
        write();
    }
    let text = std::fs::read_to_string(file()).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    let journal: Vec<Event> = serde_json::from_value(written["journal"].clone()).unwrap();
    let mut state = RunState::new();
    for event in &journal {
        apply(&definition(), &mut state, event);
    }
    assert_eq!(serde_json::to_value(&state).unwrap(), written["state"], "the journal gives another state than it did");
    let read: RunState = serde_json::from_value(written["state"].clone()).unwrap();
    assert!(read.is_current());
    assert_eq!(read, state, "the snapshot is read differently from how it was written");
    let flight: Vec<Value> =
        outstanding(&read).iter().map(|effect| serde_json::to_value(effect).unwrap()["effect"].clone()).collect();
    for kind in ["call", "setTimer", "openApproval", "subscribe"] {
        assert!(flight.contains(&json!(kind)), "{kind} is not in flight: {flight:?}");
    }
}
