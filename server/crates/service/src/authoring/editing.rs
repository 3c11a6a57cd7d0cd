//! Changing the tasks of a text by forms. Nothing is kept: the text is saved as any other.

use domain::{
    ErrorCode, Operation, Problem,
    view::{EditedText, TaskForm, TaskList, TextEdit},
};
use policy::Resource;
use serde_json::Value;
use workflow::{
    FunctionCatalogue,
    edit::{Manuscript, Refusal},
};

use crate::{Caller, Service, gate::Target, people::field, problems::not_found};

impl Service {
    /// The form of a task in a text; none where there is no such task.
    pub async fn task_form(&self, caller: &Caller, text: &str, task: &str) -> Result<TaskForm, Problem> {
        let task = task.to_owned();
        let form = self.with_text(caller, text, move |text, functions| Ok(text.task_form(&task, functions))).await?;
        form.map_err(|refusal| refused(refusal, ""))?.ok_or_else(not_found)
    }

    /// A text with its tasks changed. All else in it stays as it is written, comments included; what is written in a way
    /// that cannot be changed like this is refused, with what was to be changed as the pointer of the problem's one error:
    /// `/name`, or the part of the task.
    pub async fn edit_definition(&self, caller: &Caller, text: &str, edit: TextEdit) -> Result<EditedText, Problem> {
        let part = match &edit {
            TextEdit::Add { .. } | TextEdit::Rename { .. } => "/name",
            TextEdit::Change { field, .. } => field,
            TextEdit::Move { .. } | TextEdit::Remove { .. } => "",
        };
        let part = part.to_owned();
        let edited = self.with_text(caller, text, move |text, functions| {
            let (text, task) = text.edit(&edit, functions)?;
            let form = task.and_then(|task| text.task_form(&task, functions));
            Ok(EditedText { form, tasks: text.tasks(), source: text.text().to_owned() })
        });
        edited.await?.map_err(|refusal| refused(refusal, &part))
    }

    async fn with_text<T: Send + 'static>(
        &self,
        caller: &Caller,
        text: &str,
        work: impl FnOnce(&Manuscript, &FunctionCatalogue) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<Result<T, Refusal>, Problem> {
        let mut gate = self.look(caller, Operation::DefinitionValidate).await?;
        gate.authorize(&Resource::system(), &Target::new("definitions", "", "")).await?;
        drop(gate);
        super::must_fit(text)?;
        let (text, functions) = (text.to_owned(), self.parts.connectors.function_catalogue().clone());
        self.in_turn("try again later", move || work(&Manuscript::read(&text)?, &functions)).await
    }
}

/// The problem of a change that is not made. The rule says why.
fn refused(refusal: Refusal, part: &str) -> Problem {
    let rule = match refusal {
        Refusal::Name => "unique",
        Refusal::Unreadable => "unreadable",
        Refusal::Nowhere => "nowhere",
        Refusal::Unusual => "unusual",
        Refusal::Comment => "comment",
        Refusal::Malformed => "malformed",
    };
    let error = field(part, rule, Value::Null, &refusal.to_string());
    Problem::new(ErrorCode::InvalidInput).with_errors(vec![error])
}

/// The tasks of a text, as far as it can be read.
pub(super) fn tasks(text: &str) -> Option<TaskList> {
    Manuscript::read(text).ok().and_then(|text| text.tasks())
}
