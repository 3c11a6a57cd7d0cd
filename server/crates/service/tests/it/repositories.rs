//! Definitions from a repository: what becomes of each file, who may set it up, and who may not publish what comes.

use std::sync::{Mutex, PoisonError};

use connectors::git::{Branch, Checkout, File, GitError};
use domain::{ErrorCode, FileOutcome, Name, Operation, Role, Scope, VersionState, view::RepositoryView};
use serde_json::json;
use service::{Branches, Caller, HookProof, NewRepository, StoredChange};

use crate::{
    authoring::{greet, greeting, refused},
    office::{Office, code},
};

/// A branch that has what a test put there.
#[derive(Default)]
pub(crate) struct ScriptedBranches {
    checkout: Mutex<Option<Checkout>>,
    asked: Mutex<Vec<(Branch, Option<String>)>>,
}

impl ScriptedBranches {
    /// The branch has these files from now on, each of which these people have written.
    pub(crate) fn push(&self, commit: &str, files: &[(&str, &str, &[&str])]) {
        let file = |(path, text, authors): &(&str, &str, &[&str])| File {
            path: (*path).to_owned(),
            bytes: text.as_bytes().to_vec(),
            authors: authors.iter().map(|author| (*author).to_owned()).collect(),
        };
        let checkout =
            Checkout { commit: commit.to_owned(), files: files.iter().map(file).collect(), skipped: Vec::new() };
        *self.checkout.lock().unwrap_or_else(PoisonError::into_inner) = Some(checkout);
    }

