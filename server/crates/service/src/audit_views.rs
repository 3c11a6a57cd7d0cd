//! Searches of the audit log that people have named, each for oneself or for all who may read the log.

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
    views::People,
};

/// The longest name, in characters.
const LONGEST_NAME: usize = 100;
/// The longest query, in bytes.
const LONGEST_QUERY: usize = 2_000;
/// The most that a person can keep.
const MOST: usize = 100;
/// The most of others that are shown.
const MOST_SHARED: u32 = 500;

impl Service {
    /// The caller's named searches, by name, and then those that others share.
    pub async fn audit_views(&self, caller: &Caller) -> Result<Vec<AuditViewView>, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        let own = gate.unit.audit_views_of(caller.user).await.or_problem()?;
        let shared = gate.unit.shared_audit_views(caller.user, MOST_SHARED).await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), shared.iter().map(|view| view.user_id)).await.or_problem()?;
        let of_others = shared.into_iter().map(|shared| {
            let owner = Some(people.get(shared.user_id));
            AuditViewView { owner, ..view(shared) }
        });
        Ok(own.into_iter().map(view).chain(of_others).collect())
    }

    /// Names a search, or replaces the caller's own of this name. `query` is the query of its address, without `?`.
    /// Whoever may read the log sees it if it is `shared`; only its owner changes it.
    pub async fn save_audit_view(
        &self,
        caller: &Caller,
        name: &str,
        query: &str,
        shared: bool,
    ) -> Result<AuditViewView, Problem> {
        let mut gate = self.enter(caller, Operation::AuditViewSave).await?;
        let name = name.trim();
        let target = named(name);
        gate.authorize(&Resource::system(), &target).await?;
        let views = gate.unit.audit_views_of(caller.user).await.or_problem()?;
        let before = views.iter().find(|view| view.name == name);
        check(name, query, before.is_none().then_some(views.len()))?;
        let before = before.map(|view| json!({"query": view.query, "shared": view.shared}));
        let (name, query) = (name.to_owned(), query.to_owned());
        let saved = AuditView { user_id: caller.user, name, query, shared, saved_at: gate.now };
        gate.unit.put_audit_view(&saved).await.or_problem()?;
        let after = json!({"query": saved.query, "shared": shared});
        let detail = Detail::from(json!({"before": before.unwrap_or_else(|| json!({})), "after": after}));
        gate.finish(&target, detail.naming("/before/query", None).naming("/after/query", None)).await?;
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
    let AuditView { name, query, shared, saved_at, .. } = view;
    AuditViewView { name, query, saved_at, shared, owner: None }
}
