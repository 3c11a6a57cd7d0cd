//! Policies that administrators write: what they can say, and what no text of theirs weakens.

use domain::{Operation, Role, Scope};
use policy::{Fault, Policies, PolicyError, Principal, Resource};
use proptest::prelude::*;

use crate::fixture::{ME, OTHER, POLICIES, approval, me, on, run};

const NIGHT: &str = r#"// Whoever asks for work in payroll does not steer it.
@id("requesters-do-not-steer-payroll")
@because("somebody who is no requester of payroll")
forbid (principal is User, action in [Action::"run.retry", Action::"run.cancel"], resource in Scope::"payroll")
when { principal.requester.contains(Scope::"payroll") };

@id("auditors-see-limits")
@needs("the role auditor everywhere")
permit (principal is User, action == Action::"limit.list", resource is System)
when { resource in principal.auditor };

// One person, by name.
@id("mallory-launches-nothing")
@because("somebody else than mallory")
forbid (principal is User, action == Action::"run.launch", resource is Workflow)
when { principal.login == "mallory" };
"#;

fn faults(text: &str) -> Vec<Fault> {
    match Policies::with_own(text) {
        Err(PolicyError::Own(faults)) => faults,
        other => panic!("{other:?}"),
    }
}

/// The only fault of a text: where, and a part of what is said.
fn fault(text: &str, part: &str) -> (usize, usize) {
    let found = faults(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].message.contains(part), "{found:?}");
    (found[0].line, found[0].column)
}

#[test]
fn they_permit_and_forbid_beside_those_of_the_program() {
    let policies = Policies::with_own(NIGHT).unwrap();
    let both = me(vec![(Role::Operator, Scope::Everywhere), (Role::Requester, on("payroll"))]);
    let decision = policies.decide(&both, Operation::RunRetry, &run("payroll", OTHER, &[]));
    assert_eq!(
        (decision.allowed, decision.policies, decision.missing.as_str()),
        (false, vec!["requesters-do-not-steer-payroll".to_owned()], "somebody who is no requester of payroll")
    );
    assert!(policies.decide(&both, Operation::RunRetry, &run("identity", OTHER, &[])).allowed);
    assert!(policies.decide(&both, Operation::RunSuspend, &run("payroll", OTHER, &[])).allowed);

    let auditor = me(vec![(Role::Auditor, Scope::Everywhere)]);
    let decision = policies.decide(&auditor, Operation::LimitList, &Resource::system());
    assert_eq!((decision.allowed, decision.policies), (true, vec!["auditors-see-limits".to_owned()]));
    let refusal = policies.decide(&me(vec![]), Operation::LimitList, &Resource::system());
    assert_eq!(refusal.missing, "the role administrator everywhere, or the role auditor everywhere");

    let launch = |login: &str| {
        let principal = Principal { login: login.to_owned(), ..me(vec![(Role::Requester, Scope::Everywhere)]) };
        policies.decide(&principal, Operation::RunLaunch, &Resource::workflow(&"identity/x".parse().unwrap())).allowed
    };
    assert!(launch("alice") && !launch("mallory"));
}

#[test]
fn they_are_shown_as_they_are_written_after_those_of_the_program() {
    let policies = Policies::with_own(NIGHT).unwrap();
    let own: Vec<_> = policies.written().iter().filter(|policy| policy.file.is_none()).collect();
    assert_eq!(own.len(), 3);
    assert_eq!(own[0].title, "Requesters do not steer payroll");
    assert_eq!(own[0].comment, "Whoever asks for work in payroll does not steer it.");
    assert_eq!(own[0].operations, [Operation::RunCancel, Operation::RunRetry]);
    assert!(own[0].forbids && own[0].text.starts_with("@id(") && own[0].text.ends_with("};"));
    let builtin = POLICIES.written();
    assert!(builtin.iter().all(|policy| policy.file.is_some() && !policy.comment.is_empty()));
    assert_eq!(policies.written()[..builtin.len()], *builtin);
}

#[test]
fn a_set_is_known_by_its_digest() {
    let digest = |text: &str| Policies::with_own(text).unwrap().digest().to_owned();
    assert_eq!(digest(""), POLICIES.digest());
    assert_eq!(digest(NIGHT), digest(NIGHT));
    assert_ne!(digest(NIGHT), digest(&format!("{NIGHT}\n")));
    assert_eq!(digest("").len(), 64);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let (line, _) = fault("\n\npermit (principal is User action);", "unexpected token");
    assert_eq!(line, 3);
    let permit = |action: &str, resource: &str| {
        format!(
            "// x\n@id(\"a\") @needs(\"x\")\npermit (principal is User, action == Action::\"{action}\", resource is {resource});"
        )
    };
    let misspelt = faults(&permit("run.retri", "Run"));
    assert!(misspelt.iter().any(|fault| fault.line == 3 && fault.message.contains("run.retri")), "{misspelt:?}");
    let unknown = r#"@id("a") @needs("x")
permit (principal is User, action == Action::"run.retry", resource is Run)
when { resource.requestor == principal };"#;
    let found = faults(unknown);
    assert!(found.iter().all(|fault| fault.line == 3 && fault.message.contains("requestor")), "{found:?}");
    let never = faults(&permit("run.retry", "Workflow"));
    assert!(!never.is_empty(), "a policy that can never be about anything");
}

