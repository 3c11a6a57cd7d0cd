//! Runners: who executes processes near the systems.

use domain::view::{RunnerTaskView, RunnerView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{go_on, keep_once, scope, subjects};
use crate::{door::Door, errors::AppError};

/// The page.
#[cfg(feature = "ssr")]
const PLACE: &str = "/admin/runners";

/// Processes that are shown waiting.
#[cfg(feature = "ssr")]
const WAITING: usize = 50;

/// The runners by name, the processes that wait for one, those that wait longest first, and how many more do.
#[server(protocol = Door, prefix = "/ui", endpoint = "runners")]
pub async fn runners() -> Result<(Vec<RunnerView>, Vec<RunnerTaskView>, usize), AppError> {
    let (service, caller) = scope()?;
    let mut tasks = service.runner_tasks(&caller).await?;
    tasks.retain(|task| task.state == domain::RunnerTaskState::Queued);
    let more = tasks.len().saturating_sub(WAITING);
    tasks.truncate(WAITING);
    Ok((service.runners(&caller).await?, tasks, more))
}

/// Enrols a runner; the answer is its token.
#[server(protocol = Door, prefix = "/ui", endpoint = "enrol-runner")]
pub async fn enrol_runner(
    #[server(default)] name: String,
    #[server(default)] labels: String,
    #[server(default)] namespaces: String,
) -> Result<String, AppError> {
    let (service, caller) = scope()?;
    let words = |text: &str| text.split([',', ' ']).map(str::to_owned).filter(|word| !word.is_empty()).collect();
    let new = service::NewRunner { name, labels: words(&labels), namespaces: words(&namespaces) };
    let enrolled = service.enrol_runner(&caller, new).await?;
    keep_once("runner", &enrolled.token);
    go_on(PLACE);
    Ok(enrolled.token)
}

/// Enables, drains or disables a runner.
#[server(protocol = Door, prefix = "/ui", endpoint = "update-runner")]
pub async fn update_runner(name: String, state: domain::RunnerState) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.update_runner(&caller, &subjects::namespace(&name)?, state).await?;
    go_on(PLACE);
    Ok(())
}

/// Removes a runner.
#[server(protocol = Door, prefix = "/ui", endpoint = "remove-runner")]
pub async fn remove_runner(name: String) -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.remove_runner(&caller, &subjects::namespace(&name)?).await?;
    go_on(PLACE);
    Ok(())
}
