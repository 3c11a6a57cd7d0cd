//! What is asked of the portal: one workflow for each thing that has to survive, and what must come of it.

use std::path::Path;

use serde_json::{Map, Value, json};

/// The namespace of all workflows here.
pub(super) const NAMESPACE: &str = "chaos";

const ERRORS: &str = "https://serverlessworkflow.io/spec/1.0.0/errors";

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Calls one after the other.
    Chain,
    /// Calls at the same time.
    Fork,
    /// Waits, and calls in a loop.
    Timers,
    /// Calls what never answers, until a timeout.
    Late,
    /// Is refused, and helps itself.
    Caught,
    /// Fails in the end and takes back what it did.
    Undone,
    /// Waits for an approval and gets it.
    Approved,
    /// Waits for an approval and is rejected.
    Rejected,
    /// Waits for an event from outside.
    Heard,
    /// Waits for an event of its own.
    Echoed,
    /// Runs another workflow.
    Nested,
    /// Is cancelled by somebody, at any time.
    Cancelled,
    /// Makes calls of which only an operator may say what became of them.
    Once,
    /// Is halted and goes on.
    Halted,
}

impl Kind {
    pub(super) const ALL: [Self; 14] = [
        Self::Chain,
        Self::Fork,
        Self::Timers,
        Self::Late,
        Self::Caught,
        Self::Undone,
        Self::Approved,
        Self::Rejected,
        Self::Heard,
        Self::Echoed,
        Self::Nested,
        Self::Cancelled,
        Self::Once,
        Self::Halted,
    ];

    /// The name of its workflow.
    pub(super) fn workflow(self) -> &'static str {
        match self {
            Self::Chain | Self::Halted => "chain",
            Self::Fork => "fork",
            Self::Timers => "timers",
            Self::Late => "late",
            Self::Caught => "caught",
            Self::Undone => "undone",
            Self::Approved | Self::Rejected => "approved",
            Self::Heard => "heard",
            Self::Echoed => "echoed",
            Self::Nested => "nested",
            Self::Cancelled => "cancelled",
            Self::Once => "once",
        }
    }

    /// The steps of a run that goes as it should, in no order; those that take back included.
    pub(super) fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Chain | Self::Halted => &["a", "b", "c", "d", "e"],
            Self::Fork => &["left", "middle", "right", "after"],
            Self::Timers => &["before", "lap-1", "lap-2", "lap-3"],
            Self::Late => &["rescue"],
            Self::Caught => &["recover", "after"],
            Self::Undone => &["a", "b", "c", "undo-a", "undo-b", "undo-c"],
            Self::Approved => &["before", "after"],
            Self::Rejected => &["before"],
            Self::Heard | Self::Nested => &["after"],
            Self::Echoed => &["say", "after"],
            Self::Cancelled => &["a", "b", "c"],
            Self::Once => &["first", "second"],
        }
    }

    /// How it must end; a cancelled one may also have been quicker.
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Undone | Self::Rejected => "faulted",
            Self::Cancelled => "cancelled",
            _ => "completed",
        }
    }
}

/// Something that was asked of the portal.
#[derive(Clone, Debug)]
pub(super) struct Order {
    /// Occurs nowhere else.
    pub(super) name: String,
    pub(super) kind: Kind,
}

impl Order {
    pub(super) fn input(&self, url: &str) -> Value {
        json!({"url": url, "order": self.name})
    }

    /// The name under which the workflow that it runs has its effects.
    pub(super) fn inner(&self) -> String {
        format!("{}-inner", self.name)
    }

    /// What the run gives back when it completes.
    pub(super) fn output(&self) -> Value {
        let receipt = |order: &str, step: &str| Value::String(format!("{order}/{step}"));
        let mut receipts: Map<String, Value> =
            self.kind.steps().iter().map(|step| ((*step).to_owned(), receipt(&self.name, step))).collect();
        match self.kind {
            Kind::Nested => drop(receipts.insert("inner".to_owned(), receipt(&self.inner(), "deep"))),
            Kind::Heard | Kind::Echoed => drop(receipts.insert("heard".to_owned(), self.name.clone().into())),
            _ => {}
        }
        json!({"receipts": receipts})
    }
}

/// Writes all workflows into a folder.
pub(super) fn write_workflows(folder: &Path) {
    let mut workflows = vec![("inner", vec![effect("deep")])];
    for kind in Kind::ALL {
        if !workflows.iter().any(|(name, _)| *name == kind.workflow()) {
            workflows.push((kind.workflow(), tasks(kind)));
        }
    }
    let text = json!({"type": "string"});
    let input = json!({"type": "object", "required": ["url", "order"], "properties": {"url": text, "order": text}});
    for (name, mut tasks) in workflows {
        tasks.push(json!({"receipts": {"set": {"receipts": "${ $context }"}}}));
        let definition = json!({
            "document": {"dsl": "1.0.3", "namespace": NAMESPACE, "name": name, "version": "1.0.0", "title": name},
            "input": {"schema": {"document": input}},
            "do": tasks,
        });
        std::fs::write(folder.join(format!("{name}.json")), definition.to_string()).unwrap();
    }
}

