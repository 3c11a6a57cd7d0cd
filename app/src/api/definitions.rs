//! Definitions, from the first line written to retirement.

use std::collections::BTreeMap;

use domain::{
    CommentId, VersionState,
    view::{
        CheckedDefinition, CommentView, DefinitionItem, DifferenceView, EditedText, Page, RehearsalView,
        SavedDefinition, TaskForm, TextEdit, UsesView, WorkflowVersionView,
    },
};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "ssr")]
use super::{go_on, scope};
use crate::{door::Door, errors::AppError};
#[cfg(feature = "ssr")]
use domain::{ErrorCode, Problem};

/// What the list is narrowed to, as it stands in the address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DefinitionListQuery {
    /// A state, or empty for all.
    pub state: String,
    /// A namespace, or empty for all.
    pub namespace: String,
    /// Where the page begins.
    pub cursor: String,
}

/// What the address of a definition names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionAddress {
    /// The workflow's namespace.
    pub namespace: String,
    /// The workflow's name.
    pub name: String,
    /// The version.
    pub version: String,
}

/// A version with all that its page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DefinitionData {
    /// The version, with its life.
    pub definition: WorkflowVersionView,
    /// Its state.
    pub state: VersionState,
    /// All versions of the workflow, newest first.
    pub versions: Vec<VersionLine>,
    /// What was said of it, oldest first.
    pub comments: Vec<CommentView>,
    /// What is wrong with a draft; absent for other states, and where what it refers to elsewhere does not come.
    pub checked: Option<CheckedDefinition>,
    /// What came of its own tests, without their steps: of a draft, and of what is in review.
    pub tests: Vec<RehearsalView>,
    /// What uses a published version.
    pub uses: Option<UsesView>,
    /// What differs from another version, where the page shows it.
    pub difference: Option<DifferenceView>,
}

/// One of the versions of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionLine {
    /// The version.
    pub version: String,
    /// Its state.
    pub state: VersionState,
}

/// A draft in the editor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DraftData {
    /// The draft.
    pub definition: WorkflowVersionView,
    /// What is wrong with it; absent where what it refers to elsewhere does not come.
    pub checked: Option<CheckedDefinition>,
    /// The functions that can be called, each with the system that it touches; for whoever may write the draft.
    pub functions: Vec<(String, String)>,
}

/// A version that is tried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialData {
    /// The version.
    pub definition: WorkflowVersionView,
    /// Whether its text is a definition, so that it can be tried out.
    pub valid: bool,
    /// Whether the person may add tests to it.
    pub writable: bool,
    /// What came of its own tests, without their steps.
    pub tests: Vec<RehearsalView>,
    /// What the form begins with: the input that was typed.
    pub input: Value,
    /// Whether what was typed as JSON is none.
    pub malformed: bool,
    /// What came of that input, or of the chosen test.
    pub tried: Option<RehearsalView>,
}

/// Versions of all states, by name.
#[server(protocol = Door, prefix = "/ui", endpoint = "definitions")]
pub async fn definitions(query: DefinitionListQuery) -> Result<Page<DefinitionItem>, AppError> {
    let (service, caller) = scope()?;
    let filter = service::DefinitionQuery { state: query.state.parse().ok(), namespace: query.namespace.parse().ok() };
    let cursor = Some(query.cursor.as_str()).filter(|cursor| !cursor.is_empty());
    Ok(service.definitions(&caller, filter, cursor, None).await?)
}

/// A version for those who write and publish. `compare` is the version that it is compared with; empty for none.
#[server(protocol = Door, prefix = "/ui", endpoint = "definition")]
pub async fn definition(at: VersionAddress, #[server(default)] compare: String) -> Result<DefinitionData, AppError> {
    let (service, caller) = scope()?;
    let workflow = server_side::workflow(&at)?;
    let comments = service.definition_comments(&caller, &workflow, &at.version).await?;
    let definition = service.workflow_version(&caller, &workflow, &at.version).await?;
    let state = server_side::state(&definition)?;
    let versions = service.workflow_versions(&caller, &workflow).await?.into_iter();
    let line = |one: WorkflowVersionView| -> Result<VersionLine, AppError> {
        Ok(VersionLine { state: server_side::state(&one)?, version: one.item.version })
    };
    let versions = versions.map(line).collect::<Result<_, _>>()?;
    let mut checked = server_side::checked(&service, &caller, &definition).await?;
    let tests = if state == VersionState::InReview {
        server_side::tests(&service, &caller, &workflow, &at.version).await?.unwrap_or_default()
    } else {
        checked.as_mut().map(|checked| std::mem::take(&mut checked.tests)).unwrap_or_default()
    };
    let uses = if state == VersionState::Published {
        Some(service.definition_uses(&caller, &workflow, &at.version).await?)
    } else {
        None
    };
    let difference = if compare.is_empty() {
        None
    } else {
        Some(service.definition_difference(&caller, &workflow, &at.version, &compare).await?)
    };
    Ok(DefinitionData { definition, state, versions, comments, checked, tests, uses, difference })
}

