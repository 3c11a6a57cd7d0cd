use domain::{Role, Scope};
use store::{StoreError, access::Subject as Holder, process_permissions::ProcessPermission, secrets::SealedSecret};

use super::Subject;
use crate::fixtures::{at, grant, grant_id, team, team_id, user_id};

pub(super) async fn teams_have_members_and_names(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_team(&team(1, "sales")).await.unwrap();
    unit.insert_team(&team(2, "it-identity")).await.unwrap();
    assert!(unit.add_member(team_id(1), user_id(1)).await.unwrap());
    assert!(!unit.add_member(team_id(1), user_id(1)).await.unwrap());
    assert!(unit.add_member(team_id(2), user_id(1)).await.unwrap());
    assert!(unit.add_member(team_id(1), user_id(2)).await.unwrap());
    let mut titled = team(1, "sales");
    "Vertrieb".clone_into(&mut titled.title);
    unit.update_team(&titled).await.unwrap();
    unit.commit().await.unwrap();

    let mut unit = subject.unit().await;
    assert_eq!(unit.team(team_id(1)).await.unwrap(), Some(titled.clone()));
    assert_eq!(unit.team_by_name("sales").await.unwrap(), Some(titled));
    assert_eq!(unit.team_by_name("none").await.unwrap(), None);
    let names: Vec<_> = unit.list_teams().await.unwrap().into_iter().map(|team| team.name).collect();
    assert_eq!(names, ["it-identity", "sales"]);
    assert_eq!(unit.team_members(team_id(1)).await.unwrap(), [user_id(1), user_id(2)]);
    let of: Vec<_> = unit.teams_of(user_id(1)).await.unwrap().into_iter().map(|team| team.name).collect();
    assert_eq!(of, ["it-identity", "sales"]);
    assert!(unit.remove_member(team_id(1), user_id(1)).await.unwrap());
    assert!(!unit.remove_member(team_id(1), user_id(1)).await.unwrap());
    assert!(matches!(unit.update_team(&team(9, "none")).await, Err(StoreError::Conflict)));
    let error = unit.insert_team(&team(3, "sales")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "name"), "{error:?}");
    drop(unit);
    let error = subject.unit().await.add_member(team_id(1), user_id(99)).await.unwrap_err();
    assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
}

pub(super) async fn grants_hold_by_person_and_by_team_until_they_end(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_team(&team(1, "sales")).await.unwrap();
    unit.add_member(team_id(1), user_id(1)).await.unwrap();
    let mut own = grant(1, Holder::User(user_id(1)), Role::Requester, Scope::Everywhere);
    own.expires_at = Some(at(10));
    own.created_by = Some(user_id(2));
    let mut by_team = grant(2, Holder::Team(team_id(1)), Role::Approver, Scope::Namespace("identity".parse().unwrap()));
    by_team.created_at = at(1);
    let other = grant(3, Holder::User(user_id(2)), Role::Auditor, Scope::Everywhere);
    for grant in [&own, &by_team, &other] {
        unit.insert_grant(grant).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert_eq!(unit.grants_of(user_id(1), at(9)).await.unwrap(), [own.clone(), by_team.clone()]);
    assert_eq!(unit.grants_of(user_id(1), at(10)).await.unwrap(), [by_team]);
    assert_eq!(unit.grants_of(user_id(3), at(0)).await.unwrap(), []);
    assert_eq!(unit.list_grants().await.unwrap().len(), 3);
    assert_eq!(unit.grant(grant_id(1)).await.unwrap(), Some(own));
    assert!(unit.delete_grant(grant_id(1)).await.unwrap());
    assert!(!unit.delete_grant(grant_id(1)).await.unwrap());
    assert_eq!(unit.grant(grant_id(1)).await.unwrap(), None);
}

pub(super) async fn the_same_grant_twice_is_a_duplicate_unless_it_ended(subject: Subject) {
    subject.organisation(0).await;
    let mut first = grant(1, Holder::User(user_id(1)), Role::Operator, Scope::Everywhere);
    first.expires_at = Some(at(10));
    let mut second = grant(2, Holder::User(user_id(1)), Role::Operator, Scope::Everywhere);
    second.created_at = at(9);
    let mut unit = subject.unit().await;
    unit.insert_grant(&first).await.unwrap();
    unit.insert_grant(&grant(3, Holder::User(user_id(2)), Role::Operator, Scope::Everywhere)).await.unwrap();
    unit.commit().await.unwrap();
    let error = subject.unit().await.insert_grant(&second).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "user_id, role, scope"), "{error:?}");
    second.created_at = at(10);
    let mut unit = subject.unit().await;
    unit.insert_grant(&second).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.grant(grant_id(1)).await.unwrap(), None);
    assert_eq!(unit.grant(grant_id(2)).await.unwrap(), Some(second));
}

pub(super) async fn a_team_takes_its_grants_along(subject: Subject) {
    subject.organisation(0).await;
    let mut unit = subject.unit().await;
    unit.insert_team(&team(1, "sales")).await.unwrap();
    unit.add_member(team_id(1), user_id(1)).await.unwrap();
    unit.insert_grant(&grant(1, Holder::Team(team_id(1)), Role::Approver, Scope::Everywhere)).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    unit.delete_team(team_id(1)).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert!(unit.teams_of(user_id(1)).await.unwrap().is_empty());
    assert!(unit.list_grants().await.unwrap().is_empty());
    assert!(unit.user(user_id(1)).await.unwrap().is_some());
}

