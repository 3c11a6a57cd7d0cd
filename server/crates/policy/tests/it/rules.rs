use domain::{ConnectionId, EmergencyId, GrantId, Operation, Role, Scope, TeamId};
use policy::{Policies, Principal, Resource, ResourceKind};
use uuid::Uuid;

use crate::fixture::{ME, OTHER, approval, me, on, run};

/// Every set of roles, on a namespace and everywhere.
fn every_combination_of_roles() -> impl Iterator<Item = Principal> {
    [on("here"), Scope::Everywhere].into_iter().flat_map(|scope| {
        (0..1_u32 << Role::ALL.len()).map(move |chosen| {
            let held = Role::ALL.iter().enumerate().filter(|(bit, _)| chosen & (1 << bit) != 0);
            me(held.map(|(_, role)| (*role, scope.clone())).collect())
        })
    })
}

#[test]
fn nobody_decides_on_an_own_request_under_any_combination_of_roles() {
    let policies = Policies::builtin().unwrap();
    for principal in every_combination_of_roles() {
        for asked in [&[][..], &[ME], &[ME, OTHER]] {
            let decision = policies.decide(&principal, Operation::ApprovalDecide, &approval("here", ME, asked));
            assert!(!decision.allowed, "{principal:?}");
            assert_eq!(decision.policies, ["nobody-decides-on-an-own-request"]);
            assert_eq!(decision.missing, "another person than the requester");
        }
    }
}

#[test]
fn no_role_decides_without_having_been_asked() {
    let policies = Policies::builtin().unwrap();
    for principal in every_combination_of_roles() {
        let decision = policies.decide(&principal, Operation::ApprovalDecide, &approval("here", OTHER, &[OTHER]));
        assert!(!decision.allowed, "{principal:?}");
        assert_eq!(decision.missing, "to be asked for this decision, or to stand in for somebody who is asked");
    }
}

#[test]
fn a_substitute_decides_and_sees_the_run_but_for_an_own_request_or_change() {
    let policies = Policies::builtin().unwrap();
    for principal in every_combination_of_roles() {
        let others = approval("here", OTHER, &[OTHER]).with_substitutes([ME]);
        for operation in [Operation::ApprovalDecide, Operation::ApprovalRead] {
            assert!(policies.decide(&principal, operation, &others).allowed, "{principal:?}");
        }
        let seen = run("here", OTHER, &[OTHER]).with_substitutes([ME]);
        assert!(policies.decide(&principal, Operation::RunRead, &seen).allowed, "{principal:?}");
        assert!(!policies.decide(&principal, Operation::RunCancel, &seen).allowed || !principal.grants.is_empty());

        let own = approval("here", ME, &[OTHER]).with_substitutes([ME]);
        let decision = policies.decide(&principal, Operation::ApprovalDecide, &own);
        assert_eq!((decision.allowed, decision.policies), (false, vec!["nobody-decides-on-an-own-request".to_owned()]));
        for changed in [others.changed_by([ME]), approval("here", OTHER, &[ME]).changed_by([ME])] {
            let decision = policies.decide(&principal, Operation::ApprovalDecide, &changed);
            assert_eq!(
                (decision.allowed, decision.policies),
                (false, vec!["nobody-decides-on-an-own-change".to_owned()])
            );
        }
    }
}

#[test]
fn no_role_foresees_what_an_own_request_leads_to() {
    let policies = Policies::builtin().unwrap();
    for principal in every_combination_of_roles() {
        let may = |of: &Resource| policies.decide(&principal, Operation::ApprovalForesee, of).allowed;
        assert!(!may(&approval("here", ME, &[OTHER])), "{principal:?}");
        let operates = principal.grants.iter().any(|(role, _)| *role == Role::Operator);
        assert_eq!(may(&approval("here", OTHER, &[OTHER])), operates, "{principal:?}");
    }
}

#[test]
fn nobody_names_a_substitute_for_somebody_else() {
    let policies = Policies::builtin().unwrap();
    for principal in every_combination_of_roles() {
        let theirs = Resource::account(OTHER);
        assert!(!policies.decide(&principal, Operation::DelegationCreate, &theirs).allowed, "{principal:?}");
        let ends = policies.decide(&principal, Operation::DelegationRevoke, &theirs).allowed;
        assert_eq!(ends, principal.grants.contains(&(Role::Administrator, Scope::Everywhere)), "{principal:?}");
        assert!(policies.decide(&principal, Operation::DelegationCreate, &Resource::account(ME)).allowed);
    }
}

#[test]
fn nobody_but_the_requester_sends_changed_input_and_none_but_those_asked_ask_back() {
    let policies = Policies::builtin().unwrap();
    for principal in every_combination_of_roles() {
        let may = |operation, of: &Resource| policies.decide(&principal, operation, of).allowed;
        let (own, asked, neither) =
            (approval("here", ME, &[OTHER]), approval("here", OTHER, &[ME]), approval("here", OTHER, &[OTHER]));
        let resubmits = [&own, &asked, &neither].map(|of| may(Operation::ApprovalResubmit, of));
        let asks = [&own, &asked, &neither].map(|of| may(Operation::ApprovalAsk, of));
        let answers = [&own, &asked, &neither].map(|of| may(Operation::ApprovalAnswer, of));
        let expected = ([true, false, false], [false, true, false], [true, true, false]);
        assert_eq!((resubmits, asks, answers), expected, "{principal:?}");
    }
}