    /// Nobody has such a branch any more.
    fn remove(&self) {
        *self.checkout.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn last_asked(&self) -> (Branch, Option<String>) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).last().cloned().unwrap()
    }

    fn times_asked(&self) -> usize {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[async_trait::async_trait]
impl Branches for ScriptedBranches {
    async fn read(&self, branch: &Branch, _: Option<&str>, known: Option<&str>) -> Result<Option<Checkout>, GitError> {
        let asked = (branch.clone(), known.map(str::to_owned));
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        let checkout = self.checkout.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let checkout = checkout.ok_or_else(|| GitError::NoBranch { name: branch.name.clone() })?;
        Ok((known != Some(checkout.commit.as_str())).then_some(checkout))
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn new_repository() -> NewRepository {
    NewRepository {
        url: "https://git.example.test/definitions.git".to_owned(),
        branch: "main".to_owned(),
        ..NewRepository::default()
    }
}

impl Office {
    /// Follows a repository as `identity/definitions`, and looks at it.
    async fn follow(&self, caller: &Caller, new: NewRepository) -> RepositoryView {
        self.service.put_repository(caller, name("identity"), name("definitions"), new).await.unwrap();
        self.look_at_repositories().await
    }

    /// The repository after whatever is due was looked at.
    async fn look_at_repositories(&self) -> RepositoryView {
        self.service.look_at_due_repositories().await;
        let admin = self.caller("admin").await;
        self.service.repository(&admin, &name("identity"), &name("definitions")).await.unwrap()
    }

    /// The same after a push of these files.
    async fn push(&self, commit: &str, files: &[(&str, &str, &[&str])]) -> RepositoryView {
        self.branches.push(commit, files);
        let admin = self.caller("admin").await;
        self.service.sync_repository(&admin, &name("identity"), &name("definitions")).await.unwrap();
        self.look_at_repositories().await
    }

    /// What becomes of a text from a repository that this person has set up.
    pub(crate) async fn merged_for(&self, caller: &Caller, word: &str) -> String {
        let repository = store::repositories::Repository {
            changed_by: caller.user,
            due_at: Some(self.now()),
            ..store_testkit::fixtures::repository(word)
        };
        let mut unit = self.store.begin().await.unwrap();
        unit.put_repository(&repository).await.unwrap();
        unit.commit().await.unwrap();
        let text = greeting("1.0.0", word).replace("name: greet", &format!("name: {word}"));
        self.branches.push(word, &[("one.yaml", &text, &[])]);
        self.service.look_at_due_repositories().await;
        let workflow = format!("identity/{word}").parse().unwrap();
        let mut unit = self.store.snapshot().await.unwrap();
        let stored = unit.workflow_version(&workflow, "1.0.0").await.unwrap().unwrap();
        let merged = stored.state == VersionState::Published;
        if merged { "published".to_owned() } else { "reviewed".to_owned() }
    }

    async fn state_of(&self, version: &str) -> Option<(VersionState, String)> {
        let mut unit = self.store.snapshot().await.unwrap();
        let stored = unit.workflow_version(&greet(), version).await.unwrap()?;
        Some((stored.state, stored.source))
    }
}

fn outcomes(view: &RepositoryView) -> Vec<(&str, FileOutcome)> {
    view.files.iter().map(|file| (file.path.as_str(), file.outcome)).collect()
}

#[tokio::test]
async fn what_a_branch_brings_waits_for_its_review() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    let text = greeting("1.0.0", "hello");
    office.branches.push("c1", &[("greet.yaml", &text, &[])]);
    let view = office.follow(&admin, NewRepository { folder: "/flows/".to_owned(), ..new_repository() }).await;
    assert_eq!((view.commit.as_deref(), view.failure.clone()), (Some("c1"), None));
    assert_eq!(outcomes(&view), [("greet.yaml", FileOutcome::Added)]);
    assert_eq!(view.actions, [Operation::RepositorySync, Operation::RepositoryUpdate, Operation::RepositoryDelete]);
    let (branch, known) = office.branches.last_asked();
    assert_eq!((branch.folder.as_str(), branch.name.as_str(), known), ("flows", "main", None));
    assert_eq!(office.state_of("1.0.0").await, Some((VersionState::InReview, text.clone())));
    assert_eq!(office.notices("publisher").await[0], ("definition-submitted".to_owned(), "Greet 1.0.0".to_owned()));
    let entries = office.audit_after(0).await;
    let entry = entries.iter().rev().find(|entry| entry.action == "workflow.submit").unwrap();
    let body: serde_json::Value = serde_json::from_str(&entry.body).unwrap();
    assert_eq!(
        (&body["detail"]["repository"], &body["detail"]["commit"], &body["detail"]["path"]),
        (&json!("identity/definitions"), &json!("c1"), &json!("greet.yaml"))
    );

    // Nothing new: the commit that is known is not taken in again, and nobody is told twice.
    let before = office.audit_end().await;
    let view = office.push("c1", &[("greet.yaml", &text, &[])]).await;
    assert_eq!((office.branches.last_asked().1.as_deref(), view.commit.as_deref()), (Some("c1"), Some("c1")));
    let since = office.audit_after(before).await;
    assert_eq!(since.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["repository.sync"]);
    // A new commit that leaves the file as it is.
    let view = office.push("c2", &[("greet.yaml", &text, &[])]).await;
    assert_eq!((view.commit.as_deref(), outcomes(&view)), (Some("c2"), vec![("greet.yaml", FileOutcome::Unchanged)]));
}

#[tokio::test]
async fn a_text_that_nobody_has_touched_follows_the_branch_and_is_reviewed_again() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    let service = &office.service;
    let path = "greet.yaml";
    office.branches.push("c1", &[(path, &greeting("1.0.0", "one"), &[])]);
    office.follow(&admin, new_repository()).await;
    let seen = service.workflow_version(&publisher, &greet(), "1.0.0").await.unwrap().digest;

    let view = office.push("c2", &[(path, &greeting("1.0.0", "two"), &[])]).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Updated)]);
    assert_eq!(office.state_of("1.0.0").await, Some((VersionState::InReview, greeting("1.0.0", "two"))));
    // Whoever reviewed the text before publishes nothing.
    assert_eq!(
        refused(service.publish_definition(&publisher, &greet(), "1.0.0", &seen).await),
        ErrorCode::DigestMismatch
    );

    // Returned for changes, which come by the branch.
    service.return_definition(&publisher, &greet(), "1.0.0", "Say three.").await.unwrap();
    let view = office.push("c3", &[(path, &greeting("1.0.0", "two"), &[])]).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Unchanged)]);
    assert_eq!(office.state_of("1.0.0").await.unwrap().0, VersionState::Draft);
    let view = office.push("c4", &[(path, &greeting("1.0.0", "three"), &[])]).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Updated)]);
    let version = service.workflow_version(&publisher, &greet(), "1.0.0").await.unwrap();
    service.publish_definition(&publisher, &greet(), "1.0.0", &version.digest).await.unwrap();

    // What is published never changes.
    let view = office.push("c5", &[(path, &greeting("1.0.0", "four"), &[])]).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Conflict)]);
    assert!(view.files[0].detail.contains("new version number"), "{}", view.files[0].detail);
    assert_eq!(office.state_of("1.0.0").await, Some((VersionState::Published, greeting("1.0.0", "three"))));
    let view = office.push("c6", &[(path, &greeting("1.1.0", "four"), &[])]).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Added)]);
}

