use std::sync::LazyLock;

use domain::{ApprovalId, ConnectionId, EmergencyId, GrantId, Name, Role, RunId, Scope, TeamId, UserId, WorkflowRef};
use policy::{Policies, Principal, Resource, ResourceKind};
use uuid::Uuid;

pub(crate) static POLICIES: LazyLock<Policies> = LazyLock::new(|| Policies::builtin().unwrap());

pub(crate) const ME: UserId = UserId::from_uuid(Uuid::from_u128(1));
pub(crate) const OTHER: UserId = UserId::from_uuid(Uuid::from_u128(2));

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn on(namespace: &str) -> Scope {
    Scope::Namespace(name(namespace))
}

pub(crate) fn me(grants: Vec<(Role, Scope)>) -> Principal {
    Principal { id: ME, login: "me".to_owned(), active: true, grants, emergency: None }
}

pub(crate) fn run(namespace: &str, requester: UserId, asked: &[UserId]) -> Resource {
    Resource::run(RunId::from_uuid(Uuid::from_u128(9)), &name(namespace), requester, asked.iter().copied())
}

pub(crate) fn approval(namespace: &str, requester: UserId, asked: &[UserId]) -> Resource {
    let asked = || asked.iter().copied();
    Resource::approval(ApprovalId::from_uuid(Uuid::from_u128(9)), &name(namespace), requester, asked(), asked())
}

/// A resource of a kind: whose it is, whom it asks, where it is. People gain nothing from it.
pub(crate) fn resource(kind: ResourceKind, owner: UserId, asked: &[UserId], scope: &Scope) -> Resource {
    let id = Uuid::from_u128(9);
    let namespace = match scope {
        Scope::Everywhere => name("here"),
        Scope::Namespace(namespace) => namespace.clone(),
    };
    match kind {
        ResourceKind::System => Resource::system(),
        ResourceKind::Session
        | ResourceKind::Token
        | ResourceKind::Draft
        | ResourceKind::Notification
        | ResourceKind::Account => Resource::own(kind, owner),
        ResourceKind::Workflow => Resource::workflow(&WorkflowRef { namespace, name: name("work") }),
        ResourceKind::Definition => {
            Resource::definition(&WorkflowRef { namespace, name: name("work") }, "1.0.0", [owner])
        }
        ResourceKind::Run => run(namespace.as_str(), owner, asked),
        ResourceKind::Approval => approval(namespace.as_str(), owner, asked),
        ResourceKind::Connection => Resource::connection(ConnectionId::from_uuid(id), std::slice::from_ref(scope)),
        ResourceKind::Secret => Resource::secret(&namespace, "token"),
        ResourceKind::Repository => Resource::repository(&namespace, &name("definitions")),
        ResourceKind::Trigger => Resource::trigger(&namespace, &name("alerts")),
        ResourceKind::PolicySet => Resource::policy_set(9, [owner]),
        ResourceKind::Team => Resource::team(TeamId::from_uuid(id), []),
        ResourceKind::Grant => Resource::grant(GrantId::from_uuid(id), scope, []),
        ResourceKind::Emergency => Resource::emergency(EmergencyId::from_uuid(id), scope, owner, None),
    }
}
