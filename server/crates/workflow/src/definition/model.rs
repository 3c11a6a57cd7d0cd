//! A definition as the machine works with it: tasks and task lists in two arenas, addressed by index.
//!
//! Indices are given in the order of the document, depth first, so the same text always gives the same indices.

use std::sync::Arc;
use std::time::Duration;

use domain::Name;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::expression::{Expression, Template};
use crate::process::Return;

/// Index of a task in its definition.
pub(crate) type TaskIndex = u32;
/// Index of a task list in its definition.
pub(crate) type ListIndex = u32;

#[derive(Debug)]
pub(crate) struct TaskList {
    pub(crate) tasks: Vec<TaskIndex>,
}

#[derive(Debug)]
pub(crate) struct Task {
    /// JSON pointer: `/do/0/createAccount`.
    pub(crate) reference: Arc<str>,
    pub(crate) name: String,
    /// The line of its name in the text, from 1.
    pub(crate) line: usize,
    pub(crate) condition: Option<Expression>,
    pub(crate) input: DataStep,
    pub(crate) output: DataStep,
    pub(crate) export: DataStep,
    pub(crate) timeout: Option<Span>,
    pub(crate) then: Then,
    pub(crate) metadata: TaskMetadata,
    pub(crate) kind: TaskKind,
    /// Positions of the extensions of its kind.
    pub(crate) extensions: Vec<usize>,
    /// The task as written: `$task.definition`.
    pub(crate) raw: Value,
}

/// Validation and transformation at one border of a task or workflow.
#[derive(Debug, Default)]
pub(crate) struct DataStep {
    pub(crate) schema: Option<Schema>,
    /// `from` or `as`.
    pub(crate) transform: Option<Template>,
}

#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) document: Value,
    pub(crate) validator: jsonschema::Validator,
}

/// A length of time.
#[derive(Debug, Clone)]
pub(crate) enum Span {
    Fixed(Duration),
    /// Evaluates to an ISO 8601 duration.
    Expression(Arc<Expression>),
}

/// What is done around tasks.
#[derive(Debug)]
pub(crate) struct Extension {
    pub(crate) name: String,
    /// Where it stands in the document, as a JSON pointer.
    pub(crate) reference: String,
    /// The kind of task; none: every kind.
    pub(crate) target: Option<String>,
    pub(crate) when: Option<Expression>,
    pub(crate) before: Option<ListIndex>,
    pub(crate) after: Option<ListIndex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Then {
    /// Nothing is said.
    Unset,
    Continue,
    Exit,
    End,
    /// The position in the same list.
    Task(usize),
}

#[derive(Debug, Default)]
pub(crate) struct TaskMetadata {
    pub(crate) title: Option<String>,
    pub(crate) compensate: Option<ListIndex>,
    pub(crate) idempotent: bool,
    /// The labels of a runner elsewhere that its process is for; none: nothing is said.
    pub(crate) runner: Option<Vec<Name>>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a definition has few tasks, and they never move")]
pub(crate) enum TaskKind {
    Do(ListIndex),
    Set(Template),
    Switch(Vec<Case>),
    Call(Call),
    Function(FunctionCall),
    Try(Box<Try>),
    Wait(Span),
    Raise(ErrorTemplate),
    For(Box<For>),
    Fork(Fork),
    /// The attributes of the event.
    Emit(Template),
    Listen(Box<Listen>),
    Run(Box<Run>),
    /// A call of which messages come.
    Consume(Box<Consume>),
    /// Parsed, not executable; its definition is refused, so no run ever sees it.
    Unsupported,
}

impl TaskKind {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Do(_) => "do",
            Self::Set(_) => "set",
            Self::Switch(_) => "switch",
            Self::Call(_) | Self::Function(_) | Self::Consume(_) => "call",
            Self::Try(_) => "try",
            Self::Wait(_) => "wait",
            Self::Raise(_) => "raise",
            Self::For(_) => "for",
            Self::Fork(_) => "fork",
            Self::Emit(_) => "emit",
            Self::Listen(_) => "listen",
            Self::Run(_) => "run",
            Self::Unsupported => "unsupported",
        }
    }

    /// What is dispatched, if anything.
    pub(crate) fn call(&self) -> Option<&Call> {
        match self {
            Self::Call(call) => Some(call),
            Self::Run(run) => Some(&run.call),
            Self::Consume(consume) => Some(&consume.call),
            _ => None,
        }
    }

    /// What is done with each event or message, if anything.
    pub(crate) fn iterator(&self) -> Option<&EventIterator> {
        match self {
            Self::Listen(listen) => listen.iterator.as_ref(),
            Self::Consume(consume) => consume.iterator.as_ref(),
            _ => None,
        }
    }

