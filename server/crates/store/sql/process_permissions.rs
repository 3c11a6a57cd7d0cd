use async_trait::async_trait;
use domain::Name;
use store::{
    Result,
    process_permissions::{ProcessPermission, ProcessPermissions},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

fn permission(row: &Columns<'_>) -> Result<ProcessPermission> {
    Ok(ProcessPermission {
        namespace: row.parsed("namespace")?,
        granted_by: row.parsed("granted_by")?,
        granted_at: row.time("granted_at")?,
    })
}

#[async_trait]
impl ProcessPermissions for Unit {
    async fn process_permission(&mut self, namespace: &Name) -> Result<Option<ProcessPermission>> {
        let statement = sql("SELECT namespace, granted_by, granted_at FROM process_permissions WHERE namespace = $1");
        first(&self.fetch(statement.bind(namespace.as_str())).await?, permission)
    }

    async fn list_process_permissions(&mut self) -> Result<Vec<ProcessPermission>> {
        let statement = sql("SELECT namespace, granted_by, granted_at FROM process_permissions ORDER BY namespace");
        each(&self.fetch(statement).await?, permission)
    }

    async fn insert_process_permission(&mut self, permission: &ProcessPermission) -> Result<bool> {
        let statement = sql(concat!(
            "INSERT INTO process_permissions (namespace, granted_by, granted_at) VALUES ($1, $2, $3) ",
            "ON CONFLICT (namespace) DO NOTHING"
        ))
        .bind(permission.namespace.as_str())
        .bind(permission.granted_by)
        .bind(permission.granted_at);
        Ok(self.execute(statement).await? > 0)
    }

    async fn delete_process_permission(&mut self, namespace: &Name) -> Result<bool> {
        let statement = sql("DELETE FROM process_permissions WHERE namespace = $1");
        Ok(self.execute(statement.bind(namespace.as_str())).await? > 0)
    }
}