pub(super) async fn holders_of_a_role_are_found_by_scope_team_and_activity(subject: Subject) {
    subject.organisation(0).await;
    let identity: domain::Name = "identity".parse().unwrap();
    let mut unit = subject.unit().await;
    unit.insert_team(&team(1, "sales")).await.unwrap();
    unit.add_member(team_id(1), user_id(1)).await.unwrap();
    unit.add_member(team_id(1), user_id(2)).await.unwrap();
    let scope = Scope::Namespace(identity.clone());
    unit.insert_grant(&grant(1, Holder::Team(team_id(1)), Role::Approver, scope.clone())).await.unwrap();
    unit.insert_grant(&grant(2, Holder::User(user_id(1)), Role::Approver, Scope::Everywhere)).await.unwrap();
    let mut ended = grant(3, Holder::User(user_id(3)), Role::Approver, scope);
    ended.expires_at = Some(at(10));
    unit.insert_grant(&ended).await.unwrap();
    let found = unit.users_with_role(Role::Approver, &identity, at(9)).await.unwrap();
    // By login: manager, operator, staff.
    assert_eq!(found, [user_id(2), user_id(3), user_id(1)]);
    assert_eq!(unit.users_with_role(Role::Approver, &identity, at(10)).await.unwrap(), [user_id(2), user_id(1)]);
    let elsewhere = "incident".parse().unwrap();
    assert_eq!(unit.users_with_role(Role::Approver, &elsewhere, at(9)).await.unwrap(), [user_id(1)]);
    assert_eq!(unit.users_with_role(Role::Auditor, &identity, at(9)).await.unwrap(), []);
    let mut gone = unit.user(user_id(1)).await.unwrap().unwrap();
    gone.active = false;
    unit.update_user(&gone).await.unwrap();
    assert_eq!(unit.users_with_role(Role::Approver, &elsewhere, at(9)).await.unwrap(), []);
}

pub(super) async fn a_namespace_may_run_processes_until_that_is_taken_back(subject: Subject) {
    subject.organisation(0).await;
    let namespaces = ["incident", "identity"].map(|name| name.parse::<domain::Name>().unwrap());
    let [incident, identity] = &namespaces;
    let permission = |namespace: &domain::Name, number| ProcessPermission {
        namespace: namespace.clone(),
        granted_by: user_id(number),
        granted_at: at(i64::try_from(number).unwrap()),
    };
    let mut unit = subject.unit().await;
    assert_eq!(unit.process_permission(incident).await.unwrap(), None);
    assert!(unit.insert_process_permission(&permission(incident, 1)).await.unwrap());
    assert!(unit.insert_process_permission(&permission(identity, 2)).await.unwrap());
    assert!(!unit.insert_process_permission(&permission(incident, 2)).await.unwrap());
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    assert_eq!(unit.process_permission(incident).await.unwrap(), Some(permission(incident, 1)));
    let all = [permission(identity, 2), permission(incident, 1)];
    assert_eq!(unit.list_process_permissions().await.unwrap(), all);
    assert!(unit.delete_process_permission(incident).await.unwrap());
    assert!(!unit.delete_process_permission(incident).await.unwrap());
    assert_eq!(unit.process_permission(incident).await.unwrap(), None);
    unit.commit().await.unwrap();
    let error = subject.unit().await.insert_process_permission(&permission(incident, 99)).await.unwrap_err();
    assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
}

pub(super) async fn secrets_belong_to_a_namespace_and_are_replaced_and_deleted(subject: Subject) {
    subject.organisation(0).await;
    let namespaces = ["incident", "identity"].map(|name| name.parse::<domain::Name>().unwrap());
    let [incident, identity] = &namespaces;
    let secret = |namespace: &domain::Name, name: &str, value: &str, number: u128| SealedSecret {
        namespace: namespace.clone(),
        name: name.to_owned(),
        sealed_value: value.to_owned(),
        created_by: user_id(number),
        created_at: at(i64::try_from(number).unwrap()),
        updated_by: user_id(number),
        updated_at: at(i64::try_from(number).unwrap()),
    };
    let mut unit = subject.unit().await;
    assert_eq!(unit.secrets_of(incident).await.unwrap(), []);
    for (namespace, name) in [(incident, "b"), (incident, "A/ä"), (identity, "b")] {
        unit.put_secret(&secret(namespace, name, "sealed", 1)).await.unwrap();
    }
    unit.put_secret(&secret(incident, "b", "sealed anew", 2)).await.unwrap();
    unit.commit().await.unwrap();
    let mut unit = subject.unit().await;
    let anew = SealedSecret { created_by: user_id(1), created_at: at(1), ..secret(incident, "b", "sealed anew", 2) };
    let of_incident = [secret(incident, "A/ä", "sealed", 1), anew];
    assert_eq!(unit.secrets_of(incident).await.unwrap(), of_incident);
    let mut all = vec![secret(identity, "b", "sealed", 1)];
    all.extend(of_incident);
    assert_eq!(unit.list_secrets().await.unwrap(), all);
    assert!(unit.delete_secret(incident, "b").await.unwrap());
    assert!(!unit.delete_secret(incident, "b").await.unwrap());
    assert_eq!(unit.secrets_of(incident).await.unwrap().len(), 1);
    assert_eq!(unit.secrets_of(identity).await.unwrap().len(), 1);
    unit.commit().await.unwrap();
    let error = subject.unit().await.put_secret(&secret(incident, "c", "sealed", 99)).await.unwrap_err();
    assert!(matches!(error, StoreError::Reference(_)), "{error:?}");
}