/// A version alone, as for the preview of its form.
#[server(protocol = Door, prefix = "/ui", endpoint = "definition-version")]
pub async fn definition_version(at: VersionAddress) -> Result<WorkflowVersionView, AppError> {
    let (service, caller) = scope()?;
    Ok(service.workflow_version(&caller, &server_side::workflow(&at)?, &at.version).await?)
}

/// Tries a version out: by the chosen one of its tests, counted from 1, or by an input, which stands in `fields` if a button of
/// the form was pressed (`action`), or in `input` as JSON. Nothing is done, and nothing is kept. Where `action` is `ask`, other
/// systems are asked what the calls would change.
#[server(protocol = Door, prefix = "/ui", endpoint = "definition-trial")]
pub async fn definition_trial(
    at: VersionAddress,
    #[server(default)] fields: BTreeMap<String, String>,
    #[server(default)] input: String,
    #[server(default)] action: String,
    #[server(default)] test: String,
) -> Result<TrialData, AppError> {
    let (service, caller) = scope()?;
    let workflow = server_side::workflow(&at)?;
    let definition = service.workflow_version(&caller, &workflow, &at.version).await?;
    let schema = definition.item.input_schema.clone();
    let (typed, malformed) = server_side::typed_input(schema.as_ref(), fields, input.trim(), &action);
    let mut tests = server_side::tests(&service, &caller, &workflow, &at.version).await?;
    let valid = tests.is_some();
    let chosen = test.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let of_test = chosen.and_then(|number| tests.as_ref()?.get(number).cloned());
    for test in tests.iter_mut().flatten() {
        test.steps = Vec::new();
    }
    let asked = valid && !malformed && (matches!(action.as_str(), "try" | "ask") || !input.trim().is_empty());
    let tried = match (of_test, asked) {
        (None, true) => {
            let input = Some(typed.clone());
            let tried = if action == "ask" {
                service.foresee_version(&caller, &workflow, &at.version, input).await?
            } else {
                service.rehearse_version(&caller, &workflow, &at.version, input).await?
            };
            tried.into_iter().next()
        }
        (of_test, _) => of_test,
    };
    let input = tried.as_ref().map_or(typed, |tried| tried.input.clone());
    let writable = server_side::writable(&definition);
    Ok(TrialData { definition, valid, writable, tests: tests.unwrap_or_default(), input, malformed, tried })
}

/// Adds a test to a draft: this input, in JSON, is to come to what it comes to now. `digest` is that of the text that was
/// tried out.
#[server(protocol = Door, prefix = "/ui", endpoint = "keep-as-test")]
pub async fn keep_as_test(
    at: VersionAddress,
    digest: String,
    #[server(default)] title: String,
    input: String,
) -> Result<SavedDefinition, AppError> {
    let (service, caller) = scope()?;
    let workflow = server_side::workflow(&at)?;
    let input = serde_json::from_str(&input).map_err(|_| Problem::new(ErrorCode::BadRequest))?;
    let saved = service.keep_as_test(&caller, &workflow, &at.version, &digest, &title, input).await?;
    go_on(&at.trial_href());
    Ok(saved)
}

