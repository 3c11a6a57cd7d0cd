use audit::{Actor, Door, Entry, Named, Outcome, ResourceRef, seal};
use domain::{SessionId, UserId};
use proptest::prelude::*;
use serde_json::json;
use testkit::SeededRandom;
use uuid::Uuid;

use super::{syslog::Sender, *};

const LOG: &str = "rondo/4f1c33a09be2d87e";
const ALL: [Format; 3] = [Format::Rondo, Format::CloudEvents, Format::Ocsf];

fn entry(action: &str, outcome: Outcome) -> Entry {
    let id = Uuid::from_u128;
    Entry {
        at: "2026-11-22T15:04:05.123456Z".parse().unwrap(),
        actor: Actor::person(UserId::from_uuid(id(7)), "manager"),
        door: Door::Portal,
        session: Some(SessionId::from_uuid(id(8))),
        token: None,
        address: Some("192.0.2.7".to_owned()),
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        action: action.to_owned(),
        resource: ResourceRef {
            kind: "approval".to_owned(),
            id: id(9).to_string(),
            name: "R-1042".to_owned(),
            persons: Vec::new(),
        },
        namespace: Some("identity".parse().unwrap()),
        outcome,
        policies: vec!["asked-people-decide".to_owned()],
        policy_set: None,
        detail: json!({"name": "김민준", "decision": "approve"}),
        named: vec![Named { pointer: "/name".to_owned(), persons: Vec::new() }],
    }
}

fn checkpoint() -> AuditCheckpoint {
    let note =
        "rondo/4f1c33a09be2d87e\n2\nnND/nri/U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=\n\n— rondo/4f1c33a09be2d87e c2ln\n";
    AuditCheckpoint { size: 2, at: "2026-11-22T15:05:00Z".parse().unwrap(), note: note.to_owned() }
}

/// A decision, a sign-in by a system without an address, and a checkpoint.
fn samples() -> [Parcel; 2] {
    let unknown = Entry {
        actor: Actor::unknown("nobody\"]"),
        address: None,
        session: None,
        policies: Vec::new(),
        ..entry("session.create", Outcome::Refused)
    };
    let rows = [entry("approval.decide", Outcome::Done), unknown];
    let rows = (1..).zip(&rows).map(|(place, one)| seal(place, one, &SeededRandom::new(1)).unwrap()).collect();
    [Parcel::Entries(rows), Parcel::Checkpoints(vec![checkpoint()])]
}

/// The same in every version of the program.
fn unversioned(text: &str) -> String {
    text.replace(concat!("\"", env!("CARGO_PKG_VERSION"), "\""), "\"VERSION\"")
}

#[test]
fn each_format_says_the_same_in_its_own_way() {
    for format in ALL {
        let written: Vec<Value> = samples()
            .iter()
            .flat_map(|parcel| format.write(LOG, parcel))
            .map(|text| serde_json::from_str(&unversioned(&text)).unwrap())
            .collect();
        insta::assert_json_snapshot!(format.as_str(), written);
        assert_eq!(format.as_str().parse::<Format>().unwrap(), format);
    }
    assert!("cef".parse::<Format>().is_err());
}

#[test]
fn what_was_hashed_stands_in_the_own_format_as_it_is() {
    let [Parcel::Entries(rows), _] = samples() else { panic!("no entries") };
    let line = Format::Rondo.entry(LOG, &rows[0]);
    let body = line.strip_prefix("{\"log\":\"rondo/4f1c33a09be2d87e\",\"body\":").unwrap();
    let (body, hash) = body.split_once(",\"hash\":\"").unwrap();
    let (body, beside) = body.split_once("},\"personal\":").unwrap();
    let body = format!("{body}}}");
    assert_eq!((&body, Some(beside)), (&rows[0].body, rows[0].personal.as_deref()));
    assert_eq!(hash.strip_suffix("\"}").unwrap(), ledger::tree::text(&ledger::tree::leaf(body.as_bytes())));
}

/// What OCSF 1.3.0 requires of the classes that are used.
#[test]
fn an_event_of_ocsf_has_what_its_class_requires() {
    let every = ["activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time", "type_uid"];
    for (action, class, own) in [
        ("session.create", 3002, &["user", "service"][..]),
        ("session.end", 3002, &["user", "service"]),
        ("run.launch", 6003, &["actor", "api", "src_endpoint"]),
        ("grant.revoke", 6003, &["actor", "api", "src_endpoint"]),
    ] {
        for outcome in Outcome::ALL {
            let row = seal(1, &entry(action, *outcome), &SeededRandom::new(1)).unwrap();
            let event: Value = serde_json::from_str(&Format::Ocsf.entry(LOG, &row)).unwrap();
            for name in every.iter().chain(own) {
                assert!(!event[name].is_null(), "{action}: {name}");
            }
            assert_eq!(event["class_uid"], class);
            let (class, activity) = (event["class_uid"].as_u64().unwrap(), event["activity_id"].as_u64().unwrap());
            assert_eq!(event["type_uid"], class * 100 + activity);
            assert_eq!(event["category_uid"], class / 1000);
            for name in ["version", "product"] {
                assert!(!event["metadata"][name].is_null(), "{name}");
            }
            assert!(event["src_endpoint"]["name"].is_string() && event["actor"]["user"]["name"].is_string());
            assert_eq!(event["status_id"], if *outcome == Outcome::Done { 1 } else { 2 });
        }
    }
}

