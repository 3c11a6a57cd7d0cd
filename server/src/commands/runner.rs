//! `rondo runner --server URL`: executes processes of a server elsewhere. Without a server it is the guard of one process, as
//! servers and runners start it for each.

use std::{ffi::OsString, fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use domain::Ids as _;
use identity::Secret;
use remote::Settings;
use tracing::warn;
use url::Url;

use super::stop_on_signal;
use crate::{
    clock::SystemIds,
    config::{Config, Flags},
    logging,
    processes::runner_process,
    wiring,
};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The address of the server, as people reach it
    #[arg(long, value_name = "URL", env = "RONDO_RUNNER_SERVER")]
    pub(super) server: Option<Url>,
    /// The runner's token; better by `RONDO_RUNNER_TOKEN` or a file, where other users of the machine do not see it
    #[arg(long, value_name = "TOKEN", env = "RONDO_RUNNER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file with the token
    #[arg(long, value_name = "FILE", env = "RONDO_RUNNER_TOKEN_FILE", conflicts_with = "token")]
    token_file: Option<PathBuf>,
    /// How many tasks are executed at once
    #[arg(long, value_name = "NUMBER", env = "RONDO_RUNNER_TASKS", default_value_t = 4,
        value_parser = clap::value_parser!(u32).range(1..=1000))]
    tasks: u32,
    /// The authorities (PEM) that the server's certificate must be from, instead of those that the system trusts
    #[arg(long, value_name = "FILE", env = "RONDO_RUNNER_CA")]
    ca: Option<PathBuf>,
    /// What the guard of a process is handed
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(super) handed: Vec<OsString>,
}

pub(super) async fn run(flags: &Flags, options: Options) -> Result<ExitCode> {
    let Some(server) = options.server else { bail!("--server is missing") };
    if !matches!(server.scheme(), "http" | "https") {
        bail!("the address of the server begins with https:// or http://");
    }
    let config = Config::load(flags)?;
    logging::start(&config)?;
    for remark in &config.remarks {
        warn!("{remark}");
    }
    if server.scheme() == "http" && !is_this_machine(&server) {
        warn!(%server, "the server is reached without TLS: the token and the secrets of tasks can be read on the way");
    }
    let token = match (options.token, options.token_file) {
        (Some(token), _) => token,
        (None, Some(file)) => {
            fs::read_to_string(&file).with_context(|| format!("the token cannot be read from {}", file.display()))?
        }
        (None, None) => bail!("give the runner's token by --token, --token-file or RONDO_RUNNER_TOKEN"),
    };
    let authority = options.ca.map(|file| {
        fs::read_to_string(&file).with_context(|| format!("the authorities cannot be read from {}", file.display()))
    });
    let program = runner_process(config.runner_user.clone(), config.runner_limits);
    program.user().context("runner.user names nobody to whom processes can belong")?;
    wiring::prepare_data(&config.data)?;
    let settings = Settings {
        server,
        token: Secret::new(token.trim().to_owned()),
        folder: config.data.join("runner"),
        tasks: options.tasks,
        authority: authority.transpose()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: SystemIds.next().simple().to_string(),
    };
    remote::run(settings, program, stop_on_signal()?).await?;
    Ok(ExitCode::SUCCESS)
}

fn is_this_machine(server: &Url) -> bool {
    match server.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
