//! One run in process: the interpreter, its timers, calls and subscriptions.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use connectors::{CallContext, LogLevel, Messages, NoConnections};
use domain::{Name, RunId, RunStatus, Timestamp};
use serde_json::Value;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use workflow::{
    Attention, CallId, CallRequest, CallTicket, Definition, Effect, Event, EventKind, Resolution, RunError, RunRecord,
    RunState, StandardError, Subscription, SubscriptionId, TaskRecord, TimerId,
    process::{self, Process, Workflow},
};

use super::{
    Local,
    events::{Arriving, Board, Posted},
    pending::{Hold, Pending},
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
/// Why a run is cancelled that waits in vain.
const FORSAKEN: &str = "the run waits for an event, and nobody is left who could send it";

/// What all runs of an execution share.
pub(super) struct Shared {
    pub(super) local: Local,
    pub(super) board: Board,
    pub(super) pending: Pending,
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
    calls: HashMap<CallId, Under>,
    subscriptions: BTreeMap<SubscriptionId, Subscription>,
    arriving: mpsc::UnboundedReceiver<Arriving>,
    waiting: Vec<Waiting>,
    answers: mpsc::UnboundedReceiver<Answer>,
    answer: mpsc::UnboundedSender<Answer>,
    work: JoinSet<()>,
    tasks: BTreeMap<u32, TaskRecord>,
    record: Option<RunRecord>,
    /// Given up while the run can only wait for others.
    hold: Option<Hold>,
}

/// A call under way.
struct Under {
    cancelled: CancellationToken,
    /// Whether it is another run, which holds for itself.
    is_run: bool,
    /// Whether it ends, and says how, when it is cancelled.
    can_be_ended: bool,
}

/// What comes to a run, but for events.
struct Answer {
    kind: EventKind,
    /// Held until the run has it.
    _hold: Hold,
}

impl Run {
    /// Begins a run; `depth` says how many runs are around it.
    pub(super) fn begin(shared: Arc<Shared>, definition: Arc<Definition>, input: Value, depth: usize) -> Self {
        let (answer, answers) = mpsc::unbounded_channel();
        let id = RunId::new(&*shared.local.ids);
        let mut run = Self {
            arriving: shared.board.read(&shared.pending),
            hold: Some(shared.pending.hold()),
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
    pub(super) async fn finish(&mut self, cancelled: CancellationToken) -> Record {
        let mut asked_to_end = false;
        while !self.has_ended() {
            self.deliver();
            if self.has_ended() {
                break;
            }
            if self.only_waits() {
                self.hold = None;
            }
            // Of those that wait in vain, only one that waits for no other run is the reason.
            let listens = self.hold.is_none() && self.calls.is_empty();
            let timer = self.next_timer();
            tokio::select! {
                biased;
                () = cancelled.cancelled(), if !asked_to_end => {
                    self.resume();
                    asked_to_end = true;
                    self.cancel("the run was cancelled from outside");
                }
                Some(answer) = self.answers.recv() => {
                    self.resume();
                    self.apply(answer.kind);
                }
                Some(Arriving { posted, hold: _hold }) = self.arriving.recv() => {
                    self.resume();
                    self.waiting.push(Waiting { posted, fresh: true });
                }
                () = sleep(timer.unwrap_or_default()), if timer.is_some() => self.fire(),
                () = self.shared.pending.nothing_left(), if listens => {
                    // Another that waits in vain may have been first, and what it does now may help.
                    if !self.shared.pending.is_nothing() {
                        continue;
                    }
                    self.resume();
                    if asked_to_end {
                        break;
                    }
                    asked_to_end = true;
                    self.cancel(FORSAKEN);
                }
            }
        }
        // What the run did not wait for ends by itself; what it has given up was told so. A second request ends both.
        self.hold = None;
        self.hear_no_more();
        while !self.work.is_empty() {
            tokio::select! {
                _ = self.work.join_next() => {}
                () = cancelled.cancelled(), if !asked_to_end => {
                    asked_to_end = true;
                    self.calls.values().for_each(|call| call.cancelled.cancel());
                }
            }
        }
        self.resume();
        Record { run: self.record.take(), tasks: std::mem::take(&mut self.tasks).into_values().collect() }
    }

    fn now(&self) -> Timestamp {
        self.shared.local.clock.now()
    }

    fn has_ended(&self) -> bool {
        self.record.as_ref().is_some_and(|record| record.status.is_final())
    }

    /// Whether nothing happens in the run unless something happens in another one.
    fn only_waits(&self) -> bool {
        self.timers.is_empty() && self.calls.values().all(|call| call.is_run)
    }

    /// What still comes is nothing that others should wait for.
    fn hear_no_more(&mut self) {
        self.arriving.close();
        self.answers.close();
        while self.arriving.try_recv().is_ok() {}
        while self.answers.try_recv().is_ok() {}
    }

    fn resume(&mut self) {
        self.hold.get_or_insert_with(|| self.shared.pending.hold());
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
            EventKind::CallCompleted { call, .. }
            | EventKind::CallFailed { call, .. }
            | EventKind::CallLost { call, .. } => {
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
                if let Some(call) = self.calls.remove(&call) {
                    call.cancelled.cancel();
                }
            }
            Effect::SettleCall { call } => {
                if let Some(token) = self.calls.get(&call).filter(|call| call.can_be_ended) {
                    token.cancelled.cancel();
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
            Effect::AskStage { .. } | Effect::Escalate(_) | Effect::CloseApproval { .. } => {}
            Effect::Subscribe(subscription) => {
                self.subscriptions.insert(subscription.subscription, *subscription);
            }
            Effect::Unsubscribe { subscription, .. } => {
                self.subscriptions.remove(&subscription);
            }
            Effect::Emit(event) => self.shared.board.emit(*event, &self.shared.pending),
            Effect::Task(record) => {
                self.tasks.insert(record.sequence, *record);
            }
            Effect::Run(record) => {
                if let Some(Attention::UnknownOutcome { reference, call }) = &record.attention {
                    self.leave_behind(reference, *call);
                }
                self.record = Some(*record);
            }
        }
    }

    /// Nobody knows whether a task happened that would have to be taken back, and there is no operator to ask.
    fn leave_behind(&self, reference: &str, call: CallId) {
        let detail = "nobody knows whether this happened, and it was not taken back";
        self.shared.local.log.line(LogLevel::Error, &format!("{reference}: {detail}"));
        let resolution = Resolution::Failed { error: RunError::new(StandardError::Runtime, detail) };
        self.send(EventKind::CallResolved { call, resolution, by: "rondo".to_owned() });
    }

    /// Answers as if from outside.
    fn send(&self, kind: EventKind) {
        // The other end is this run's own.
        let _ = self.answer.send(Answer { kind, _hold: self.shared.pending.hold() });
    }

    /// Gives events to those who listen for them, the oldest first.
    fn deliver(&mut self) {
        let mut at = 0;
        loop {
            while let Ok(arriving) = self.arriving.try_recv() {
                self.resume();
                self.waiting.push(Waiting { posted: arriving.posted, fresh: true });
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
        let is_run = ticket.function == process::WORKFLOW;
        let can_be_ended = is_run || Process::is_asked_for_by(&ticket.function);
        self.calls.insert(call, Under { cancelled: cancelled.clone(), is_run, can_be_ended });
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
        let (answer, shared) = (self.answer.clone(), Arc::clone(&self.shared));
        let hold = self.shared.pending.hold();
        let made: Pin<Box<dyn Future<Output = (Made, Hold)> + Send>> = Box::pin(caller.make(request, hold));
        self.work.spawn(async move {
            // A connector that panics must not leave its run waiting for ever.
            let broken = || (failed(StandardError::Runtime, "the call broke off"), shared.pending.hold());
            let (made, hold) = tokio::spawn(made).await.unwrap_or_else(|_| broken());
            let kind = match made {
                // There is no operator to ask.
                Made::Unknown(error) => EventKind::CallLost { call, error },
                known => known.into_event(call),
            };
            // An error only says that the run has ended.
            let _ = answer.send(Answer { kind, _hold: hold });
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
    answer: mpsc::UnboundedSender<Answer>,
}

/// Takes the messages of a call into its run.
struct Subscribed {
    call: CallId,
    answer: mpsc::UnboundedSender<Answer>,
    shared: Arc<Shared>,
}

#[async_trait]
impl Messages for Subscribed {
    async fn deliver(&self, id: String, mut message: Value) -> bool {
        self.shared.redaction.value(&mut message);
        let kind = EventKind::MessageReceived { call: self.call, id, message };
        self.answer.send(Answer { kind, _hold: self.shared.pending.hold() }).is_ok()
    }

    /// Nothing is left of a run in process.
    fn may_be_resumed(&self) -> bool {
        false
    }
}

impl Caller {
    /// What became of the call, and what is held until its run knows. A call holds for as long as it takes; another run
    /// holds for itself.
    async fn make(self, request: CallRequest, hold: Hold) -> (Made, Hold) {
        match request.function.as_str() {
            process::WORKFLOW => match serde_json::from_value(request.with) {
                Ok(order) => self.run_workflow(order, hold).await,
                // serde's message may quote a value, and the value may be a secret.
                Err(_) => (failed(StandardError::Validation, "the arguments cannot be read"), hold),
            },
            _ => (self.call(request).await, hold),
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
        let context = self.context(&namespace, (!self.ticket.subscribes).then_some(CALL_LIMIT));
        match calls.prepare(request, &namespace, &document.name, self.ticket.idempotent).await {
            Ok(prepared) => calls.make(&prepared, &context, &shared.redaction).await,
            Err(made) => made,
        }
    }

    async fn run_workflow(self, order: Workflow, hold: Hold) -> (Made, Hold) {
        if self.depth >= DEPTH {
            let detail = format!("workflows run workflows more than {DEPTH} deep");
            return (failed(StandardError::Runtime, detail), hold);
        }
        let Workflow { namespace, name, version, input } = order;
        let definition = match self.shared.local.workflows.find(&namespace, &name, &version) {
            Ok(definition) => definition,
            Err(error) => return (Made::Failed { error, retryable: false }, hold),
        };
        let mut run = Run::begin(Arc::clone(&self.shared), definition, input, self.depth + 1);
        drop(hold);
        let record = run.finish(self.cancelled).await.run;
        // Before that of the run is dropped.
        let hold = self.shared.pending.hold();
        let of = |what: &str| format!("the workflow {namespace}/{name} {what}");
        let made = match record.map(|record| (record.status, record.error, record.output)) {
            None => failed(StandardError::Runtime, of("did not begin")),
            Some((RunStatus::Completed, _, output)) => Made::Done(output.unwrap_or_default()),
            Some((RunStatus::Faulted, Some(error), _)) => Made::Failed { error, retryable: false },
            Some((status, error, _)) => {
                let why = error.and_then(|error| error.detail).map_or_else(String::new, |why| format!(": {why}"));
                failed(StandardError::Runtime, of(&format!("is {status}{why}")))
            }
        };
        (made, hold)
    }

    fn context(&self, namespace: &Name, limit: Option<Duration>) -> CallContext {
        let local = &self.shared.local;
        let limit = limit.map(|limit| local.clock.now() + limit);
        let log = RedactedLog { log: Arc::clone(&local.log), redaction: self.shared.redaction.clone() };
        let messages = self.ticket.subscribes.then(|| {
            let (answer, shared) = (self.answer.clone(), Arc::clone(&self.shared));
            Arc::new(Subscribed { call: self.ticket.call, answer, shared }) as Arc<dyn Messages>
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
            egress: local.connectors.egress(namespace),
            base_url: String::new(),
            cancelled: self.cancelled.clone(),
            messages,
        }
    }
}
