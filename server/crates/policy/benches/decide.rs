//! How long a decision takes. Every operation makes at least one, so it should stay below 50 µs.

use criterion::{Criterion, criterion_group, criterion_main};
use domain::{Name, Operation, Role, RunId, Scope, UserId};
use policy::{Policies, Principal, Resource};
use uuid::Uuid;

#[expect(clippy::expect_used, reason = "a benchmark may stop at once")]
fn decisions(criterion: &mut Criterion) {
    let policies = Policies::builtin().expect("the policies of this program");
    let namespace: Name = "identity".parse().expect("a name");
    let [me, other] = [1, 2].map(|id| UserId::from_uuid(Uuid::from_u128(id)));
    let principal = Principal {
        id: me,
        login: "operator".to_owned(),
        active: true,
        grants: vec![(Role::Requester, Scope::Everywhere), (Role::Operator, Scope::Namespace(namespace.clone()))],
        emergency: None,
    };
    let run = Resource::run(RunId::from_uuid(Uuid::from_u128(3)), &namespace, other, [other]);
    criterion.bench_function("allow run.read", |bencher| {
        bencher.iter(|| policies.decide(&principal, Operation::RunRead, &run));
    });
    criterion.bench_function("refuse audit.read", |bencher| {
        bencher.iter(|| policies.decide(&principal, Operation::AuditRead, &Resource::system()));
    });
    criterion.bench_function("all operations", |bencher| bencher.iter(|| policies.operations(&principal)));
}

criterion_group!(benches, decisions);
criterion_main!(benches);
