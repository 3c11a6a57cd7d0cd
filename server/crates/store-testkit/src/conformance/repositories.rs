use std::collections::BTreeSet;

use domain::Timestamp;
use store::repositories::{BroughtText, Look, Repository};

use super::Subject;
use crate::fixtures::{at, repository, user};

fn due(name: &str, second: i64) -> Repository {
    Repository { due_at: Some(at(second)), ..repository(name) }
}

fn looked(second: i64, commit: &str) -> Look {
    Look {
        looked_at: Some(at(second)),
        commit: Some(commit.to_owned()),
        files: r#"[{"path":"김.yaml"}]"#.to_owned(),
        failure: None,
    }
}

/// A database with these repositories.
async fn with(subject: &Subject, repositories: &[Repository]) {
    let mut unit = subject.unit().await;
    unit.insert_user(&user(1, "admin")).await.unwrap();
    for one in repositories {
        unit.put_repository(one).await.unwrap();
    }
    unit.commit().await.unwrap();
}

pub(super) async fn a_repository_is_stored_whole(subject: Subject) {
    let whole = Repository {
        account: Some("robot".to_owned()),
        sealed_password: Some("sealed".to_owned()),
        authority: Some("-----BEGIN CERTIFICATE-----".to_owned()),
        sealed_hook: Some("too".to_owned()),
        every_minutes: Some(5),
        due_at: Some(at(3)),
        look: Look { failure: Some("no such branch".to_owned()), ..looked(2, "c0ffee") },
        ..repository("definitions")
    };
    let bare = repository("bare");
    with(&subject, &[whole.clone(), bare.clone()]).await;
    let mut unit = subject.unit().await;
    assert_eq!(unit.list_repositories().await.unwrap(), [bare.clone(), whole.clone()]);
    assert_eq!(unit.repository(&whole.namespace, &whole.name).await.unwrap(), Some(whole.clone()));
    let changed = Repository { branch: "release".to_owned(), look: looked(9, "beef"), ..bare };
    unit.put_repository(&changed).await.unwrap();
    assert_eq!(unit.repository(&changed.namespace, &changed.name).await.unwrap(), Some(changed));
    assert!(unit.delete_repository(&whole.namespace, &whole.name).await.unwrap());
    assert!(!unit.delete_repository(&whole.namespace, &whole.name).await.unwrap());
    assert_eq!(unit.repository(&whole.namespace, &whole.name).await.unwrap(), None);
}

pub(super) async fn the_repository_that_is_due_longest_is_taken_first(subject: Subject) {
    with(&subject, &[due("late", 20), due("early", 10), repository("never")]).await;
    let mut unit = subject.unit().await;
    assert_eq!(unit.next_repository().await.unwrap(), Some(at(10)));
    assert_eq!(unit.take_due_repository(at(9), at(60)).await.unwrap(), None);
    assert_eq!(unit.take_due_repository(at(20), at(60)).await.unwrap(), Some(due("early", 60)));
    assert_eq!(unit.take_due_repository(at(20), at(70)).await.unwrap(), Some(due("late", 70)));
    assert_eq!(unit.take_due_repository(at(59), at(80)).await.unwrap(), None);
    assert_eq!(unit.next_repository().await.unwrap(), Some(at(60)));
    // Somebody asks for what nobody would look at, and for what would be looked at later.
    let [late, never] = [due("late", 70), repository("never")];
    assert!(unit.hasten_repository(&never.namespace, &never.name, at(30)).await.unwrap());
    assert!(unit.hasten_repository(&late.namespace, &late.name, at(25)).await.unwrap());
    assert!(unit.hasten_repository(&late.namespace, &late.name, at(50)).await.unwrap());
    assert!(!unit.hasten_repository(&late.namespace, &"no-such".parse().unwrap(), at(50)).await.unwrap());
    assert_eq!(unit.take_due_repository(at(31), at(80)).await.unwrap(), Some(due("late", 80)));
    assert_eq!(unit.take_due_repository(at(31), at(80)).await.unwrap(), Some(due("never", 80)));
}

