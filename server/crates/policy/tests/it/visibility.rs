use domain::{Operation, Role, Scope, WorkflowRef};
use policy::{Principal, Resource};
use proptest::prelude::*;

use crate::fixture::{ME, OTHER, POLICIES, approval, me, name, on, run};

fn scopes() -> impl Strategy<Value = Scope> {
    prop_oneof![Just(Scope::Everywhere), prop::sample::select(vec!["a", "b", "c"]).prop_map(on)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lists_of_runs_and_approvals_show_exactly_what_their_pages_would(
        grants in prop::collection::vec((prop::sample::select(Role::ALL), scopes()), 0..6),
        active in prop::bool::weighted(0.9),
        namespace in prop::sample::select(vec!["a", "b", "c", "d"]),
    ) {
        let policies = &*POLICIES;
        let principal = Principal { active, ..me(grants) };
        let visibility = policies.run_visibility(&principal);
        for (requester, asked) in [(OTHER, vec![]), (OTHER, vec![OTHER]), (ME, vec![]), (OTHER, vec![OTHER, ME]), (ME, vec![ME])] {
            let own = requester == ME || asked.contains(&ME);
            let decision = policies.decide(&principal, Operation::RunRead, &run(namespace, requester, &asked));
            prop_assert_eq!(decision.allowed, visibility.includes(&name(namespace), own), "{:?}", decision);
            let decision = policies.decide(&principal, Operation::ApprovalRead, &approval(namespace, requester, &asked));
            prop_assert_eq!(decision.allowed, visibility.includes(&name(namespace), own), "{:?}", decision);
        }
    }

    #[test]
    fn lists_of_definitions_show_exactly_what_their_pages_would(
        grants in prop::collection::vec((prop::sample::select(Role::ALL), scopes()), 0..6),
        active in prop::bool::weighted(0.9),
        namespace in prop::sample::select(vec!["a", "b", "c", "d"]),
        authors in prop::sample::subsequence(vec![ME, OTHER], 0..=2),
    ) {
        let principal = Principal { active, ..me(grants) };
        let workflow = WorkflowRef { namespace: name(namespace), name: name("work") };
        let visible = POLICIES.definition_visibility(&principal).includes(&workflow.namespace);
        let decision = POLICIES.decide(
            &principal,
            Operation::DefinitionRead,
            &Resource::definition(&workflow, "1.0.0", authors),
        );
        prop_assert_eq!(decision.allowed, visible, "{:?}", decision);
    }
}
