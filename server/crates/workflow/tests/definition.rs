//! What is said about broken definitions, and what good ones expose.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use serde_json::json;
use workflow::{Capability, Definition, FunctionCatalogue, renumber};

fn catalogue() -> FunctionCatalogue {
    let mut catalogue = FunctionCatalogue::new();
    let schema = json!({
        "type": "object",
        "required": ["connection", "to"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string"},
            "to": {"oneOf": [{"type": "string", "format": "email"}, {"type": "array", "items": {"type": "string"}}]},
            "subject": {"type": "string", "maxLength": 10}
        }
    });
    catalogue.register("smtp", schema, "Mail").unwrap();
    catalogue
}

fn complaints(source: &str) -> String {
    complaints_of(source, &catalogue())
}

fn complaints_of(source: &str, catalogue: &FunctionCatalogue) -> String {
    match Definition::parse(source, catalogue) {
        Ok(_) => "none".to_owned(),
        Err(diagnostics) => diagnostics
            .iter()
            .map(|diagnostic| format!("{diagnostic}  [{}]", diagnostic.path))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn with_tasks(tasks: &str) -> String {
    format!("document: {{dsl: 1.0.3, namespace: test, name: broken, version: 1.0.0}}\ndo:\n{tasks}")
}

#[test]
fn every_fault_is_reported_at_its_place() {
    let sources = [
        ("not well-formed", "document: {dsl: 1.0.3\ndo: []".to_owned()),
        ("empty", String::new()),
        ("not an object", "- 1\n".to_owned()),
        ("nothing in it", "document: {}\n".to_owned()),
        (
            "document",
            "document: {dsl: 2.0.0, namespace: Te_st, name: -x, version: 1.0, titel: T, metadata: {rondo: {risk: huge, \
             timeSaved: long, colour: red}}}\ndo: []\n"
                .to_owned(),
        ),
        (
            "tasks",
            with_tasks(
                "- one: {set: {a: 1}, the: two}\n- one: {set: 5}\n- two: {cal: smtp}\n- end: {set: {}}\n- three: {set: {}, \
                 do: []}\n- {four: {wait: 5s}, five: {wait: PT5S}}\n- six: {then: seven, set: {}}\n- seven: {set: {}, then: \
                 sx}\n",
            ),
        ),
        (
            "expressions",
            with_tasks(
                "- one:\n    if: .a ==\n    set:\n      x: ${ lenght }\n      y: ['${ $inptu }', '${ def f: f; f }']\n    \
                 output: {as: '$secrets.token'}\n- two: {for: {in: .x}, while: $itm, do: [{a: {set: {b: '${ $item + \
                 $index }'}}}]}\n- three: {set: {c: '${ $item }'}}\n",
            ),
        ),
        (
            "calls",
            with_tasks(
                "- one: {call: smpt, with: {}}\n- two: {call: smtp}\n- three:\n    call: smtp\n    with:\n      conection: \
                 office\n      to: 5\n      subject: much too long a subject\n- four: {call: smtp, with: {connection: '${ .c \
                 }', to: ['${ .to }', 6]}}\n- five: {call: openapi, with: {}}\n- six: {call: 'log:1.0.0@default'}\n- seven: \
                 {call: approval, with: {approvers: {usr: ana}, quorum: 0, due: P2X, onDue: approve}}\n- eight: {call: \
                 approval, with: {approvers: {user: '${ $secrets.x }'}}}\n",
            ),
        ),
        (
            "not supported",
            with_tasks(
                "- one: {listen: {to: {any: []}}}\n- two: {emit: {event: {with: {}}}}\n- three: {run: {shell: {command: \
                 ls}}}\n",
            ) + "schedule: {cron: '* * * * *'}\nevaluate: {language: js, mode: loose}\nuse: {authentications: {}, \
                 extensions: []}\n",
        ),
        (
            "parts",
            with_tasks(
                "- one:\n    try: [{a: {wait: {secnds: 5}}}]\n    catch:\n      errors: {with: {status: high}}\n      as: \
                 $input\n      retry: {backoff: {constant: {}, linear: {}}, limit: {attempt: {count: -1}}}\n- two: {try: []}\n- \
                 three: {raise: {error: {type: nowhere, status: 42}}}\n- four: {raise: {error: unknown}}\n- five: {timeout: \
                 shrt, wait: PT1S}\n- six: {switch: [{a: {then: two}}, {b: {then: tow}}, {c: {when: .x}}]}\n- seven: {fork: \
                 {branches: [{x: {set: {}, then: y}}, {y: {set: {}}}]}}\n",
            ) + "use: {timeouts: {short: {after: PT1S}}}\n",
        ),
        (
            "schemas",
            with_tasks("- one: {set: {}, input: {schema: {document: {type: strng}}}}\n")
                + "input: {schema: {format: avro, document: {}}}\noutput: {schema: {resource: {endpoint: \
                   'https://example.com'}}}\n",
        ),
        (
            "secrets and functions",
            with_tasks(
                "- one: {call: smtp, with: {connection: '${ $secrets.mial }', to: a@example.com}}\n- two: {call: loop}\n",
            ) + "use: {secrets: [mail, mail], functions: {loop: {do: [{again: {call: loop}}]}}}\n",
        ),
        (
            "metadata",
            with_tasks(
                "- one: {set: {}, metadata: {rondo: {compensate: [{undo: {set: {x: '${ $output }'}, metadata: {rondo: \
                 {compensate: []}}}}], idempotnt: true}}}\n",
            ),
        ),
        ("aliases", with_tasks("- one: &a {set: {}}\n- two: *a\n")),
        ("duplicate keys", with_tasks("- one: {set: {a: 1}, set: {a: 2}}\n")),
    ];
    let report: Vec<String> =
        sources.iter().map(|(name, source)| format!("=== {name}\n{}\n", complaints(source))).collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn every_fault_of_events_processes_and_components_is_reported() {
    let sources = [
        (
            "emit",
            with_tasks(
                "- one: {emit: {event: {with: {source: 'a b', typ: x, Room: 1, data: {a: 1}}}}}\n- two: {emit: {event: {with: \
                 {type: t, source: s, time: later, dataschema: x, level: {}}, id: 1}}}\n- three: {emit: {}}\n- four: {emit: \
                 {event: {with: {type: t, source: '${ $secrets.x }'}}}}\n",
            ),
        ),
        (
            "listen",
            with_tasks(
                "- one: {listen: {to: {all: [], any: []}, read: envelop}}\n- two: {listen: {to: {all: [{with: {}}, {wth: \
                 {type: t}}, {with: {roomId: 1}, correlate: {a: {form: .x}}}]}}}\n- three: {listen: {to: {one: {with: {type: \
                 t}}, until: .x}}}\n- four: {listen: {to: {any: [{with: {data: '${ .a | }'}}], until: {any: [], until: .x}}}, \
                 foreach: {item: $input, do: [{a: {set: {b: '${ $item }'}}}], output: {as: '$index + $idx'}}}\n- five: {listen: \
                 {}}\n- six: {listen: {to: {any: [], until: 5}}}\n",
            ),
        ),
        (
            "run",
            with_tasks(
                "- one: {run: {shell: {command: ls}, script: {}}}\n- two: {run: {shell: {comand: ls, arguments: x}, return: \
                 stdot}}\n- three: {run: {script: {language: ruby, code: x}}}\n- four: {run: {script: {language: js}}}\n- five: \
                 {run: {container: {image: '', pullPolicy: often, lifetime: {cleanup: always, after: {minuts: 1}}}}}\n- six: \
                 {run: {workflow: {name: x}}}\n- seven: {run: {await: maybe, shell: {command: \
                 ls}}}\n- eight: {run: {await: false, shell: {}}}\n- nine: {run: {}}\n",
            ),
        ),
        (
            "authentications",
            with_tasks(
                "- one: {call: http, with: {endpoint: {uri: 'https://example.com', authentication: {use: pet}}}}\n- two: {call: \
                 http, with: {endpoint: {uri: 'https://example.com', authentication: {basic: {username: a}, bearer: {}}}}}\n- \
                 three: {call: http, with: {endpoint: {uri: 'https://example.com', authentication: {oauth2: {grant: client, \
                 client: {ids: x, authentication: basic}, scopes: 5}}}}}\n",
            ) + "use:\n  authentications:\n    pets: {bearer: {tokn: '${ .x | }'}}\n    other: {use: pets}\n    third: {digest: \
                 {username: a, password: 5}}\n",
        ),
        (
            "extensions and catalogs",
            with_tasks("- one: {call: 'log:1@globl'}\n")
                + "use:\n  extensions:\n  - a: {extend: calls, bfore: []}\n  - {b: {extend: all}, c: {extend: all}}\n  - d: \
                   {extend: set, when: '$task.x ==', before: [{x: {set: {}, then: y}}]}\n  - e: {extend: extension}\n  \
                   catalogs:\n    global: {endpoint: '{here}'}\n",
        ),
        (
            "evaluate and schedule",
            with_tasks("- one: {set: {a: 1}}\n")
                + "evaluate: {mode: lose}\nschedule: {cron: '99 * * * *', every: 5, on: {one: {with: {source: '${ $input.x }'}}}}\n",
        ),
        ("loose", with_tasks("- one: {set: {a: '${ .x | }', b: .x |, c: $nosuch}}\n") + "evaluate: {mode: loose}\n"),
        (
            "asyncapi",
            with_tasks(
                "- one: {call: asyncapi, with: {subscription: {consume: {amount: 0, for: 5s}, filtr: x, foreach: {do: [{a: {set: \
                 {b: '${ $itm }'}}}]}}}}\n- two: {call: asyncapi, with: {subscription: {consume: {amount: 1, until: .x}}}}\n- \
                 three: {call: asyncapi, with: {subscription: {}}}\n",
            ),
        ),
    ];
    let mut catalogue = catalogue();
    catalogue.register("http", json!({"type": "object"}), "HTTP").unwrap();
    catalogue.register("asyncapi", json!({"type": "object"}), "Events").unwrap();
    catalogue.allow(Capability::ALL);
    let report: Vec<String> =
        sources.iter().map(|(name, source)| format!("=== {name}\n{}\n", complaints_of(source, &catalogue))).collect();
    insta::assert_snapshot!(report.join("\n"));
}

#[test]
fn a_good_definition_tells_about_itself() {
    let source = "
document:
  dsl: 1.0.3
  namespace: identity
  name: onboard-employee
  version: 1.2.3
  title: Onboard an employee
  summary: Creates everything.
  tags: {team: it}
  metadata:
    rondo: {category: identity, icon: user, risk: low, owner: it-identity, timeSaved: PT45M, controls: ['ISO27001:A.5.16']}
input: {schema: {document: {type: object, required: [name]}}}
use: {secrets: [mail]}
do:
- createAccount: {set: {a: 1}, metadata: {title: Make the account}}
- send_mail: {call: smtp, with: {connection: office, to: '${ $secrets.mail.to }'}}
";
    let definition = Definition::parse(source, &catalogue()).unwrap();
    let document = definition.document();
    assert_eq!((document.name.as_str(), document.version.to_string().as_str()), ("onboard-employee", "1.2.3"));
    assert_eq!(definition.rondo().time_saved, Some(std::time::Duration::from_mins(45)));
    assert_eq!(definition.rondo().controls, ["ISO27001:A.5.16"]);
    assert_eq!(definition.input_schema().unwrap()["required"], json!(["name"]));
    assert_eq!(definition.titles()["/do/0/createAccount"], "Make the account");
    assert_eq!(definition.titles()["/do/1/send_mail"], "Send mail");
    let same = serde_json::to_string(definition.value()).unwrap();
    let json = Definition::parse(&same, &catalogue()).unwrap();
    assert_eq!(json.digest(), definition.digest());
    assert_eq!(definition.digest().len(), 64);
}

#[test]
fn limits_are_read_and_checked() {
    let with = |limits: &str| {
        format!(
            "document: {{dsl: 1.0.3, namespace: n, name: w, version: 1.0.0, metadata: {{rondo: {{limits: {limits}}}}}}}\ndo: \
             [{{a: {{set: {{a: 1}}}}}}]\n"
        )
    };
    let definition = Definition::parse(&with("{concurrency: 5, rate: {count: 100, per: PT1M}}"), &catalogue()).unwrap();
    let rate = domain::Rate { count: 100, per: std::time::Duration::from_mins(1) };
    assert_eq!(definition.rondo().limits, domain::Limits { concurrency: Some(5), rate: Some(rate) });
    for (wrong, expected) in [
        ("{}", "expected `concurrency`, `rate` or both"),
        ("{concurrency: 0}", "a whole number from 1 to 10000"),
        ("{concurrency: '5'}", "a whole number from 1 to 10000"),
        ("{rate: {count: 5}}", "per"),
        ("{rate: {count: 5, per: P2D}}", "“P2D” is not an ISO 8601 duration from PT1S to PT24H"),
        ("{rate: {count: 100001, per: PT1S}}", "a whole number from 1 to 100000"),
        ("{concurency: 1}", "concurency"),
    ] {
        let diagnostics = Definition::parse(&with(wrong), &catalogue()).unwrap_err();
        let first = &diagnostics[0];
        assert!(first.message.contains(expected), "{wrong}: {diagnostics:?}");
        assert_eq!(first.line, 1, "{wrong}: {diagnostics:?}");
    }
}

#[test]
fn definitions_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync>() {}
    shareable::<Definition>();
    shareable::<FunctionCatalogue>();
}

#[test]
fn whatever_is_given_is_answered() {
    for source in [
        "\u{0}",
        "{",
        "[[[[",
        "a: b: c",
        "\t",
        "---\n...\n---",
        "!!binary x",
        "? a\n: b",
        "%YAML 1.2\n---\n1",
        "\"",
        "a: |\n b",
        "é: 1",
        "document:\n",
        "do: [[], 1, null, {}]",
        "document: 1\ndo: 2\nuse: 3\ninput: 4\noutput: 5\ntimeout: 6\nschedule: 7\nevaluate: 8",
        "schedule: {on: 1, cron: [], every: {}}\nuse: {extensions: [1, {a: 1}, {}], catalogs: [], authentications: {a: 1, b: \
         {basic: 1}}, timeouts: {t: 1}}",
        "do: [{a: {listen: 1}}, {b: {listen: {to: 1}, foreach: 1}}, {c: {emit: 1}}, {d: {emit: {event: {with: 1}}}}, {e: {run: \
         1}}, {f: {run: {script: 1}}}, {g: {run: {container: {lifetime: 1}}}}, {h: {call: asyncapi, with: 1}}, {i: {call: \
         http, with: {endpoint: {authentication: 1}}}}]",
    ] {
        assert!(Definition::parse(source, &catalogue()).is_err(), "{source}");
    }
}

#[test]
fn a_definition_says_which_workflows_it_runs() {
    let mut catalogue = catalogue();
    catalogue.allow([Capability::RunWorkflow]);
    let source = with_tasks(
        "- one: {run: {workflow: {namespace: a, name: b, version: 1.0.0}}}\n\
         - two: {do: [{three: {run: {workflow: {namespace: a, name: c, input: '${ .x }'}}}}]}\n\
         - four: {run: {workflow: {namespace: a, name: '${ .name }', version: 1.0.0}}}\n",
    );
    let called = Definition::parse(&source, &catalogue).unwrap().called_workflows();
    let called: Vec<_> = called.iter().map(|it| format!("{}/{} {}", it.namespace, it.name, it.version)).collect();
    assert_eq!(called, ["a/b 1.0.0", "a/c latest"]);
}

fn renumbered(text: &str, version: &str) -> Option<String> {
    renumber(text, &version.parse().unwrap())
}

#[test]
fn of_a_renumbered_text_only_the_version_changes() {
    let flow =
        "# 김\ndocument: {dsl: 1.0.3, title: 김밥 1.0.0, namespace: a, name: b, version: 1.0.0} # 1.0.0\ndo: []\n";
    let block = "document:\n  dsl: 1.0.3\n  version: '1.0.0' # the first\n  namespace: a\n  name: b\r\ndo: []\n";
    let json = "{\"document\": {\"dsl\": \"1.0.3\", \"version\": \"1.0.0\", \"namespace\": \"a\", \"name\": \"b\"}}";
    for (text, old, new) in [
        (flow, "version: 1.0.0}", "version: 2.0.0-rc.1}"),
        (block, "'1.0.0'", "'2.0.0-rc.1'"),
        (json, "\"version\": \"1.0.0\"", "\"version\": \"2.0.0-rc.1\""),
    ] {
        assert_eq!(renumbered(text, "2.0.0-rc.1").as_deref(), Some(text.replace(old, new).as_str()), "{text}");
    }
}

#[test]
fn a_text_without_a_plain_version_is_not_renumbered() {
    for text in [
        "",
        "document: 1.0.0",
        "document: {dsl: 1.0.3, namespace: a, name: b}",
        "document: {dsl: 1.0.3, namespace: a, name: b, version: \"1.0.\\x30\"}",
        "document: {dsl: 1.0.3, namespace: a, name: b, version: 1}",
    ] {
        assert_eq!(renumbered(text, "2.0.0"), None, "{text}");
    }
}