/// A message as a receiver reads it.
#[derive(Debug)]
struct Message {
    priority: u8,
    header: Vec<String>,
    /// The parameters of the last element of structured data.
    parameters: Vec<(String, String)>,
    has_bom: bool,
    text: String,
    whole: String,
}

/// Reads frames by counting octets, and their messages by the grammar of RFC 5424.
fn read(mut frames: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while !frames.is_empty() {
        let space = frames.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&frames[..space]).unwrap().parse().unwrap();
        let (message, rest) = frames[space + 1..].split_at(length);
        messages.push(message_of(std::str::from_utf8(message).unwrap()));
        frames = rest;
    }
    messages
}

fn message_of(whole: &str) -> Message {
    let (priority, text) = whole.strip_prefix('<').unwrap().split_once('>').unwrap();
    let mut words = text.splitn(7, ' ');
    let header: Vec<String> = words.by_ref().take(6).map(str::to_owned).collect();
    let mut rest = words.next().unwrap();
    let mut parameters = Vec::new();
    while let Some(element) = rest.strip_prefix('[') {
        parameters.clear();
        let end = element.find([' ', ']']).unwrap();
        assert!(element[..end].bytes().all(|byte| byte.is_ascii_graphic() && !b"=]\"".contains(&byte)));
        rest = &element[end..];
        while let Some(parameter) = rest.strip_prefix(' ') {
            let (name, quoted) = parameter.split_once("=\"").unwrap();
            let mut value = String::new();
            let mut characters = quoted.char_indices();
            let end = loop {
                match characters.next().unwrap() {
                    (_, '\\') => value.push(characters.next().unwrap().1),
                    (place, '"') => break place,
                    (_, ']') => panic!("a bracket that ends the element"),
                    (_, other) => value.push(other),
                }
            };
            parameters.push((name.to_owned(), value));
            rest = &quoted[end + 1..];
        }
        rest = rest.strip_prefix(']').unwrap();
    }
    let text = rest.strip_prefix(' ').unwrap();
    let has_bom = text.starts_with('\u{feff}');
    Message {
        priority: priority.parse().unwrap(),
        header,
        parameters,
        has_bom,
        text: text.trim_start_matches('\u{feff}').to_owned(),
        whole: whole.to_owned(),
    }
}

fn sender(enterprise: Option<u32>) -> Sender {
    Sender { host: "rondo.example.test".to_owned(), format: Format::Rondo, enterprise }
}

#[test]
fn syslog_messages_are_as_the_grammar_wants_them() {
    let frames: Vec<u8> = samples().iter().flat_map(|parcel| sender(Some(32473)).frames(LOG, parcel)).collect();
    let messages = read(&frames);
    let whole: Vec<_> = messages.iter().map(|message| message.whole.as_str()).collect();
    insta::assert_snapshot!("syslog", unversioned(&whole.join("\n")));
    // Facility 13; informational, warning, notice.
    assert_eq!(messages.iter().map(|message| message.priority).collect::<Vec<_>>(), [110, 108, 109]);
    for message in &messages {
        assert_eq!(message.header[0], "1");
        assert_eq!(message.header[2..5], ["rondo.example.test", "rondo", "-"]);
    }
}

proptest! {
    #[test]
    fn a_receiver_reads_back_what_was_written(
        login in any::<String>(),
        action in any::<String>(),
        name in any::<String>(),
        detail in any::<String>(),
        outcome in prop::sample::select(Outcome::ALL),
    ) {
        let one = entry(&action, outcome);
        let one = Entry {
            actor: Actor::unknown(login),
            resource: ResourceRef { name, ..one.resource },
            detail: json!({"text": detail}),
            ..one
        };
        let rows: Vec<_> = (1..3).map(|place| seal(place, &one, &SeededRandom::new(1)).unwrap()).collect();
        for enterprise in [None, Some(1)] {
            let messages = read(&sender(enterprise).frames(LOG, &Parcel::Entries(rows.clone())));
            prop_assert_eq!(messages.len(), 2);
            for (message, row) in messages.iter().zip(&rows) {
                prop_assert_eq!(&message.text, &Format::Rondo.entry(LOG, row));
                prop_assert_eq!(message.has_bom, !message.text.is_ascii());
                prop_assert!(message.header[5].len() <= 32 && !message.header[5].is_empty());
                if enterprise.is_some() {
                    let value = |name: &str| message.parameters.iter().find(|(known, _)| known == name).unwrap().1.clone();
                    prop_assert_eq!(value("actor"), row.actor.clone());
                    prop_assert_eq!(value("action"), row.action.clone());
                    prop_assert_eq!(value("seq"), row.seq.to_string());
                }
            }
        }
        for format in ALL {
            for row in &rows {
                let text = format.entry(LOG, row);
                prop_assert!(!text.contains('\n'));
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
            }
        }
    }
}