#[tokio::test]
async fn what_people_have_written_is_never_overwritten() {
    let office = Office::open().await;
    let (admin, author) = (office.caller("admin").await, office.caller("author").await);
    let path = "greet.yaml";
    office.draft(&author, "1.0.0", "ours").await;
    office.branches.push("c1", &[(path, &greeting("1.0.0", "theirs"), &[])]);
    let view = office.follow(&admin, new_repository()).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Conflict)]);
    assert_eq!(office.state_of("1.0.0").await, Some((VersionState::Draft, greeting("1.0.0", "ours"))));
    assert_eq!(office.notices("admin").await[0].0, "repository-needs-attention");

    // One that the branch has brought, and somebody has changed here.
    let view = office.push("c2", &[(path, &greeting("1.1.0", "theirs"), &[])]).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Added)]);
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    office.service.return_definition(&publisher, &greet(), "1.1.0", "No.").await.unwrap();
    let digest = office.service.workflow_version(&author, &greet(), "1.1.0").await.unwrap().digest;
    let mended = greeting("1.1.0", "mended");
    office.service.save_definition(&author, &greet(), "1.1.0", &mended, Some(&digest)).await.unwrap();
    let view = office.push("c3", &[(path, &greeting("1.1.0", "other"), &[])]).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Conflict)]);
    assert_eq!(office.state_of("1.1.0").await, Some((VersionState::Draft, mended.clone())));
    // The same on both sides is no conflict.
    let view = office.push("c4", &[(path, &mended, &[])]).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Unchanged)]);

    // What another repository has brought.
    let second = name("second");
    office.branches.push("d1", &[(path, &greeting("2.0.0", "second"), &[])]);
    office.service.put_repository(&admin, name("identity"), second.clone(), new_repository()).await.unwrap();
    office.look_at_repositories().await;
    let view = office.push("c5", &[(path, &greeting("2.0.0", "first"), &[])]).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Conflict)]);
    // Without the repository its versions stay, and are nobody's that could follow a branch.
    office.service.delete_repository(&admin, &name("identity"), &second).await.unwrap();
    assert_eq!(office.state_of("2.0.0").await, Some((VersionState::InReview, greeting("2.0.0", "second"))));
}

#[tokio::test]
async fn one_bad_file_keeps_no_other_from_being_taken() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let elsewhere = greeting("1.0.0", "x").replace("namespace: identity", "namespace: incident");
    let failing = greeting("3.0.0", "hello").replace(
        "title: Greet}",
        "title: Greet, metadata: {rondo: {tests: [{title: Says bye, expect: {output: {word: bye}}}]}}}",
    );
    let broken = greeting("2.0.0", "x").replace("set", "sett");
    let good = greeting("1.0.0", "good");
    office.branches.push(
        "c1",
        &[
            ("a-list.yaml", "- 1\n", &[]),
            ("broken.yaml", &broken, &[]),
            ("elsewhere.yaml", &elsewhere, &[]),
            ("failing.yaml", &failing, &[]),
            ("good.yaml", &good, &[]),
        ],
    );
    let view = office.follow(&admin, new_repository()).await;
    let expected = [
        ("a-list.yaml", FileOutcome::Refused),
        ("broken.yaml", FileOutcome::Refused),
        ("elsewhere.yaml", FileOutcome::Refused),
        ("failing.yaml", FileOutcome::Refused),
        ("good.yaml", FileOutcome::Added),
    ];
    assert_eq!(outcomes(&view), expected);
    assert_eq!(view.files[1].diagnostics[0].line, 2);
    assert!(view.files[2].detail.contains("incident"), "{}", view.files[2].detail);
    assert!(view.files[3].diagnostics[0].message.contains("Says bye"), "{:?}", view.files[3].diagnostics);
    assert_eq!((view.failure, view.commit.as_deref()), (None, Some("c1")));
    assert_eq!(office.notices("admin").await[0].0, "repository-needs-attention");
}

