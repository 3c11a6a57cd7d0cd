//! Connections: configured targets with credentials.

use audit::Detail;
use connectors::ResolvedConnection;
use domain::{
    ConnectionId, ErrorCode, Name, Operation, Problem, Scope, UserId,
    view::{ConnectionCheck, ConnectionView, OwnerView},
};
use policy::Resource;
use serde_json::{Value, json};
use store::{UnitOfWork, access::Subject, connections::Connection};

use crate::{
    Caller, Service,
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
    /// Who answers for it.
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

fn resource(connection: &Connection) -> Resource {
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

/// The owner, if that is a person.
fn person(owner: Option<&OwnerView>) -> Option<UserId> {
    match owner {
        Some(OwnerView::User { id, .. }) => Some(*id),
        Some(OwnerView::Team { .. }) | None => None,
    }
}

fn view(connection: Connection, owner: Option<OwnerView>) -> ConnectionView {
    ConnectionView {
        owner,
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

    /// The connections that the caller administers, by name. Never their secrets.
    pub async fn connections(&self, caller: &Caller) -> Result<Vec<ConnectionView>, Problem> {
        let mut gate = self.look(caller, Operation::ConnectionList).await?;
        gate.authorize(&Resource::system(), &Target::new("connections", "", "")).await?;
        let mut connections = gate.unit.list_connections().await.or_problem()?;
        connections.retain(|connection| gate.shows(&resource(connection)));
        let mut views = Vec::with_capacity(connections.len());
        for connection in connections {
            let owner = owner(gate.unit.as_mut(), connection.owner).await?;
            views.push(view(connection, owner));
        }
        Ok(views)
    }

    /// Creates a connection, or changes the one with this id.
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
            created_at: known.as_ref().map_or(gate.now, |known| known.created_at),
            updated_at: gate.now,
        };
        gate.unit.put_connection(&connection).await.or_problem()?;
        let before = known.map(|known| facts(&known, owned_before.as_ref()));
        let detail = json!({"before": before, "after": facts(&connection, owned_by.as_ref())});
        let detail = Detail::from(detail).naming("/before/owner/login", person(owned_before.as_ref()));
        let detail = detail.naming("/after/owner/login", person(owned_by.as_ref()));
        gate.finish(&target(&connection), detail).await?;
        self.parts.live.changed(engine::Topic::Administration);
        Ok(view(connection, owned_by))
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
        self.parts.live.changed(engine::Topic::Administration);
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
        let resolved = ResolvedConnection::open(&connection, &self.parts.vault)
            .map_err(|cause| internal("a connection's secret cannot be opened", &cause))?;
        let check = self.parts.connectors.check(&resolved, self.now()).await;

        let mut gate = self.enter(caller, Operation::ConnectionTest).await?;
        gate.authorize(&resource, &target(&connection)).await?;
        if let Some(mut now_stored) = gate.unit.connection(id).await.or_problem()?
            && now_stored.updated_at == connection.updated_at
        {
            now_stored.last_check = serde_json::to_string(&check).ok();
            gate.unit.put_connection(&now_stored).await.or_problem()?;
        }
        let failed = check.steps.iter().find(|step| !step.ok).map(|step| step.step.clone());
        gate.finish(&target(&connection), json!({"ok": check.ok, "failedAt": failed})).await?;
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