#[test]
fn nobody_gives_a_role_to_themselves_under_any_combination_of_roles() {
    let policies = Policies::builtin().unwrap();
    let id = Uuid::from_u128(9);
    for principal in every_combination_of_roles() {
        let grant = Resource::grant(GrantId::from_uuid(id), &on("here"), [OTHER, ME]);
        let decision = policies.decide(&principal, Operation::GrantCreate, &grant);
        assert_eq!((decision.allowed, decision.policies), (false, vec!["nobody-grants-to-themselves".to_owned()]));
        let team = Resource::team(TeamId::from_uuid(id), [ME]);
        let decision = policies.decide(&principal, Operation::TeamUpdate, &team);
        assert_eq!(
            (decision.allowed, decision.policies),
            (false, vec!["nobody-joins-a-team-for-its-roles".to_owned()])
        );
    }
}

#[test]
fn nobody_publishes_an_own_change_under_any_combination_of_roles() {
    let policies = Policies::builtin().unwrap();
    let workflow = "here/work".parse().unwrap();
    for principal in every_combination_of_roles() {
        for authors in [&[ME][..], &[OTHER, ME]] {
            let own = Resource::definition(&workflow, "1.0.0", authors.iter().copied());
            let decision = policies.decide(&principal, Operation::DefinitionPublish, &own);
            assert!(!decision.allowed, "{principal:?}");
            assert_eq!(decision.policies, ["nobody-publishes-their-own-change"]);
            assert_eq!(decision.missing, "another person than its authors");
        }
        let of_others = Resource::definition(&workflow, "1.0.0", [OTHER]);
        let may = policies.decide(&principal, Operation::DefinitionPublish, &of_others).allowed;
        assert_eq!(may, principal.grants.iter().any(|(role, _)| *role == Role::Publisher), "{principal:?}");
    }
}

#[test]
fn nobody_puts_own_policies_into_force_under_any_combination_of_roles() {
    let policies = Policies::builtin().unwrap();
    for principal in every_combination_of_roles() {
        let own = Resource::policy_set(3, [OTHER, ME]);
        let decision = policies.decide(&principal, Operation::PolicyActivate, &own);
        assert!(!decision.allowed, "{principal:?}");
        assert_eq!(decision.policies, ["nobody-activates-their-own-policies"]);
        let of_others = Resource::policy_set(3, [OTHER]);
        let may = policies.decide(&principal, Operation::PolicyActivate, &of_others).allowed;
        assert_eq!(may, principal.grants.contains(&(Role::Administrator, Scope::Everywhere)), "{principal:?}");
    }
}

#[test]
fn emergency_access_takes_two_and_a_third_under_any_combination_of_roles() {
    let policies = Policies::builtin().unwrap();
    let id = EmergencyId::from_uuid(Uuid::from_u128(9));
    let refused_by = |principal: &Principal, operation, resource: &Resource| {
        let decision = policies.decide(principal, operation, resource);
        assert!(!decision.allowed, "{principal:?}");
        decision.policies
    };
    for principal in every_combination_of_roles() {
        let own = Resource::emergency(id, &on("here"), ME, Some(OTHER));
        let own_confirm = refused_by(&principal, Operation::EmergencyConfirm, &own);
        assert_eq!(own_confirm, ["nobody-confirms-their-own-emergency"]);
        for involved in [own, Resource::emergency(id, &on("here"), OTHER, Some(ME))] {
            let own_review = refused_by(&principal, Operation::EmergencyReview, &involved);
            assert_eq!(own_review, ["nobody-reviews-their-own-emergency"]);
        }
        let in_emergency = Principal { emergency: Some(id), ..principal };
        let of_others = Resource::emergency(id, &on("here"), OTHER, None);
        for operation in [Operation::EmergencyConfirm, Operation::EmergencyReview] {
            assert_eq!(refused_by(&in_emergency, operation, &of_others), ["emergencies-beget-no-emergencies"]);
        }
    }
}

#[test]
fn an_auditor_opens_the_audit_log_and_the_policies_and_nothing_that_others_own() {
    let policies = Policies::builtin().unwrap();
    let auditor = me(vec![(Role::Auditor, Scope::Everywhere)]);
    assert!(policies.decide(&auditor, Operation::AuditRead, &Resource::system()).allowed);
    assert!(!policies.decide(&auditor, Operation::RunRead, &run("here", OTHER, &[])).allowed);
    let nobody = policies.operations(&me(vec![]));
    let gained: Vec<_> =
        policies.operations(&auditor).into_iter().filter(|operation| !nobody.contains(operation)).collect();
    assert_eq!(
        gained,
        [
            Operation::ValueRead,
            Operation::AuditRead,
            Operation::AuditExport,
            Operation::AuditSubscribe,
            Operation::AuditViewSave,
            Operation::AuditViewDelete,
            Operation::ControlRead,
            Operation::AuditRetentionRead,
            Operation::PolicyRead,
            Operation::AccessReviewRead,
            Operation::EmergencyRead,
            Operation::EmergencyReview
        ]
    );
}

