//! Whether connections work: tried when they are saved, when somebody asks, and every so often by one node at a time.
//!
//! A connection fails from its first check that does not work until one works again. That is one period: its owner is told
//! once, and the audit log says when it began and when it ended.

use std::time::Duration;

use connectors::ResolvedConnection;
use domain::{
    Operation, Problem, Role, Scope, Timestamp, UserId,
    view::{CheckStep, ConnectionCheck, FailingConnection},
};
use engine::{
    Topic,
    notices::{Notice, NoticeKind, notify},
};
use policy::Resource;
use serde_json::json;
use store::{
    UnitOfWork,
    access::Subject,
    connections::{CheckNews, Connection, ConnectionChecked},
    users::User,
};
use tracing::{error, info, warn};

use crate::{Caller, Service, connections::resource, people::people_with, problems::OrProblem as _};

/// For how long a node has a check to itself; longer than a check may take. If the node dies, another has it after that.
pub(crate) const LEASE: Duration = Duration::from_mins(2);
/// How many are read at once of those whose check is due.
const BATCH: u32 = 20;
/// Most characters of what a notice says.
const TITLE_LIMIT: usize = 200;

impl Service {
    /// Checks the connections whose time has come, one after the other. Those that other nodes check meanwhile are left out.
    pub async fn check_due_connections(&self) {
        loop {
            match self.check_due_batch().await {
                Ok(0) => return,
                Ok(_) => {}
                Err(problem) => {
                    error!(%problem, "connections could not be checked");
                    return;
                }
            }
        }
    }

    /// How many were checked.
    async fn check_due_batch(&self) -> Result<usize, Problem> {
        let now = self.now();
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let due = unit.connections_to_check(now, BATCH).await.or_problem()?;
        drop(unit);
        let mut checked = 0;
        for connection in due {
            let mut unit = self.parts.store.begin().await.or_problem()?;
            let now = self.now();
            if !unit.take_connection_check(connection.id, now, now + LEASE).await.or_problem()? {
                unit.rollback().await.or_problem()?;
                continue;
            }
            unit.commit().await.or_problem()?;
            self.check_stored(&connection).await?;
            checked += 1;
        }
        Ok(checked)
    }

    /// Tries a connection out as it is stored, and keeps what was found.
    pub(crate) async fn check_stored(&self, connection: &Connection) -> Result<(), Problem> {
        let check = self.try_out(connection).await;
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let (news, told) = self.note_check(unit.as_mut(), connection, &check).await?;
        if news == CheckNews::Changed {
            let action = if check.ok { "connection.recover" } else { "connection.fail" };
            let what = ("connection", connection.id.to_string(), connection.name.clone());
            let failed = failed_step(&check).map(|step| step.step.clone());
            let detail = json!({"ok": check.ok, "failedAt": failed});
            let entry = self.system_entry(action, what, None, detail);
            audit::append(unit.as_mut(), &entry).await.or_problem()?;
        }
        unit.commit().await.or_problem()?;
        self.announce_check(connection, &check, news, &told);
        Ok(())
    }

    /// Tries a connection out. Nothing of the database is held meanwhile: another system is asked.
    pub(crate) async fn try_out(&self, connection: &Connection) -> ConnectionCheck {
        match ResolvedConnection::open(connection, &self.parts.vault) {
            Ok(resolved) => self.parts.connectors.check(&resolved, self.now()).await,
            Err(cause) => {
                let name = &connection.name;
                error!(connection = name, error = &cause as &dyn std::error::Error, "a secret cannot be opened");
                let detail = "its secret cannot be opened with the key of this server; enter it again".to_owned();
                let step = CheckStep { step: "settings".to_owned(), ok: false, detail };
                ConnectionCheck { ok: false, at: self.now(), steps: vec![step] }
            }
        }
    }