#[test]
fn they_are_named_and_explained() {
    let body = "(principal is User, action == Action::\"run.retry\", resource is Run);";
    assert_eq!(fault(&format!("\n  @needs(\"x\") permit {body}"), "no @id"), (2, 3));
    assert_eq!(fault(&format!("@id(\"a\")\npermit {body}"), "no @needs"), (1, 1));
    assert_eq!(fault(&format!("@id(\"a\")\nforbid {body}"), "no @because"), (1, 1));
    fault(&format!("@id(\"A b\") @needs(\"x\") permit {body}"), "is no id of a policy");
    let known = format!("@id(\"operators-steer-runs\") @needs(\"x\") permit {body}");
    fault(&known, "there is a policy \"operators-steer-runs\" already");
    let twice = format!("@id(\"a\") @needs(\"x\") permit {body}\n").repeat(2);
    assert_eq!(fault(&twice, "already"), (2, 1));
    fault("@id(\"a\") @because(\"x\") forbid (principal is User, action, resource);", "name the actions");
    let template =
        "@id(\"a\") @needs(\"x\") permit (principal == ?principal, action == Action::\"run.list\", resource);";
    assert!(faults(template)[0].message.contains("template"), "{:?}", faults(template));
}

/// What some people are kept from, for others to do it, is permitted to nobody else.
#[test]
fn nothing_that_separates_duties_is_permitted() {
    for (action, resource) in [
        ("approval.decide", "Approval"),
        ("definition.publish", "Definition"),
        ("policy.activate", "PolicySet"),
        ("grant.create", "Grant"),
        ("team.update", "Team"),
        ("access-review.decide", "Grant"),
    ] {
        let scope = format!("(principal is User, action == Action::\"{action}\", resource is {resource});");
        fault(&format!("@id(\"a\") @needs(\"x\") permit {scope}"), "separated duties");
        let forbidden = Policies::with_own(&format!("@id(\"a\") @because(\"x\") forbid {scope}"));
        assert!(forbidden.is_ok(), "{action}: {forbidden:?}");
    }
    for action in ["session.create", "setup.claim", "password.claim", "password.reveal"] {
        let scope = format!("(principal, action == Action::\"{action}\", resource is System);");
        fault(&format!("@id(\"a\") @because(\"x\") forbid {scope}"), "a way into the portal");
    }
    for (action, resource) in [("run.read", "Run"), ("approval.read", "Approval"), ("definition.read", "Definition")] {
        let scope = format!("(principal is User, action == Action::\"{action}\", resource is {resource});");
        fault(&format!("@id(\"a\") @because(\"x\") forbid {scope}"), "lists are cut by");
        fault(&format!("@id(\"a\") @needs(\"x\") permit {scope}"), "lists are cut by");
    }
}

/// Every action that administrators can permit, permitted to everybody.
fn everything_permitted() -> Policies {
    let permit = |operation: &Operation| {
        let id = operation.as_str().replace('.', "-");
        format!(
            "@id(\"all-{id}\") @needs(\"x\") permit (principal is User, action == Action::\"{operation}\", resource);"
        )
    };
    // One in each line, so that a fault says which.
    let all: Vec<String> = Operation::ALL.iter().map(permit).collect();
    let refused: Vec<usize> = faults(&all.join("\n")).into_iter().map(|fault| fault.line).collect();
    let rest = all.into_iter().zip(1..).filter(|(_, line)| !refused.contains(line)).map(|(permit, _)| permit);
    Policies::with_own(&rest.collect::<Vec<_>>().join("\n")).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_is_permitted_duties_stay_apart(
        grants in prop::collection::vec((prop::sample::select(Role::ALL), Just(Scope::Everywhere)), 0..7),
        asked in prop::sample::subsequence(vec![ME, OTHER], 0..=2),
    ) {
        static WIDE: std::sync::LazyLock<Policies> = std::sync::LazyLock::new(everything_permitted);
        let principal = me(grants);
        let decide = |operation, resource: &Resource| WIDE.decide(&principal, operation, resource);
        prop_assert!(decide(Operation::RunRetry, &run("here", OTHER, &[])).allowed, "they do permit something");
        prop_assert!(!decide(Operation::ApprovalDecide, &approval("here", ME, &asked)).allowed);
        let as_builtin = POLICIES.decide(&principal, Operation::ApprovalDecide, &approval("here", OTHER, &asked)).allowed;
        prop_assert_eq!(decide(Operation::ApprovalDecide, &approval("here", OTHER, &asked)).allowed, as_builtin);
        prop_assert!(!decide(Operation::PolicyActivate, &Resource::policy_set(1, [ME])).allowed);
        let disabled = Principal { active: false, ..principal.clone() };
        prop_assert!(!WIDE.decide(&disabled, Operation::RunRetry, &run("here", OTHER, &[])).allowed);
        prop_assert_eq!(WIDE.run_visibility(&principal), POLICIES.run_visibility(&principal));
        prop_assert_eq!(
            WIDE.decide(&principal, Operation::RunRead, &run("here", OTHER, &asked)).allowed,
            POLICIES.decide(&principal, Operation::RunRead, &run("here", OTHER, &asked)).allowed
        );
    }
}

#[test]
fn a_question_that_was_written_down_is_answered_as_before() {
    for (principal, operation, resource) in [
        (me(vec![(Role::Operator, on("here"))]), Operation::RunRetry, run("here", OTHER, &[OTHER])),
        (me(vec![]), Operation::ApprovalDecide, approval("here", ME, &[ME])),
        (me(vec![]), Operation::MeRead, Resource::account(ME)),
        (me(vec![]), Operation::PolicyActivate, Resource::policy_set(4, [OTHER])),
    ] {
        let text = serde_json::to_string(&(&principal, operation, &resource)).unwrap();
        let (asker, asked, about): (Principal, Operation, Resource) = serde_json::from_str(&text).unwrap();
        assert_eq!((&asker, asked, &about), (&principal, operation, &resource), "{text}");
        assert_eq!(POLICIES.decide(&asker, asked, &about), POLICIES.decide(&principal, operation, &resource));
    }
}
