//! `rondo runners enrol|list|enable|drain|disable|remove`

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use domain::{Name, Problem, RunnerState, view::RunnerView};
use service::{NewRunner, Service};

use super::in_words;
use crate::{config::Config, wiring::Foundation};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Enrol a runner and print its token, and nothing else
    Enrol {
        /// Its name
        name: String,
        /// A label by which tasks ask for it
        #[arg(long = "label", value_name = "LABEL")]
        labels: Vec<String>,
        /// A namespace that it works for; * for all
        #[arg(long = "namespace", value_name = "NAMESPACE", required = true)]
        namespaces: Vec<String>,
        #[command(flatten)]
        by: By,
    },
    /// List runners: name, state, labels, namespaces, version, tasks, load, when it was heard of
    List,
    /// Let a runner take tasks again
    Enable(Which),
    /// Let a runner take no more tasks and end those that it has
    Drain(Which),
    /// Listen to a runner no more: its processes are ended
    Disable(Which),
    /// Forget a runner and its token: its processes are ended
    Remove(Which),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Its name
    #[arg(value_parser = name)]
    name: Name,
    #[command(flatten)]
    by: By,
}

#[derive(Debug, Args)]
pub(super) struct By {
    /// The sign-in name of the person who does it; the rights of this person count
    #[arg(long, value_name = "LOGIN")]
    user: String,
}

fn name(text: &str) -> Result<Name, String> {
    text.parse().map_err(|cause: domain::InvalidName| cause.to_string())
}

pub(super) async fn run(config: &Config, command: Command) -> Result<ExitCode> {
    let foundation = Foundation::lay(config).await?;
    let service = foundation.console(config)?;
    carry_out(&service, command).await.map_err(|problem| in_words(&problem))?;
    foundation.store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn carry_out(service: &Service, command: Command) -> Result<(), Problem> {
    match command {
        Command::Enrol { name, labels, namespaces, by } => {
            let caller = service.console_caller(&by.user).await?;
            let enrolled = service.enrol_runner(&caller, NewRunner { name, labels, namespaces }).await?;
            println!("{}", enrolled.token);
            Ok(())
        }
        Command::List => {
            for runner in service.console_list_runners().await? {
                println!("{}", line(&runner));
            }
            Ok(())
        }
        Command::Enable(which) => set(service, which, RunnerState::Enabled).await,
        Command::Drain(which) => set(service, which, RunnerState::Draining).await,
        Command::Disable(which) => set(service, which, RunnerState::Disabled).await,
        Command::Remove(Which { name, by }) => {
            let caller = service.console_caller(&by.user).await?;
            service.remove_runner(&caller, &name).await
        }
    }
}

async fn set(service: &Service, Which { name, by }: Which, state: RunnerState) -> Result<(), Problem> {
    let caller = service.console_caller(&by.user).await?;
    service.update_runner(&caller, &name, state).await.map(drop)
}

/// What is known of a runner, with tabs between.
fn line(runner: &RunnerView) -> String {
    let words = |names: Vec<String>| names.join(",");
    let state = match runner.state {
        RunnerState::Enabled if runner.online => "online",
        RunnerState::Enabled => "away",
        RunnerState::Draining => "draining",
        RunnerState::Disabled => "disabled",
    };
    let labels = words(runner.labels.iter().map(ToString::to_string).collect());
    let namespaces = words(runner.namespaces.iter().map(ToString::to_string).collect());
    let tasks = runner.capacity.map(|capacity| format!("{}/{capacity}", runner.tasks.len()));
    let load = runner.load.map(|load| format!("{load}%"));
    let seen = runner.seen_at.map(|at| at.to_string());
    let [version, tasks, load, seen] = [runner.version.clone(), tasks, load, seen].map(Option::unwrap_or_default);
    format!("{}\t{state}\t{labels}\t{namespaces}\t{version}\t{tasks}\t{load}\t{seen}", runner.name)
}