#[tokio::test]
async fn nobody_publishes_what_they_have_committed_or_could_have_chosen() {
    let office = Office::open().await;
    let both = [Role::Publisher, Role::Administrator];
    let admin = office.hire("chief", &both, Scope::Everywhere).await;
    let writer = office.hire("writer", &[Role::Publisher], Scope::Everywhere).await;
    let other = office.hire("other", &[Role::Publisher], Scope::Everywhere).await;
    let root = office.caller("admin").await;
    let change =
        service::UserChange { name: "Writer".to_owned(), email: Some("Writer@Example.test".to_owned()), manager: None };
    office.service.update_user(&root, writer.user, change).await.unwrap();
    let authors: &[&str] = &["nobody@example.test", "writer@example.test"];
    office.branches.push("c1", &[("greet.yaml", &greeting("1.0.0", "hello"), authors)]);
    office.follow(&admin, new_repository()).await;
    let service = &office.service;
    let digest = service.workflow_version(&other, &greet(), "1.0.0").await.unwrap().digest;
    for person in [&admin, &writer] {
        let answer = service.publish_definition(person, &greet(), "1.0.0", &digest).await;
        assert_eq!(refused(answer), ErrorCode::OwnChange, "{}", person.login);
    }
    assert_eq!(office.notices("other").await[0].0, "definition-submitted");
    assert!(office.notices("writer").await.iter().all(|notice| notice.0 != "definition-submitted"));
    service.publish_definition(&other, &greet(), "1.0.0", &digest).await.unwrap();
}

#[tokio::test]
async fn a_branch_counts_as_a_review_only_if_policies_say_so() {
    const MERGED: &str = r#"@id("main-is-reviewed")
@needs("a repository that Admin has set up")
permit (principal is User, action == Action::"definition.merge", resource is Definition)
when { resource in Scope::"identity" && principal.login == "admin" };
"#;
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    office.branches.push("c1", &[("greet.yaml", &greeting("1.0.0", "one"), &[])]);
    office.follow(&admin, new_repository()).await;
    assert_eq!(office.state_of("1.0.0").await.unwrap().0, VersionState::InReview);

    office.in_force(MERGED).await;
    let path = "greet.yaml";
    let (two, next) = (greeting("1.0.0", "two"), greeting("1.1.0", "x"));
    let view = office.push("c2", &[(path, &two, &[]), ("next.yaml", &next, &[])]).await;
    assert_eq!(outcomes(&view), [(path, FileOutcome::Updated), ("next.yaml", FileOutcome::Added)]);
    assert_eq!(office.state_of("1.0.0").await, Some((VersionState::Published, greeting("1.0.0", "two"))));
    assert_eq!(office.state_of("1.1.0").await.unwrap().0, VersionState::Published);
    let entry = office.entry("definition.merge").await;
    assert_eq!(entry["policies"], json!(["main-is-reviewed"]));
    let staff = office.caller("staff").await;
    assert_eq!(office.service.workflow(&staff, &greet()).await.unwrap().item.version, "1.1.0");

    // Another one who sets it up is not whom the policies trust.
    let second = office.second_administrator().await;
    office.branches.push("c3", &[(path, &greeting("1.2.0", "three"), &[])]);
    office.follow(&second, new_repository()).await;
    assert_eq!(office.state_of("1.2.0").await.unwrap().0, VersionState::InReview);
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_says_why_and_is_tried_again() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let view = office.follow(&admin, NewRepository { every_minutes: Some(5), ..new_repository() }).await;
    assert!(view.failure.clone().unwrap().contains("main"), "{view:?}");
    assert_eq!(
        (view.commit.as_deref(), view.due_at),
        (None, view.looked_at.map(|at| at + std::time::Duration::from_mins(5)))
    );
    assert_eq!(office.notices("admin").await[0].0, "repository-needs-attention");
    let told = office.notices("admin").await.len();
    let times = office.branches.times_asked();
    office.look_at_repositories().await;
    assert_eq!(office.branches.times_asked(), times, "it is not due yet");
    office.branches.remove();
    office.service.sync_repository(&admin, &name("identity"), &name("definitions")).await.unwrap();
    office.look_at_repositories().await;
    assert_eq!(office.notices("admin").await.len(), told, "nobody is told of the same twice");
    let view = office.push("c1", &[("greet.yaml", &greeting("1.0.0", "one"), &[])]).await;
    assert_eq!((view.failure, view.commit.as_deref()), (None, Some("c1")));
}

