//! Policies that administrators write: proposed by one, put into force by another, everywhere at once.

use domain::{ErrorCode, Operation, PolicySetState, Problem, Role, Scope, view::LineChange};
use serde_json::{Value, json};
use service::{Caller, NewPolicies, RunQuery};
use store::access::Subject;
use tokio_util::sync::CancellationToken;

use crate::office::{Office, code, shown};

/// Operators may not look at runs at night, so to say.
const NO_CANCEL: &str = r#"// Nobody calls anything off.
@id("nobody-calls-off")
@because("to let it end")
forbid (principal is User, action == Action::"run.cancel", resource is Run);
"#;

impl Office {
    pub(crate) async fn second_administrator(&self) -> Caller {
        if self.user("second").await.is_none() {
            return self.hire("second", &[Role::Administrator], Scope::Everywhere).await;
        }
        self.caller("second").await
    }

    /// A proposal in the place of what is in force.
    pub(crate) async fn new_policies(&self, source: &str) -> NewPolicies {
        let admin = self.caller("admin").await;
        let based_on = self.service.policies(&admin).await.unwrap().version;
        NewPolicies { source: source.to_owned(), note: "For a test".to_owned(), based_on }
    }

    /// Policies that the administrator has written and the second one put into force.
    pub(crate) async fn in_force(&self, source: &str) -> i64 {
        let (admin, second) = (self.caller("admin").await, self.second_administrator().await);
        let new = self.new_policies(source).await;
        let proposed = self.service.propose_policies(&admin, new).await.unwrap().item;
        self.service.activate_policies(&second, proposed.version, &proposed.digest).await.unwrap();
        proposed.version
    }

