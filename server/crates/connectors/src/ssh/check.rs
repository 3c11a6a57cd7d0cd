//! Trying a connection out.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use domain::view::CheckStep;
use futures::{FutureExt as _, StreamExt as _, stream};

use super::{
    command::{Execution, execute},
    files::Files,
    session::{Session, greet, greet_behind, sign_in},
    settings::{Access, Host},
};
use crate::{Failure, ResolvedConnection, connection::Steps, egress::EgressPolicy};

/// Hosts that are tried at the same time: a group of hundreds has to fit into the time of a test.
const AT_ONCE: usize = 16;

/// What an account may do on a host that has let it in.
#[async_trait]
pub(crate) trait Rights: Sync {
    /// In words; or what it lacks.
    async fn found(&self, session: &Arc<Session>, host: &Host) -> Result<String, String>;
}

/// Running commands, and moving files.
struct CommandsAndFiles;

#[async_trait]
impl Rights for CommandsAndFiles {
    async fn found(&self, session: &Arc<Session>, host: &Host) -> Result<String, String> {
        let nothing = BTreeMap::new();
        let execution = Execution { line: "exit 0", stdin: None, environment: &nothing, max_output: 0, log: None };
        let runs = execute(session, &execution, &host.name).await.is_ok_and(|ended| ended.judged(&[0]).is_ok());
        let transfers = Files::open(session, &host.name).await.is_ok();
        let rights: Vec<&str> = [(runs, "run commands"), (transfers, "transfer files")]
            .into_iter()
            .filter_map(|(may, what)| may.then_some(what))
            .collect();
        if rights.is_empty() {
            return Err(format!("{} lets this account neither run commands nor transfer files", host.name));
        }
        Ok(format!("on {} the account may {}", host.name, rights.join(" and ")))
    }
}

/// Goes step by step to each host, up to the first step that fails.
pub(super) async fn check(policy: &EgressPolicy, connection: &ResolvedConnection) -> Vec<CheckStep> {
    check_rights(policy, Access::read(connection), &CommandsAndFiles).await
}

/// The same for what is done over a session of another kind.
pub(crate) async fn check_rights(
    policy: &EgressPolicy,
    access: Result<Access, Failure>,
    rights: &dyn Rights,
) -> Vec<CheckStep> {
    let mut steps = Steps::default();
    let access = match access {
        Ok(access) => access,
        Err(failure) => return steps.fail("settings", failure.detail()),
    };
    steps.pass("settings", "complete");
    let checks: Vec<_> = access.hosts().iter().map(|host| tried(policy, &access, host, rights).boxed()).collect();
    let mut checks = stream::iter(checks).buffered(AT_ONCE);
    while let Some((of_host, broken)) = checks.next().await {
        steps.append(of_host);
        if let Some((step, detail)) = broken {
            return if step.is_empty() { steps.done() } else { steps.fail(step, &detail) };
        }
    }
    steps.done()
}

/// The step that failed, with its words; without a name when it is among the steps already.
type Broken = (&'static str, String);

async fn tried(policy: &EgressPolicy, access: &Access, host: &Host, rights: &dyn Rights) -> (Steps, Option<Broken>) {
    let mut steps = Steps::default();
    let broken = check_host(policy, access, host, rights, &mut steps).await.err();
    (steps, broken)
}

async fn check_host(
    policy: &EgressPolicy,
    access: &Access,
    host: &Host,
    rights: &dyn Rights,
    steps: &mut Steps,
) -> Result<(), Broken> {
    let first = access.jump.as_ref().map_or(host, |jump| &jump.host);
    let stream = steps.dial(policy, &first.address, first.port).await.ok_or(("", String::new()))?;
    let failed = |step: &'static str| move |failure: Failure| (step, failure.detail().to_owned());
    let mut handle = greet(stream, first).await.map_err(failed("host-key"))?;
    let mut between = None;
    if let Some(jump) = &access.jump {
        sign_in(&mut handle, &jump.login, &jump.host).await.map_err(failed("sign-in"))?;
        let behind = greet_behind(policy, &handle, jump, host).await.map_err(failed("host-key"))?;
        between = Some(std::mem::replace(&mut handle, behind));
    }
    steps.pass("host-key", &format!("{} showed a key that is trusted", host.name));
    sign_in(&mut handle, &access.login, host).await.map_err(failed("sign-in"))?;
    steps.pass("sign-in", &format!("signed in to {} as {}", host.name, access.login.user));
    let session = Session::new(handle, between);
    let found = rights.found(&session, host).await;
    session.close().await;
    steps.pass("right", &found.map_err(|lacking| ("right", lacking))?);
    Ok(())
}
