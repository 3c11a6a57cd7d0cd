//! Random events in random order, with a crash at a random place: whatever happens, a run consumes what its filters say,
//! each event once, and a replay ends where the run did. On failure proptest prints the case and its seed.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use workflow::harness::{Answer, Faults, Outcome, Scenario};
use workflow::{CallRequest, Capability, CloudEvent, Definition, FunctionCatalogue};

fn definition(tasks: &str) -> Definition {
    let mut catalogue = FunctionCatalogue::new();
    catalogue.register("echo", json!({"type": "object"}), "Echo").unwrap();
    catalogue.allow(Capability::ALL);
    let source = format!("document: {{dsl: 1.0.3, namespace: test, name: chaos, version: 1.0.0}}\ndo:\n{tasks}");
    Definition::parse(&source, &catalogue).unwrap()
}

/// An event as the tests choose it: its id, type and room.
#[derive(Debug, Clone, Copy)]
struct Chosen {
    id: u8,
    kind: &'static str,
    room: Option<u8>,
}

fn chosen() -> impl Strategy<Value = Chosen> {
    (0_u8..12, prop::sample::select(vec!["a", "b", "over", "other"]), prop::option::of(0_u8..2))
        .prop_map(|(id, kind, room)| Chosen { id, kind, room })
}

/// The same id always means the same event.
fn events(chosen: &[Chosen]) -> Vec<CloudEvent> {
    let mut known: Vec<Chosen> = Vec::new();
    let mut events = Vec::new();
    for event in chosen {
        let event = *known.iter().find(|earlier| earlier.id == event.id).unwrap_or(event);
        known.push(event);
        let id = event.id.to_string();
        let room = event.room.map(|room| room.to_string());
        let mut data = json!({"id": id, "type": event.kind});
        if let (Some(data), Some(room)) = (data.as_object_mut(), &room) {
            data.insert("room".to_owned(), json!(room));
        }
        // An attribute that is null is none.
        let value = json!({"id": id, "source": "/s", "type": event.kind, "roomid": room, "data": data});
        events.push(CloudEvent::from_value(value).unwrap());
    }
    events
}

fn drive(definition: &Definition, events: &[CloudEvent], crash_after: Option<usize>) -> Outcome {
    let faults = Faults { crash_after, repeat: crash_after, ..Faults::default() };
    let mut echo = |request: &CallRequest| Answer::Done(request.with.clone());
    Scenario::new(definition, json!({})).events(events.to_vec()).faults(faults).drive(&mut echo)
}

fn consumed(outcome: &Outcome) -> Vec<Value> {
    outcome.run.output.as_ref().and_then(Value::as_array).cloned().unwrap_or_default()
}

fn sound(calm: &Outcome, crashed: &Outcome) -> Result<(), TestCaseError> {
    prop_assert_eq!(&calm.violations, &Vec::<String>::new());
    prop_assert_eq!(&crashed.violations, &Vec::<String>::new());
    prop_assert_eq!(&crashed.run, &calm.run);
    let consumed = consumed(calm);
    let ids: BTreeSet<String> = consumed.iter().map(|data| data["id"].to_string()).collect();
    prop_assert_eq!(ids.len(), consumed.len(), "an event was consumed twice: {:?}", consumed);
    if calm.run.status.is_final() {
        prop_assert!(calm.listening.is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_takes_one_event_for_each_filter_in_one_room(chosen in prop::collection::vec(chosen(), 0..16), crash in 0_usize..12) {
        let definition = definition("- hear:
    listen:
      to:
        all:
        - {with: {type: a}, correlate: {room: {from: .roomid}}}
        - {with: {type: a}, correlate: {room: {from: .roomid}}}
        - {with: {type: b}, correlate: {room: {from: .roomid}}}
");
        let events = events(&chosen);
        let (calm, crashed) = (drive(&definition, &events, None), drive(&definition, &events, Some(crash)));
        sound(&calm, &crashed)?;
        if calm.run.status.is_final() {
            let consumed = consumed(&calm);
            let kinds = |kind: &str| consumed.iter().filter(|data| data["type"] == kind).count();
            prop_assert_eq!((kinds("a"), kinds("b")), (2, 1));
            let rooms: BTreeSet<String> = consumed.iter().filter_map(|data| Some(data.get("room")?.to_string())).collect();
            prop_assert!(rooms.len() <= 1, "{:?}", consumed);
        }
    }

    #[test]
    fn any_takes_everything_until_it_is_over(chosen in prop::collection::vec(chosen(), 0..16), crash in 0_usize..24) {
        let definition = definition("- hear:
    listen: {to: {any: [{with: {type: a}}, {with: {type: b}}], until: {one: {with: {type: over}}}}}
    foreach: {do: [{say: {call: echo, with: {id: '${ $item.id }', type: '${ $item.type }'}}}]}
");
        let events = events(&chosen);
        let (calm, crashed) = (drive(&definition, &events, None), drive(&definition, &events, Some(crash)));
        sound(&calm, &crashed)?;
        let end = events.iter().position(|event| event.kind() == "over");
        prop_assert_eq!(calm.run.status.is_final(), end.is_some());
        if let Some(end) = end {
            let mut seen = BTreeSet::new();
            let wanted: Vec<&str> = events[..end]
                .iter()
                .filter(|event| matches!(event.kind(), "a" | "b") && seen.insert(event.id()))
                .map(CloudEvent::id)
                .collect();
            let found: Vec<Value> = consumed(&calm).iter().map(|data| data["id"].clone()).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
