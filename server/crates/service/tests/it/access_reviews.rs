//! Reviews of who holds which roles.

use std::time::Duration;

use domain::{
    AccessVerdict, Clock as _, ErrorCode, Problem, Role, Scope,
    view::{AccessReviewView, ReviewedGrant},
};
use service::Caller;
use store::access::Subject;
use testkit::WallClock;

use crate::office::{Office, code};

fn on(namespace: &str) -> Scope {
    Scope::Namespace(namespace.parse().unwrap())
}

impl Office {
    /// A review of a namespace on which staff was given a role for it, and of nothing else.
    pub(crate) async fn access_review(&self, caller: &Caller) -> Result<AccessReviewView, Problem> {
        let admin = self.caller("admin").await;
        let namespace = on(&format!("r{}", self.ids.next().simple()));
        let staff = Subject::User(self.user("staff").await.unwrap());
        self.service.grant(&admin, staff, Role::Operator, namespace.clone(), None).await.unwrap();
        self.review_of(caller, namespace, Duration::from_hours(24)).await
    }

    async fn review_of(&self, caller: &Caller, scope: Scope, life: Duration) -> Result<AccessReviewView, Problem> {
        self.service.start_access_review(caller, "Autumn", scope, WallClock.now() + life).await
    }

    async fn holds(&self, login: &str, role: Role, scope: &Scope) -> bool {
        let caller = self.caller(login).await;
        caller.principal.grants.contains(&(role, scope.clone()))
    }
}

fn of<'r>(review: &'r AccessReviewView, holder: &str, role: Role) -> &'r ReviewedGrant {
    review.items.iter().find(|item| item.holder == holder && item.role == role).unwrap()
}

#[tokio::test]
async fn administrators_say_of_each_grant_whether_it_stays_and_the_rest_ends() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    let alpha = on("alpha");
    for (login, role) in
        [("keep", Role::Operator), ("away", Role::Author), ("silent", Role::Author), ("left", Role::Author)]
    {
        office.hire(login, &[role], alpha.clone()).await;
    }
    let local = office.hire("local", &[Role::Administrator], alpha.clone()).await;
    office.hire("elsewhere", &[Role::Author], on("beta")).await;
    let review = office.review_of(&admin, alpha.clone(), Duration::from_hours(1)).await.unwrap();
    assert_eq!((review.item.grants, review.item.pending, review.closable), (5, 5, true));
    let notices = service.notifications(&local, None, None).await.unwrap().items;
    assert_eq!(
        (notices[0].kind.as_str(), notices[0].link.as_str()),
        ("access-review-started", &*format!("/access-reviews/{}", review.item.id))
    );

    let id = review.item.id;
    let seen = service.access_review(&local, id).await.unwrap();
    assert!(!seen.closable);
    let own = of(&seen, "local", Role::Administrator);
    assert!(!own.decidable && of(&seen, "keep", Role::Operator).decidable);
    let refused = service.decide_access(&local, id, own.grant, true, "").await.unwrap_err();
    assert_eq!(
        (refused.code, refused.policies[0].id.as_str()),
        (ErrorCode::Forbidden, "nobody-confirms-their-own-roles")
    );
    assert_eq!(
        code(service.decide_access(&local, id, of(&seen, "keep", Role::Operator).grant, true, "Still at it").await),
        "ok"
    );
    assert_eq!(code(service.decide_access(&local, id, of(&seen, "away", Role::Author).grant, false, "").await), "ok");
    assert!(!office.holds("away", Role::Author, &alpha).await);
    let again = service.decide_access(&admin, id, of(&seen, "keep", Role::Operator).grant, false, "").await;
    assert_eq!(again.unwrap_err().code, ErrorCode::AlreadyDecided);
    service.revoke_grant(&admin, of(&seen, "left", Role::Author).grant).await.unwrap();
    assert_eq!(
        code(service.decide_access(&admin, id, of(&seen, "left", Role::Author).grant, true, "").await),
        "conflict"
    );
    assert_eq!(code(service.decide_access(&admin, id, own.grant, true, "").await), "ok");
    // An administrator of another place sees nothing of it.
    let other = office.hire("other", &[Role::Administrator], on("beta")).await;
    assert_eq!(service.access_review(&other, id).await.unwrap().items, []);
    assert_eq!(code(service.close_access_review(&local, id).await), "forbidden");

    let closed = service.close_access_review(&admin, id).await.unwrap();
    assert!(closed.item.closed_at.is_some() && closed.item.pending == 0 && !closed.closable);
    let verdicts: Vec<_> = ["keep", "away", "silent", "left"]
        .map(|who| closed.items.iter().find(|item| item.holder == who).unwrap().verdict)
        .into();
    assert_eq!(
        verdicts,
        [AccessVerdict::Confirmed, AccessVerdict::Revoked, AccessVerdict::Lapsed, AccessVerdict::Gone]
    );
    assert!(office.holds("keep", Role::Operator, &alpha).await && !office.holds("silent", Role::Author, &alpha).await);
    assert!(office.holds("elsewhere", Role::Author, &on("beta")).await);
    let entries = office.audit_after(0).await;
    assert!(
        entries.iter().any(|entry| entry.action == "grant.lapse" && entry.resource_name == "silent: author on alpha")
    );
    assert_eq!(code(service.close_access_review(&admin, id).await), "conflict");
    let auditor = office.caller("auditor").await;
    assert_eq!(service.access_review(&auditor, id).await.unwrap().items.len(), 5);
    assert_eq!(service.access_reviews(&auditor, None, Some(1)).await.unwrap().items[0].id, id);
}

#[tokio::test]
async fn a_review_ends_by_itself_and_leaves_an_administrator() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    let review = office.review_of(&admin, Scope::Everywhere, Duration::from_millis(200)).await.unwrap();
    let only = of(&review, "Ana Admin", Role::Administrator);
    assert!(!only.decidable);
    let id = review.item.id;
    let closed = office
        .wait(async || {
            service.end_due_access_reviews().await;
            let review = service.access_review(&admin, id).await.unwrap();
            review.item.closed_at.is_some().then_some(review)
        })
        .await;
    assert_eq!(of(&closed, "Ana Admin", Role::Administrator).verdict, AccessVerdict::Kept);
    assert!(office.holds("admin", Role::Administrator, &Scope::Everywhere).await);
    assert!(!office.holds("operator", Role::Operator, &Scope::Everywhere).await);
    let entries = office.audit_after(0).await;
    assert_eq!(entries.iter().filter(|entry| entry.action == "access-review.end").count(), 1);
    service.end_due_access_reviews().await;
    assert_eq!(office.audit_after(0).await.len(), entries.len(), "it ends once");
}

#[tokio::test]
async fn what_is_wrong_with_a_review_is_said() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    let (now, later) = (WallClock.now(), WallClock.now() + Duration::from_hours(1));
    for (title, scope, due, pointer) in [
        (" ", Scope::Everywhere, later, "/title"),
        ("Autumn", Scope::Everywhere, now, "/dueAt"),
        ("Autumn", on("nothing-here"), later, "/scope"),
    ] {
        let problem = service.start_access_review(&admin, title, scope, due).await.unwrap_err();
        assert_eq!((problem.code, problem.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, pointer));
    }
    assert!(service.access_reviews(&admin, None, None).await.unwrap().items.is_empty());
}
