//! `call: dns`: records of zones whose primary server takes dynamic updates (RFC 2136), signed with a key (TSIG, RFC 8945).
//!
//! # Repeating a call
//! Adding what is there, removing what is not and replacing all by the same changes nothing, so it may be repeated. What is
//! replaced only while it has certain values is looked up instead: if it has the new ones, it happened.

pub(crate) mod exchange;
pub(crate) mod record;
mod schema;
mod settings;
pub(crate) mod update;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    Clock,
    view::{CallPlan, CheckStep, PlannedField},
};
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, rdata::tsig::TsigError},
};
use serde_json::{Value, json};
use workflow::{RunError, StandardError};

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, OperationSpec, Outcome, Probe, Repetition, Request,
    ResolvedConnection, System,
    connection::Steps,
    egress::{CONNECT_LIMIT, EgressPolicy},
};
use exchange::Server;
use settings::Settings;
use update::{Change, Deed};

/// The kind of connection, and the function.
const DNS: &str = "dns";
/// How long an answer may take, if the task has no timeout of its own.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Changes and asks for records.
pub struct DnsConnector {
    policy: Arc<EgressPolicy>,
    clock: Arc<dyn Clock>,
}

/// The function `dns`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    FunctionSpec {
        name: DNS,
        title: "Change and look up DNS records",
        system: "DNS",
        with: schema::with(),
        output: schema::output(),
        operations: schema::OPERATIONS
            .iter()
            .map(|entry| OperationSpec {
                name: entry.name,
                title: entry.title,
                output: schema::output_of(entry),
                reads: entry.reads,
            })
            .collect(),
        needs_connection: true,
        connection_kinds: vec![DNS],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let text = |name: &str| with.get(name).and_then(Value::as_str);
    let (name, kind) = (text("name")?, text("type")?);
    Some(match text("operation")? {
        "addRecord" => format!("Adds the record {name} {kind} {}", text("value")?),
        "removeRecord" => match text("value") {
            Some(value) => format!("Removes the record {name} {kind} {value}"),
            None => format!("Removes all records {name} {kind}"),
        },
        "replaceRecords" => {
            let values = with.get("values").and_then(Value::as_array)?;
            let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            format!("Replaces all records {name} {kind} by {}", values.join(", "))
        }
        _ => format!("Looks up {name} {kind}"),
    })
}

impl DnsConnector {
    /// A connector that reaches what the policy permits.
    #[must_use]
    pub fn new(policy: Arc<EgressPolicy>, clock: Arc<dyn Clock>) -> Self {
        Self { policy, clock }
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let (settings, change) = parts(request)?;
        let limit = if context.deadline.is_some() { context.limit() } else { ANSWER_LIMIT };
        if let Deed::Lookup = change.deed {
            let found = self.lookup(&settings.asked(&context.egress, limit), &settings, &change).await?;
            let records: Vec<Value> =
                found.iter().map(|(value, ttl)| json!({"value": record::shown(value), "ttl": ttl})).collect();
            return Ok(json!({"found": !records.is_empty(), "records": records}));
        }
        let zone = settings.zone_of(&change.name)?;
        let repeatable = request.idempotent || change.repetition() == Repetition::Safe;
        self.send(&settings.asked(&context.egress, limit), &settings, change.message(&zone), &zone, repeatable).await?;
        context.info(format!("{} {} of {zone} changed at {}", change.name, change.kind, settings.server));
        Ok(changed(&change, &zone))
    }

    async fn lookup(
        &self,
        server: &Server<'_>,
        settings: &Settings,
        change: &Change,
    ) -> Result<Vec<(RData, u32)>, Failure> {
        let asked = change.question();
        let bytes = encoded(&asked)?;
        let answer = server.ask(&bytes, Failure::lost).await?;
        let answer = exchange::read(&answer, &asked).map_err(|what| garbled(settings, &what, true))?;
        if let Some(failure) = exchange::unanswered(&settings.server, answer.response_code) {
            return Err(failure);
        }
        Ok(change.among(&answer.answers).into_iter().map(|record| (record.data.clone(), record.ttl)).collect())
    }

