//! Searches of the audit log that people have named, each for oneself.

use audit::Detail;
use domain::{Operation, Problem, view::AuditViewView};
use policy::Resource;
use serde_json::{Value, json};
use store::audit::AuditView;

use crate::{
    Caller, Service,
    audit_log::target,
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, not_found},
};

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;
/// The longest query, in bytes.
const LONGEST_QUERY: usize = 2_000;
/// The most that a person can keep.
const MOST: usize = 100;

impl Service {
    /// The caller's named searches, by name.
    pub async fn audit_views(&self, caller: &Caller) -> Result<Vec<AuditViewView>, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        let views = gate.unit.audit_views_of(caller.user).await.or_problem()?;
        Ok(views.into_iter().map(view).collect())
    }

    /// Names a search, or replaces the one of this name. `query` is the query of its address, without `?`.
    pub async fn save_audit_view(&self, caller: &Caller, name: &str, query: &str) -> Result<AuditViewView, Problem> {
        let mut gate = self.enter(caller, Operation::AuditViewSave).await?;
        let name = name.trim();
        let target = named(name);
        gate.authorize(&Resource::system(), &target).await?;
        let views = gate.unit.audit_views_of(caller.user).await.or_problem()?;
        let before = views.iter().find(|view| view.name == name);
        check(name, query, before.is_none().then_some(views.len()))?;
        let before = before.map(|view| view.query.clone());
        let saved =
            AuditView { user_id: caller.user, name: name.to_owned(), query: query.to_owned(), saved_at: gate.now };
        gate.unit.put_audit_view(&saved).await.or_problem()?;
        gate.finish(
            &target,
            Detail::from(json!({"before": {"query": before}, "after": {"query": query}}))
                .naming("/before/query", None)
                .naming("/after/query", None),
        )
        .await?;
        Ok(view(saved))
    }

    /// Forgets a named search.
    pub async fn delete_audit_view(&self, caller: &Caller, name: &str) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::AuditViewDelete).await?;
        let target = named(name);
        gate.authorize(&Resource::system(), &target).await?;
        if !gate.unit.delete_audit_view(caller.user, name).await.or_problem()? {
            return Err(not_found());
        }
        gate.finish(&target, Value::Null).await
    }
}

fn named(name: &str) -> Target {
    Target::new("audit-view", name, name)
}

/// Says what is wrong with a search; `others` is how many there are if this is one more.
fn check(name: &str, query: &str, others: Option<usize>) -> Result<(), Problem> {
    let mut errors = Vec::new();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        errors.push(field("/name", "length", json!(LONGEST_NAME), "A name has 1 to 100 characters."));
    }
    if query.len() > LONGEST_QUERY || query.contains(['?', '#', '\0', '\r', '\n']) {
        errors.push(field(
            "/query",
            "query",
            Value::Null,
            "This is not the query of an address of at most 2,000 bytes.",
        ));
    }
    if others.is_some_and(|others| others >= MOST) {
        errors.push(field("/name", "count", json!(MOST), "There are 100 named searches; delete one first."));
    }
    all_right(errors)
}

fn view(view: AuditView) -> AuditViewView {
    AuditViewView { name: view.name, query: view.query, saved_at: view.saved_at }
}
