//! What is read from elsewhere: functions of catalogs and addresses, schemas. And what runs begin by.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use workflow::harness::{Answer, Scenario};
use workflow::{
    CallRequest, Capability, CloudEvent, Definition, EventFilter, FunctionCatalogue, Gathering, ResourceResolver,
};

#[derive(Default)]
struct Texts {
    texts: BTreeMap<&'static str, &'static str>,
    asked: Mutex<Vec<(String, Option<Value>)>>,
}

impl ResourceResolver for Texts {
    fn text(&self, uri: &str, authentication: Option<&Value>) -> Result<String, String> {
        self.asked.lock().unwrap().push((uri.to_owned(), authentication.cloned()));
        self.texts.get(uri).map(|text| (*text).to_owned()).ok_or_else(|| "not found".to_owned())
    }
}

fn catalogue(texts: &Arc<Texts>) -> FunctionCatalogue {
    let mut catalogue = FunctionCatalogue::new();
    catalogue.register("echo", json!({"type": "object"}), "Echo").unwrap();
    catalogue.allow(Capability::ALL);
    catalogue.resolve_with(texts.clone());
    catalogue
}

fn parse(head: &str, tasks: &str, texts: &Arc<Texts>) -> Result<Definition, Vec<String>> {
    let source =
        format!("document: {{dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}}\n{head}\ndo:\n{tasks}\n");
    Definition::parse(&source, &catalogue(texts)).map_err(|found| found.iter().map(ToString::to_string).collect())
}

const LOG: &str =
    "https://raw.githubusercontent.com/serverlessworkflow/catalog/refs/heads/main/functions/log/0.5.2/function.yaml";

/// dsl.md, "Using Cataloged Functions" and "File Structure".
#[test]
fn a_function_of_a_catalog_is_read_once_and_called() {
    let texts = Arc::new(Texts {
        texts: BTreeMap::from([(
            LOG,
            "input: {schema: {document: {required: [message]}}}\ncall: echo\nwith: {said: '${ .message }'}",
        )]),
        ..Texts::default()
    });
    let head = "use: {catalogs: {global: {endpoint: {uri: 'https://github.com/serverlessworkflow/catalog', authentication: {basic: {username: ana, password: secret}}}}}}";
    let tasks = "- one: {call: 'log:0.5.2@global', with: {message: hello}}\n- two: {call: 'log:0.5.2@global', with: {message: '${ .said }'}}";
    let definition = parse(head, tasks, &texts).unwrap();
    let policy = json!({"basic": {"username": "ana", "password": "secret"}});
    assert_eq!(*texts.asked.lock().unwrap(), [(LOG.to_owned(), Some(policy))]);
    let mut echo = |request: &CallRequest| Answer::Done(request.with.clone());
    let outcome = Scenario::new(&definition, json!({})).drive(&mut echo);
    assert_eq!(outcome.run.output, Some(json!({"said": "hello"})));
    assert_eq!(
        outcome.tasks.iter().map(|task| task.reference.as_str()).collect::<Vec<_>>(),
        ["/do/0/one", "/use/functions/log:0.5.2@global", "/do/1/two", "/use/functions/log:0.5.2@global"]
    );
    let other = Arc::new(Texts { texts: BTreeMap::from([(LOG, "set: {other: true}")]), ..Texts::default() });
    let changed = parse(head, tasks, &other).unwrap();
    assert_ne!(changed.digest(), definition.digest(), "what is called is part of what will run");
}

#[test]
fn the_default_catalog_and_addresses_need_no_declaration() {
    let texts = Arc::new(Texts {
        texts: BTreeMap::from([
            ("catalog://default/functions/a/1.0.0/function.yaml", "set: {a: 1}"),
            ("https://example.com/b/function.yaml", "do: [{inner: {call: 'a:1.0.0@default'}}]"),
        ]),
        ..Texts::default()
    });
    let definition = parse("", "- it: {call: 'https://example.com/b/function.yaml'}", &texts).unwrap();
    let outcome = Scenario::new(&definition, json!({})).drive(&mut |_: &CallRequest| Answer::Silent);
    assert_eq!(outcome.run.output, Some(json!({"a": 1})));
}

