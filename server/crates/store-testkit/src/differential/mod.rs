//! Two stores, the same random operations, and every result compared.

mod operation;

use std::sync::Arc;

use rand::{Rng, SeedableRng, rngs::StdRng};
use store::{Store, runs::Visibility};

use operation::{Operation, Places};

/// Runs `steps` random units of work on both stores, which must be empty, and panics where they differ.
///
/// The seed is part of every failure's message; the same seed makes the same operations.
pub async fn run(left: Arc<dyn Store>, right: Arc<dyn Store>, seed: u64, steps: usize) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut left_places = operation::prepare(&*left).await;
    let mut right_places = operation::prepare(&*right).await;
    for step in 0..steps {
        let reads = random.random_ratio(1, 6);
        let operations: Vec<_> =
            (0..random.random_range(1..=4)).map(|_| Operation::random(&mut random, step)).collect();
        let end = random.random_range(0..10);
        let on_left = unit(&*left, &mut left_places, &operations, reads, end).await;
        let on_right = unit(&*right, &mut right_places, &operations, reads, end).await;
        for (index, (left_result, right_result)) in on_left.iter().zip(&on_right).enumerate() {
            assert!(
                left_result == right_result,
                "seed {seed}, step {step}, operation {index} ({:?} in {operations:#?}):\n{}: {left_result:?}\n{}: {right_result:?}",
                operations.get(index),
                left.name(),
                right.name(),
            );
        }
    }
    compare_all(&*left, &*right, seed).await;
}

/// Performs one unit; the last result is the one of its end.
async fn unit(
    store: &dyn Store,
    places: &mut Places,
    operations: &[Operation],
    reads: bool,
    end: u32,
) -> Vec<Result<String, String>> {
    let mut unit = if reads { store.snapshot().await.unwrap() } else { store.begin().await.unwrap() };
    let mut seen = places.clone();
    let mut results = Vec::new();
    for operation in operations {
        let result = operation.apply(&mut *unit, &mut seen).await;
        results.push(result.map_err(|error| operation::kind(&error)));
    }
    results.push(match end {
        0 => {
            drop(unit);
            Ok("dropped".to_owned())
        }
        1 => unit.rollback().await.map(|()| "rolled back".to_owned()).map_err(|error| operation::kind(&error)),
        _ => match unit.commit().await {
            Ok(()) => {
                *places = seen;
                Ok("committed".to_owned())
            }
            Err(error) => Err(operation::kind(&error)),
        },
    });
    results
}

/// At the end, everything that can be listed is the same.
async fn compare_all(left: &dyn Store, right: &dyn Store, seed: u64) {
    let mut texts = Vec::new();
    for store in [left, right] {
        let mut unit = store.snapshot().await.unwrap();
        let everywhere = Visibility::everything();
        let mut runs = unit.list_runs(&everywhere, &store::runs::RunFilter::default(), None, 100_000).await.unwrap();
        let mut journals = Vec::new();
        for run in &mut runs {
            run.number = 0;
            journals.push((unit.journal(run.id, 0, 100_000).await.unwrap(), unit.tasks(run.id).await.unwrap()));
        }
        texts.push(format!(
            "{:#?}",
            (
                unit.list_users(None, None, 100_000).await.unwrap(),
                unit.list_teams().await.unwrap(),
                unit.list_grants().await.unwrap(),
                (unit.list_process_permissions().await.unwrap(), unit.list_secrets().await.unwrap()),
                runs,
                journals,
                unit.list_approvals(&everywhere, &store::approvals::ApprovalFilter::default(), None, 100_000)
                    .await
                    .unwrap(),
                unit.audit_from(0, 100_000).await.unwrap(),
                unit.list_connections().await.unwrap(),
                unit.count_outgoing().await.unwrap(),
                operation::all_events(&mut *unit).await,
                (
                    operation::all_schedules(&mut *unit).await,
                    operation::all_reviews(&mut *unit).await,
                    operation::all_policies(&mut *unit).await,
                ),
            )
        ));
    }
    for (left_line, right_line) in texts[0].lines().zip(texts[1].lines()) {
        assert_eq!(left_line, right_line, "seed {seed}: the databases differ at the end");
    }
    assert_eq!(texts[0].len(), texts[1].len(), "seed {seed}: the databases differ at the end");
}
