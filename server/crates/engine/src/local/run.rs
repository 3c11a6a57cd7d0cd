//! One run in process: the interpreter, its timers, calls and subscriptions.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use connectors::{CallContext, Messages, NoConnections};
use domain::{Name, RunId, RunStatus, Timestamp};
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use workflow::{
    CallId, CallRequest, CallTicket, Definition, Effect, Event, EventKind, RunError, RunRecord, RunState,
    StandardError, Subscription, SubscriptionId, TaskRecord, TimerId,
    process::{self, Workflow},
};

use super::{
    Local,
    events::{Board, Posted},
    report::Record,
};
use crate::{
    calls::{Calls, Made, RedactedLog},
    redaction::Redaction,
};

/// Longest time a call of a connector may take where the definition sets no timeout.
const CALL_LIMIT: Duration = Duration::from_mins(5);
/// How deep workflows may run workflows.
const DEPTH: usize = 16;

/// What all runs of an execution share.
pub(super) struct Shared {
    pub(super) local: Local,
    pub(super) board: Board,
    /// All secrets of the execution.
    pub(super) redaction: Redaction,
}

/// An event that the run has not consumed.
#[derive(Clone)]
struct Waiting {
    posted: Arc<Posted>,
    /// It has just come, so that whoever listens now may have it although another run has consumed it.
    fresh: bool,
}

/// A run under way.
pub(super) struct Run {
    shared: Arc<Shared>,
    definition: Arc<Definition>,
    state: RunState,
    depth: usize,
    timers: BTreeMap<TimerId, Timestamp>,
    calls: HashMap<CallId, CancellationToken>,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
    arriving: mpsc::UnboundedReceiver<Arc<Posted>>,
    waiting: Vec<Waiting>,
    answers: mpsc::UnboundedReceiver<Event>,
    answer: mpsc::UnboundedSender<Event>,
    work: JoinSet<()>,
    tasks: BTreeMap<u32, TaskRecord>,
    record: Option<RunRecord>,
}

impl Run {
    /// Begins a run; `depth` says how many runs are around it.
    pub(super) fn begin(shared: Arc<Shared>, definition: Arc<Definition>, input: Value, depth: usize) -> Self {
        let (answer, answers) = mpsc::unbounded_channel();
        let id = RunId::new(&*shared.local.ids);
        let mut run = Self {
            arriving: shared.board.read(),
            shared,
            definition,
            state: RunState::new(),
            depth,
            timers: BTreeMap::new(),
            calls: HashMap::new(),
            subscriptions: BTreeMap::new(),
            waiting: Vec::new(),
            answers,
            answer,
            work: JoinSet::new(),
            tasks: BTreeMap::new(),
            record: None,
        };
        run.apply(EventKind::Started { run: id, input, runtime: Value::Null });
        run
    }

    /// Works until the run has ended, and everything that it has started, too.
    pub(super) async fn finish(mut self, cancelled: CancellationToken) -> Record {
        let mut asked_to_end = false;
        while !self.has_ended() {
            self.deliver();
            if self.has_ended() {
                break;
            }
            if self.is_forsaken() {
                if asked_to_end {
                    break;
                }
                asked_to_end = true;
                self.cancel("the run waits for an event, and nobody is left who could send it");
                continue;
            }
            let timer = self.next_timer();
            tokio::select! {
                () = cancelled.cancelled(), if !asked_to_end => {
                    asked_to_end = true;
                    self.cancel("the run was cancelled from outside");
                }
                Some(answer) = self.answers.recv() => {
                    self.apply(answer.kind);
                }
                Some(posted) = self.arriving.recv() => self.waiting.push(Waiting { posted, fresh: true }),
                () = sleep(timer.unwrap_or_default()), if timer.is_some() => self.fire(),
            }
        }
        // What the run did not wait for ends by itself; what it has given up was told so. A second request ends both.
        while !self.work.is_empty() {
            tokio::select! {
                _ = self.work.join_next() => {}
                () = cancelled.cancelled(), if !asked_to_end => {
                    asked_to_end = true;
                    self.calls.values().for_each(CancellationToken::cancel);
                }
            }
        }
        Record { run: self.record, tasks: self.tasks.into_values().collect() }
    }

    fn now(&self) -> Timestamp {
        self.shared.local.clock.now()
    }

