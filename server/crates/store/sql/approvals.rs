use async_trait::async_trait;
use domain::{ApprovalId, ApprovalState, RunId, Timestamp, UserId};
use store::{
    Result,
    approvals::{Approval, ApprovalFilter, Approvals, Approver, Decision, Departure, QueueKey, Remark},
    delegations::Represented,
    runs::Visibility,
};

use crate::{
    db, delegations,
    row::{Columns, each, first, only},
    statement::{IDS_PER_QUERY, Statement, sql},
    unit::Unit,
    visibility,
};

/// So many approvers are written by one statement.
const ROWS_PER_INSERT: usize = 500;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.run_id, a.call, a.reference, a.title, a.message, a.state, a.rule, a.shown, a.digest, ",
            "a.requester_id, a.stage, a.returnable, a.opened_at, a.due_at, a.closed_at, a.timing ",
            "FROM approvals a ",
            $rest
        )
    };
}

fn approval(row: &Columns<'_>) -> Result<Approval> {
    Ok(Approval {
        id: row.parsed("id")?,
        run: row.parsed("run_id")?,
        call: row.text("call")?,
        reference: row.text("reference")?,
        title: row.text("title")?,
        message: row.text("message")?,
        state: row.parsed("state")?,
        rule: row.text("rule")?,
        shown: row.text("shown")?,
        digest: row.text("digest")?,
        requester_id: row.parsed("requester_id")?,
        stage: row.count("stage")?,
        returnable: row.flag("returnable")?,
        opened_at: row.time("opened_at")?,
        due_at: row.maybe_time("due_at")?,
        closed_at: row.maybe_time("closed_at")?,
        timing: row.maybe_text("timing")?,
    })
}

fn decision(row: &Columns<'_>) -> Result<Decision> {
    Ok(Decision {
        id: row.parsed("id")?,
        approval: row.parsed("approval_id")?,
        user_id: row.parsed("user_id")?,
        on_behalf_of: row.maybe_parsed("on_behalf_of")?,
        kind: row.parsed("kind")?,
        comment: row.text("comment")?,
        digest: row.text("digest")?,
        stage: row.count("stage")?,
        filled_in: row.maybe_text("filled_in")?,
        narrowed: row.maybe_text("narrowed")?,
        decided_at: row.time("decided_at")?,
    })
}

fn remark(row: &Columns<'_>) -> Result<Remark> {
    Ok(Remark {
        id: row.parsed("id")?,
        approval: row.parsed("approval_id")?,
        answers: row.maybe_parsed("answers")?,
        user_id: row.parsed("user_id")?,
        text: row.text("text")?,
        made_at: row.time("made_at")?,
    })
}

/// Appends that the open stage of the approval `a` of the run `r` asks a person, or somebody for whom they stand in, whose
/// vote is still to come; that this person has not decided in it, nor put data of their own into the run; and that it is not
/// with the requester. Whoever is asked has a vote of their own, and no other.
fn push_waiting_for(statement: &mut Statement, user: UserId, for_others: &[Represented]) {
    statement.push(" AND NOT EXISTS (SELECT 1 FROM run_changes c WHERE c.run_id = a.run_id AND c.user_id = ");
    statement.value(user).push(")");
    statement.push(" AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.approval_id = a.id AND (d.stage = a.stage");
    statement.push(" AND d.user_id = ").value(user).push(" OR d.kind IN ('request-changes', 'narrow'))) AND (");
    push_asked(statement, user);
    push_no_vote_for(statement, user);
    for other in for_others {
        statement.push(" OR EXISTS (SELECT 1 FROM approvals v WHERE v.id = a.id");
        delegations::push_may_stand_in(statement, user);
        statement.push(") AND NOT ");
        push_asked(statement, user);
        statement.push(" AND ");
        push_asked(statement, other.user_id);
        push_no_vote_for(statement, other.user_id);
        statement.push(" AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.approval_id = a.id AND d.stage = a.stage");
        statement.push(" AND d.user_id = ").value(other.user_id).push(" AND d.on_behalf_of IS NULL)");
        delegations::push_scope(statement, &other.scope);
    }
    statement.push(")");
}

fn push_asked(statement: &mut Statement, user: UserId) {
    statement.push("EXISTS (SELECT 1 FROM approval_approvers w WHERE w.approval_id = a.id AND w.stage = a.stage");
    statement.push(" AND w.user_id = ").value(user).push(")");
}