#[tokio::test]
async fn a_password_stays_with_its_host_and_is_never_shown() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let service = &office.service;
    let put =
        async |new: NewRepository| service.put_repository(&admin, name("identity"), name("definitions"), new).await;
    let with = |url: &str, password: StoredChange| NewRepository {
        url: url.to_owned(),
        account: Some("robot".to_owned()),
        password,
        ..new_repository()
    };
    let (here, there) = ("https://git.example.test/a.git", "https://other.example.test/a.git");
    let missing = put(with(here, StoredChange::Keep)).await.unwrap_err();
    assert_eq!(missing.errors[0].pointer, "/password");
    let view = put(with(here, StoredChange::Set("canary-7".to_owned()))).await.unwrap();
    assert!(!serde_json::to_string(&view).unwrap().contains("canary"));
    put(with("https://git.example.test/b.git", StoredChange::Keep)).await.unwrap();
    office.look_at_repositories().await;
    let credentials = office.branches.last_asked().0.credentials.unwrap();
    assert_eq!((credentials.user.as_str(), credentials.password.expose()), ("robot", "canary-7"));
    let moved = put(with(there, StoredChange::Keep)).await.unwrap_err();
    assert!(moved.errors[0].message.contains("another host"), "{moved:?}");
    // Without the account there is no password either.
    put(new_repository()).await.unwrap();
    office.look_at_repositories().await;
    assert!(office.branches.last_asked().0.credentials.is_none());
    assert_eq!(put(with(here, StoredChange::Keep)).await.unwrap_err().errors[0].pointer, "/password");
    assert!(office.audit_after(0).await.iter().all(|entry| !entry.body.contains("canary")));
}

#[tokio::test]
async fn what_is_wrong_with_a_repository_is_said_field_by_field() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let new = NewRepository {
        url: "ssh://git@example.test/a".to_owned(),
        branch: "a b".to_owned(),
        folder: "../x".to_owned(),
        every_minutes: Some(0),
        hook_secret: StoredChange::Set("short".to_owned()),
        ..NewRepository::default()
    };
    let problem = office.service.put_repository(&admin, name("identity"), name("x"), new).await.unwrap_err();
    let pointers: Vec<&str> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(pointers, ["/url", "/branch", "/folder", "/everyMinutes", "/hookSecret"]);
}

#[tokio::test]
async fn a_webhook_has_the_repository_looked_at_and_tells_strangers_nothing() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let service = &office.service;
    let (namespace, definitions) = (name("identity"), name("definitions"));
    let secret = "a secret of sixteen";
    let hooked = NewRepository { hook_secret: StoredChange::Set(secret.to_owned()), ..new_repository() };
    let view = office.follow(&admin, hooked).await;
    assert_eq!(view.hook.as_deref(), Some("/api/v1/hooks/repositories/identity/definitions"));
    let times = office.branches.times_asked();
    let right = HookProof::Token(secret.to_owned());
    let wrong = HookProof::Token("wrong".to_owned());
    for (name, proof) in [(&definitions, None), (&definitions, Some(&wrong)), (&name("no-such"), Some(&right))] {
        let answer = service.repository_was_pushed(&namespace, name, proof, b"{}").await;
        assert_eq!(answer.unwrap_err(), domain::Problem::new(ErrorCode::NotFound));
    }
    office.look_at_repositories().await;
    assert_eq!(office.branches.times_asked(), times);
    service.repository_was_pushed(&namespace, &definitions, Some(&right), b"{}").await.unwrap();
    office.look_at_repositories().await;
    assert_eq!(office.branches.times_asked(), times + 1);
    let closed = NewRepository { hook_secret: StoredChange::Remove, ..new_repository() };
    assert_eq!(office.follow(&admin, closed).await.hook, None);
    assert!(service.repository_was_pushed(&namespace, &definitions, Some(&right), b"{}").await.is_err());
}

#[tokio::test]
async fn repositories_are_for_those_who_write_review_or_administer() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    office.branches.push("c1", &[]);
    office.follow(&admin, new_repository()).await;
    let service = &office.service;
    let (namespace, definitions) = (name("identity"), name("definitions"));
    let elsewhere = Scope::Namespace(name("incident"));
    let stranger = office.hire("stranger", &[Role::Author], elsewhere).await;
    assert_eq!(service.repositories(&stranger).await.unwrap(), []);
    assert_eq!(refused(service.repository(&stranger, &namespace, &definitions).await), ErrorCode::NotFound);
    assert_eq!(refused(service.sync_repository(&stranger, &namespace, &definitions).await), ErrorCode::NotFound);
    let author = office.caller("author").await;
    assert_eq!(service.repositories(&author).await.unwrap()[0].actions, [Operation::RepositorySync]);
    assert_eq!(code(service.sync_repository(&author, &namespace, &definitions).await), "ok");
    assert_eq!(refused(service.delete_repository(&author, &namespace, &definitions).await), ErrorCode::Forbidden);
    let staff = office.caller("staff").await;
    assert_eq!(refused(service.repositories(&staff).await), ErrorCode::Forbidden);
}