    fn has_ended(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.status.is_final())
    }

    /// Whether nothing can happen any more. Of a run inside another one nobody can tell: the other may emit an event.
    fn is_forsaken(&self) -> bool {
        let nothing_comes = self.arriving.is_empty() && self.answers.is_empty();
        self.depth == 0 && self.calls.is_empty() && self.timers.is_empty() && nothing_comes
    }

    fn cancel(&mut self, reason: &str) {
        self.apply(EventKind::CancelRequested { by: "rondo".to_owned(), reason: Some(reason.to_owned()) });
    }

    fn next_timer(&self) -> Option<Duration> {
        let now = self.now();
        self.timers.values().min().map(|at| at.since(now))
    }

    fn fire(&mut self) {
        let now = self.now();
        let due = self.timers.iter().filter(|(_, at)| **at <= now).map(|(timer, _)| *timer).collect::<Vec<_>>();
        for timer in due {
            self.apply(EventKind::TimerFired { timer });
        }
    }

    /// Applies an event and does what follows from it; whether it fitted.
    fn apply(&mut self, kind: EventKind) -> bool {
        match &kind {
            EventKind::TimerFired { timer } => {
                self.timers.remove(timer);
            }
            EventKind::CallCompleted { call, .. } | EventKind::CallFailed { call, .. } => {
                self.calls.remove(call);
            }
            _ => {}
        }
        let event = Event::new(self.now(), kind);
        let effects = workflow::apply(&self.definition, &mut self.state, &event);
        let fitted = !effects.is_empty();
        for effect in effects {
            self.act(effect);
        }
        fitted
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Call(ticket) => self.dispatch(ticket),
            Effect::StopCall { call } => {
                if let Some(token) = self.calls.remove(&call) {
                    token.cancel();
                }
            }
            Effect::SetTimer { timer, at } => {
                self.timers.insert(timer, at);
            }
            Effect::ClearTimer { timer } => {
                self.timers.remove(&timer);
            }
            Effect::OpenApproval(request) => {
                let detail = "approvals are decided in the portal, and this run has nobody to ask";
                let error = RunError::new(StandardError::Configuration, detail);
                self.send(EventKind::CallFailed { call: request.call, error, retryable: false });
            }
            Effect::CloseApproval { .. } => {}
            Effect::Subscribe(subscription) => {
                self.subscriptions.insert(subscription.subscription, *subscription);
            }
            Effect::Unsubscribe { subscription, .. } => {
                self.subscriptions.remove(&subscription);
            }
            Effect::Emit(event) => self.shared.board.emit(*event),
            Effect::Task(record) => {
                self.tasks.insert(record.sequence, *record);
            }
            Effect::Run(record) => self.record = Some(*record),
        }
    }

    /// Answers as if from outside.
    fn send(&self, kind: EventKind) {
        // The other end is this run's own.
        let _ = self.answer.send(Event::new(self.now(), kind));
    }

    /// Gives events to those who listen for them, the oldest first.
    fn deliver(&mut self) {
        let mut at = 0;
        loop {
            while let Ok(posted) = self.arriving.try_recv() {
                self.waiting.push(Waiting { posted, fresh: true });
            }
            let Some(next) = self.waiting.get_mut(at) else { return };
            let fresh = std::mem::take(&mut next.fresh);
            let posted = Arc::clone(&next.posted);
            if !fresh && posted.is_consumed() {
                self.waiting.remove(at);
            } else if self.offer(&posted) {
                self.waiting.remove(at);
                // Whoever listens now may want what was kept.
                at = 0;
            } else {
                at += 1;
            }
        }
    }

    /// Offers an event to those who listen now; whether one of them has consumed it.
    fn offer(&mut self, posted: &Posted) -> bool {
        let interested: Vec<SubscriptionId> = self
            .subscriptions
            .iter()
            .filter(|(_, subscription)| subscription.admits(&posted.event))
            .map(|(id, _)| *id)
            .collect();
        let mut consumed = false;
        for subscription in interested {
            consumed |= self.apply(EventKind::EventReceived { subscription, event: Box::new(posted.event.clone()) });
        }
        if consumed {
            posted.consume();
        }
        consumed
    }

    fn dispatch(&mut self, ticket: CallTicket) {
        let call = ticket.call;
        let cancelled = CancellationToken::new();
        self.calls.insert(call, cancelled.clone());
        let built = workflow::build_call(&self.definition, &self.state, &call, &self.shared.local.secrets);
        let request = match built {
            Ok(request) => request,
            Err(error) => return self.send(EventKind::CallFailed { call, error, retryable: false }),
        };
        let caller = Caller {
            shared: Arc::clone(&self.shared),
            definition: Arc::clone(&self.definition),
            run: request.run,
            ticket,
            cancelled,
            depth: self.depth,
            answer: self.answer.clone(),
        };
        let (answer, clock) = (self.answer.clone(), Arc::clone(&self.shared.local.clock));
        let made: Pin<Box<dyn Future<Output = Made> + Send>> = Box::pin(caller.make(request));
        self.work.spawn(async move {
            // A connector that panics must not leave its run waiting for ever.
            let broken = || failed(StandardError::Runtime, "the call broke off");
            let kind = match tokio::spawn(made).await.unwrap_or_else(|_| broken()) {
                // There is no operator to ask.
                Made::Unknown(error) => EventKind::CallFailed { call, error, retryable: false },
                known => known.into_event(call),
            };
            // An error only says that the run has ended.
            let _ = answer.send(Event::new(clock.now(), kind));
        });
    }
}

