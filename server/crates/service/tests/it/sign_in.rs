use domain::ErrorCode;

use crate::office::{Office, code};

#[tokio::test]
async fn the_answer_is_the_same_for_an_unknown_name_and_a_wrong_password() {
    let office = Office::open().await;
    let origin = Office::origin();
    let mut unknown = office.service.sign_in(&origin, "nobody", "wrong").await.unwrap_err();
    let wrong = office.service.sign_in(&origin, "staff", "wrong").await.unwrap_err();
    unknown.trace_id.clone_from(&wrong.trace_id);
    assert_eq!(unknown, wrong);
}

#[tokio::test]
async fn failures_delay_the_account_and_success_forgets_them() {
    let office = Office::open().await;
    let origin = Office::origin();
    for _ in 0..4 {
        assert_eq!(code(office.service.sign_in(&origin, "staff", "wrong").await), "sign-in-refused");
    }
    office.service.sign_in(&origin, "STAFF ", "rondo-demo-staff").await.unwrap();
    for _ in 0..5 {
        assert_eq!(code(office.service.sign_in(&origin, "staff", "wrong").await), "sign-in-refused");
    }
    let delayed = office.service.sign_in(&origin, "staff", "rondo-demo-staff").await.unwrap_err();
    assert_eq!(delayed.code, ErrorCode::TooManyRequests);
    assert!(delayed.retry_after.is_some());
}

#[tokio::test]
async fn who_is_disabled_is_out_at_once() {
    let office = Office::open().await;
    let staff = office.caller("staff").await;
    let token = office.service.create_token(&staff, "test", None).await.unwrap().secret.unwrap();
    office.service.caller_of_token(&token, Office::origin()).await.unwrap();
    let admin = office.caller("admin").await;
    office.service.set_user_active(&admin, staff.user, false).await.unwrap();
    assert_eq!(code(office.service.caller_of_token(&token, Office::origin()).await), "unauthenticated");
    let session = staff.session.unwrap();
    assert!(office.service.caller_of_session(staff.user, session, Office::origin()).await.unwrap().is_none());
    assert_eq!(code(office.service.sign_in(&Office::origin(), "staff", "rondo-demo-staff").await), "sign-in-refused");
}

#[tokio::test]
async fn the_first_administrator_link_works_once_and_only_while_nobody_is_there() {
    let office = Office::open().await;
    assert!(office.service.first_administrator_link().await.unwrap().is_none());
}
