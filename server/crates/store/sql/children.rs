use async_trait::async_trait;
use domain::RunId;
use store::{
    Result,
    children::{ChildRun, Children},
};

use crate::{
    row::{Columns, first},
    statement::sql,
    unit::Unit,
};

fn child(row: &Columns<'_>) -> Result<ChildRun> {
    Ok(ChildRun {
        run: row.parsed("run_id")?,
        parent: row.parsed("parent_id")?,
        call: row.count("call")?,
        depth: row.count("depth")?,
    })
}

#[async_trait]
impl Children for Unit {
    async fn insert_child(&mut self, child: &ChildRun) -> Result<()> {
        let statement = sql("INSERT INTO child_runs (run_id, parent_id, call, depth) VALUES ($1, $2, $3, $4)")
            .bind(child.run)
            .bind(child.parent)
            .bind(child.call)
            .bind(child.depth);
        self.execute(statement).await?;
        Ok(())
    }

    async fn child(&mut self, run: RunId) -> Result<Option<ChildRun>> {
        let statement = sql("SELECT run_id, parent_id, call, depth FROM child_runs WHERE run_id = $1");
        first(&self.fetch(statement.bind(run)).await?, child)
    }

    async fn child_of_call(&mut self, parent: RunId, call: u32) -> Result<Option<ChildRun>> {
        let statement = sql("SELECT run_id, parent_id, call, depth FROM child_runs WHERE parent_id = $1 AND call = $2");
        first(&self.fetch(statement.bind(parent).bind(call)).await?, child)
    }
}
