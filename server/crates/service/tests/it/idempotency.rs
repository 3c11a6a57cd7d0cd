use domain::{ErrorCode, RunStatus};
use service::{Caller, Remembered, Reservation, RunQuery};

use crate::office::Office;

async fn recall(office: &Office, caller: &Caller, key: &str) -> Result<Remembered, ErrorCode> {
    office.service.recall(caller, key, "POST", "/api/v1/runs", b"{}").await.map_err(|problem| problem.code)
}

/// The caller of a request that has reserved the key.
async fn reserve(office: &Office, caller: &Caller, key: &str) -> (Caller, Reservation) {
    let Ok(Remembered::New(reservation)) = recall(office, caller, key).await else { panic!("{key} is not new") };
    (Caller { reservation: Some(reservation.clone()), ..caller.clone() }, reservation)
}

async fn runs(office: &Office) -> usize {
    let operator = office.caller("operator").await;
    office.service.runs(&operator, RunQuery::default(), None, None).await.unwrap().items.len()
}

#[tokio::test]
async fn a_launch_whose_answer_was_lost_is_answered_with_its_run() {
    let office = Office::open().await;
    let staff = office.caller("staff").await;
    let (sender, reservation) = reserve(&office, &staff, "lost").await;
    let run = office.service.launch(&sender, &Office::onboarding(), None, Office::newcomer()).await.unwrap();
    // The database was cut off: the end of the transaction was not heard of.
    office.service.remember(&reservation, 503, "{}").await.unwrap();
    match recall(&office, &staff, "lost").await {
        Ok(Remembered::Launched(again)) => assert_eq!((again.id, again.number), (run.id, run.number)),
        other => panic!("{other:?}"),
    }
    // So it is where the process died before it could say anything.
    let (sender, _) = reserve(&office, &staff, "died").await;
    let run = office.service.launch(&sender, &Office::onboarding(), None, Office::newcomer()).await.unwrap();
    assert!(matches!(recall(&office, &staff, "died").await, Ok(Remembered::Launched(again)) if again.id == run.id));
}

#[tokio::test]
async fn what_surely_did_not_happen_is_done_when_it_is_sent_again() {
    let office = Office::open().await;
    let staff = office.caller("staff").await;
    let (_, reservation) = reserve(&office, &staff, "failed").await;
    assert_eq!(recall(&office, &staff, "failed").await, Err(ErrorCode::Conflict), "it is under way");
    office.service.remember(&reservation, 503, "{}").await.unwrap();
    let (sender, reservation) = reserve(&office, &staff, "failed").await;
    office.service.launch(&sender, &Office::onboarding(), None, Office::newcomer()).await.unwrap();
    office.service.remember(&reservation, 201, "{}").await.unwrap();
    let again = recall(&office, &staff, "failed").await;
    assert_eq!(again, Ok(Remembered::Done { status: 201, body: "{}".to_owned() }));
    assert_eq!(runs(&office).await, 1);
}

#[tokio::test]
async fn what_was_taken_over_is_done_once() {
    let office = Office::open().await;
    let staff = office.caller("staff").await;
    let (slow, reservation) = reserve(&office, &staff, "slow").await;
    let mut unit = office.store.begin().await.unwrap();
    let later = reservation.made_at + std::time::Duration::from_mins(5);
    assert!(unit.take_over_answered(&reservation, later).await.unwrap());
    unit.commit().await.unwrap();
    let launched = office.service.launch(&slow, &Office::onboarding(), None, Office::newcomer()).await;
    assert_eq!(launched.unwrap_err().code, ErrorCode::Conflict);
    assert_eq!(runs(&office).await, 0);
}

#[tokio::test]
async fn other_operations_say_that_they_were_done() {
    let office = Office::open().await;
    let (run, _) = office.request().await;
    let staff = office.caller("staff").await;
    let (sender, reservation) = reserve(&office, &staff, "cancel").await;
    office.service.cancel_run(&sender, run, "").await.unwrap();
    office.service.remember(&reservation, 500, "{}").await.unwrap();
    assert_eq!(recall(&office, &staff, "cancel").await, Err(ErrorCode::Conflict));
    office.status(run, RunStatus::Cancelled).await;

    let (sender, reservation) = reserve(&office, &staff, "large").await;
    office.service.launch(&sender, &Office::onboarding(), None, Office::newcomer()).await.unwrap();
    office.service.remember(&reservation, 201, &"x".repeat(300 * 1024)).await.unwrap();
    assert!(matches!(recall(&office, &staff, "large").await, Ok(Remembered::Launched(_))));
}
