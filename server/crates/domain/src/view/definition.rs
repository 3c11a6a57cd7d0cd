use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CallPlan, Graph, Person, RunError};
use crate::{CommentId, Name, Operation, RunStatus, TaskStatus, Timestamp, Trigger, VersionState};

/// A version in the list of definitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DefinitionItem {
    /// The workflow's namespace.
    pub namespace: Name,
    /// The workflow's name.
    pub name: Name,
    /// The version.
    pub version: String,
    /// Title for people.
    pub title: String,
    /// Where it stands in its life.
    pub state: VersionState,
    /// As of the version.
    pub digest: String,
    /// Who last saved it or moved it along; absent for what ships.
    #[serde(default)]
    pub changed_by: Option<Person>,
    /// When.
    pub changed_at: Timestamp,
    /// Whether a file ships under this number with another text, which was not taken.
    #[serde(default)]
    pub ships_otherwise: bool,
}

/// How a version came to be, and what the caller may do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DefinitionLife {
    /// Everybody who has saved a change of it. None of them may publish it. None for what ships.
    pub authors: Vec<Person>,
    /// Who last saved it or moved it along; absent for what ships.
    #[serde(default)]
    pub changed_by: Option<Person>,
    /// When.
    pub changed_at: Timestamp,
    /// Comments that nobody has resolved.
    pub open_comments: u64,
    /// What would keep it from running today, in words: a secret or a permission that its namespace lacks.
    pub warnings: Vec<String>,
    /// Whether a file ships under this number with another text, which was not taken. `difference?from=shipped` shows it.
    #[serde(default)]
    pub ships_otherwise: bool,
    /// What the caller may do with it as it stands.
    pub actions: Vec<Operation>,
}

/// One thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiagnosticView {
    /// Line in the text, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// JSON pointer to the place in the document; empty for the document itself.
    pub path: String,
    /// What is wrong and what was expected.
    pub message: String,
}

/// What came of trying a definition out. Nothing was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RehearsalView {
    /// The title of the test; empty where it is none.
    pub title: String,
    /// The input.
    pub input: Value,
    /// How the run stands in the end.
    pub status: RunStatus,
    /// Its output, if it completed.
    #[serde(default)]
    pub output: Option<Value>,
    /// The error that it failed with.
    #[serde(default)]
    pub error: Option<RunError>,
    /// Whether it went on and on, and was stopped.
    #[serde(default)]
    pub endless: bool,
    /// What the test expects; absent where it is none.
    #[serde(default)]
    pub expected: Option<ExpectedRun>,
    /// The line of the text on which the test stands, from 1; absent where it is none.
    #[serde(default)]
    pub line: Option<u64>,
    /// What is different from what the test expects; absent if nothing is, or where it is no test.
    #[serde(default)]
    pub difference: Option<String>,
    /// The tasks in order of start; at most 500.
    pub steps: Vec<RehearsedStep>,
}

/// What a test expects of its run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ExpectedRun {
    /// How it ends.
    pub status: RunStatus,
    /// Its output, if that is compared.
    #[serde(default)]
    pub output: Option<Value>,
    /// The type of its error, if that is compared.
    #[serde(default)]
    pub error: Option<String>,
}

/// A task of a run in which nothing was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RehearsedStep {
    /// JSON pointer to the task.
    pub reference: String,
    /// Its title for people.
    pub title: String,
    /// `call`, `set`, `switch` and so on.
    pub kind: String,
    /// The n-th execution of it, from 1.
    pub occurrence: u32,
    /// Whether it takes something back.
    pub compensation: bool,
    /// For a switch, the case that was taken; absent if none was.
    #[serde(default)]
    pub chosen: Option<String>,
    /// Who would be asked, where it asks people, as a word that pages translate where they know it.
    #[serde(default)]
    pub asks: Vec<String>,
    /// How it stands in the end.
    pub status: TaskStatus,
    /// Its input.
    #[serde(default)]
    pub input: Option<Value>,
    /// Its output.
    #[serde(default)]
    pub output: Option<Value>,
    /// The error that it failed with.
    #[serde(default)]
    pub error: Option<RunError>,
    /// The calls that it would have made, one for each attempt.
    pub calls: Vec<RehearsedCall>,
}

/// A call that was not made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RehearsedCall {
    /// The function.
    pub function: String,
    /// The arguments. No secret in them is real.
    pub arguments: Value,
    /// What it would do, in English; absent where its connector cannot say.
    #[serde(default)]
    pub would: Option<String>,
    /// Whether its answer was made up, since the test has none for it.
    pub made_up: bool,
    /// What the other system says of it; absent where it says nothing, or was not asked.
    #[serde(default)]
    pub plan: Option<CallPlan>,
}

/// A text that was looked at and not kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckedDefinition {
    /// What is wrong with it, in the order of the text; nothing when it is a definition.
    pub diagnostics: Vec<DiagnosticView>,
    /// The graph of its tasks, when it is one.
    #[serde(default)]
    pub graph: Option<Graph>,
    /// What came of its own tests, when it is one and they were asked for. Their steps are left out.
    #[serde(default)]
    pub tests: Vec<RehearsalView>,
    /// Its tasks as they are nested, where they were asked for, as far as the text can be read.
    #[serde(default)]
    pub tasks: Option<TaskList>,
}

/// A list of tasks in the text of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskList {
    /// JSON pointer to the list.
    pub reference: String,
    /// The tasks in order.
    pub tasks: Vec<TaskItem>,
}