#[test]
fn an_auditor_of_one_namespace_does_not_read_the_log_of_all() {
    let policies = Policies::builtin().unwrap();
    let decision = policies.decide(&me(vec![(Role::Auditor, on("here"))]), Operation::AuditRead, &Resource::system());
    assert!(!decision.allowed);
    assert_eq!(decision.missing, "the role auditor everywhere");
}

#[test]
fn a_decision_names_the_policies_that_permit_it() {
    let policies = Policies::builtin().unwrap();
    let operator = me(vec![(Role::Operator, on("here"))]);
    let decision = policies.decide(&operator, Operation::RunCancel, &run("here", ME, &[]));
    assert!(decision.allowed);
    assert_eq!(decision.policies, ["operators-steer-runs", "requesters-follow-their-runs"]);
    assert_eq!(decision.missing, "");
}

#[test]
fn a_refusal_by_default_names_no_policy_and_says_what_would_help() {
    let policies = Policies::builtin().unwrap();
    let decision = policies.decide(&me(vec![]), Operation::RunCancel, &run("here", OTHER, &[]));
    assert_eq!(decision.policies, Vec::<String>::new());
    assert_eq!(decision.missing, "to be its requester, or the role operator on here");
}

#[test]
fn an_inactive_person_is_refused_by_name_of_the_policy() {
    let policies = Policies::builtin().unwrap();
    let principal = Principal { active: false, ..me(vec![(Role::Administrator, Scope::Everywhere)]) };
    let decision = policies.decide(&principal, Operation::MeRead, &Resource::account(ME));
    assert_eq!((decision.allowed, decision.missing.as_str()), (false, "an active account"));
    assert_eq!(decision.policies, ["inactive-people-do-nothing"]);
    assert_eq!(policies.operations(&principal), []);
}

#[test]
fn somebody_who_has_not_signed_in_is_told_to() {
    let policies = Policies::builtin().unwrap();
    assert!(policies.decide(None, Operation::SessionCreate, &Resource::system()).allowed);
    let decision = policies.decide(None, Operation::RunList, &Resource::system());
    assert_eq!((decision.allowed, decision.missing.as_str()), (false, "to be signed in"));
}

#[test]
fn an_operation_on_a_resource_of_another_kind_is_refused() {
    let policies = Policies::builtin().unwrap();
    let administrator = me(Role::ALL.iter().map(|role| (*role, Scope::Everywhere)).collect());
    assert!(!policies.decide(&administrator, Operation::AuditRead, &run("here", ME, &[])).allowed);
    assert!(!policies.decide(&administrator, Operation::SessionRevoke, &Resource::account(ME)).allowed);
    assert!(
        !policies
            .decide(&administrator, Operation::SessionRevoke, &Resource::own(ResourceKind::Session, OTHER))
            .allowed
    );
}

#[test]
fn a_connection_that_several_namespaces_use_needs_an_administrator_of_everything() {
    let policies = Policies::builtin().unwrap();
    let id = ConnectionId::from_uuid(Uuid::from_u128(9));
    let local = me(vec![(Role::Administrator, on("here")), (Role::Administrator, on("there"))]);
    let may = |principal: &Principal, usable_in: &[Scope]| {
        policies.decide(principal, Operation::ConnectionUpdate, &Resource::connection(id, usable_in)).allowed
    };
    assert!(may(&local, &[on("here")]));
    for wider in [&[][..], &[Scope::Everywhere], &[on("here"), on("there")], &[on("elsewhere")]] {
        assert!(!may(&local, wider), "{wider:?}");
        assert!(may(&me(vec![(Role::Administrator, Scope::Everywhere)]), wider));
    }
}

#[test]
fn navigation_offers_what_a_role_can_do_somewhere() {
    let policies = Policies::builtin().unwrap();
    let offered =
        |role: Role, operation: Operation| policies.operations(&me(vec![(role, on("here"))])).contains(&operation);
    assert!(offered(Role::Requester, Operation::RunLaunch));
    assert!(!offered(Role::Approver, Operation::RunLaunch));
    assert!(offered(Role::Approver, Operation::ApprovalDecide));
    assert!(offered(Role::Operator, Operation::RunRetry));
    assert!(!offered(Role::Requester, Operation::RunRetry));
    assert!(offered(Role::Administrator, Operation::ConnectionUpdate));
    assert!(!offered(Role::Administrator, Operation::UserCreate));
    assert!(!offered(Role::Administrator, Operation::AuditRead));
}
