//! Who may see which runs: one condition, wherever runs or what hangs on them are listed.

use domain::UserId;
use store::runs::Visibility;

use crate::statement::Statement;

/// Appends ` AND (…)`, true for the runs `r` that `visible` lets see.
pub(crate) fn push(statement: &mut Statement, visible: &Visibility) {
    if visible.everywhere {
        return;
    }
    statement.push(" AND (FALSE");
    if !visible.namespaces.is_empty() {
        let namespaces = visible.namespaces.iter().map(domain::Name::as_str);
        statement.push(" OR r.namespace IN (").values(namespaces).push(")");
    }
    if let Some(person) = visible.person {
        statement.push(" OR r.requester_id = ").value(person);
        statement.push(concat!(
            " OR EXISTS (SELECT 1 FROM approval_approvers va JOIN approvals v ON v.id = va.approval_id ",
            "WHERE v.run_id = r.id AND va.user_id = "
        ));
        statement.value(person).push(")");
    }
    statement.push(")");
}

/// Appends ` AND r.number IN (…)`: the newest runs of which a person is part, at most `limit` for each way to be part of
/// one, none of which `narrow` leaves out. Each way has an index; told in one condition, both databases would look through
/// all runs there are for a page of somebody who is part of few.
pub(crate) fn push_newest_of(statement: &mut Statement, person: UserId, limit: u32, narrow: impl Fn(&mut Statement)) {
    statement.push(" AND r.number IN (SELECT number FROM (SELECT r.number FROM runs r WHERE r.requester_id = ");
    statement.value(person);
    narrow(statement);
    statement.push(" ORDER BY r.number DESC").limit(limit);
    statement.push(") asked_for UNION ALL SELECT number FROM (SELECT r.number FROM runs r WHERE r.id IN (");
    statement.push(
        "SELECT v.run_id FROM approval_approvers va JOIN approvals v ON v.id = va.approval_id WHERE va.user_id = ",
    );
    statement.value(person).push(")");
    narrow(statement);
    statement.push(" ORDER BY r.number DESC").limit(limit);
    statement.push(") decided)");
}
