//! `rondo user add|passwd|list`

use std::{
    io::{IsTerminal as _, Read as _},
    process::ExitCode,
    str::FromStr,
};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use domain::{Role, Scope};
use identity::Secret;
use service::{NewUser, WayIn};

use super::in_words;
use crate::{
    config::Config,
    wiring::{Foundation, base_url},
};

/// Longer texts are no password.
const PASSWORD_LIMIT: u64 = 4_096;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a person; without --password-stdin, print the one-time link by which they set a password
    Add {
        /// The sign-in name
        login: String,
        /// The name for people
        #[arg(long)]
        name: String,
        /// The mail address
        #[arg(long)]
        email: Option<String>,
        /// The manager's sign-in name
        #[arg(long, value_name = "LOGIN")]
        manager: Option<String>,
        /// A role to give, everywhere or in one namespace
        #[arg(long = "role", value_name = "ROLE[@NAMESPACE]")]
        roles: Vec<ScopedRole>,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set a person's password; without --password-stdin, print a one-time link by which they set it
    Passwd {
        /// The sign-in name
        login: String,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List people
    List,
}

/// `ROLE` or `ROLE@NAMESPACE`.
#[derive(Clone, Debug)]
pub(super) struct ScopedRole(Role, Scope);

impl FromStr for ScopedRole {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (role, scope) = text.split_once('@').unwrap_or((text, "*"));
        let roles: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
        let role = role.parse().map_err(|_| format!("the roles are {}", roles.join(", ")))?;
        let scope = scope.parse().map_err(|cause: domain::InvalidName| format!("the namespace: {cause}"))?;
        Ok(Self(role, scope))
    }
}

pub(super) async fn run(config: &Config, command: Command) -> Result<ExitCode> {
    let foundation = Foundation::lay(config).await?;
    let service = foundation.console(config)?;
    match command {
        Command::Add { login, name, email, manager, roles, password_stdin } => {
            let password = read_password(password_stdin)?;
            let roles: Vec<(Role, Scope)> = roles.into_iter().map(|ScopedRole(role, scope)| (role, scope)).collect();
            let new = NewUser { login, name, email, manager };
            let way = service.console_create_user(new, &roles, password).await.map_err(|problem| in_words(&problem))?;
            tell(config, &way);
        }
        Command::Passwd { login, password_stdin } => {
            let password = read_password(password_stdin)?;
            let way = service.console_set_password(&login, password).await.map_err(|problem| in_words(&problem))?;
            tell(config, &way);
        }
        Command::List => {
            let users = service.console_list_users().await.map_err(|problem| in_words(&problem))?;
            for user in users {
                let state = if user.active { "active" } else { "disabled" };
                let manager = user.manager.map(|manager| manager.login).unwrap_or_default();
                let email = user.email.unwrap_or_default();
                println!("{}\t{}\t{email}\t{manager}\t{state}", user.login, user.name);
            }
        }
    }
    foundation.store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn tell(config: &Config, way: &WayIn) {
    if let WayIn::Link(path) = way {
        println!("{}{path}", base_url(config, config.listen));
    }
}

fn read_password(from_stdin: bool) -> Result<Option<Secret>> {
    if !from_stdin {
        return Ok(None);
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        eprintln!("password (shown while you type; end with Ctrl-D):");
    }
    let mut text = String::new();
    stdin.lock().take(PASSWORD_LIMIT).read_to_string(&mut text).context("the password cannot be read")?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("there is no password on standard input");
    }
    Ok(Some(Secret::new(password.to_owned())))
}
