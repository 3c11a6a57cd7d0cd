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
