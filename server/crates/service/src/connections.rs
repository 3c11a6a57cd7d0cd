//! Connections: configured targets with credentials.

use audit::Detail;
use connectors::ResolvedConnection;
use domain::{
    ConnectionId, ErrorCode, Name, Operation, Problem, Scope, UserId,
    view::{ConnectionCheck, ConnectionState, ConnectionView, OwnerView},
};
use policy::Resource;
use serde_json::{Value, json};
use store::{UnitOfWork, access::Subject, connections::Connection};

use crate::{
    Caller, Service,
    connection_checks::{LEASE, failed_step},
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, internal, not_found},
};

/// A connection to be created or changed.
#[derive(Clone, Debug, Default)]
pub struct NewConnection {
    /// Name, by which workflows call it.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Settings, secrets among them; an empty or absent secret keeps the stored one.
    pub settings: Value,
    /// Namespaces that may use it; `*` for all.
    pub namespaces: Vec<String>,
    /// Who answers for it; only a connection that has had no owner so far can do without.
    pub owner: Option<Subject>,
}

/// A kind of connection that can be made.
#[derive(Clone, Debug)]
pub struct ConnectionKind {
    /// Its name.
    pub name: String,
    /// Title for people, in English.
    pub title: String,
    /// What it is for.
    pub summary: String,
    /// JSON Schema of its settings; `writeOnly` marks secrets.
    pub schema: Value,
}

fn scopes(namespaces: &[String]) -> Result<Vec<Scope>, Problem> {
    let scopes: Result<Vec<Scope>, _> = namespaces.iter().map(|namespace| namespace.trim().parse()).collect();
    match scopes {
        Ok(scopes) if !scopes.is_empty() => Ok(scopes),
        _ => {
            let error = field("/namespaces", "namespaces", Value::Null, "name at least one namespace, or * for all");
            Err(Problem::new(ErrorCode::InvalidInput).with_errors(vec![error]))
        }
    }
}