    /// The last entry about an action.
    pub(crate) async fn entry(&self, action: &str) -> Value {
        let entries = self.audit_after(0).await;
        let entry = entries.iter().rev().find(|entry| entry.action == action).unwrap();
        shown(entry)
    }
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, Problem>) -> (ErrorCode, String) {
    let problem = answer.unwrap_err();
    (problem.code, problem.detail)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_administrator_proposes_another_puts_into_force() {
    let office = Office::open().await;
    let service = &office.service;
    let (admin, second) = (office.caller("admin").await, office.second_administrator().await);
    let before = service.policies(&admin).await.unwrap();
    assert_eq!(before.version, None);

    let proposed = service.propose_policies(&admin, office.new_policies(NO_CANCEL).await).await.unwrap();
    assert_eq!((proposed.item.state, proposed.item.version), (PolicySetState::Proposed, 1));
    assert!(proposed.lines.iter().all(|line| line.change == LineChange::Added));
    assert_eq!(proposed.actions, [Operation::PolicyPropose, Operation::PolicyWithdraw]);
    assert_eq!(service.policies(&admin).await.unwrap(), before, "a proposal changes nothing");
    let notices = service.notifications(&second, None, None).await.unwrap().items;
    assert_eq!((notices[0].kind.as_str(), notices[0].link.as_str()), ("policies-proposed", "/policies/sets/1"));

    let digest = proposed.item.digest;
    let own = service.activate_policies(&admin, 1, &digest).await.unwrap_err();
    assert_eq!(
        (own.code, own.policies[0].id.as_str()),
        (ErrorCode::OwnPolicies, "nobody-activates-their-own-policies")
    );
    assert_eq!(refusal(service.activate_policies(&second, 1, "0").await).0, ErrorCode::DigestMismatch);
    let active = service.activate_policies(&second, 1, &digest).await.unwrap();
    assert_eq!((active.item.state, active.actions), (PolicySetState::Active, vec![]));
    assert_eq!(active.item.settled_by.unwrap().login, "second");

    let after = service.policies(&admin).await.unwrap();
    assert_eq!((after.version, &after.digest), (Some(1), &digest));
    assert_eq!(service.policy(&admin, "nobody-calls-off").await.unwrap().comment, "Nobody calls anything off.");
    let (run, _) = office.request().await;
    let operator = office.caller("operator").await;
    let refused = service.cancel_run(&operator, run, "").await.unwrap_err();
    assert_eq!((refused.code, refused.detail.as_str()), (ErrorCode::Forbidden, "to let it end"));
    assert_eq!(
        (refused.policies[0].id.as_str(), refused.policies[0].title.as_str()),
        ("nobody-calls-off", "Nobody calls off")
    );
    let entry = office.entry("run.cancel").await;
    assert_eq!((&entry["policies"], &entry["policySet"]), (&json!(["nobody-calls-off"]), &json!(digest)));
    let entry = office.entry("policy.activate").await;
    assert_eq!(entry["policySet"], json!(before.digest), "it was permitted by those before");
    assert_eq!(entry["detail"]["authors"], json!(["admin"]));
    assert_eq!(entry["detail"]["after"], json!({"version": 1, "digest": digest}));
    // Who may not read policies is told all the same; the text is another matter.
    assert_eq!(refusal(service.policy(&operator, "nobody-calls-off").await).0, ErrorCode::Forbidden);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_nodes_follow() {
    let office = Office::open().await;
    let stop = CancellationToken::new();
    let (node, told) = (std::sync::Arc::clone(&office.other_node), stop.clone());
    let following = tokio::spawn(async move { node.follow_policies(told).await });
    let version = office.in_force(NO_CANCEL).await;
    let admin = office.caller("admin").await;
    office
        .wait(async || (office.other_node.policies(&admin).await.unwrap().version == Some(version)).then_some(()))
        .await;
    let (run, _) = office.request().await;
    let operator = office.caller("operator").await;
    assert_eq!(refusal(office.other_node.cancel_run(&operator, run, "").await).1, "to let it end");
    stop.cancel();
    following.await.unwrap();
}

#[tokio::test]
async fn whoever_changes_a_proposal_is_an_author_of_it() {
    let office = Office::open().await;
    let service = &office.service;
    let (admin, second) = (office.caller("admin").await, office.second_administrator().await);
    let third = office.hire("third", &[Role::Administrator], Scope::Everywhere).await;
    let proposed = service.propose_policies(&admin, office.new_policies(NO_CANCEL).await).await.unwrap().item;
    let other = NewPolicies { note: "Changed".to_owned(), ..office.new_policies("// None.\n").await };
    let stale = service.change_policies(&second, 1, other.clone(), "0").await;
    assert_eq!(refusal(stale).0, ErrorCode::DigestMismatch);
    let changed = service.change_policies(&second, 1, other, &proposed.digest).await.unwrap().item;
    assert_eq!(changed.authors.iter().map(|author| author.login.as_str()).collect::<Vec<_>>(), ["admin", "second"]);
    assert_ne!(changed.digest, proposed.digest);
    assert_eq!(refusal(service.activate_policies(&third, 1, &proposed.digest).await).0, ErrorCode::DigestMismatch);
    for author in [&admin, &second] {
        assert_eq!(refusal(service.activate_policies(author, 1, &changed.digest).await).0, ErrorCode::OwnPolicies);
    }
    assert_eq!(code(service.activate_policies(&third, 1, &changed.digest).await), "ok");
    let late = service.change_policies(&second, 1, office.new_policies("// x\n").await, &changed.digest).await;
    assert_eq!(
        refusal(late),
        (ErrorCode::Conflict, "policies 1 are in force; propose them anew to change that".to_owned())
    );
}

#[tokio::test]
async fn policies_follow_those_in_force_and_go_back_by_the_same_way() {
    let office = Office::open().await;
    let service = &office.service;
    let (admin, second) = (office.caller("admin").await, office.second_administrator().await);
    let waiting = service.propose_policies(&admin, office.new_policies("// Waiting.\n").await).await.unwrap().item;
    let first = office.in_force(NO_CANCEL).await;
    let overtaken = service.activate_policies(&second, waiting.version, &waiting.digest).await;
    assert!(refusal(overtaken).1.starts_with("other policies have come into force since"));
    assert_eq!(service.policy_set(&second, waiting.version).await.unwrap().obstacles.len(), 1);
    let unaware = NewPolicies { based_on: None, ..office.new_policies("// x\n").await };
    assert!(
        refusal(service.propose_policies(&admin, unaware).await).1.starts_with("other policies have come into force")
    );
    let same = office.new_policies(NO_CANCEL).await;
    assert_eq!(refusal(service.propose_policies(&admin, same).await).1, "these policies are in force already");

    let turned_down = service.withdraw_policies(&second, waiting.version, "too late").await.unwrap().item;
    assert_eq!(turned_down.state, PolicySetState::Withdrawn);
    assert_eq!(office.entry("policy.withdraw").await["detail"]["comment"], "too late");
    let notices = service.notifications(&admin, None, None).await.unwrap().items;
    assert!(notices.iter().any(|notice| notice.kind == "policies-withdrawn"));

    let back = office.in_force("").await;
    assert_eq!(service.policy_set(&admin, first).await.unwrap().item.state, PolicySetState::Replaced);
    let undone = service.policy_set(&admin, back).await.unwrap();
    assert!(undone.lines.iter().all(|line| line.change == LineChange::Removed));
    let (run, _) = office.request().await;
    assert_eq!(code(service.cancel_run(&office.caller("operator").await, run, "").await), "ok");
    let listed = service.policy_sets(&admin, None, Some(2)).await.unwrap();
    assert_eq!(listed.items.iter().map(|set| set.version).collect::<Vec<_>>(), [back, first]);
    let rest = service.policy_sets(&admin, listed.next.as_deref(), Some(2)).await.unwrap();
    assert_eq!(rest.items.iter().map(|set| set.version).collect::<Vec<_>>(), [waiting.version]);
}

#[tokio::test]
async fn nobody_is_locked_out() {
    let office = Office::open().await;
    let service = &office.service;
    let (admin, second) = (office.caller("admin").await, office.second_administrator().await);
    let forbid = |action: &str, condition: &str| {
        format!(
            "@id(\"locked\") @because(\"x\") forbid (principal is User, action == Action::\"{action}\", resource) {condition};"
        )
    };
    for (source, locks) in [
        (forbid("policy.activate", ""), true),
        (forbid("policy.propose", "unless { principal.login == \"nobody\" }"), true),
        (forbid("policy.read", ""), true),
        (forbid("me.read", "unless { principal.login == \"admin\" }"), true),
        // One is left who writes, and another who reviews.
        (forbid("policy.activate", "unless { principal.login == \"admin\" }"), false),
    ] {
        let new = office.new_policies(&source).await;
        let proposed = service.propose_policies(&admin, new).await.unwrap();
        assert_eq!(proposed.obstacles.is_empty(), !locks, "{source}: {:?}", proposed.obstacles);
        let put = service.activate_policies(&second, proposed.item.version, &proposed.item.digest).await;
        if locks {
            assert!(refusal(put).1.starts_with("no two people would be left"), "{source}");
            let entry = office.entry("policy.activate").await;
            assert_eq!(entry["outcome"], "refused", "{source}");
        } else {
            put.unwrap();
        }
    }
}

#[tokio::test]
async fn a_text_that_is_wrong_is_neither_kept_nor_silent() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    let wrong = "@id(\"a\") @needs(\"x\")\npermit (principal is User, action == Action::\"approval.decide\", resource is Approval);";
    let found = service.check_policies(&admin, wrong).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].line, found[0].column), (1, 1));
    let refused = service.propose_policies(&admin, office.new_policies(wrong).await).await.unwrap_err();
    assert_eq!((refused.code, refused.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/source"));
    assert_eq!(refused.errors[0].expected, json!({"line": 1, "column": 1}));
    assert!(service.policy_sets(&admin, None, None).await.unwrap().items.is_empty());
    for (note, rule) in [("  ", "required"), (&*"x".repeat(501), "maxLength"), ("two\nlines", "maxLength")] {
        let new = NewPolicies { note: note.to_owned(), ..office.new_policies("// x\n").await };
        let problem = service.propose_policies(&admin, new).await.unwrap_err();
        assert_eq!((problem.errors[0].pointer.as_str(), problem.errors[0].rule.as_str()), ("/note", rule));
    }
    let large = NewPolicies { source: "// x\n".repeat(20_000), ..office.new_policies("").await };
    assert_eq!(refusal(service.propose_policies(&admin, large).await).0, ErrorCode::TooLarge);
    let nothing = service.propose_policies(&admin, office.new_policies("").await).await;
    assert_eq!(refusal(nothing).1, "these policies are in force already");
}

#[tokio::test]
async fn a_proposal_is_put_to_the_decisions_of_late() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    let operator = office.caller("operator").await;
    for _ in 0..2 {
        let (run, _) = office.request().await;
        service.cancel_run(&operator, run, "").await.unwrap();
    }
    let staff = office.caller("staff").await;
    assert_eq!(code(service.namespace_limits(&staff).await), "forbidden");
    service.runs(&operator, RunQuery::default(), None, None).await.unwrap();
    let source = format!(
        "{NO_CANCEL}@id(\"staff-sees-limits\") @needs(\"to be staff\")\n\
         permit (principal is User, action == Action::\"limit.list\", resource is System) when {{ principal.login == \"staff\" }};\n"
    );
    let proposed = service.propose_policies(&admin, office.new_policies(&source).await).await.unwrap().item;
    let replay = service.replay_policies(&admin, proposed.version).await.unwrap();
    let mut changed: Vec<_> = replay
        .items
        .iter()
        .map(|change| (change.login.as_str(), change.operation, change.allowed, change.after.as_slice()))
        .collect();
    changed.sort();
    let (forbidden, permitted) = (["nobody-calls-off".to_owned()], ["staff-sees-limits".to_owned()]);
    assert_eq!(
        changed,
        [
            ("operator", Operation::RunCancel, true, forbidden.as_slice()),
            ("operator", Operation::RunCancel, true, forbidden.as_slice()),
            ("staff", Operation::LimitList, false, permitted.as_slice()),
        ]
    );
    assert_eq!(replay.changed, 3);
    assert!(replay.decisions > 3 && replay.since.is_some());
    // Asked again, a question is counted and not kept twice.
    let again = service.replay_policies(&admin, proposed.version).await.unwrap();
    assert_eq!((again.changed, again.items.len()), (3, 3));
    assert_eq!(code(service.namespace_limits(&staff).await), "forbidden");
    let again = service.replay_policies(&admin, proposed.version).await.unwrap();
    let limits = again.items.iter().find(|change| change.operation == Operation::LimitList).unwrap();
    assert_eq!(limits.times, 2);
}

#[tokio::test]
async fn the_console_goes_back_to_the_policies_of_the_program() {
    let office = Office::open().await;
    let service = &office.service;
    assert_eq!(service.console_reset_policies().await.unwrap(), None);
    let version = office.in_force(NO_CANCEL).await;
    assert_eq!(service.console_reset_policies().await.unwrap(), Some(version));
    service.load_policies().await.unwrap();
    let admin = office.caller("admin").await;
    assert_eq!(service.policies(&admin).await.unwrap().version, None);
    let entry = office.entry("policy.withdraw").await;
    assert_eq!((&entry["door"], &entry["detail"]["before"]["version"]), (&json!("cli"), &json!(version)));
}

#[tokio::test]
async fn an_administrator_of_one_namespace_reads_policies_and_writes_none() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    let staff = Subject::User(office.user("staff").await.unwrap());
    let scope = Scope::Namespace("alpha".parse().unwrap());
    service.grant(&admin, staff, Role::Administrator, scope, None).await.unwrap();
    let staff = office.caller("staff").await;
    assert_eq!(code(service.policies(&staff).await), "ok");
    assert_eq!(code(service.propose_policies(&staff, office.new_policies("// x\n").await).await), "forbidden");
}
