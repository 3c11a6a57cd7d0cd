//! Writing a new run: its row, and the event it begins with.

use connectors::may_use;
use domain::{ErrorCode, Ids, Name, RunId, RunStatus, Timestamp, Trigger, TriggerId, UserId};
use serde_json::{Value, json};
use store::{StoreError, UnitOfWork, connections::Connection, runs::Run, users::User, workflows::WorkflowVersion};
use workflow::{Definition, Event, EventKind};

use crate::{processes, secrets};

/// Why a run begins.
#[derive(Clone, Copy)]
pub enum Cause<'a> {
    /// A person asks for it.
    Request,
    /// A run starts it.
    Run(&'a Run),
    /// Its schedule launches it.
    Schedule {
        /// In which way.
        trigger: Trigger,
        /// For which time: that of the schedule, of the end of the wait, or of the last event.
        due: Timestamp,
    },
    /// Another system calls for it.
    Trigger(Called<'a>),
}

/// What was called for.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// By which trigger.
    pub trigger: TriggerId,
    /// Its name in the namespace.
    pub name: &'a Name,
    /// The number of the delivery.
    pub delivery: i64,
    /// By what its alert is told apart.
    pub fingerprint: Option<&'a str>,
}

/// In whose name runs begin that no person asks for: nobody who could sign in, decide or be asked.
///
/// # Errors
/// The database cannot be read or written.
pub async fn nobody(unit: &mut dyn UnitOfWork, id: UserId, now: Timestamp) -> store::Result<User> {
    if let Some(known) = unit.user(id).await? {
        return Ok(known);
    }
    // Sign-in names that no person can have.
    let (login, name) = if id == UserId::TRIGGER { ("(trigger)", "Trigger") } else { ("(schedule)", "Schedule") };
    let user = User {
        id,
        login: login.to_owned(),
        name: name.to_owned(),
        email: None,
        active: false,
        password_hash: None,
        must_change_password: false,
        manager_id: None,
        locale: None,
        theme: None,
        created_at: now,
        updated_at: now,
        last_sign_in_at: None,
    };
    unit.insert_user(&user).await?;
    Ok(user)
}

/// Why a definition cannot be launched at the moment, whoever asks for it: a person, a run, a time or an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What is missing.
    pub code: ErrorCode,
    /// What is missing and who can help, for people.
    pub detail: String,
}

/// What keeps a definition from being launched in a namespace: it runs processes, and the namespace may not, or it names a
/// secret or a connection that the namespace does not have.
///
/// # Errors
/// The database cannot be read.
pub async fn obstacle(
    unit: &mut dyn UnitOfWork,
    namespace: &Name,
    definition: &Definition,
) -> store::Result<Option<Obstacle>> {
    if definition.runs_processes() && unit.process_permission(namespace).await?.is_none() {
        let detail = processes::not_permitted(namespace);
        return Ok(Some(Obstacle { code: ErrorCode::ProcessesNotPermitted, detail }));
    }
    if let Some(name) = secrets::missing(unit, namespace, definition).await? {
        let detail = secrets::not_there(namespace, &name);
        return Ok(Some(Obstacle { code: ErrorCode::SecretMissing, detail }));
    }
    if definition.connections().is_empty() {
        return Ok(None);
    }
    let missing = missing_connections(&unit.list_connections().await?, namespace, definition);
    Ok((!missing.is_empty()).then(|| {
        let names = missing.join("”, “");
        let detail = format!(
            "the workflow works over connections that are not set up for the namespace {namespace}: “{names}”; an \
             administrator can add them"
        );
        Obstacle { code: ErrorCode::ConnectionMissing, detail }
    }))
}

/// The connections that a definition names and that are not `there` for its namespace, by name.
#[must_use]
pub fn missing_connections(there: &[Connection], namespace: &Name, definition: &Definition) -> Vec<String> {
    let usable = |name: &str| there.iter().any(|one| one.name == name && may_use(&one.namespaces, namespace));
    definition.connections().into_iter().filter(|name| !usable(name)).map(str::to_owned).collect()
}

/// What a new run is made of.
pub struct Launch<'a> {
    /// What it runs. Whether that may be launched is for the caller to know.
    pub version: &'a WorkflowVersion,
    /// Who asks for it.
    pub requester: &'a User,
    /// Its input.
    pub input: Value,
    /// Why.
    pub cause: Cause<'a>,
    /// Address of the portal as people reach it, for links.
    pub base_url: &'a str,
}

impl Launch<'_> {
    /// Writes the run. Wake its engine once the unit is durable.
    pub async fn write(self, unit: &mut dyn UnitOfWork, ids: &dyn Ids, now: Timestamp) -> store::Result<Run> {
        let Self { version, requester, input, cause, base_url } = self;
        let mut run = Run {
            id: RunId::new(ids),
            number: 0,
            workflow: version.workflow.clone(),
            version: version.version.clone(),
            definition_digest: version.digest.clone(),
            title: version.title.clone(),
            status: RunStatus::Pending,
            needs_attention: false,
            rejected: false,
            compensated: false,
            requester_id: requester.id,
            input: input.to_string(),
            output: None,
            error: None,
            created_at: now,
            started_at: None,
            ended_at: None,
            updated_at: now,
            journal_version: 0,
            wake_at: None,
            waits_for: None,
        };
        run.number = unit.insert_run(&run).await?;
        let link = |run: &Run| format!("{base_url}/runs/{}", run.number);
        let reference = |run: &Run| json!({"id": run.id, "number": run.number, "link": link(run)});
        let mut runtime = json!({
            "requester": {
                "id": requester.id,
                "login": requester.login,
                "name": requester.name,
                "email": requester.email,
            },
            "run": reference(&run),
            "namespace": run.workflow.namespace,
            "portal": base_url,
        });
        let why = match cause {
            Cause::Request => None,
            Cause::Run(parent) => Some(("parent", reference(parent))),
            Cause::Schedule { trigger, due } => Some(("schedule", json!({"trigger": trigger, "due": due}))),
            Cause::Trigger(Called { trigger, name, delivery, fingerprint }) => {
                let called = json!({"id": trigger, "name": name, "delivery": delivery, "fingerprint": fingerprint});
                Some(("trigger", called))
            }
        };
        if let (Some((name, why)), Value::Object(runtime)) = (why, &mut runtime) {
            runtime.insert(name.to_owned(), why);
        }
        let started = Event::new(now, EventKind::Started { run: run.id, input, runtime });
        let event = serde_json::to_string(&started).map_err(|_| StoreError::Inconsistent("inbox".to_owned()))?;
        unit.push_inbox(run.id, &event, now).await?;
        Ok(run)
    }
}