/// A draft for the editor.
#[server(protocol = Door, prefix = "/ui", endpoint = "definition-draft")]
pub async fn definition_draft(at: VersionAddress) -> Result<DraftData, AppError> {
    let (service, caller) = scope()?;
    let definition = service.workflow_version(&caller, &server_side::workflow(&at)?, &at.version).await?;
    let checked = server_side::checked(&service, &caller, &definition).await?;
    let functions = if server_side::writable(&definition) {
        let known = service.definition_language(&caller).await?.functions;
        known.into_iter().map(|(name, function)| (name, function.system)).collect()
    } else {
        Vec::new()
    };
    Ok(DraftData { definition, checked, functions })
}

/// What is wrong with a text, while somebody writes it.
#[server(protocol = Door, prefix = "/ui", endpoint = "check-definition")]
pub async fn check_definition(#[server(default)] source: String) -> Result<CheckedDefinition, AppError> {
    let (service, caller) = scope()?;
    Ok(service.check_definition(&caller, &server_side::text(&source)).await?)
}

/// The form of a task in a text, while somebody writes it.
#[server(protocol = Door, prefix = "/ui", endpoint = "form-of-task")]
pub async fn form_of_task(#[server(default)] source: String, task: String) -> Result<TaskForm, AppError> {
    let (service, caller) = scope()?;
    Ok(service.task_form(&caller, &server_side::text(&source), &task).await?)
}

/// A text with its tasks changed. Nothing is kept.
#[server(protocol = Door, prefix = "/ui", endpoint = "edit-definition")]
pub async fn edit_definition(#[server(default)] source: String, edit: TextEdit) -> Result<EditedText, AppError> {
    let (service, caller) = scope()?;
    Ok(service.edit_definition(&caller, &server_side::text(&source), edit).await?)
}

/// Begins a definition with a text that does nothing yet.
#[server(protocol = Door, prefix = "/ui", endpoint = "begin-definition")]
pub async fn begin_definition(
    #[server(default)] namespace: String,
    #[server(default)] name: String,
    #[server(default)] version: String,
    #[server(default)] title: String,
) -> Result<SavedDefinition, AppError> {
    let (service, caller) = scope()?;
    let (workflow, version) = server_side::new_version(&namespace, &name, &version)?;
    let text = server_side::first_text(&workflow, &version, title.trim());
    let saved = service.save_definition(&caller, &workflow, &version, &text, None).await?;
    go_on(&format!("{}/edit", definition_href(&saved.namespace, &saved.name, &saved.version)));
    Ok(saved)
}

/// Keeps a draft. `digest` is that of the text which was changed; `next` is `try` for whoever goes on to try it out.
#[server(protocol = Door, prefix = "/ui", endpoint = "save-definition")]
pub async fn save_definition(
    at: VersionAddress,
    #[server(default)] source: String,
    digest: String,
    #[server(default)] next: String,
) -> Result<SavedDefinition, AppError> {
    let (service, caller) = scope()?;
    let (workflow, text) = (server_side::workflow(&at)?, server_side::text(&source));
    let saved = service.save_definition(&caller, &workflow, &at.version, &text, Some(&digest)).await?;
    go_on(&if next == "try" { at.trial_href() } else { format!("{}/edit?saved=true", at.href()) });
    Ok(saved)
}

/// Deletes a draft.
#[server(protocol = Door, prefix = "/ui", endpoint = "delete-definition")]
pub async fn delete_definition(at: VersionAddress) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.delete_definition(&caller, &server_side::workflow(&at)?, &at.version).await?;
    go_on(LIST);
    Ok(())
}

/// Gives a draft to review.
#[server(protocol = Door, prefix = "/ui", endpoint = "submit-definition")]
pub async fn submit_definition(at: VersionAddress) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.submit_definition(&caller, &server_side::workflow(&at)?, &at.version).await?;
    go_on(&at.href());
    Ok(())
}

/// Takes a version back from review.
#[server(protocol = Door, prefix = "/ui", endpoint = "withdraw-definition")]
pub async fn withdraw_definition(at: VersionAddress) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.withdraw_definition(&caller, &server_side::workflow(&at)?, &at.version).await?;
    go_on(&at.href());
    Ok(())
}

/// Returns a version to its authors, with what is to be done.
#[server(protocol = Door, prefix = "/ui", endpoint = "return-definition")]
pub async fn return_definition(at: VersionAddress, #[server(default)] comment: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let comment = server_side::text(&comment);
    service.return_definition(&caller, &server_side::workflow(&at)?, &at.version, &comment).await?;
    go_on(&at.href());
    Ok(())
}

