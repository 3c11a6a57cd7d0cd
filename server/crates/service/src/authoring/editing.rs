//! Changing the tasks of a text by forms. Nothing is kept: the text is saved as any other.

use std::collections::BTreeMap;

use domain::{
    ErrorCode, Operation, Problem,
    view::{EditedText, TaskForm, TaskList},
};
use policy::Resource;
use serde_json::Value;
use workflow::{
    FunctionCatalogue,
    edit::{Manuscript, Refusal},
};

use crate::{Caller, Service, gate::Target, people::field, problems::not_found};

/// A change of the tasks of a text. Lists and tasks are named by their JSON pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextEdit {
    /// A new task, before the one that is at this position now, or behind the last.
    Add {
        /// The list.
        list: String,
        /// The position.
        at: usize,
        /// The task's name.
        name: String,
        /// A kind of task, or a function that it calls.
        what: String,
    },
    /// A task to another position in its list.
    Move {
        /// The list.
        list: String,
        /// Where it is.
        from: usize,
        /// Where it is to be.
        to: usize,
    },
    /// A task, away with all that is within it.
    Remove {
        /// The list.
        list: String,
        /// Where it is.
        at: usize,
    },
    /// Other contents of a task.
    Change {
        /// The task.
        task: String,
        /// Its name from now on.
        name: String,
        /// What was filled in, by the pointers of its form.
        fields: BTreeMap<String, String>,
    },
}

impl Service {
    /// The form of a task in a text; none where there is no such task.
    pub async fn task_form(&self, caller: &Caller, text: &str, task: &str) -> Result<TaskForm, Problem> {
        let task = task.to_owned();
        let form = self.with_text(caller, text, move |text, functions| Ok(text.task_form(&task, functions))).await?;
        form.ok_or_else(not_found)
    }

    /// A text with its tasks changed. All else in it stays as it is written, comments included; what is written in a way
    /// that cannot be changed like this is refused.
    pub async fn edit_definition(&self, caller: &Caller, text: &str, edit: TextEdit) -> Result<EditedText, Problem> {
        self.with_text(caller, text, move |text, functions| {
            let edited = match edit {
                TextEdit::Add { list, at, name, what } => text.add_task(&list, at, name.trim(), &what),
                TextEdit::Move { list, from, to } => text.shift(&list, from, to),
                TextEdit::Remove { list, at } => text.remove(&list, at),
                TextEdit::Change { task, name, fields } => text.change_task(&task, &name, &fields, functions),
            };
            edited.map(|text| EditedText { tasks: text.tasks(), source: text.text().to_owned() })
        })
        .await
    }

    async fn with_text<T: Send + 'static>(
        &self,
        caller: &Caller,
        text: &str,
        work: impl FnOnce(&Manuscript, &FunctionCatalogue) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionValidate).await?;
        gate.authorize(&Resource::system(), &Target::new("definitions", "", "")).await?;
        drop(gate);
        super::must_fit(text)?;
        let (text, functions) = (text.to_owned(), self.parts.connectors.function_catalogue().clone());
        let worked = self.in_turn("try again later", move || work(&Manuscript::read(&text)?, &functions)).await?;
        worked.map_err(|refusal| match refusal {
            Refusal::Name => {
                let taken =
                    field("/name", "unique", Value::Null, "a task of this list has the name, or it cannot be one");
                Problem::new(ErrorCode::InvalidInput).with_errors(vec![taken])
            }
            refusal => Problem::new(ErrorCode::Conflict).with_detail(refusal.to_string()),
        })
    }
}

/// The tasks of a text, as far as it can be read.
pub(super) fn tasks(text: &str) -> Option<TaskList> {
    Manuscript::read(text).ok().and_then(|text| text.tasks())
}