fn failed(kind: StandardError, detail: impl Into<String>) -> Made {
    Made::Failed { error: RunError::new(kind, detail), retryable: false }
}

/// Makes one call of a run.
struct Caller {
    shared: Arc<Shared>,
    definition: Arc<Definition>,
    run: RunId,
    ticket: CallTicket,
    cancelled: CancellationToken,
    depth: usize,
    answer: mpsc::UnboundedSender<Event>,
}

/// Takes the messages of a call into its run.
struct Arriving {
    call: CallId,
    answer: mpsc::UnboundedSender<Event>,
    shared: Arc<Shared>,
}

#[async_trait]
impl Messages for Arriving {
    async fn deliver(&self, id: String, mut message: Value) -> bool {
        self.shared.redaction.value(&mut message);
        let kind = EventKind::MessageReceived { call: self.call, id, message };
        self.answer.send(Event::new(self.shared.local.clock.now(), kind)).is_ok()
    }

    /// Nothing is left of a run in process.
    fn may_be_resumed(&self) -> bool {
        false
    }
}

impl Caller {
    async fn make(self, request: CallRequest) -> Made {
        match request.function.as_str() {
            process::WORKFLOW => match serde_json::from_value(request.with) {
                Ok(order) => self.run_workflow(order).await,
                // serde's message may quote a value, and the value may be a secret.
                Err(_) => failed(StandardError::Validation, "the arguments cannot be read"),
            },
            _ => self.call(request).await,
        }
    }

    async fn call(self, request: CallRequest) -> Made {
        let shared = &self.shared;
        let Local { connectors, processes, ids, .. } = &shared.local;
        let calls = Calls { connectors, connections: &NoConnections, processes: processes.as_ref(), ids: ids.as_ref() };
        let document = self.definition.document();
        let namespace: Name = match document.namespace.parse() {
            Ok(namespace) => namespace,
            Err(error) => return failed(StandardError::Configuration, format!("the namespace: {error}")),
        };
        // A subscription goes on for as long as the definition wants it to.
        let context = self.context((!self.ticket.subscribes).then_some(CALL_LIMIT));
        match calls.prepare(request, &namespace, &document.name, self.ticket.idempotent).await {
            Ok(prepared) => calls.make(&prepared, &context, &shared.redaction).await,
            Err(made) => made,
        }
    }

    async fn run_workflow(self, order: Workflow) -> Made {
        if self.depth >= DEPTH {
            return failed(StandardError::Runtime, format!("workflows run workflows more than {DEPTH} deep"));
        }
        let Workflow { namespace, name, version, input } = order;
        let definition = match self.shared.local.workflows.find(&namespace, &name, &version) {
            Ok(definition) => definition,
            Err(error) => return Made::Failed { error, retryable: false },
        };
        let run = Run::begin(self.shared, definition, input, self.depth + 1);
        let Some(record) = run.finish(self.cancelled).await.run else {
            return failed(StandardError::Runtime, format!("the workflow {namespace}/{name} did not begin"));
        };
        match (record.status, record.error) {
            (RunStatus::Completed, _) => Made::Done(record.output.unwrap_or_default()),
            (RunStatus::Faulted, Some(error)) => Made::Failed { error, retryable: false },
            (status, _) => failed(StandardError::Runtime, format!("the workflow {namespace}/{name} is {status}")),
        }
    }

    fn context(&self, limit: Option<Duration>) -> CallContext {
        let local = &self.shared.local;
        let limit = limit.map(|limit| local.clock.now() + limit);
        let log = RedactedLog { log: Arc::clone(&local.log), redaction: self.shared.redaction.clone() };
        let messages = self.ticket.subscribes.then(|| {
            let (answer, shared) = (self.answer.clone(), Arc::clone(&self.shared));
            Arc::new(Arriving { call: self.ticket.call, answer, shared }) as Arc<dyn Messages>
        });
        CallContext {
            run: self.run,
            reference: self.ticket.reference.clone(),
            attempt: self.ticket.attempt,
            key: self.ticket.key.clone(),
            deadline: [self.ticket.deadline, limit].into_iter().flatten().min(),
            clock: Arc::clone(&local.clock),
            ids: Arc::clone(&local.ids),
            log: Arc::new(log),
            base_url: String::new(),
            cancelled: self.cancelled.clone(),
            messages,
        }
    }
}
