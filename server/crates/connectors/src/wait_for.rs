//! `call: wait-for`: asks again and again, until something answers as it should. It only reads, and needs no connection; what
//! may be reached is the server's to say, as for every other call.

mod condition;
mod schema;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use workflow::{RunError, StandardError, duration};

use crate::{
    CallContext, Connector, Failure, FailureKind, FunctionSpec, Outcome, Repetition, Request, System, http::Http,
};
use condition::Condition;

/// How long is waited between two attempts.
const INTERVAL: Duration = Duration::from_secs(5);
/// And at least.
const SHORTEST: Duration = Duration::from_millis(100);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Waits for conditions outside.
pub struct WaitForConnector {
    http: Arc<Http>,
}

#[derive(Deserialize)]
struct With {
    #[serde(flatten)]
    condition: Condition,
    r#for: Value,
    interval: Option<Value>,
}

impl WaitForConnector {
    /// A connector that shares clients with others.
    #[must_use]
    pub fn new(http: Arc<Http>) -> Self {
        Self { http }
    }

    async fn wait(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        let with =
            With::deserialize(&request.with).map_err(|_| Failure::configuration("the arguments cannot be read"))?;
        let span = |value: &Value, name: &str| {
            duration::from_value(value)
                .ok_or_else(|| Failure::configuration(format!("{name} is not a duration; write it like PT5M")))
        };
        let longest = span(&with.r#for, "for")?;
        let interval = with.interval.as_ref().map_or(Ok(INTERVAL), |value| span(value, "interval"))?.max(SHORTEST);
        if longest > context.time_left() {
            context.warn(format!(
                "the call ends after {} seconds, before its for is over; give the task a longer timeout, or raise the server's \
                 limit of calls",
                context.time_left().as_secs()
            ));
        }
        let begun = context.clock.now();
        let until = begun + longest;
        let mut attempts = 0_u32;
        loop {
            attempts += 1;
            let left = until.since(context.clock.now());
            // Even a wait of no time asks once.
            let limit = left.clamp(SHORTEST, ATTEMPT);
            let tried = tokio::time::timeout(limit, with.condition.try_once(&self.http, &context.egress, limit)).await;
            let seen = match tried {
                Ok(Ok(())) => {
                    let after = duration::to_iso8601(context.clock.now().since(begun));
                    return Ok(json!({"attempts": attempts, "after": after}));
                }
                // What a definition or the policy has wrong does not become right.
                Ok(Err(failure)) if failure.kind == FailureKind::Permanent => return Err(failure),
                Ok(Err(failure)) => failure.detail().to_owned(),
                Err(_) => format!("no answer within {} seconds", limit.as_secs()),
            };
            context.info(format!("attempt {attempts}: {seen}"));
            if context.clock.now() + interval >= until {
                return Err(Failure::retryable(RunError::new(
                    StandardError::Timeout,
                    format!(
                        "{} was not so within {}; at last: {seen}",
                        with.condition.shown(),
                        duration::to_iso8601(longest)
                    ),
                )));
            }
            tokio::time::sleep(interval).await;
        }
    }
}

#[async_trait]
impl Connector for WaitForConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        let (with, output) = (schema::with(), schema::output());
        let spec = FunctionSpec::unconnected("wait-for", "Wait for something outside", "Network", with, output);
        vec![spec.foreseen_by(|with| {
            let condition = Condition::deserialize(with).ok()?;
            Some(format!("Waits until {}", condition.shown()))
        })]
    }

    fn repetition(&self, _request: &Request) -> Repetition {
        Repetition::Safe
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.wait(request, context).await.into()
    }

    fn describe(&self, with: &Value) -> System {
        let target = Condition::deserialize(with).map(|condition| condition.target()).unwrap_or_default();
        System { title: "Network".to_owned(), target }
    }
}
