use domain::ErrorCode;
use service::Remembered;

use crate::office::Office;

#[tokio::test]
async fn what_failed_here_may_have_happened_and_is_not_done_again_under_its_key() {
    let office = Office::open().await;
    let staff = office.caller("staff").await;
    let recall = |key: &'static str| office.service.recall(&staff, key, "POST", "/api/v1/runs", b"{}");
    assert_eq!(recall("lost").await.unwrap(), Remembered::New);
    // The database was cut off: that the transaction failed is not known, only that its end was not heard of.
    office.service.remember(&staff, "lost", 503, "{}").await.unwrap();
    assert_eq!(recall("lost").await.unwrap_err().code, ErrorCode::Conflict);

    assert_eq!(recall("large").await.unwrap(), Remembered::New);
    let large = "x".repeat(300 * 1024);
    office.service.remember(&staff, "large", 201, &large).await.unwrap();
    assert_eq!(recall("large").await.unwrap_err().code, ErrorCode::Conflict);
}
