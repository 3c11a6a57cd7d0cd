//! Erasing a person who has left: from the account at once, from the entries of the audit log one batch after the other.
//!
//! How far it is stands in the database, in the unit of work of each batch: after a crash it goes on where it was.

use std::{collections::BTreeMap, time::Duration};

use audit::Person;
use domain::{ErrorCode, Operation, Problem, UserId, view::ErasureView};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    StoreError, UnitOfWork,
    audit::AuditRow,
    erasures::{Erasure, Unfinished},
    users::User,
};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{
    Caller, Service,
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, not_found},
    retention::{Failure, in_force},
};

/// Entries that are looked at in one unit of work.
const BATCH: u32 = 500;
/// Units of work of the index at one go.
const INDEXED_AT_ONCE: usize = 8;
/// How often is looked whether another node has begun one, and left it.
const LOOK_AROUND: Duration = Duration::from_mins(1);
const REASON_LIMIT: usize = 500;

impl Service {
    /// Erases a person who has left. Only a disabled account can be, of which nothing is under way; why stays in the audit log.
    pub async fn erase_user(&self, caller: &Caller, id: UserId, reason: &str) -> Result<ErasureView, Problem> {
        let (mut gate, user) = self.enter_user(caller, id, Operation::UserErase).await?;
        let reason = check_reason(reason)?;
        let neutral = neutral(&user, gate.now);
        let target = Target::new("user", id, neutral.login.clone());
        let unfinished = gate.unit.unfinished_of(id).await.or_problem()?;
        if let Some(obstacle) = obstacle(&user, unfinished) {
            return Err(gate.refuse(&target, conflict(&obstacle)).await);
        }
        let texts: Vec<_> = [Some(&user.login), Some(&user.name), user.email.as_ref()].into_iter().flatten().collect();
        let erasure = Erasure {
            user: id,
            texts: Some(json!(texts).to_string()),
            seq: 0,
            segment: 0,
            entries: 0,
            held: 0,
            begun_at: gate.now,
            ended_at: None,
        };
        gate.unit.insert_erasure(&erasure).await.or_problem()?;
        gate.unit.forget(&user).await.or_problem()?;
        gate.unit.update_user(&neutral).await.or_problem()?;
        let view = erasure_view(gate.unit.as_mut(), id).await.or_problem()?.ok_or_else(not_found)?;
        gate.finish(&target, json!({"reason": reason})).await?;
        self.administration_changed();
        self.erasures_due.notify_one();
        Ok(view)
    }

    /// How far the erasure of a person is.
    pub async fn erasure(&self, caller: &Caller, id: UserId) -> Result<ErasureView, Problem> {
        let mut gate = self.look(caller, Operation::UserList).await?;
        gate.authorize(&Resource::account(id), &Target::new("user", id, "")).await?;
        erasure_view(gate.unit.as_mut(), id).await.or_problem()?.ok_or_else(not_found)
    }

    /// Goes on with erasures until told to stop.
    pub async fn follow_erasures(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.go_on_erasing() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.erasures_due.notified() => {}
                () = tokio::time::sleep(LOOK_AROUND) => {}
            }
        }
    }

    /// Takes everybody whose erasure has begun out of all entries that there are.
    pub async fn go_on_erasing(&self) {
        loop {
            match self.erase_some().await {
                // Or another node was quicker: both go on with what is there.
                Ok(true) | Err(Failure::Store(StoreError::Conflict)) => {}
                Ok(false) => return,
                Err(cause) => {
                    error!(error = &cause as &dyn std::error::Error, "a person is not erased yet, trying again later");
                    return;
                }
            }
        }
    }

    /// Looks through some entries for one person; whether there may be more to do.
    async fn erase_some(&self) -> Result<bool, Failure> {
        {
            let mut unit = self.parts.store.snapshot().await?;
            if unit.open_erasure().await?.is_none() {
                return Ok(false);
            }
        }
        // What waits for its place can name the person as well; and no entry may come into the index as it was before.
        self.sequence().await?;
        audit::index(self.parts.store.as_ref(), INDEXED_AT_ONCE).await?;
        let mut unit = self.parts.store.begin().await?;
        let Some(mut erasure) = unit.open_erasure().await? else { return Ok(false) };
        // Nothing is archived, and no hold is placed, meanwhile.
        unit.archiving().await?;
        let (size, indexed) = (unit.audit_size().await?, unit.audit_indexed().await?);
        let mut rows = unit.audit_from(erasure.seq, BATCH).await?;
        rows.retain(|row| row.seq <= indexed);
        if let Some(last) = rows.last() {
            erasure.seq = last.seq;
            erase_rows(unit.as_mut(), &mut erasure, rows).await?;
        } else if indexed < size {
            return Ok(true);
        } else if let Some(segment) = unit.next_audit_segment(erasure.segment).await? {
            erasure.segment = segment.number;
            self.erase_archived(unit.as_mut(), &mut erasure, &segment.name).await?;
        } else {
            erasure.ended_at = Some(self.now());
            if erasure.held == 0 {
                erasure.texts = None;
            }
        }
        unit.update_erasure(&erasure).await?;
        unit.commit().await?;
        Ok(true)
    }

    /// Takes the person out of what stands beside a segment.
    async fn erase_archived(
        &self,
        unit: &mut dyn UnitOfWork,
        erasure: &mut Erasure,
        segment: &str,
    ) -> Result<(), Failure> {
        let rows = self.named_in(segment).await?;
        let left = left_of(unit, erasure, &rows).await?;
        if left.is_empty() {
            return Ok(());
        }
        let mut beside: BTreeMap<_, _> = rows.into_iter().map(|row| (row.seq, row)).collect();
        beside.extend(left.into_iter().map(|(_, left)| (left.seq, left)));
        self.name_beside(segment, &beside.into_values().collect::<Vec<_>>()).await
    }
}

