use domain::WorkflowRef;
use store::{StoreError, workflows::VersionState};

use super::Subject;
use crate::fixtures::version;

pub(super) async fn the_greatest_published_version_is_launchable(subject: Subject) {
    let onboard: WorkflowRef = "identity/onboard".parse().unwrap();
    let offboard: WorkflowRef = "identity/offboard".parse().unwrap();
    let hidden: WorkflowRef = "identity/hidden".parse().unwrap();
    let mut unit = subject.unit().await;
    for (workflow, text, sort_key, state) in [
        (&onboard, "1.2.0", "0001.0002", VersionState::Published),
        (&onboard, "1.10.0", "0001.0010", VersionState::Published),
        (&onboard, "2.0.0", "0002.0000", VersionState::Draft),
        (&onboard, "1.11.0", "0001.0011", VersionState::Retired),
        (&offboard, "1.0.0", "0001.0000", VersionState::Published),
        (&hidden, "1.0.0", "0001.0000", VersionState::InReview),
    ] {
        let mut version = version(workflow, text);
        sort_key.clone_into(&mut version.sort_key);
        version.state = state;
        unit.insert_version(&version).await.unwrap();
    }
    unit.commit().await.unwrap();
    let mut unit = subject.reading().await;
    assert_eq!(unit.launchable_version(&onboard).await.unwrap().unwrap().version, "1.10.0");
    assert_eq!(unit.launchable_version(&hidden).await.unwrap(), None);
    let launchable: Vec<_> = unit.launchable_versions().await.unwrap();
    let launchable: Vec<_> = launchable.iter().map(|v| (v.workflow.to_string(), v.version.as_str())).collect();
    assert_eq!(launchable, [("identity/offboard".to_owned(), "1.0.0"), ("identity/onboard".to_owned(), "1.10.0")]);
    let all: Vec<_> = unit.versions_of(&onboard).await.unwrap().into_iter().map(|v| v.version).collect();
    assert_eq!(all, ["2.0.0", "1.11.0", "1.10.0", "1.2.0"]);
    let one = unit.workflow_version(&onboard, "2.0.0").await.unwrap().unwrap();
    assert_eq!((one.state, one.source.as_str()), (VersionState::Draft, "document: {}"));
    assert_eq!(unit.workflow_version(&onboard, "9.0.0").await.unwrap(), None);
}

pub(super) async fn a_version_is_never_overwritten_and_moves_only_from_where_it_is(subject: Subject) {
    let workflow: WorkflowRef = "identity/onboard".parse().unwrap();
    let mut draft = version(&workflow, "1.0.0");
    draft.state = VersionState::Draft;
    let mut unit = subject.unit().await;
    unit.insert_version(&draft).await.unwrap();
    unit.move_version(&workflow, "1.0.0", VersionState::Draft, VersionState::InReview).await.unwrap();
    let again = unit.move_version(&workflow, "1.0.0", VersionState::Draft, VersionState::InReview).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    unit.move_version(&workflow, "1.0.0", VersionState::InReview, VersionState::Published).await.unwrap();
    let state = unit.workflow_version(&workflow, "1.0.0").await.unwrap().unwrap().state;
    assert_eq!(state, VersionState::Published);
    let error = unit.insert_version(&draft).await.unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate(what) if what == "namespace, name, version"), "{error:?}");
}