fn tasks(kind: Kind) -> Vec<Value> {
    match kind {
        Kind::Chain | Kind::Halted => kind.steps().iter().map(|step| effect(step)).collect(),
        Kind::Fork => {
            let branches = ["left", "middle", "right"].map(effect);
            vec![json!({"all": {"fork": {"branches": branches}}}), effect("after")]
        }
        Kind::Timers => {
            let lap = call("$lap", &json!({"idempotent": true}));
            vec![
                effect("before"),
                json!({"pause": {"wait": {"seconds": 1}}}),
                json!({"laps": {
                    "for": {"each": "lap", "in": "${ [\"lap-1\", \"lap-2\", \"lap-3\"] }"},
                    "do": [{"breath": {"wait": {"milliseconds": 300}}}, {"lap": lap}],
                }}),
            ]
        }
        Kind::Late => {
            let never = json!({"call": "http", "with": {"method": "get", "endpoint": "${ $workflow.input.url + \"/never\" }"},
                "timeout": {"after": {"seconds": 1}}});
            let catch = json!({"errors": {"with": {"type": format!("{ERRORS}/timeout")}}, "do": [effect("rescue")]});
            vec![json!({"guarded": {"try": [{"never": never}], "catch": catch}})]
        }
        Kind::Caught => {
            let refused = json!({"call": "http", "with": {"method": "post", "endpoint": "${ $workflow.input.url + \"/refusals\" }"},
                "metadata": {"rondo": {"idempotent": true}}});
            let catch = json!({"errors": {"with": {"status": 422}}, "do": [effect("recover")]});
            vec![json!({"guarded": {"try": [{"refused": refused}], "catch": catch}}), effect("after")]
        }
        Kind::Undone => {
            let error = json!({"type": format!("{ERRORS}/runtime"), "status": 409, "title": "Too late"});
            vec![undoable("a"), undoable("b"), undoable("c"), json!({"fail": {"raise": {"error": error}}})]
        }
        Kind::Approved | Kind::Rejected => {
            let approval = json!({"call": "approval", "with": {"approvers": {"managerOf": "requester"}, "quorum": 1}});
            vec![effect("before"), json!({"approval": approval}), effect("after")]
        }
        Kind::Heard => vec![hear("parcel"), effect("after")],
        Kind::Echoed => {
            let data = json!({"order": "${ $workflow.input.order }"});
            let emit = json!({"emit": {"event": {"with": {"source": "/chaos", "type": "echo", "data": data}}}});
            let say = json!({"speak": {"do": [effect("say"), {"emit": emit}]}});
            vec![json!({"both": {"fork": {"branches": [hear("echo"), say]}}}), effect("after")]
        }
        Kind::Nested => {
            let input = json!({"url": "${ $workflow.input.url }", "order": "${ $workflow.input.order + \"-inner\" }"});
            let run =
                json!({"workflow": {"namespace": NAMESPACE, "name": "inner", "version": "1.0.0", "input": input}});
            let inner = json!({"run": run, "export": {"as": "${ $context + {inner: .receipts.deep} }"}});
            vec![json!({"inner": inner}), effect("after")]
        }
        Kind::Cancelled => {
            let pause = |name: &str| json!({(name): {"wait": {"milliseconds": 700}}});
            vec![undoable("a"), pause("one"), undoable("b"), pause("two"), undoable("c")]
        }
        Kind::Once => ["first", "second"].map(|step| json!({(step): call(&format!("\"{step}\""), &json!({}))})).into(),
    }
}

/// A task that has an effect, and may be repeated.
fn effect(step: &str) -> Value {
    json!({(step): call(&format!("\"{step}\""), &json!({"idempotent": true}))})
}

/// One that is taken back when the run ends badly.
fn undoable(step: &str) -> Value {
    let undo = effect(&format!("undo-{step}"));
    json!({(step): call(&format!("\"{step}\""), &json!({"idempotent": true, "compensate": [undo]}))})
}

/// Calls until it is answered; the step is an expression.
fn call(step: &str, rondo: &Value) -> Value {
    let endpoint = format!("${{ $workflow.input.url + \"/effects/\" + $workflow.input.order + \"/\" + {step} }}");
    json!({
        "try": [{"call": {
            "call": "http",
            "with": {"method": "post", "endpoint": endpoint},
            "metadata": {"rondo": rondo},
            "export": {"as": format!("${{ $context + {{({step}): .receipt}} }}")},
        }}],
        "catch": {
            "errors": {"with": {"type": format!("{ERRORS}/communication")}},
            "retry": {"delay": {"milliseconds": 100}, "limit": {"attempt": {"count": 50}}},
        },
    })
}

fn hear(kind: &str) -> Value {
    let correlate = json!({"order": {"from": "${ .data.order }", "expect": "${ $workflow.input.order }"}});
    json!({"hear": {
        "listen": {"to": {"one": {"with": {"type": kind}, "correlate": correlate}}},
        "export": {"as": "${ $context + {heard: .[0].order} }"},
    }})
}
