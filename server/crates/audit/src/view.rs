use domain::{RunId, view::AuditEntryView};
use ledger::{parse, personal, tree};
use serde_json::{Value, json};
use store::audit::AuditRow;

/// What pages and REST show of a stored entry, read from its hashed body and what stands beside it. The name for people stays empty: it is not
/// part of the entry.
///
/// A body that is no JSON object was altered in the database. The entry is then shown from its search columns, and
/// `detail` says so: one altered row must not hide the others. The hash of an entry that was archived stays empty: it is in the
/// tree ([`crate::leaves`]).
pub fn view(row: &AuditRow) -> AuditEntryView {
    if let Some(segment) = &row.segment {
        return elsewhere(row, segment);
    }
    let Ok(mut body @ Value::Object(_)) = parse(row.body.as_bytes()) else {
        return from_columns(row);
    };
    let beside = row.personal.as_deref().map(personal::read).transpose().ok().flatten().unwrap_or_default();
    let erased = personal::erased(&body, &beside);
    personal::put_back(&mut body, &beside);
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let word = |pointer: &str| text(pointer).unwrap_or_default();
    let policies = body.get("policies").and_then(Value::as_array).into_iter().flatten();
    AuditEntryView {
        seq: row.seq,
        at: text("/at").and_then(|at| at.parse().ok()).unwrap_or(row.at),
        actor: word("/actor/login"),
        actor_name: String::new(),
        door: word("/door"),
        address: text("/address"),
        credential: text("/session").or_else(|| text("/token")),
        action: word("/action"),
        resource_kind: word("/resource/kind"),
        resource_id: word("/resource/id"),
        resource_name: word("/resource/name"),
        run: run_of(&body),
        namespace: text("/namespace"),
        outcome: word("/outcome"),
        policies: policies.filter_map(Value::as_str).map(str::to_owned).collect(),
        policy_set: text("/policySet"),
        detail: body.get("detail").cloned().unwrap_or_default(),
        erased,
        hash: tree::text(&tree::leaf(row.body.as_bytes())),
        archived: None,
    }
}

/// Of an entry that was archived there is nothing here but its place, its time and its hash, which is in the tree.
fn elsewhere(row: &AuditRow, segment: &str) -> AuditEntryView {
    AuditEntryView {
        hash: String::new(),
        outcome: String::new(),
        detail: Value::Null,
        archived: Some(segment.to_owned()),
        ..from_columns(row)
    }
}

/// The run that an entry says it belongs to: the one that it is about, or the one in its detail.
fn run_of(body: &Value) -> Option<String> {
    let is_run = body.pointer("/resource/kind").and_then(Value::as_str) == Some("run");
    let run = body.pointer(if is_run { "/resource/id" } else { "/detail/run" })?.as_str()?;
    run.parse::<RunId>().ok().map(|run| run.to_string())
}

fn from_columns(row: &AuditRow) -> AuditEntryView {
    AuditEntryView {
        seq: row.seq,
        at: row.at,
        actor: row.actor.clone(),
        actor_name: String::new(),
        door: String::new(),
        address: None,
        credential: None,
        action: row.action.clone(),
        resource_kind: row.resource_kind.clone(),
        resource_id: row.resource_id.clone(),
        resource_name: row.resource_name.clone(),
        run: None,
        namespace: row.namespace.clone(),
        outcome: row.outcome.clone(),
        policies: Vec::new(),
        policy_set: None,
        detail: json!({"fault": "the stored entry cannot be read: it was altered in the database"}),
        erased: Vec::new(),
        hash: tree::text(&tree::leaf(row.body.as_bytes())),
        archived: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{entry, rows};

    #[test]
    fn the_view_shows_what_was_hashed() {
        let [mut row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        row.actor = "somebody else".to_owned();
        let view = view(&row);
        assert_eq!(view.actor, "manager");
        assert_eq!((view.door.as_str(), view.address.as_deref()), ("portal", Some("192.0.2.7")));
        assert_eq!((view.resource_kind.as_str(), view.resource_name.as_str()), ("approval", "R-1042"));
        assert_eq!(view.policies, ["asked-people-decide"]);
        assert_eq!(view.detail, entry().detail);
        assert_eq!((view.seq, view.at, view.namespace.as_deref()), (1, entry().at, Some("identity")));
    }

    #[test]
    fn what_was_erased_is_shown_as_such() {
        let [mut row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        let whole = view(&row);
        assert_eq!(whole.erased, Vec::<String>::new());
        row.personal = None;
        let erased = view(&row);
        assert_eq!((erased.actor.as_str(), erased.address), ("", None));
        assert_eq!(erased.detail, json!({"decision": "approve"}));
        assert_eq!(
            (erased.erased, erased.hash),
            (vec!["/actor/login".to_owned(), "/address".to_owned(), "/detail/name".to_owned()], whole.hash)
        );
    }

    #[test]
    fn an_unreadable_body_is_shown_as_such() {
        let [mut row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        row.body.truncate(20);
        let view = view(&row);
        assert_eq!((view.actor.as_str(), view.action.as_str()), ("manager", "approval.decide"));
        assert!(view.detail.get("fault").is_some());
    }
}
