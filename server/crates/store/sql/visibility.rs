//! Who may see which runs: one condition, wherever runs or what hangs on them are listed.

use domain::UserId;
use store::{delegations::Represented, runs::Visibility};

use crate::{delegations, statement::Statement};

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
        statement.value(person).push(") OR r.id IN (");
        push_decided_for_others(statement, person);
        statement.push(")");
        for other in &visible.represents {
            statement.push(" OR (TRUE");
            push_stands_in(statement, person, other);
            statement.push(")");
        }
    }
    statement.push(")");
}

/// Appends the runs in which a person decided for somebody else.
fn push_decided_for_others(statement: &mut Statement, person: UserId) {
    statement.push(concat!(
        "SELECT v.run_id FROM decisions vd JOIN approvals v ON v.id = vd.approval_id ",
        "WHERE vd.on_behalf_of IS NOT NULL AND vd.user_id = "
    ));
    statement.value(person);
}

/// Appends ` AND …`, true for the runs `r` in which a person may decide for this other one.
fn push_stands_in(statement: &mut Statement, person: UserId, other: &Represented) {
    delegations::push_scope(statement, &other.scope);
    statement.push(concat!(
        " AND r.id IN (SELECT v.run_id FROM approval_approvers va ",
        "JOIN approvals v ON v.id = va.approval_id AND v.stage = va.stage WHERE va.user_id = "
    ));
    statement.value(other.user_id);
    delegations::push_may_stand_in(statement, person);
    statement.push(")");
}

/// Appends ` AND r.number IN (…)`: the newest runs that `visible` lets see, at most `limit` for each reason to see one, none
/// of which `narrow` leaves out. Each reason has an index; told in one condition, both databases would look through all
/// runs there are for a page of somebody who sees few.
pub(crate) fn push_newest(
    statement: &mut Statement,
    visible: &Visibility,
    limit: u32,
    narrow: impl Fn(&mut Statement),
) {
    let end = |statement: &mut Statement| {
        narrow(statement);
        statement.push(" ORDER BY r.number DESC").limit(limit).push(") newest");
    };
    statement.push(" AND r.number IN (SELECT number FROM runs WHERE FALSE");
    for namespace in &visible.namespaces {
        statement.push(" UNION ALL SELECT number FROM (SELECT r.number FROM runs r WHERE r.namespace = ");
        statement.value(namespace.as_str());
        end(statement);
    }
    if let Some(person) = visible.person {
        statement.push(" UNION ALL SELECT number FROM (SELECT r.number FROM runs r WHERE r.requester_id = ");
        statement.value(person);
        end(statement);
        statement.push(concat!(
            " UNION ALL SELECT number FROM (SELECT r.number FROM runs r WHERE r.id IN (",
            "SELECT v.run_id FROM approval_approvers va JOIN approvals v ON v.id = va.approval_id WHERE va.user_id = "
        ));
        statement.value(person).push(")");
        end(statement);
        statement.push(" UNION ALL SELECT number FROM (SELECT r.number FROM runs r WHERE r.id IN (");
        push_decided_for_others(statement, person);
        statement.push(")");
        end(statement);
        for other in &visible.represents {
            statement.push(" UNION ALL SELECT number FROM (SELECT r.number FROM runs r WHERE TRUE");
            push_stands_in(statement, person, other);
            end(statement);
        }
    }
    statement.push(")");
}