pub(super) async fn what_came_of_a_look_is_written_by_who_took_it(subject: Subject) {
    with(&subject, &[due("definitions", 10)]).await;
    let mut unit = subject.unit().await;
    let look = looked(11, "c0ffee");
    let stored = async |unit: &mut dyn store::UnitOfWork, taken: &Repository| {
        unit.repository(&taken.namespace, &taken.name).await.unwrap().unwrap()
    };
    let first = unit.take_due_repository(at(10), at(60)).await.unwrap().unwrap();
    assert!(unit.note_look(&first, &look, Some(at(90))).await.unwrap());
    let noted = Repository { look: look.clone(), ..due("definitions", 90) };
    assert_eq!(stored(unit.as_mut(), &first).await, noted);

    // Hastened while somebody looks: it is looked at again, whatever comes of this look.
    let second = unit.take_due_repository(at(90), at(120)).await.unwrap().unwrap();
    assert!(unit.hasten_repository(&second.namespace, &second.name, at(95)).await.unwrap());
    assert!(unit.note_look(&second, &looked(96, "beef"), None).await.unwrap());
    assert_eq!(stored(unit.as_mut(), &second).await.due_at, Some(at(95)));

    // Too late: another has taken it.
    let third = unit.take_due_repository(at(96), at(120)).await.unwrap().unwrap();
    let fourth = unit.take_due_repository(at(120), at(150)).await.unwrap().unwrap();
    assert!(!unit.note_look(&third, &looked(121, "old"), None).await.unwrap());
    assert!(unit.note_look(&fourth, &looked(122, "new"), None).await.unwrap());
    assert_eq!(
        stored(unit.as_mut(), &fourth).await,
        Repository { look: looked(122, "new"), ..repository("definitions") }
    );

    // Changed meanwhile: what came of the former settings is nothing to these.
    let fifth = Repository { due_at: Some(at(200)), ..repository("definitions") };
    let changed = Repository { changed_at: Timestamp::from_micros(1), ..due("definitions", 130) };
    unit.put_repository(&changed).await.unwrap();
    assert!(!unit.note_look(&fifth, &looked(131, "old"), None).await.unwrap());
    assert_eq!(stored(unit.as_mut(), &fifth).await, changed);
}

pub(super) async fn what_was_brought_is_forgotten_with_its_repository(subject: Subject) {
    let [one, other] = [repository("one"), repository("other")];
    with(&subject, &[one.clone(), other.clone()]).await;
    let mut unit = subject.unit().await;
    let workflow: domain::WorkflowRef = "identity/onboard".parse().unwrap();
    let text = |repository: &Repository, version: &str, digest: &str| BroughtText {
        workflow: workflow.clone(),
        version: version.to_owned(),
        repository: repository.name.clone(),
        digest: digest.to_owned(),
    };
    let (first, second) = (text(&one, "1.0.0", "aa"), text(&one, "1.1.0", "bb"));
    for brought in [&text(&other, "1.0.0", "00"), &first, &second] {
        unit.put_brought_text(brought).await.unwrap();
    }
    assert_eq!(unit.brought_text(&workflow, "1.0.0").await.unwrap(), Some(first.clone()));
    assert_eq!(unit.brought_text(&workflow, "2.0.0").await.unwrap(), None);
    let moved = text(&other, "1.1.0", "cc");
    unit.put_brought_text(&moved).await.unwrap();
    // A repository that is followed in another way is still the same.
    unit.put_repository(&Repository { branch: "next".to_owned(), ..one.clone() }).await.unwrap();
    assert_eq!(unit.brought_text(&workflow, "1.0.0").await.unwrap(), Some(first));
    unit.delete_repository(&one.namespace, &one.name).await.unwrap();
    assert_eq!(unit.brought_text(&workflow, "1.0.0").await.unwrap(), None);
    assert_eq!(unit.brought_text(&workflow, "1.1.0").await.unwrap(), Some(moved));
}

pub(super) async fn two_nodes_never_take_the_same_repository(subject: Subject) {
    let all: Vec<Repository> = (0..20).map(|number| due(&format!("r{number}"), 1)).collect();
    with(&subject, &all).await;
    let take = async || {
        let mut taken = Vec::new();
        loop {
            let mut unit = subject.unit().await;
            let one = unit.take_due_repository(at(2), at(60)).await.unwrap();
            unit.commit().await.unwrap();
            match one {
                Some(one) => taken.push(one.name),
                None => return taken,
            }
        }
    };
    let (mine, yours) = tokio::join!(take(), take());
    let distinct: BTreeSet<_> = mine.iter().chain(&yours).cloned().collect();
    assert_eq!((distinct.len(), mine.len() + yours.len()), (20, 20));
}