/// A task in the text of a definition, which may not be one yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskItem {
    /// JSON pointer to the task.
    pub reference: String,
    /// Its title for people.
    pub title: String,
    /// Its kind; empty where it is of none.
    pub kind: String,
    /// The function, for calls.
    #[serde(default)]
    pub function: Option<String>,
    /// The line in which it begins, from 1.
    pub line: u64,
    /// The lists of tasks within it.
    pub lists: Vec<TaskList>,
}

/// A task as a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskForm {
    /// JSON pointer to the task.
    pub reference: String,
    /// Its name.
    pub name: String,
    /// Its kind; empty where it is of none.
    pub kind: String,
    /// Its parts in order; the last one, without a pointer, is the task as a whole.
    pub fields: Vec<TaskField>,
}

/// A part of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskField {
    /// JSON pointer below the task.
    pub pointer: String,
    /// What it is, for an argument of a function.
    pub title: String,
    /// More words about it, for an argument of a function.
    pub hint: String,
    /// Whether it cannot be left out.
    pub required: bool,
    /// What can stand there, where it is one of a few.
    pub choices: Vec<String>,
    /// Whether it takes several lines.
    pub lines: bool,
    /// Whether it is written as in the text (YAML), and is not a text itself.
    pub yaml: bool,
    /// What stands there; empty for nothing.
    pub value: String,
}

/// A change of the tasks of a text. Lists and tasks are named by their JSON pointers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TextEdit {
    /// A new task, before the one that is at this position now, or behind the last.
    Add {
        /// The list.
        list: String,
        /// The position.
        at: usize,
        /// A kind of task, or a function that it calls.
        what: String,
        /// The task's name; empty for one that is free.
        name: String,
    },
    /// A task to another position in its list.
    Move {
        /// The task.
        task: String,
        /// How many positions on; back where it is negative.
        by: isize,
    },
    /// A task, away with all that is within it.
    Remove {
        /// The task.
        task: String,
    },
    /// Another name for a task.
    Rename {
        /// The task.
        task: String,
        /// Its name from now on.
        name: String,
    },
    /// Other contents of a part of a task.
    Change {
        /// The task.
        task: String,
        /// The pointer of the part, as its form has it.
        field: String,
        /// What was filled in; empty for nothing.
        text: String,
    },
}

/// A text after a change of its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EditedText {
    /// The text.
    pub source: String,
    /// Its tasks now.
    #[serde(default)]
    pub tasks: Option<TaskList>,
    /// The task that was changed, as it is now; absent where it is gone.
    #[serde(default)]
    pub form: Option<TaskForm>,
}

/// A draft that was just saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SavedDefinition {
    /// The workflow's namespace.
    pub namespace: Name,
    /// The workflow's name.
    pub name: Name,
    /// The version.
    pub version: String,
    /// What the next one who saves it sends as `digest`.
    pub digest: String,
    /// What is wrong with it still; it can be submitted once this is empty.
    pub diagnostics: Vec<DiagnosticView>,
}

/// Something that was said of a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CommentView {
    /// Its id.
    pub id: CommentId,
    /// The version's digest when it was written.
    pub digest: String,
    /// The line of the text that it is about, from 1; absent if it is about the whole.
    #[serde(default)]
    pub line: Option<u32>,
    /// What is said.
    pub text: String,
    /// By whom.
    pub written_by: Person,
    /// When.
    pub written_at: Timestamp,
    /// Who has settled it.
    #[serde(default)]
    pub resolved_by: Option<Person>,
    /// When it was settled.
    #[serde(default)]
    pub resolved_at: Option<Timestamp>,
}

/// What an editor needs to know to help those who write definitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LanguageView {
    /// JSON Schema (2020-12) of definitions.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub schema: Value,
    /// The functions that `call` can name here.
    pub functions: BTreeMap<String, FunctionView>,
}

/// A function that can be called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FunctionView {
    /// JSON Schema of its `with`, with expressions evaluated.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub schema: Value,
    /// The system that it touches, in a word or two.
    pub system: String,
}

/// How the text of a version differs from that of another one of the same workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DifferenceView {
    /// The other version, which is what was before.
    pub other: String,
    /// What differs, with a few lines around it, in the order of the text; none where the texts are the same.
    pub passages: Vec<Vec<DifferenceRow>>,
}

/// Lines of two texts that stand side by side. One of them is absent where a line was added or taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DifferenceRow {
    /// In the other version.
    #[serde(default)]
    pub before: Option<TextLine>,
    /// In this version.
    #[serde(default)]
    pub after: Option<TextLine>,
}

impl DifferenceRow {
    /// Whether both sides say the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.before.as_ref().map(|line| &line.text) == self.after.as_ref().map(|line| &line.text)
    }
}

/// A line of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TextLine {
    /// Its number, from 1.
    pub number: u32,
    /// What it says, without its end.
    pub text: String,
}

/// What still uses a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct UsesView {
    /// Its schedules, which launch runs by themselves.
    pub schedules: Vec<Trigger>,
    /// Published versions that call it by `run: workflow`, as far as the caller may see them.
    pub callers: Vec<CallerView>,
    /// How many more such versions there are.
    pub other_callers: u64,
    /// Runs of it that have not ended. They keep the version and go on.
    pub open_runs: u64,
}

impl UsesView {
    /// Whether nothing uses it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A version that calls another workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CallerView {
    /// Its namespace.
    pub namespace: Name,
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: String,
}