fn stored_scopes(connection: &Connection) -> Vec<Scope> {
    let names: Vec<String> = serde_json::from_str(&connection.namespaces).unwrap_or_default();
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

pub(crate) fn resource(connection: &Connection) -> Resource {
    Resource::connection(connection.id, &stored_scopes(connection))
}

fn target(connection: &Connection) -> Target {
    Target::new("connection", connection.id, connection.name.clone())
}

/// The owner by name; an error if there is none such.
async fn owner(unit: &mut dyn UnitOfWork, owner: Option<Subject>) -> Result<Option<OwnerView>, Problem> {
    let found = match owner {
        None => return Ok(None),
        Some(Subject::User(id)) => {
            unit.user(id).await.or_problem()?.map(|user| OwnerView::User { id, login: user.login })
        }
        Some(Subject::Team(id)) => {
            unit.team(id).await.or_problem()?.map(|team| OwnerView::Team { id, name: team.name })
        }
    };
    match found {
        Some(found) => Ok(Some(found)),
        None => {
            let error = field("/owner", "person", Value::Null, "there is no such person or team");
            Err(Problem::new(ErrorCode::InvalidInput).with_errors(vec![error]))
        }
    }
}

/// Whether whoever saves a connection has to say who owns it: every new one has an owner, and who has one keeps one. Those from
/// before connections had owners may go on without.
fn needs_owner(known: Option<&Connection>) -> bool {
    known.is_none_or(|known| known.owner.is_some())
}

/// The owner, if that is a person.
fn person(owner: Option<&OwnerView>) -> Option<UserId> {
    match owner {
        Some(OwnerView::User { id, .. }) => Some(*id),
        Some(OwnerView::Team { .. }) | None => None,
    }
}

fn state(connection: &Connection) -> ConnectionState {
    match (connection.failing_since, &connection.last_check) {
        (Some(_), _) => ConnectionState::Failing,
        (None, Some(_)) => ConnectionState::Working,
        (None, None) => ConnectionState::Untested,
    }
}

fn view(connection: Connection, owner: Option<OwnerView>) -> ConnectionView {
    ConnectionView {
        owner,
        state: state(&connection),
        failing_since: connection.failing_since,
        id: connection.id,
        name: connection.name,
        kind: connection.kind,
        settings: serde_json::from_str(&connection.settings).unwrap_or_default(),
        has_secret: connection.sealed_secret.is_some(),
        namespaces: serde_json::from_str(&connection.namespaces).unwrap_or_default(),
        updated_at: connection.updated_at,
        last_check: connection.last_check.and_then(|check| serde_json::from_str(&check).ok()),
    }
}

impl Service {
    /// The kinds of connection that can be made.
    #[must_use]
    pub fn connection_kinds(&self) -> Vec<ConnectionKind> {
        let kinds = self.parts.connectors.connection_kinds();
        kinds
            .map(|kind| ConnectionKind {
                name: kind.name.to_owned(),
                title: kind.title.to_owned(),
                summary: kind.summary.to_owned(),
                schema: kind.settings.clone(),
            })
            .collect()
    }

    /// The connections that the caller administers, by name; only those in a state, if one is given. Never their secrets.
    pub async fn connections(
        &self,
        caller: &Caller,
        only: Option<ConnectionState>,
    ) -> Result<Vec<ConnectionView>, Problem> {
        let mut gate = self.look(caller, Operation::ConnectionList).await?;
        gate.authorize(&Resource::system(), &Target::new("connections", "", "")).await?;
        let mut connections = gate.unit.list_connections().await.or_problem()?;
        connections.retain(|connection| {
            only.is_none_or(|only| state(connection) == only) && gate.shows(&resource(connection))
        });
        let mut views = Vec::with_capacity(connections.len());
        for connection in connections {
            let owner = owner(gate.unit.as_mut(), connection.owner).await?;
            views.push(view(connection, owner));
        }
        Ok(views)
    }

    /// How many connections are in each state.
    pub async fn connections_now(&self) -> store::Result<Vec<(ConnectionState, usize)>> {
        let connections = self.parts.store.snapshot().await?.list_connections().await?;
        let count = |wanted| connections.iter().filter(|connection| state(connection) == wanted).count();
        Ok(ConnectionState::ALL.into_iter().map(|state| (state, count(state))).collect())
    }

    /// Creates a connection, or changes the one with this id; and tries it out. One that does not work is kept all the same.
    pub async fn put_connection(
        &self,
        caller: &Caller,
        id: Option<ConnectionId>,
        new: NewConnection,
    ) -> Result<ConnectionView, Problem> {
        let scopes = scopes(&new.namespaces)?;
        let name = new.name.trim();
        if name.parse::<Name>().is_err() {
            let message = "a name has lower-case letters, digits and hyphens";
            all_right(vec![field("/name", "name", Value::Null, message)])?;
        }
        let kind = self.parts.connectors.connection_kind(&new.kind).ok_or_else(|| {
            let error = field("/kind", "enum", Value::Null, "there is no such kind of connection");
            Problem::new(ErrorCode::InvalidInput).with_errors(vec![error])
        })?;
        let mut gate = self.enter(caller, Operation::ConnectionUpdate).await?;
        let known = match id {
            Some(id) => Some(gate.unit.connection(id).await.or_problem()?.ok_or_else(not_found)?),
            None => None,
        };
        let id = known.as_ref().map_or_else(|| ConnectionId::new(self.ids()), |known| known.id);
        let named = Target::new("connection", id, name);
        if let Some(known) = &known {
            gate.authorize(&resource(known), &named).await?;
        }
        gate.authorize(&Resource::connection(id, &scopes), &named).await?;
        let stored = match known.as_ref().filter(|known| known.kind == new.kind) {
            Some(known) => self.stored_secret(known)?,
            None => None,
        };
        let split = kind.split(&new.settings, stored.as_ref()).map_err(|errors| {
            let errors = errors
                .into_iter()
                .map(|mut error| {
                    error.pointer = format!("/settings{}", error.pointer);
                    error
                })
                .collect();
            Problem::new(ErrorCode::InvalidInput).with_errors(errors)
        })?;
        if new.owner.is_none() && needs_owner(known.as_ref()) {
            let message = "say who answers for it: a person or a team";
            all_right(vec![field("/owner", "required", Value::Null, message)])?;
        }
        let owned_by = owner(gate.unit.as_mut(), new.owner).await?;
        let owned_before = owner(gate.unit.as_mut(), known.as_ref().and_then(|known| known.owner)).await?;
        let place = ResolvedConnection::sealing_context(id);
        let connection = Connection {
            id,
            name: name.to_owned(),
            kind: new.kind,
            settings: split.settings.to_string(),
            sealed_secret: split.secret.map(|secret| self.parts.vault.seal(&place, &secret.to_string())),
            namespaces: json!(scopes).to_string(),
            owner: new.owner,
            last_check: None,
            // What was changed to mend it has yet to show that it does.
            failing_since: known.as_ref().and_then(|known| known.failing_since),
            check_due_at: gate.now + LEASE,
            created_at: known.as_ref().map_or(gate.now, |known| known.created_at),
            updated_at: gate.now,
        };
        gate.unit.put_connection(&connection).await.or_problem()?;
        let before = known.map(|known| facts(&known, owned_before.as_ref()));
        let detail = json!({"before": before, "after": facts(&connection, owned_by.as_ref())});
        let detail = Detail::from(detail).naming("/before/owner/login", person(owned_before.as_ref()));
        let detail = detail.naming("/after/owner/login", person(owned_by.as_ref()));
        gate.finish(&target(&connection), detail).await?;
        self.parts.live.changed(engine::Topic::Connections);
        Ok(view(self.tried_out(connection).await, owned_by))
    }

    /// The connection after it was tried out. It is saved, so that nothing which goes wrong here is an error of saving: the check
    /// is made up for when it is due.
    async fn tried_out(&self, connection: Connection) -> Connection {
        let tried = async {
            self.check_stored(&connection).await?;
            self.parts.store.snapshot().await.or_problem()?.connection(connection.id).await.or_problem()
        };
        match tried.await {
            Ok(Some(tried)) => tried,
            Ok(None) => connection,
            Err(problem) => {
                tracing::warn!(%problem, connection = connection.name, "a saved connection could not be checked");
                connection
            }
        }
    }

    fn stored_secret(&self, connection: &Connection) -> Result<Option<Value>, Problem> {
        let Some(sealed) = &connection.sealed_secret else { return Ok(None) };
        let place = ResolvedConnection::sealing_context(connection.id);
        let secret = self
            .parts
            .vault
            .unseal(&place, sealed)
            .map_err(|cause| internal("a connection's secret cannot be opened", &cause))?;
        Ok(serde_json::from_str(secret.expose()).ok())
    }

    /// Deletes a connection.
    pub async fn delete_connection(&self, caller: &Caller, id: ConnectionId) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::ConnectionDelete).await?;
        let connection = gate.unit.connection(id).await.or_problem()?.ok_or_else(not_found)?;
        gate.authorize(&resource(&connection), &target(&connection)).await?;
        let owner = owner(gate.unit.as_mut(), connection.owner).await?;
        gate.unit.delete_connection(id).await.or_problem()?;
        let detail = json!({"before": facts(&connection, owner.as_ref()), "after": null});
        let detail = Detail::from(detail).naming("/before/owner/login", person(owner.as_ref()));
        gate.finish(&target(&connection), detail).await?;
        self.parts.live.changed(engine::Topic::Connections);
        Ok(())
    }

    /// Tries a connection out and keeps the result.
    pub async fn test_connection(&self, caller: &Caller, id: ConnectionId) -> Result<ConnectionCheck, Problem> {
        let mut gate = self.enter(caller, Operation::ConnectionTest).await?;
        let connection = gate.unit.connection(id).await.or_problem()?.ok_or_else(not_found)?;
        let resource = resource(&connection);
        gate.authorize(&resource, &target(&connection)).await?;
        // The writer is not held while another system is asked.
        gate.unit.rollback().await.or_problem()?;
        let check = self.try_out(&connection).await;

        let mut gate = self.enter(caller, Operation::ConnectionTest).await?;
        gate.authorize(&resource, &target(&connection)).await?;
        let (news, told) = self.note_check(gate.unit.as_mut(), &connection, &check).await?;
        let failed = failed_step(&check).map(|step| step.step.clone());
        gate.finish(&target(&connection), json!({"ok": check.ok, "failedAt": failed})).await?;
        self.announce_check(&connection, &check, news, &told);
        Ok(check)
    }
}

/// What the audit log keeps of a connection: never the secret, only whether there is one.
fn facts(connection: &Connection, owner: Option<&OwnerView>) -> Value {
    json!({
        "owner": owner,
        "name": connection.name,
        "kind": connection.kind,
        "settings": serde_json::from_str::<Value>(&connection.settings).unwrap_or_default(),
        "secret": connection.sealed_secret.is_some(),
        "namespaces": serde_json::from_str::<Value>(&connection.namespaces).unwrap_or_default(),
    })
}
