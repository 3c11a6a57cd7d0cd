//! Which namespaces may run shell commands, scripts and containers.

use domain::{Name, Operation, Problem, view::ProcessPermissionView};
use policy::Resource;
use serde_json::json;
use store::process_permissions::ProcessPermission;

use crate::{
    Caller, Service,
    gate::Target,
    problems::{OrProblem as _, not_found},
    views::People,
};

fn target(namespace: &Name) -> Target {
    Target::new("namespace", namespace, namespace.as_str()).within(namespace)
}

impl Service {
    /// The namespaces that may run processes, by name.
    pub async fn process_permissions(&self, caller: &Caller) -> Result<Vec<ProcessPermissionView>, Problem> {
        let mut gate = self.look(caller, Operation::ProcessList).await?;
        gate.authorize(&Resource::system(), &Target::new("namespaces", "", "")).await?;
        let permissions = gate.unit.list_process_permissions().await.or_problem()?;
        let people = permissions.iter().map(|permission| permission.granted_by);
        let people = People::load(gate.unit.as_mut(), people).await.or_problem()?;
        Ok(permissions.into_iter().map(|permission| view(permission, &people)).collect())
    }

    /// Permits the workflows of a namespace to run processes. Nothing changes where they may already.
    pub async fn permit_processes(&self, caller: &Caller, namespace: Name) -> Result<ProcessPermissionView, Problem> {
        let mut gate = self.enter(caller, Operation::ProcessPermit).await?;
        let target = target(&namespace);
        gate.authorize(&Resource::system(), &target).await?;
        let new = ProcessPermission { namespace, granted_by: caller.user, granted_at: gate.now };
        let added = gate.unit.insert_process_permission(&new).await.or_problem()?;
        let stored = gate.unit.process_permission(&new.namespace).await.or_problem()?.ok_or_else(not_found)?;
        let people = People::load(gate.unit.as_mut(), [stored.granted_by]).await.or_problem()?;
        if added {
            gate.finish(&target, json!({"before": {"processes": false}, "after": {"processes": true}})).await?;
            self.parts.live.changed(engine::Topic::Administration);
        }
        Ok(view(stored, &people))
    }

    /// Takes the permission back. Processes under way go on to their end; none is started any more.
    pub async fn forbid_processes(&self, caller: &Caller, namespace: &Name) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::ProcessForbid).await?;
        let target = target(namespace);
        gate.authorize(&Resource::system(), &target).await?;
        if !gate.unit.delete_process_permission(namespace).await.or_problem()? {
            return Err(not_found());
        }
        gate.finish(&target, json!({"before": {"processes": true}, "after": {"processes": false}})).await?;
        self.parts.live.changed(engine::Topic::Administration);
        Ok(())
    }
}

fn view(permission: ProcessPermission, people: &People) -> ProcessPermissionView {
    ProcessPermissionView {
        granted_by: people.get(permission.granted_by),
        namespace: permission.namespace,
        granted_at: permission.granted_at,
    }
}
