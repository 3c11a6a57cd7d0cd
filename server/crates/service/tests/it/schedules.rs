use domain::{ErrorCode, MissedRuns, RunStatus, UserId, WorkflowRef, view::ScheduleView};
use serde_json::json;
use service::{Publication, RunQuery, UserChange};

use crate::office::Office;

const TIDY_UP: &str = "
document:
  {dsl: 1.0.3, namespace: identity, name: tidy-up, version: 1.0.0, title: Tidy up,
   metadata: {rondo: {schedule: {zone: Asia/Seoul, missed: skip}}}}
schedule: {cron: 0 3 * * *, after: P1D}
do: [{tidy: {set: {tidy: true}}}]
";

const ANSWER: &str = "
document: {dsl: 1.0.3, namespace: identity, name: answer, version: 1.0.0, title: Answer}
schedule: {on: {one: {with: {type: asked}}}}
do: [{answer: {set: '${ .[0].data }'}}]
";

#[tokio::test]
async fn what_is_published_begins_by_itself_and_its_page_says_when_next() {
    let office = Office::open().await;
    let before = office.audit_end().await;
    office.service.load_shipped([("tidy-up.yaml", TIDY_UP)]).await.unwrap();
    let (operator, admin) = (office.caller("operator").await, office.caller("admin").await);
    let workflow: WorkflowRef = "identity/tidy-up".parse().unwrap();
    let query = || RunQuery { workflow: Some(workflow.clone()), ..RunQuery::default() };
    // `after` begins at once, and then waits for a day.
    let run = office
        .wait(async || {
            let page = office.service.runs(&operator, query(), None, None).await.unwrap();
            page.items.into_iter().find(|run| run.status == RunStatus::Completed)
        })
        .await;
    assert_eq!((run.requester.id, run.requester.name.as_str()), (UserId::SCHEDULE, "Schedule"));
    let view = office
        .wait(async || {
            let view = office.service.workflow(&operator, &workflow).await.unwrap().schedule.unwrap();
            view.last.is_some().then_some(view)
        })
        .await;
    let expected = ScheduleView {
        cron: Some("0 3 * * *".to_owned()),
        every_seconds: None,
        after_seconds: Some(86_400),
        on_events: false,
        zone: "Asia/Seoul".to_owned(),
        missed: MissedRuns::Skip,
        next: view.next,
        last: Some(run.created_at),
        refused: None,
    };
    assert_eq!(view, expected);
    assert!(view.next.unwrap() > run.created_at);
    let entries = office.audit_after(before).await;
    let launch = entries.iter().find(|entry| entry.action == "run.launch").unwrap();
    assert_eq!((launch.actor.as_str(), launch.resource_name.clone()), ("schedule", format!("R-{}", run.number)));

    // Who asks for such runs is nobody whom an administrator could make somebody.
    let people = office.service.users(&admin, None, None, None).await.unwrap();
    assert!(people.items.iter().all(|user| user.id != UserId::SCHEDULE));
    let change = UserChange { name: "Somebody".to_owned(), email: None, manager: Some("manager".to_owned()) };
    let refused = [
        office.service.user(&admin, UserId::SCHEDULE).await.map(drop).unwrap_err(),
        office.service.update_user(&admin, UserId::SCHEDULE, change).await.map(drop).unwrap_err(),
        office.service.reset_password(&admin, UserId::SCHEDULE).await.map(drop).unwrap_err(),
    ];
    assert!(refused.iter().all(|problem| problem.code == ErrorCode::NotFound), "{refused:?}");
}

#[tokio::test]
async fn an_event_from_outside_starts_the_run_of_a_schedule() {
    let office = Office::open().await;
    office.service.load_shipped([("answer.yaml", ANSWER)]).await.unwrap();
    let operator = office.caller("operator").await;
    let event = json!({"specversion": "1.0", "id": "1", "source": "/desk", "type": "asked", "data": "why?"});
    office.service.publish_events(&operator, Publication::One(event)).await.unwrap();
    let query = || RunQuery { workflow: Some("identity/answer".parse().unwrap()), ..RunQuery::default() };
    let id = office
        .wait(async || Some(office.service.runs(&operator, query(), None, None).await.unwrap().items.first()?.id))
        .await;
    assert_eq!(office.ended(id).await.output, Some(json!("why?")));
}