/// Publishes what was reviewed, which the digest says.
#[server(protocol = Door, prefix = "/ui", endpoint = "publish-definition")]
pub async fn publish_definition(at: VersionAddress, digest: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.publish_definition(&caller, &server_side::workflow(&at)?, &at.version, &digest).await?;
    go_on(&at.href());
    Ok(())
}

/// Retires a published version, `anyway` although something uses it.
#[server(protocol = Door, prefix = "/ui", endpoint = "retire-definition")]
pub async fn retire_definition(at: VersionAddress, #[server(default)] anyway: bool) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.retire_definition(&caller, &server_side::workflow(&at)?, &at.version, anyway).await?;
    go_on(&at.href());
    Ok(())
}

/// Makes a draft of a published text under another number.
#[server(protocol = Door, prefix = "/ui", endpoint = "copy-definition")]
pub async fn copy_definition(
    at: VersionAddress,
    #[server(default)] number: String,
) -> Result<SavedDefinition, AppError> {
    let (service, caller) = scope()?;
    let workflow = server_side::workflow(&at)?;
    let saved = service.copy_definition(&caller, &workflow, &at.version, number.trim()).await?;
    go_on(&format!("{}/edit", definition_href(&saved.namespace, &saved.name, &saved.version)));
    Ok(saved)
}

/// Says something of a version: of a line, or, where `line` is empty, of the whole.
#[server(protocol = Door, prefix = "/ui", endpoint = "comment-on-definition")]
pub async fn comment_on_definition(
    at: VersionAddress,
    #[server(default)] comment: String,
    #[server(default)] line: String,
    digest: String,
) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    let (workflow, comment) = (server_side::workflow(&at)?, server_side::text(&comment));
    let line = server_side::line(&line)?;
    service.comment_on_definition(&caller, &workflow, &at.version, &comment, line, &digest).await?;
    go_on(&at.href());
    Ok(())
}

/// Settles a comment.
#[server(protocol = Door, prefix = "/ui", endpoint = "resolve-comment")]
pub async fn resolve_comment(at: VersionAddress, id: CommentId) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.resolve_comment(&caller, &server_side::workflow(&at)?, &at.version, id).await?;
    go_on(&at.href());
    Ok(())
}

/// Where the list is.
pub const LIST: &str = "/definitions";

/// The address of a version's page.
pub fn definition_href(
    namespace: &impl std::fmt::Display,
    name: &impl std::fmt::Display,
    version: &impl std::fmt::Display,
) -> String {
    format!("{LIST}/{namespace}/{name}/{version}")
}

impl VersionAddress {
    /// The address of the version's page.
    pub fn href(&self) -> String {
        definition_href(&self.namespace, &self.name, &self.version)
    }

    /// Where its text is had as a file.
    pub fn source_href(&self) -> String {
        let Self { namespace, name, version } = self;
        format!("/api/v1/workflows/{namespace}/{name}/versions/{version}/source")
    }

    /// The address of the page on which it is tried out.
    pub fn trial_href(&self) -> String {
        format!("{}/try", self.href())
    }
}

#[cfg(feature = "ssr")]
mod server_side {
    use std::collections::BTreeMap;

    use domain::{
        ErrorCode, FieldError, Name, Operation, Problem, VersionState, WorkflowRef, form,
        view::{CheckedDefinition, RehearsalView, WorkflowVersionView},
    };
    use serde_json::{Value, json};
    use service::{Caller, Service};

    use super::VersionAddress;
    use crate::{
        api::catalogue::{pairs, values_after},
        errors::AppError,
    };

    /// What a definition begins as; the words in braces are filled in.
    const FIRST_TEXT: &str = include_str!("definitions/first.yaml");

    /// The workflow that an address names; what is no name names nothing.
    pub(super) fn workflow(at: &VersionAddress) -> Result<WorkflowRef, AppError> {
        let (namespace, name) = (at.namespace.parse::<Name>(), at.name.parse::<Name>());
        let (Ok(namespace), Ok(name)) = (namespace, name) else { return Err(Problem::new(ErrorCode::NotFound).into()) };
        Ok(WorkflowRef { namespace, name })
    }

    /// Where a version stands in its life.
    pub(super) fn state(version: &WorkflowVersionView) -> Result<VersionState, AppError> {
        version.state.parse().map_err(|_| AppError::internal())
    }