#[test]
fn what_is_wrong_elsewhere_is_said_with_its_place() {
    let texts = Arc::new(Texts {
        texts: BTreeMap::from([
            ("https://example.com/bad", "set: {a: '${ .x | }'}\nthn: end"),
            ("https://example.com/loop", "call: https://example.com/loop"),
            ("https://example.com/text", "just text"),
        ]),
        ..Texts::default()
    });
    let found = |call: &str| parse("", &format!("- it: {{call: '{call}'}}"), &texts).unwrap_err();
    assert_eq!(
        found("https://example.com/bad"),
        [
            "4:14: in https://example.com/bad:1:10: in the expression: the expression ends too early: expected term",
            "4:14: in https://example.com/bad:2:1: unknown property “thn”, did you mean “then”?",
        ]
    );
    assert_eq!(found("https://example.com/loop"), ["1:1: the function “https://example.com/loop” calls itself"]);
    assert_eq!(found("https://example.com/text"), ["4:14: https://example.com/text holds a string, not an object"]);
    assert_eq!(found("https://example.com/none"), ["4:14: https://example.com/none cannot be read: not found"]);
    assert_eq!(found("log:1@globl"), ["4:14: there is no catalog “globl” under `use.catalogs`"]);
    assert_eq!(
        found("log@default"),
        ["4:14: “log@default” does not name a function of a catalog: expected name:version@catalog"]
    );
    assert_eq!(found("../x:1@default").len(), 1);
}

#[test]
fn texts_that_refer_to_each_other_without_end_are_refused() {
    struct Endless;
    impl ResourceResolver for Endless {
        fn text(&self, uri: &str, _: Option<&Value>) -> Result<String, String> {
            Ok(format!("call: {uri}x"))
        }
    }
    let mut catalogue = FunctionCatalogue::new();
    catalogue.resolve_with(Arc::new(Endless));
    let source = "document: {dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}\ndo: [{it: {call: 'https://example.com/'}}]\n";
    let found = Definition::parse(source, &catalogue).unwrap_err();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found.iter().all(|it| it.message.ends_with("the definition refers to more than 50 other texts")),
        "{found:?}"
    );
}

/// dsl-reference.md, "Schema".
#[test]
fn a_schema_can_be_elsewhere() {
    let texts = Arc::new(Texts {
        texts: BTreeMap::from([("https://example.com/schema.json", "{\"type\": \"object\", \"required\": [\"n\"]}")]),
        ..Texts::default()
    });
    let head = "input: {schema: {resource: {endpoint: 'https://example.com/schema.json'}}}";
    let definition = parse(head, "- it: {set: {m: '${ .n }'}}", &texts).unwrap();
    assert_eq!(definition.input_schema().unwrap(), &json!({"type": "object", "required": ["n"]}));
    let outcome = Scenario::new(&definition, json!({})).drive(&mut |_: &CallRequest| Answer::Silent);
    assert_eq!(outcome.run.error.unwrap().status, 400);
}

const NESTED: &str = "
document: {dsl: 1.0.3, namespace: test, name: case, version: 1.2.3}
input: {schema: {resource: {endpoint: 'https://example.com/schema.json'}}}
do: [{it: {call: 'https://example.com/b/function.yaml'}}, {too: {call: 'https://example.com/b/function.yaml'}}]
";

#[test]
fn a_definition_is_restored_from_what_was_read_and_reads_nothing_else() {
    let texts = Arc::new(Texts {
        texts: BTreeMap::from([
            ("https://example.com/schema.json", "type: object # whatever"),
            ("https://example.com/b/function.yaml", "do: [{inner: {call: 'a:1.0.0@default'}}]"),
            ("catalog://default/functions/a/1.0.0/function.yaml", "set: {a: 1}"),
        ]),
        ..Texts::default()
    });
    let definition = Definition::parse(NESTED, &catalogue(&texts)).unwrap();
    assert_eq!(definition.resources().len(), 3);
    for (uri, text) in definition.resources() {
        assert_eq!(texts.texts.get(uri.as_str()).unwrap(), text, "as it was read");
    }
    assert_eq!(texts.asked.lock().unwrap().len(), 3, "each once");

    // A catalogue that would read is not asked, and one that cannot is good enough.
    let before = texts.asked.lock().unwrap().len();
    let restored = Definition::restore(NESTED, definition.resources(), &catalogue(&texts)).unwrap();
    assert_eq!(texts.asked.lock().unwrap().len(), before);
    let without = Definition::restore(NESTED, definition.resources(), &FunctionCatalogue::new()).unwrap();
    for again in [&restored, &without] {
        assert_eq!((again.digest(), again.resources()), (definition.digest(), definition.resources()));
        let outcome = Scenario::new(again, json!({})).drive(&mut |_: &CallRequest| Answer::Silent);
        assert_eq!(outcome.run.output, Some(json!({"a": 1})));
    }
    let mut fewer = definition.resources().clone();
    fewer.remove("catalog://default/functions/a/1.0.0/function.yaml");
    let found = Definition::restore(NESTED, &fewer, &catalogue(&texts)).unwrap_err();
    assert!(found[0].message.contains("never changes"), "{found:?}");
    let known = Definition::identify(NESTED).unwrap();
    assert_eq!(
        (known.namespace.as_str(), known.name.as_str(), known.version.to_string().as_str()),
        ("test", "case", "1.2.3")
    );
    assert!(Definition::identify("document: {dsl: 1.0.3, namespace: test}").is_none());
    let risky =
        "document: {dsl: 1.0.3, namespace: it, name: a, version: 1.0.0, metadata: {rondo: {risk: high}}}\ndo: 7";
    assert_eq!(Definition::risk_of(risky), Some(domain::Risk::High));
    assert_eq!(Definition::risk_of("document: {dsl: 1.0.3, namespace: it}"), None);
}