/// Appends that nobody else has cast a person's vote.
fn push_no_vote_for(statement: &mut Statement, user: UserId) {
    statement.push(" AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.approval_id = a.id AND d.stage = a.stage");
    statement.push(" AND d.on_behalf_of = ").value(user).push(")");
}

#[async_trait]
impl Approvals for Unit {
    async fn insert_approval(&mut self, approval: &Approval, approvers: &[Approver]) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO approvals (id, run_id, call, reference, title, message, state, rule, shown, digest, requester_id, ",
            "stage, returnable, opened_at, due_at, closed_at, timing) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
        ))
        .bind(approval.id)
        .bind(approval.run)
        .bind(&approval.call)
        .bind(&approval.reference)
        .bind(&approval.title)
        .bind(&approval.message)
        .bind(approval.state.as_str())
        .bind(&approval.rule)
        .bind(&approval.shown)
        .bind(&approval.digest)
        .bind(approval.requester_id)
        .bind(approval.stage)
        .bind(approval.returnable)
        .bind(approval.opened_at)
        .bind(approval.due_at)
        .bind(approval.closed_at)
        .bind(approval.timing.as_deref());
        self.execute(statement).await?;
        self.add_approvers(approval.id, approvers).await
    }

    async fn approval(&mut self, id: ApprovalId) -> Result<Option<Approval>> {
        let mut statement = sql(select!("WHERE a.id = $1")).bind(id);
        statement.push(self.lock_clause());
        first(&self.fetch(statement).await?, approval)
    }

    async fn approval_of_call(&mut self, run: RunId, call: &str) -> Result<Option<Approval>> {
        let statement = sql(select!("WHERE a.run_id = $1 AND a.call = $2")).bind(run).bind(call);
        first(&self.fetch(statement).await?, approval)
    }

    async fn list_approvals(
        &mut self,
        visible: &Visibility,
        filter: &ApprovalFilter,
        after: Option<QueueKey>,
        limit: u32,
    ) -> Result<Vec<Approval>> {
        let mut statement = sql(select!("JOIN runs r ON r.id = a.run_id WHERE TRUE"));
        visibility::push(&mut statement, visible);
        // As literals, so that the planner can use the partial index of the queue.
        match filter.state {
            None => {}
            Some(ApprovalState::Pending) => drop(statement.push(" AND a.state = 'pending'")),
            Some(state) => drop(statement.push(" AND a.state = ").value(state.as_str())),
        }
        if let Some(user) = filter.waiting_for {
            push_waiting_for(&mut statement, user, &filter.for_others);
        }
        if let Some(run) = filter.run {
            statement.push(" AND a.run_id = ").value(run);
        }
        if let Some(key) = after {
            statement.push(" AND (COALESCE(a.due_at, 9223372036854775807), a.id) > (");
            statement.value(key.due).push(", ").value(key.id).push(")");
        }
        statement.push(" ORDER BY COALESCE(a.due_at, 9223372036854775807), a.id").limit(limit);
        each(&self.fetch(statement).await?, approval)
    }

    async fn count_waiting_for(&mut self, user: UserId, for_others: &[Represented], most: u32) -> Result<u64> {
        // Only scopes of delegations look at the run.
        let mut statement = sql(if for_others.is_empty() {
            "SELECT count(*) AS n FROM (SELECT 1 FROM approvals a WHERE a.state = 'pending'"
        } else {
            concat!(
                "SELECT count(*) AS n FROM (SELECT 1 FROM approvals a JOIN runs r ON r.id = a.run_id ",
                "WHERE a.state = 'pending'"
            )
        });
        push_waiting_for(&mut statement, user, for_others);
        statement.limit(most).push(") AS waiting");
        only(&self.fetch(statement).await?, |row| row.count("n"))
    }

    async fn approvers(&mut self, id: ApprovalId) -> Result<Vec<Approver>> {
        let found = self.approvers_of(&[id]).await?;
        Ok(found.into_iter().map(|(_, approver)| approver).collect())
    }

    async fn approvers_of(&mut self, ids: &[ApprovalId]) -> Result<Vec<(ApprovalId, Approver)>> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_QUERY) {
            let mut statement =
                sql("SELECT approval_id, user_id, via, stage, later FROM approval_approvers WHERE approval_id IN (");
            statement.values(some.iter().copied()).push(") ORDER BY approval_id, position, user_id");
            found.extend(each(&self.fetch(statement).await?, |row| {
                let approver = Approver {
                    user_id: row.parsed("user_id")?,
                    via: row.text("via")?,
                    stage: row.count("stage")?,
                    later: row.flag("later")?,
                };
                Ok((row.parsed("approval_id")?, approver))
            })?);
        }
        Ok(found)
    }

    async fn people_asked_in(&mut self, run: RunId) -> Result<Vec<UserId>> {
        let statement = sql(concat!(
            "SELECT va.user_id FROM approvals v JOIN approval_approvers va ON va.approval_id = v.id ",
            "WHERE v.run_id = $1 UNION SELECT d.user_id FROM approvals v JOIN decisions d ON d.approval_id = v.id ",
            "WHERE v.run_id = $1 AND d.on_behalf_of IS NOT NULL ORDER BY user_id"
        ));
        each(&self.fetch(statement.bind(run)).await?, |row| row.parsed("user_id"))
    }

    async fn add_approvers(&mut self, id: ApprovalId, approvers: &[Approver]) -> Result<()> {
        let end = sql("SELECT COALESCE(max(position), 0) AS last FROM approval_approvers WHERE approval_id = $1");
        let mut position = only(&self.fetch(end.bind(id)).await?, |row| row.integer("last"))?;
        for some in approvers.chunks(ROWS_PER_INSERT) {
            let mut insert =
                sql("INSERT INTO approval_approvers (approval_id, stage, user_id, via, later, position) VALUES ");
            for (index, approver) in some.iter().enumerate() {
                position += 1;
                insert.push(if index == 0 { "(" } else { ", (" });
                insert.value(id).push(", ").value(approver.stage).push(", ").value(approver.user_id).push(", ");
                insert.value(&approver.via).push(", ").value(approver.later).push(", ").value(position).push(")");
            }
            insert.push(" ON CONFLICT DO NOTHING");
            self.execute(insert).await?;
        }
        Ok(())
    }

    async fn advance_approval(&mut self, id: ApprovalId, stage: u32) -> Result<()> {
        let statement = sql("UPDATE approvals SET stage = $2 WHERE id = $1 AND state = 'pending' AND stage = $2 - 1");
        self.execute_one(statement.bind(id).bind(stage)).await
    }

    async fn note_change(&mut self, run: RunId, user: UserId) -> Result<()> {
        let statement = sql("INSERT INTO run_changes (run_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        self.execute(statement.bind(run).bind(user)).await?;
        Ok(())
    }

    async fn pass_changes(&mut self, from: RunId, to: RunId) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO run_changes (run_id, user_id) ",
            "SELECT $2, c.user_id FROM run_changes c WHERE c.run_id = $1 ON CONFLICT DO NOTHING"
        ));
        self.execute(statement.bind(from).bind(to)).await?;
        Ok(())
    }

    async fn changers(&mut self, run: RunId) -> Result<Vec<UserId>> {
        Ok(self.changers_of(&[run]).await?.into_iter().map(|(_, user)| user).collect())
    }

    async fn changers_of(&mut self, runs: &[RunId]) -> Result<Vec<(RunId, UserId)>> {
        let mut found = Vec::new();
        for some in runs.chunks(IDS_PER_QUERY) {
            let mut statement = sql("SELECT run_id, user_id FROM run_changes WHERE run_id IN (");
            statement.values(some.iter().copied()).push(") ORDER BY run_id, user_id");
            found.extend(each(&self.fetch(statement).await?, |row| {
                Ok((row.parsed("run_id")?, row.parsed("user_id")?))
            })?);
        }
        Ok(found)
    }

    async fn take_departures(&mut self, limit: u32) -> Result<Vec<Departure>> {
        self.writing()?;
        let mut statement = sql(concat!(
            "SELECT w.approval_id, w.user_id, w.stage, a.run_id, a.call, u.updated_at FROM approval_approvers w ",
            "JOIN approvals a ON a.id = w.approval_id AND a.stage = w.stage JOIN users u ON u.id = w.user_id ",
            "WHERE a.state = 'pending' AND (NOT u.active OR EXISTS (SELECT 1 FROM run_changes c ",
            "WHERE c.run_id = a.run_id AND c.user_id = u.id)) AND (w.left_at IS NULL OR w.left_at <> u.updated_at) ",
            "AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.approval_id = a.id AND d.stage = a.stage ",
            "AND (d.on_behalf_of = w.user_id OR d.user_id = w.user_id AND d.on_behalf_of IS NULL)) ",
            "ORDER BY w.approval_id, w.user_id LIMIT $1"
        ))
        .bind(limit);
        statement.push(db::SKIP_LOCKED);
        let found = each(&self.fetch(statement).await?, |row| {
            let departure = Departure {
                approval: row.parsed("approval_id")?,
                user_id: row.parsed("user_id")?,
                run: row.parsed("run_id")?,
                call: row.text("call")?,
            };
            Ok((departure, row.count::<u32>("stage")?, row.time("updated_at")?))
        })?;
        let mut taken = Vec::with_capacity(found.len());
        for (departure, stage, disabled_at) in found {
            let mark = sql(concat!(
                "UPDATE approval_approvers SET left_at = $4 ",
                "WHERE approval_id = $1 AND stage = $2 AND user_id = $3"
            ));
            let mark = mark.bind(departure.approval).bind(stage).bind(departure.user_id).bind(disabled_at);
            self.execute(mark).await?;
            taken.push(departure);
        }
        Ok(taken)
    }

    async fn close_approval(&mut self, id: ApprovalId, state: ApprovalState, at: Timestamp) -> Result<()> {
        let statement = sql("UPDATE approvals SET state = $2, closed_at = $3 WHERE id = $1 AND state = 'pending'")
            .bind(id)
            .bind(state.as_str())
            .bind(at);
        self.execute_one(statement).await?;
        let forget = sql("DELETE FROM approval_timers WHERE approval_id = $1 AND fired_at IS NULL");
        self.execute(forget.bind(id)).await?;
        Ok(())
    }

    async fn overdue_approvals(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Approval>> {
        let statement = sql(select!("WHERE a.state = 'pending' AND a.due_at <= $1 ORDER BY a.due_at, a.id LIMIT $2"));
        each(&self.fetch(statement.bind(now).bind(limit)).await?, approval)
    }

    async fn insert_decision(&mut self, decision: &Decision) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO decisions (id, approval_id, user_id, on_behalf_of, kind, comment, digest, stage, filled_in, ",
            "narrowed, decided_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
        ))
        .bind(decision.id)
        .bind(decision.approval)
        .bind(decision.user_id)
        .bind(decision.on_behalf_of)
        .bind(decision.kind.as_str())
        .bind(&decision.comment)
        .bind(&decision.digest)
        .bind(decision.stage)
        .bind(decision.filled_in.as_deref())
        .bind(decision.narrowed.as_deref())
        .bind(decision.decided_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn decisions(&mut self, id: ApprovalId) -> Result<Vec<Decision>> {
        self.decisions_of(&[id]).await
    }

    async fn decisions_of(&mut self, ids: &[ApprovalId]) -> Result<Vec<Decision>> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_QUERY) {
            let mut statement = sql(concat!(
                "SELECT id, approval_id, user_id, on_behalf_of, kind, comment, digest, stage, filled_in, narrowed, ",
                "decided_at FROM decisions WHERE approval_id IN ("
            ));
            statement.values(some.iter().copied()).push(") ORDER BY approval_id, stage, decided_at, id");
            found.extend(each(&self.fetch(statement).await?, decision)?);
        }
        Ok(found)
    }

    async fn insert_remark(&mut self, remark: &Remark) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO approval_remarks (id, approval_id, answers, user_id, text, made_at) ",
            "VALUES ($1, $2, $3, $4, $5, $6)"
        ))
        .bind(remark.id)
        .bind(remark.approval)
        .bind(remark.answers)
        .bind(remark.user_id)
        .bind(&remark.text)
        .bind(remark.made_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn remarks_of_run(&mut self, run: RunId) -> Result<Vec<Remark>> {
        let statement = sql(concat!(
            "SELECT m.id, m.approval_id, m.answers, m.user_id, m.text, m.made_at FROM approval_remarks m ",
            "JOIN approvals a ON a.id = m.approval_id WHERE a.run_id = $1 ORDER BY m.made_at, m.id"
        ));
        each(&self.fetch(statement.bind(run)).await?, remark)
    }
}
