//! Who may see which runs: one condition, wherever runs or what hangs on them are listed.

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
    }
    statement.push(")");
}