#[test]
fn what_is_read_before_a_run_has_no_secrets() {
    let texts = Arc::new(Texts::default());
    let head = "use: {secrets: [token], catalogs: {global: {endpoint: {uri: 'https://example.com', authentication: {bearer: {use: token}}}}}}";
    let found = parse(head, "- one: {call: 'log:0.5.2@global'}", &texts).unwrap_err();
    assert!(found[0].starts_with("2:55: what is read before a run has neither secrets"), "{found:?}");
    assert!(texts.asked.lock().unwrap().is_empty());
}

#[test]
fn texts_that_are_too_large_together_are_refused() {
    struct Large;
    impl ResourceResolver for Large {
        fn text(&self, _: &str, _: Option<&Value>) -> Result<String, String> {
            Ok(format!("set: {{a: {}}}", "x".repeat(900_000)))
        }
    }
    let mut functions = FunctionCatalogue::new();
    functions.resolve_with(Arc::new(Large));
    let source =
        |tasks: &str| format!("document: {{dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}}\ndo: [{tasks}]\n");
    let call = |name: &str| format!("{{{name}: {{call: 'https://example.com/{name}'}}}}");
    let (two, three) = ([call("a"), call("b")].join(", "), [call("a"), call("b"), call("c")].join(", "));
    assert!(Definition::parse(&source(&two), &functions).is_ok());
    let found = Definition::parse(&source(&three), &functions).unwrap_err();
    assert!(found[0].message.ends_with("refers to texts of more than 2 MiB"), "{}", found[0].message);
}

fn event(id: u32, kind: &str, room: &str) -> CloudEvent {
    CloudEvent::from_value(json!({"id": id.to_string(), "source": "/s", "type": kind, "roomid": room})).unwrap()
}

/// dsl-reference.md, "Schedule"; dsl.md, "Input of event-driven scheduled workflows".
#[test]
fn events_that_belong_together_start_a_run() {
    let texts = Arc::default();
    let head = "schedule: {on: {all: [{with: {type: a}, correlate: {room: {from: .roomid}}}, {with: {type: b}, correlate: {room: {from: .roomid}}}]}}";
    let definition = parse(head, "- it: {set: {n: 1}}", &texts).unwrap();
    let schedule = definition.schedule().unwrap();
    let filter = |kind: &str| EventFilter { kind: Some(kind.to_owned()), source: None };
    assert_eq!(schedule.filters(), [filter("a"), filter("b")]);
    let mut gathering = Gathering::default();
    assert_eq!(schedule.offer(&mut gathering, &event(1, "a", "x")), None);
    assert_eq!(schedule.offer(&mut gathering, &event(2, "a", "y")), None);
    assert_eq!(schedule.offer(&mut gathering, &event(3, "c", "x")), None);
    let read: Gathering = serde_json::from_str(&serde_json::to_string(&gathering).unwrap()).unwrap();
    assert_eq!(read, gathering);
    let started = schedule.offer(&mut gathering, &event(4, "b", "y")).unwrap();
    assert_eq!(started, json!([event(2, "a", "y").to_value(), event(4, "b", "y").to_value()]));
    assert!(schedule.offer(&mut gathering, &event(5, "b", "x")).is_some());
    assert_eq!(gathering, Gathering::default());
}

#[test]
fn schedules_are_read_and_checked() {
    let texts = Arc::default();
    let schedule = |text: &str| parse(&format!("schedule: {text}"), "- it: {set: {n: 1}}", &texts);
    let definition = schedule("{every: {minutes: 5}, after: PT1H}").unwrap();
    let found = definition.schedule().unwrap();
    assert_eq!(found.every, Some(std::time::Duration::from_mins(5)));
    assert_eq!(found.after, Some(std::time::Duration::from_hours(1)));
    assert_eq!(
        schedule("{cron: 0 0 * * *}").unwrap().schedule().unwrap().cron.as_ref().unwrap().pattern(),
        "0 0 * * *"
    );
    assert!(schedule("{cron: 0 25 * * *}").unwrap_err()[0].contains("is not a cron pattern"));
    for wrong in [
        "{}",
        "{evry: PT1S}",
        "{every: PT0S}",
        "{every: PT0.5S}",
        "{after: {milliseconds: 999}}",
        "{cron: 0 0 30 2 *}",
        "{every: '${ .x }'}",
        "{on: {}}",
        "{on: {one: {with: {data: '${ $input.x }'}}}}",
    ] {
        assert!(schedule(wrong).is_err(), "{wrong}");
    }
    assert!(parse("", "- it: {set: {n: 1}}", &texts).unwrap().schedule().is_none());
}
