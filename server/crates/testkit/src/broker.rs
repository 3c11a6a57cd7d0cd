use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use connectors::{CallContext, Connector, FunctionSpec, Outcome, Repetition, Request, System};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// A connector with one queue of messages, kept until somebody has taken them: the function `asyncapi`, of which it takes
/// `subscription` only.
#[derive(Debug, Default)]
pub struct Broker {
    queue: Mutex<Vec<Value>>,
    taken: AtomicUsize,
    subscriptions: AtomicUsize,
    changed: Notify,
}

impl Broker {
    /// Puts a message into the queue.
    pub fn send(&self, message: Value) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        self.changed.notify_waiters();
    }

    /// Ends all subscriptions once everything is taken.
    pub fn close(&self) {
        self.send(Value::Null);
    }

    /// How many messages were taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }

    /// How many subscriptions are open.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.subscriptions.load(Ordering::SeqCst)
    }

    fn next(&self) -> Option<(usize, Value)> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.taken();
        queue.get(at).map(|message| (at, message.clone()))
    }
}

/// Counts a subscription for as long as it lasts.
struct Open<'a>(&'a AtomicUsize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Connector for Broker {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![FunctionSpec::unconnected(
            "asyncapi",
            "Receive messages",
            "Queue",
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "required": ["subscription"],
                "properties": {"subscription": {"type": "object"}},
                "additionalProperties": false,
            }),
            json!({}),
        )]
    }

    fn repetition(&self, _request: &Request) -> Repetition {
        Repetition::Safe
    }

    async fn execute(&self, _request: &Request, context: &CallContext) -> Outcome {
        let Some(messages) = &context.messages else { return Outcome::Done(Value::Null) };
        self.subscriptions.fetch_add(1, Ordering::SeqCst);
        let _open = Open(&self.subscriptions);
        loop {
            let changed = self.changed.notified();
            match self.next() {
                None => changed.await,
                Some((_, Value::Null)) => return Outcome::Done(Value::Null),
                Some((at, message)) => {
                    if !messages.deliver(at.to_string(), message).await {
                        return Outcome::Done(Value::Null);
                    }
                    self.taken.store(at + 1, Ordering::SeqCst);
                }
            }
        }
    }

    fn describe(&self, _with: &Value) -> System {
        System { title: "Queue".to_owned(), target: String::new() }
    }
}