    /// Sends a signed message, and reads what the server says to it.
    async fn send(
        &self,
        server: &Server<'_>,
        settings: &Settings,
        mut message: Message,
        zone: &Name,
        repeatable: bool,
    ) -> Result<(), Failure> {
        let now = u64::try_from(self.clock.now().as_micros() / 1_000_000).unwrap_or_default();
        let verifier = message
            .finalize(&settings.signer()?, now)
            .map_err(|_| Failure::configuration("the key of the connection cannot sign"))?;
        let after_sending = if repeatable { Failure::lost } else { Failure::unknown };
        let bytes = server.ask(&encoded(&message)?, after_sending).await?;
        let answer =
            exchange::read(&bytes, &message).map_err(|what| after_sending(*garbled(settings, &what, false).error))?;
        if let Some(refusal) = refused(settings, zone, &answer) {
            return Err(refusal);
        }
        let verified = verifier.map(|mut verifier| verifier.verify(&bytes));
        match verified {
            Some(Ok(_)) => Ok(()),
            // Somebody on the way may have said that all is well.
            _ => Err(after_sending(RunError::communication(
                502,
                format!(
                    "the answer of {} is not signed with the key of the connection; see who answers there",
                    settings.server
                ),
            ))),
        }
    }
}

fn parts(request: &Request) -> Result<(Settings, Change), Failure> {
    let connection =
        request.connection.as_ref().ok_or_else(|| Failure::configuration("dns needs a connection of kind dns"))?;
    Ok((connection.settings::<Settings>()?, Change::read(&request.with)?))
}

fn changed(change: &Change, zone: &Name) -> Value {
    json!({"name": change.name.to_string(), "type": change.kind.to_string(), "zone": zone.to_string()})
}

fn encoded(message: &Message) -> Result<Vec<u8>, Failure> {
    message
        .to_vec()
        .map_err(|_| Failure::configuration("these are more records than fit into one message; change fewer"))
}

fn garbled(settings: &Settings, what: &str, reads: bool) -> Failure {
    let asked = if reads { "" } else { "; look there whether it was done" };
    let server = &settings.server;
    Failure::refused(502, format!("what {server} answers is not DNS ({what}); compare server and port{asked}"))
}

fn not_as_expected(zone: &Name) -> Failure {
    Failure::refused(409, format!("the records in {zone} are not those that ifEquals says; look them up again"))
}

fn same(one: &[&RData], other: &[&RData]) -> bool {
    one.len() == other.len() && one.iter().all(|value| other.contains(value))
}

/// What comes of a change where these records are there, with their lifetimes.
fn planned(change: &Change, there: &[(RData, u32)]) -> CallPlan {
    let record = |value: &RData, ttl: u32| format!("{} ({ttl} s)", record::shown(value));
    let before: Vec<String> = there.iter().map(|(value, ttl)| record(value, *ttl)).collect();
    let what = format!("{} {}", change.name, change.kind);
    let is_there = |wanted: &RData| there.iter().find(|(value, _)| value == wanted);
    let (same, after, words) = match &change.deed {
        Deed::Add { value, ttl } => {
            let others = there.iter().filter(|(known, _)| known != value);
            // Records of one name and type are to live equally long (RFC 2181, section 5.2): the new one says how long.
            let after: Vec<String> =
                others.map(|(value, _)| value).chain([value]).map(|value| record(value, *ttl)).collect();
            (is_there(value).is_some_and(|(_, known)| known == ttl), after, format!("adds a record {what}"))
        }
        Deed::Remove(Some(value)) => {
            let others = there.iter().filter(|(known, _)| known != value);
            let after = others.map(|(value, ttl)| record(value, *ttl)).collect();
            (is_there(value).is_none(), after, format!("removes a record {what}"))
        }
        Deed::Remove(None) => (there.is_empty(), Vec::new(), format!("removes {} records {what}", there.len())),
        Deed::Replace { values, ttl, .. } => {
            let known: Vec<&RData> = there.iter().map(|(value, _)| value).collect();
            let wanted: Vec<&RData> = values.iter().collect();
            let is_same = same(&known, &wanted) && there.iter().all(|(_, known)| known == ttl);
            let after = values.iter().map(|value| record(value, *ttl)).collect();
            (is_same, after, format!("replaces {} records {what} by {}", there.len(), values.len()))
        }
        Deed::Lookup => (true, before.clone(), String::new()),
    };
    if same {
        return CallPlan::nothing(format!("the records {what} are so already"));
    }
    let joined = |mut values: Vec<String>| {
        values.sort_unstable();
        (!values.is_empty()).then(|| values.join("; "))
    };
    CallPlan::changes(words).with_fields([PlannedField::new(what, joined(before), joined(after))])
}