    /// The function that is called, of whatever kind.
    pub(crate) fn function(&self) -> Option<&str> {
        match self {
            Self::Function(call) => Some(&call.name),
            _ => self.call().map(|call| call.function.as_str()),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) when: Option<Expression>,
    pub(crate) then: Then,
}

/// A call of a function of the catalogue.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function: String,
    pub(crate) with: Template,
    /// The function's schema, to check what was an expression when the definition was saved.
    pub(crate) schema: Arc<jsonschema::Validator>,
}

/// A process.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) call: Call,
    pub(crate) returns: Return,
    pub(crate) awaited: bool,
}

/// A call of one of `use.functions`.
#[derive(Debug)]
pub(crate) struct FunctionCall {
    pub(crate) name: String,
    pub(crate) body: TaskIndex,
    pub(crate) with: Option<Template>,
}

#[derive(Debug)]
pub(crate) struct Try {
    pub(crate) body: ListIndex,
    pub(crate) filter: ErrorFilter,
    pub(crate) variable: String,
    pub(crate) when: Option<Expression>,
    pub(crate) except_when: Option<Expression>,
    pub(crate) retry: Option<Arc<RetryPolicy>>,
    pub(crate) handler: Option<ListIndex>,
}

/// What an error must look like to be caught; absent members match all.
#[derive(Debug, Default)]
pub(crate) struct ErrorFilter {
    pub(crate) kind: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) instance: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) detail: Option<String>,
}

#[derive(Debug)]
pub(crate) struct RetryPolicy {
    pub(crate) when: Option<Expression>,
    pub(crate) except_when: Option<Expression>,
    pub(crate) delay: Option<Span>,
    pub(crate) backoff: Backoff,
    /// How many retries; none: no limit by count.
    pub(crate) count: Option<u32>,
    pub(crate) attempt_duration: Option<Span>,
    pub(crate) total_duration: Option<Span>,
    pub(crate) jitter: Option<(Span, Span)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backoff {
    Constant,
    Linear,
    Exponential,
}

#[derive(Debug)]
pub(crate) struct For {
    pub(crate) each: String,
    pub(crate) at: String,
    pub(crate) collection: Expression,
    pub(crate) condition: Option<Expression>,
    pub(crate) body: ListIndex,
}

#[derive(Debug)]
pub(crate) struct Fork {
    pub(crate) branches: ListIndex,
    pub(crate) compete: bool,
}

#[derive(Debug)]
pub(crate) struct ErrorTemplate {
    pub(crate) kind: Template,
    pub(crate) status: Template,
    pub(crate) title: Option<Template>,
    pub(crate) detail: Option<Template>,
    pub(crate) instance: Option<Template>,
}

#[derive(Debug)]
pub(crate) struct Listen {
    pub(crate) to: Consumption,
    pub(crate) read: Read,
    pub(crate) iterator: Option<EventIterator>,
}

/// A subscription to messages.
#[derive(Debug)]
pub(crate) struct Consume {
    pub(crate) call: Call,
    pub(crate) filter: Option<Expression>,
    pub(crate) lifetime: Lifetime,
    /// For how long at most.
    pub(crate) limit: Option<Span>,
    pub(crate) iterator: Option<EventIterator>,
}

/// How many messages are consumed. Conditions are of the messages consumed so far.
#[derive(Debug)]
pub(crate) enum Lifetime {
    Amount(usize),
    While(Expression),
    Until(Expression),
}

impl Lifetime {
    pub(crate) fn is_condition(&self) -> bool {
        !matches!(self, Self::Amount(_))
    }
}

/// What is read of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    Data,
    Envelope,
    Raw,
}

/// What is done with each event that is consumed.
#[derive(Debug)]
pub(crate) struct EventIterator {
    pub(crate) item: String,
    pub(crate) at: String,
    pub(crate) body: Option<ListIndex>,
    pub(crate) output: DataStep,
    pub(crate) export: DataStep,
}

/// An event consumption strategy.
#[derive(Debug)]
pub(crate) struct Consumption {
    pub(crate) mode: Mode,
    /// With `any`, none means all events.
    pub(crate) filters: Vec<Filter>,
    /// Only with `any`.
    pub(crate) until: Option<Until>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    One,
    Any,
    All,
}

#[derive(Debug)]
pub(crate) enum Until {
    /// Of the events consumed so far.
    Condition(Expression),
    Events(Box<Consumption>),
}

#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) attributes: Vec<(String, Matcher)>,
    pub(crate) correlations: Vec<Correlation>,
}

/// What an attribute of an event must be.
#[derive(Debug)]
pub(crate) enum Matcher {
    /// This text, or all of it matching the pattern.
    Text(String, Option<regex::Regex>),
    /// This value, or one that contains it.
    Value(Value),
    /// Evaluated with the attribute as `.`: true, or a value equal to the attribute.
    Expression(Expression),
    /// Evaluated likewise to a value that the attribute must be or contain.
    Template(Template),
}

#[derive(Debug)]
pub(crate) struct Correlation {
    pub(crate) name: String,
    pub(crate) from: Expression,
    pub(crate) expect: Option<Template>,
}