    /// Keeps a check, and tells the owner where it begins to fail: what is new, and who was told.
    pub(crate) async fn note_check(
        &self,
        unit: &mut dyn UnitOfWork,
        connection: &Connection,
        check: &ConnectionCheck,
    ) -> Result<(CheckNews, Vec<UserId>), Problem> {
        let now = self.now();
        let checked = ConnectionChecked {
            id: connection.id,
            settings_of: connection.updated_at,
            check: serde_json::to_string(check).unwrap_or_default(),
            works: check.ok,
            at: check.at,
            next_at: now + self.parts.check_connections_every,
        };
        let news = unit.note_connection_check(&checked).await.or_problem()?;
        if news != CheckNews::Changed || check.ok {
            return Ok((news, Vec::new()));
        }
        let people = self.who_answers_for(unit, connection, now).await?;
        let kind = NoticeKind::ConnectionFails;
        let notice = Notice {
            kind,
            title: headline(connection, check),
            run_number: None,
            link: "/admin/connections?state=failing".to_owned(),
            cause: format!("{}:{}:{}", kind.as_str(), connection.id, check.at.as_micros()),
        };
        notify(unit, self.ids(), now, self.parts.mail_enabled, &people, &notice).await.or_problem()?;
        Ok((news, people.iter().map(|person| person.id).collect()))
    }

    /// Who is told of a connection that fails: its owner; where nobody active owns it, the administrators of the portal.
    async fn who_answers_for(
        &self,
        unit: &mut dyn UnitOfWork,
        connection: &Connection,
        now: Timestamp,
    ) -> Result<Vec<User>, Problem> {
        let owners = match connection.owner {
            None => Vec::new(),
            Some(Subject::User(person)) => vec![person],
            Some(Subject::Team(team)) => unit.team_members(team).await.or_problem()?,
        };
        let mut owners = unit.users_by_id(&owners).await.or_problem()?;
        owners.retain(|person| person.active);
        if owners.is_empty() {
            return people_with(unit, &[Role::Administrator], &Scope::Everywhere, now).await;
        }
        Ok(owners)
    }

    /// The connections that fail, of those that the caller administers, the longest failing first.
    pub(crate) async fn failing_connections(
        &self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
    ) -> Result<Vec<FailingConnection>, Problem> {
        let in_force = self.in_force();
        let administers =
            |what: &Resource| in_force.decide(Some(&caller.principal), Operation::ConnectionList, what).allowed;
        if !administers(&Resource::system()) {
            return Ok(Vec::new());
        }
        let connections = unit.list_connections().await.or_problem()?.into_iter();
        let mut failing: Vec<_> = connections
            .filter(|connection| administers(&resource(connection)))
            .filter_map(|connection| {
                let failing_since = connection.failing_since?;
                let check: Option<ConnectionCheck> =
                    connection.last_check.as_deref().and_then(|check| serde_json::from_str(check).ok());
                let detail = check.as_ref().and_then(failed_step).map(|step| step.detail.clone());
                Some(FailingConnection { name: connection.name, failing_since, detail })
            })
            .collect();
        failing.sort_by_key(|connection| connection.failing_since);
        Ok(failing)
    }

    /// Tells watchers, and the log, what a check has found; after it is durable.
    pub(crate) fn announce_check(
        &self,
        connection: &Connection,
        check: &ConnectionCheck,
        news: CheckNews,
        told: &[UserId],
    ) {
        if news == CheckNews::Outdated {
            return;
        }
        let name = &connection.name;
        match failed_step(check) {
            Some(CheckStep { step, detail, .. }) if news == CheckNews::Changed => {
                warn!(connection = name, step, detail, "a connection fails");
            }
            None if news == CheckNews::Changed => info!(connection = name, "a connection works again"),
            _ => {}
        }
        self.parts.live.changed(Topic::Connections);
        self.announce(told);
    }
}

/// The step at which a check ended.
pub(crate) fn failed_step(check: &ConnectionCheck) -> Option<&CheckStep> {
    check.steps.iter().find(|step| !step.ok)
}

/// The connection and why it fails, in a line.
fn headline(connection: &Connection, check: &ConnectionCheck) -> String {
    let reason = failed_step(check).map(|step| format!(" ({})", step.detail)).unwrap_or_default();
    let line = format!("{}{reason}", connection.name);
    if line.chars().count() <= TITLE_LIMIT {
        return line;
    }
    line.chars().take(TITLE_LIMIT - 2).chain("…)".chars()).collect()
}