/// What the server says against it; none if it did it.
fn refused(settings: &Settings, zone: &Name, answer: &Message) -> Option<Failure> {
    let server = &settings.server;
    let permanent = |kind, words: String| Some(Failure::permanent(RunError::new(kind, words)));
    let of_key = answer.signature().and_then(|signature| signature.data.error);
    match of_key {
        None => {}
        Some(TsigError::BadTime) => {
            let words =
                format!("{server} and this server do not have the same time (BADTIME); set the clock of this server");
            return permanent(StandardError::Authentication, words);
        }
        Some(error) => {
            // Some servers say this as well of a key that they know and that may not change the zone.
            let words = format!(
                "{server} does not accept the key for {zone} ({error:?}); enter name, secret and algorithm as in its \
                 configuration, and permit the key to change the zone there"
            );
            return permanent(StandardError::Authentication, words);
        }
    }
    match answer.response_code {
        ResponseCode::NoError => None,
        ResponseCode::Refused => permanent(
            StandardError::Authorization,
            format!("{server} does not let the key change {zone} (REFUSED); permit updates with it there"),
        ),
        ResponseCode::NotAuth | ResponseCode::NotZone => Some(Failure::configuration(format!(
            "{server} is not the primary server of {zone}, or does not know the key; compare zone, server and key"
        ))),
        ResponseCode::NXRRSet | ResponseCode::YXRRSet | ResponseCode::NXDomain | ResponseCode::YXDomain => {
            Some(not_as_expected(zone))
        }
        ResponseCode::NotImp | ResponseCode::FormErr => {
            Some(Failure::refused(501, format!("{server} takes no dynamic updates of {zone}; permit them there")))
        }
        ResponseCode::ServFail => Some(Failure::retryable(RunError::communication(
            503,
            format!("{server} cannot change {zone} now (SERVFAIL); try again later"),
        ))),
        other => Some(Failure::refused(502, format!("{server} answered {other} to a change of {zone}"))),
    }
}

#[async_trait]
impl Connector for DnsConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        vec![ConnectionKind {
            name: DNS,
            title: "DNS server",
            summary: "The primary server of zones, which takes dynamic updates signed with a key.",
            function: DNS,
            settings: schema::settings(),
        }]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        Change::read(&request.with).map_or(Repetition::Once, |change| change.repetition())
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        let Ok((settings, change)) = parts(request) else { return Probe::CannotTell };
        let Deed::Replace { values, only_if: Some(before), .. } = &change.deed else { return Probe::CannotTell };
        let Ok(zone) = settings.zone_of(&change.name) else { return Probe::CannotTell };
        let Ok(now) = self.lookup(&settings.asked(&context.egress, ANSWER_LIMIT), &settings, &change).await else {
            return Probe::CannotTell;
        };
        let now: Vec<&RData> = now.iter().map(|(value, _)| value).collect();
        let is = |wanted: &[RData]| same(&now, &wanted.iter().collect::<Vec<_>>());
        if is(values) {
            Probe::Happened(changed(&change, &zone))
        } else if is(before) {
            Probe::DidNotHappen
        } else {
            Probe::CannotTell
        }
    }

    fn may_plan(&self, _with: &Value) -> bool {
        true
    }

    async fn plan(&self, request: &Request, context: &CallContext) -> Result<Option<CallPlan>, Failure> {
        let (settings, change) = parts(request)?;
        let zone = settings.zone_of(&change.name)?;
        let there = self.lookup(&settings.asked(&context.egress, context.time_left()), &settings, &change).await?;
        if let Deed::Replace { only_if: Some(expected), .. } = &change.deed
            && !same(&there.iter().map(|(value, _)| value).collect::<Vec<_>>(), &expected.iter().collect::<Vec<_>>())
        {
            return Err(not_as_expected(&zone));
        }
        Ok(Some(planned(&change, &there)))
    }

    fn may_look(&self, _with: &Value) -> bool {
        true
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let mut steps = Steps::default();
        let settings = match connection.settings::<Settings>() {
            Ok(settings) => settings,
            Err(failure) => return steps.fail("settings", failure.detail()),
        };
        let zones = match settings.zones().and_then(|zones| settings.signer().map(|_| zones)) {
            Ok(zones) => zones,
            Err(failure) => return steps.fail("settings", failure.detail()),
        };
        steps.pass("settings", "complete");
        if steps.dial(&self.policy, &settings.server, settings.port).await.is_none() {
            return steps.done();
        }
        let server = settings.asked(&self.policy, CONNECT_LIMIT);
        let mut signed_in = false;
        for zone in zones {
            let tried = self.send(&server, &settings, update::blank(&zone), &zone, true).await;
            let no_key = tried.as_ref().is_err_and(|failure| failure.error.is(StandardError::Authentication));
            if let (Err(failure), true) = (&tried, no_key) {
                return steps.fail("sign-in", failure.detail());
            }
            if !signed_in {
                steps.pass("sign-in", "the key is accepted");
                signed_in = true;
            }
            match tried {
                Ok(()) => steps.pass("right", &format!("{zone} may be changed")),
                Err(failure) => return steps.fail("right", failure.detail()),
            }
        }
        steps.done()
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "DNS".to_owned(), target: target.to_owned() }
    }
}
