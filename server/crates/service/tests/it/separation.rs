//! Roles that conflict: reported, and forbidden.

use domain::{ErrorCode, Role, Scope};
use service::NewUser;
use store::access::Subject;

use crate::office::{Office, code};

const PAIR: (Role, Role) = (Role::Author, Role::Publisher);

fn on(namespace: &str) -> Scope {
    Scope::Namespace(namespace.parse().unwrap())
}

#[tokio::test]
async fn whoever_holds_two_roles_that_conflict_is_reported_where_they_meet() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    // The demonstration's manager is asked for decisions, and requests by a team.
    let demonstration = service.separation(&admin).await.unwrap().holders;
    assert_eq!(demonstration.iter().map(|held| held.person.login.as_str()).collect::<Vec<_>>(), ["manager"]);
    office.hire("both", &[Role::Author, Role::Publisher], on("alpha")).await;
    office.hire("apart", &[Role::Author], on("alpha")).await;
    let apart = Subject::User(office.user("apart").await.unwrap());
    service.grant(&admin, apart, Role::Publisher, on("beta"), None).await.unwrap();
    let team = service.put_team(&admin, "reviewers", "Reviewers").await.unwrap();
    service.grant(&admin, Subject::Team(team.id), Role::Publisher, Scope::Everywhere, None).await.unwrap();
    let author = office.user("author").await.unwrap();
    service.add_member(&admin, team.id, author).await.unwrap();

    let report = service.separation(&admin).await.unwrap();
    let mut found: Vec<_> = report
        .holders
        .iter()
        .map(|held| (held.person.login.as_str(), held.scope.to_string(), held.forbidden))
        .collect();
    found.sort();
    let author_on = report.holders.iter().find(|held| held.person.login == "author").unwrap().one.scope.to_string();
    assert_eq!(
        found,
        [("author", author_on, false), ("both", "alpha".to_owned(), false), ("manager", "*".to_owned(), false)]
    );

    // Who administers one namespace sees what meets there by grants on it.
    let local = office.hire("local", &[Role::Administrator], on("alpha")).await;
    let seen = service.separation(&local).await.unwrap().holders;
    assert_eq!(seen.iter().map(|held| held.person.login.as_str()).collect::<Vec<_>>(), ["both"]);
    assert_eq!(code(service.separate_roles(&local, vec![PAIR]).await), "forbidden");
    service.set_user_active(&admin, office.user("both").await.unwrap(), false).await.unwrap();
    assert_eq!(service.separation(&local).await.unwrap().holders, []);
}

#[tokio::test]
async fn a_pair_that_is_forbidden_is_given_to_nobody() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    let before = office.hire("before", &[Role::Author, Role::Publisher], on("alpha")).await;
    let set = service.separate_roles(&admin, vec![(Role::Publisher, Role::Author), PAIR]).await.unwrap();
    let forbidden: Vec<_> = set.pairs.iter().filter(|pair| pair.forbidden).map(|pair| (pair.one, pair.other)).collect();
    assert_eq!(forbidden, [PAIR]);
    assert!(set.holders.iter().any(|held| held.person.id == before.user && held.forbidden), "who holds it keeps it");

    office.hire("writer", &[Role::Author], on("alpha")).await;
    let writer = office.user("writer").await.unwrap();
    let start = office.audit_end().await;
    for scope in [on("alpha"), Scope::Everywhere] {
        let refused = service.grant(&admin, Subject::User(writer), Role::Publisher, scope, None).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::ConflictingRoles);
        assert_eq!(refused.detail, "writer would hold both publisher and author on alpha, which nobody may");
    }
    let entries = office.audit_after(start).await;
    assert_eq!(entries.iter().filter(|entry| entry.action == "grant.create" && entry.outcome == "refused").count(), 2);
    assert_eq!(code(service.grant(&admin, Subject::User(writer), Role::Publisher, on("beta"), None).await), "ok");
    assert_eq!(code(service.grant(&admin, Subject::User(writer), Role::Operator, on("alpha"), None).await), "ok");

    let team = service.put_team(&admin, "reviewers", "Reviewers").await.unwrap();
    service.grant(&admin, Subject::Team(team.id), Role::Publisher, on("alpha"), None).await.unwrap();
    let joining = service.add_member(&admin, team.id, writer).await.unwrap_err();
    assert_eq!(joining.code, ErrorCode::ConflictingRoles);
    let new = NewUser { login: "console".to_owned(), name: "Console".to_owned(), ..NewUser::default() };
    let roles = [(Role::Author, Scope::Everywhere), (Role::Publisher, on("alpha"))];
    let made = service.console_create_user(new, &roles, None).await.unwrap_err();
    assert_eq!(made.code, ErrorCode::ConflictingRoles);

    service.separate_roles(&admin, Vec::new()).await.unwrap();
    assert_eq!(code(service.add_member(&admin, team.id, writer).await), "ok");
    let unknown = service.separate_roles(&admin, vec![(Role::Requester, Role::Operator)]).await.unwrap_err();
    assert_eq!((unknown.code, unknown.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/pairs"));
}
