use async_trait::async_trait;
use domain::{DelegationId, DelegationScope, RunId, Timestamp, UserId};
use store::{
    Result, StoreError,
    delegations::{Delegation, Delegations, Represented, Revocation, Substitute},
};

use crate::{
    row::{Columns, each, first},
    statement::{Statement, sql},
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.user_id, d.substitute_id, d.scope, d.reason, d.starts_at, d.ends_at, d.created_at, ",
            "d.revoked_by, d.revoked_at FROM delegations d ",
            $rest
        )
    };
}

fn delegation(row: &Columns<'_>) -> Result<Delegation> {
    let revoked = match (row.maybe_parsed("revoked_by")?, row.maybe_time("revoked_at")?) {
        (Some(by), Some(at)) => Some(Revocation { by, at }),
        (None, None) => None,
        _ => return Err(StoreError::Inconsistent("the end of a delegation".to_owned())),
    };
    Ok(Delegation {
        id: row.parsed("id")?,
        user_id: row.parsed("user_id")?,
        substitute_id: row.parsed("substitute_id")?,
        scope: row.parsed("scope")?,
        reason: row.text("reason")?,
        starts_at: row.time("starts_at")?,
        ends_at: row.time("ends_at")?,
        created_at: row.time("created_at")?,
        revoked,
    })
}

/// Appends ` AND …`, true for the pending approvals in the alias `v` on which `substitute` may decide for somebody whom they
/// ask. The same as `substitutes_in` says of one run, but for whom.
pub(crate) fn push_may_stand_in(statement: &mut Statement, substitute: UserId) {
    statement.push(" AND v.state = 'pending' AND v.requester_id <> ").value(substitute);
    statement.push(" AND NOT EXISTS (SELECT 1 FROM run_changes c WHERE c.run_id = v.run_id AND c.user_id = ");
    statement.value(substitute).push(")");
}

/// Appends ` AND …`, true for the runs in the alias `r` whose decisions are in the scope.
pub(crate) fn push_scope(statement: &mut Statement, scope: &DelegationScope) {
    match scope {
        DelegationScope::Everything => {}
        DelegationScope::Namespace(namespace) => {
            statement.push(" AND r.namespace = ").value(namespace.as_str());
        }
        DelegationScope::Workflow(workflow) => {
            statement.push(" AND r.namespace = ").value(workflow.namespace.as_str());
            statement.push(" AND r.name = ").value(workflow.name.as_str());
        }
    }
}

#[async_trait]
impl Delegations for Unit {
    async fn insert_delegation(&mut self, delegation: &Delegation) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO delegations (id, user_id, substitute_id, scope, reason, starts_at, ends_at, created_at, ",
            "revoked_by, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
        ))
        .bind(delegation.id)
        .bind(delegation.user_id)
        .bind(delegation.substitute_id)
        .bind(&delegation.scope.to_string())
        .bind(&delegation.reason)
        .bind(delegation.starts_at)
        .bind(delegation.ends_at)
        .bind(delegation.created_at)
        .bind(delegation.revoked.map(|revoked| revoked.by))
        .bind(delegation.revoked.map(|revoked| revoked.at));
        self.execute(statement).await?;
        Ok(())
    }

    async fn delegation(&mut self, id: DelegationId) -> Result<Option<Delegation>> {
        first(&self.fetch(sql(select!("WHERE d.id = $1")).bind(id)).await?, delegation)
    }

    async fn delegations_about(&mut self, person: UserId, limit: u32) -> Result<Vec<Delegation>> {
        let statement =
            sql(select!("WHERE d.user_id = $1 OR d.substitute_id = $1 ORDER BY d.created_at DESC, d.id DESC LIMIT $2"));
        each(&self.fetch(statement.bind(person).bind(limit)).await?, delegation)
    }

    async fn revoke_delegation(&mut self, id: DelegationId, revocation: Revocation) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE delegations SET revoked_by = $2, revoked_at = $3 ",
            "WHERE id = $1 AND revoked_at IS NULL AND ends_at > $3"
        ));
        self.execute_one(statement.bind(id).bind(revocation.by).bind(revocation.at)).await
    }

    async fn represented_by(&mut self, substitute: UserId, now: Timestamp) -> Result<Vec<Represented>> {
        let statement = sql(concat!(
            "SELECT DISTINCT d.user_id, d.scope FROM delegations d JOIN users u ON u.id = d.user_id AND u.active ",
            "WHERE d.substitute_id = $1 AND d.starts_at <= $2 AND d.ends_at > $2 AND d.revoked_at IS NULL ",
            "ORDER BY d.user_id, d.scope"
        ));
        each(&self.fetch(statement.bind(substitute).bind(now)).await?, |row| {
            Ok(Represented { user_id: row.parsed("user_id")?, scope: row.parsed("scope")? })
        })
    }

    async fn substitutes_in(&mut self, run: RunId, now: Timestamp) -> Result<Vec<Substitute>> {
        let statement = sql(concat!(
            "SELECT DISTINCT v.id AS approval_id, d.user_id, d.substitute_id FROM approvals v ",
            "JOIN runs r ON r.id = v.run_id JOIN approval_approvers w ON w.approval_id = v.id AND w.stage = v.stage ",
            "JOIN users u ON u.id = w.user_id AND u.active JOIN delegations d ON d.user_id = w.user_id ",
            "JOIN users s ON s.id = d.substitute_id AND s.active ",
            "WHERE v.run_id = $1 AND v.state = 'pending' AND d.starts_at <= $2 AND d.ends_at > $2 ",
            "AND d.revoked_at IS NULL AND d.scope IN ('*', r.namespace, r.namespace || '/' || r.name) ",
            "AND v.requester_id <> d.substitute_id AND NOT EXISTS (SELECT 1 FROM run_changes c ",
            "WHERE c.run_id = v.run_id AND c.user_id = d.substitute_id) ",
            "ORDER BY v.id, d.user_id, d.substitute_id"
        ));
        each(&self.fetch(statement.bind(run).bind(now)).await?, |row| {
            Ok(Substitute {
                approval: row.parsed("approval_id")?,
                represented: row.parsed("user_id")?,
                user_id: row.parsed("substitute_id")?,
            })
        })
    }
}