    /// A text as it was typed: a form sends the ends of lines as a network does.
    pub(super) fn text(sent: &str) -> String {
        sent.replace("\r\n", "\n")
    }

    /// What is wrong with a draft, as far as it can be told now.
    pub(super) async fn checked(
        service: &Service,
        caller: &Caller,
        definition: &WorkflowVersionView,
    ) -> Result<Option<CheckedDefinition>, AppError> {
        if state(definition)? != VersionState::Draft {
            return Ok(None);
        }
        match service.check_definition(caller, &definition.source).await {
            Ok(checked) => Ok(Some(checked)),
            Err(problem) if problem.code == ErrorCode::Unavailable => Ok(None),
            Err(problem) => Err(problem.into()),
        }
    }

    /// What came of the tests of a version as it is stored; none where its text is no definition, or cannot be read now.
    pub(super) async fn tests(
        service: &Service,
        caller: &Caller,
        workflow: &WorkflowRef,
        version: &str,
    ) -> Result<Option<Vec<RehearsalView>>, AppError> {
        match service.rehearse_version(caller, workflow, version, None).await {
            Ok(tried) => Ok(Some(tried)),
            Err(problem) if matches!(problem.code, ErrorCode::InvalidDefinition | ErrorCode::Unavailable) => Ok(None),
            Err(problem) => Err(problem.into()),
        }
    }

    /// The input that was typed, and whether it was typed as JSON and is none.
    pub(super) fn typed_input(
        schema: Option<&Value>,
        fields: BTreeMap<String, String>,
        json: &str,
        action: &str,
    ) -> (Value, bool) {
        let schema = schema.cloned().unwrap_or_else(|| json!({"type": "object"}));
        match serde_json::from_str(json) {
            Ok(input) => (input, false),
            Err(_) if !json.is_empty() => (form::initial(&schema), true),
            Err(_) if action.is_empty() => (form::initial(&schema), false),
            Err(_) => (values_after(&schema, action, &pairs(fields)), false),
        }
    }

    /// Whether the person may change the text of a version.
    pub(super) fn writable(definition: &WorkflowVersionView) -> bool {
        definition.life.as_ref().is_some_and(|life| life.actions.contains(&Operation::DefinitionSave))
    }

    /// A workflow and version that somebody typed.
    pub(super) fn new_version(namespace: &str, name: &str, version: &str) -> Result<(WorkflowRef, String), AppError> {
        let (namespace, name) = (namespace.trim().parse::<Name>(), name.trim().parse::<Name>());
        let wrong = [("/namespace", namespace.is_err()), ("/name", name.is_err())];
        match (namespace, name) {
            (Ok(namespace), Ok(name)) => Ok((WorkflowRef { namespace, name }, version.trim().to_owned())),
            _ => Err(invalid(wrong.into_iter().filter(|(_, wrong)| *wrong).map(|(pointer, _)| (pointer, "name")))),
        }
    }

    /// A line's number; none where nothing was typed.
    pub(super) fn line(typed: &str) -> Result<Option<u32>, AppError> {
        match typed.trim() {
            "" => Ok(None),
            typed => typed.parse().map(Some).map_err(|_| invalid([("/line", "type")])),
        }
    }

    fn invalid(fields: impl IntoIterator<Item = (&'static str, &'static str)>) -> AppError {
        let error = |(pointer, rule): (&str, &str)| FieldError {
            pointer: pointer.to_owned(),
            rule: rule.to_owned(),
            expected: if rule == "type" { Value::from("integer") } else { Value::Null },
            message: "this is not what belongs here".to_owned(),
        };
        Problem::new(ErrorCode::InvalidInput).with_errors(fields.into_iter().map(error).collect()).into()
    }

    pub(super) fn first_text(workflow: &WorkflowRef, version: &str, title: &str) -> String {
        // A text in JSON is one in YAML as well, whatever it contains.
        let title = if title.is_empty() { workflow.name.as_str() } else { title };
        FIRST_TEXT
            .replace("{namespace}", workflow.namespace.as_str())
            .replace("{name}", workflow.name.as_str())
            .replace("{version}", version)
            .replace("{title}", &Value::from(title).to_string())
    }
}