/// Takes the person out of entries that are in the database.
async fn erase_rows(unit: &mut dyn UnitOfWork, erasure: &mut Erasure, rows: Vec<AuditRow>) -> store::Result<()> {
    let (before, left): (Vec<_>, Vec<_>) = left_of(unit, erasure, &rows).await?.into_iter().unzip();
    if left.is_empty() {
        return Ok(());
    }
    let terms = (audit::terms(unit, &before).await?, audit::terms(unit, &left).await?);
    unit.erase_audit(&left).await?;
    unit.reindex_audit(&terms.0, &terms.1).await
}

/// Those of the rows that have something of the person, as they are and without it. What holds cover stays as it is: they come
/// before.
async fn left_of(
    unit: &mut dyn UnitOfWork,
    erasure: &mut Erasure,
    rows: &[AuditRow],
) -> store::Result<Vec<(AuditRow, AuditRow)>> {
    let texts = erasure.texts.as_deref().and_then(|texts| serde_json::from_str(texts).ok()).unwrap_or_default();
    let person = Person { id: erasure.user, texts };
    let named = rows.iter().filter_map(|row| audit::without(row, &person).map(|left| (row.clone(), left)));
    let mut named: Vec<_> = named.collect();
    let found = named.len();
    if found > 0 {
        let holds = in_force(unit).await?;
        named.retain(|(row, _)| !holds.iter().any(|hold| hold.covers(row)));
    }
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    erasure.entries += count(named.len());
    erasure.held += count(found - named.len());
    Ok(named)
}

/// The account without the person.
fn neutral(user: &User, now: domain::Timestamp) -> User {
    let login = format!("erased-{}", user.id.to_string().replace('-', ""));
    User {
        name: login.clone(),
        login,
        email: None,
        password_hash: None,
        must_change_password: false,
        manager_id: None,
        locale: None,
        theme: None,
        updated_at: now,
        last_sign_in_at: None,
        ..user.clone()
    }
}

/// Why the person cannot be erased now.
fn obstacle(user: &User, Unfinished { runs, approvals }: Unfinished) -> Option<String> {
    if user.active {
        return Some("only somebody who has left can be erased; disable the account first".to_owned());
    }
    let open = |count: i64| if count == 1 { "1 has".to_owned() } else { format!("{count} have") };
    if runs > 0 {
        let open = open(runs);
        return Some(format!(
            "of the runs that this person has asked for, {open} not ended; wait for them, or cancel them"
        ));
    }
    (approvals > 0).then(|| {
        let open = open(approvals);
        format!("of the decisions that this person was asked for, {open} not been made; have others make them first")
    })
}

fn check_reason(reason: &str) -> Result<String, Problem> {
    let reason = reason.trim();
    if reason.is_empty() {
        all_right(vec![field("/reason", "required", Value::Null, "say why; it stays in the audit log")])?;
    }
    if reason.chars().count() > REASON_LIMIT {
        all_right(vec![field("/reason", "maxLength", json!(REASON_LIMIT), "the reason is too long")])?;
    }
    Ok(reason.to_owned())
}

fn conflict(detail: &str) -> Problem {
    Problem::new(ErrorCode::Conflict).with_detail(detail)
}

/// How far the erasure of a person is; none where it has not begun.
pub(crate) async fn erasure_view(unit: &mut dyn UnitOfWork, user: UserId) -> store::Result<Option<ErasureView>> {
    let Some(Erasure { user, seq, entries, held, begun_at, ended_at, .. }) = unit.erasure(user).await? else {
        return Ok(None);
    };
    let of = unit.audit_tree_size().await?.max(seq);
    Ok(Some(ErasureView { user, looked_through: seq, of, entries, held, begun_at, ended_at }))
}
