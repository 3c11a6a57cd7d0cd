//! The life of a definition: every rule, and every refusal.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Clock as _, ErrorCode, Operation, Problem, Role, RunStatus, Scope, Trigger, UserId, VersionState, WorkflowRef,
    view::{CallerView, DifferenceRow, UsesView, WorkflowVersionView},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use service::{Caller, DefinitionQuery};
use store::access::Subject;
use testkit::WallClock;

use crate::office::{Office, code, shown};

pub(crate) fn greet() -> WorkflowRef {
    "identity/greet".parse().unwrap()
}

/// A definition that says a word.
pub(crate) fn greeting(version: &str, word: &str) -> String {
    format!(
        "document: {{dsl: 1.0.3, namespace: identity, name: greet, version: {version}, title: Greet}} # to be kept\n\
         do: [{{say: {{set: {{word: {word}}}}}}}]\n"
    )
}

impl Office {
    /// A new person with these roles, on the namespace or everywhere.
    pub(crate) async fn hire(&self, login: &str, roles: &[Role], scope: Scope) -> Caller {
        let admin = self.caller("admin").await;
        let new = service::NewUser { login: login.to_owned(), name: login.to_owned(), ..service::NewUser::default() };
        self.service.create_user(&admin, new).await.unwrap();
        let person = Subject::User(self.user(login).await.unwrap());
        for role in roles {
            self.service.grant(&admin, person, *role, scope.clone(), None).await.unwrap();
        }
        self.caller(login).await
    }

    /// A new draft of `identity/greet`; its digest.
    pub(crate) async fn draft(&self, author: &Caller, version: &str, word: &str) -> String {
        let saved = self.service.save_definition(author, &greet(), version, &greeting(version, word), None).await;
        saved.unwrap().digest
    }

    /// The same in review.
    pub(crate) async fn in_review(&self, author: &Caller, version: &str, word: &str) -> WorkflowVersionView {
        self.draft(author, version, word).await;
        self.service.submit_definition(author, &greet(), version).await.unwrap()
    }

    /// The same published.
    pub(crate) async fn published(
        &self,
        author: &Caller,
        publisher: &Caller,
        version: &str,
        word: &str,
    ) -> WorkflowVersionView {
        let digest = self.in_review(author, version, word).await.digest;
        self.service.publish_definition(publisher, &greet(), version, &digest).await.unwrap()
    }

    pub(crate) async fn notices(&self, login: &str) -> Vec<(String, String)> {
        let caller = self.caller(login).await;
        let page = self.service.notifications(&caller, None, None).await.unwrap();
        page.items.into_iter().map(|notice| (notice.kind, notice.title)).collect()
    }
}

pub(crate) fn refused<T>(answer: Result<T, Problem>) -> ErrorCode {
    match answer {
        Ok(_) => panic!("it was not refused"),
        Err(problem) => problem.code,
    }
}

#[tokio::test]
async fn a_definition_is_written_reviewed_published_and_launched() {
    let office = Office::open().await;
    let service = &office.service;
    let (author, staff) = (office.caller("author").await, office.caller("staff").await);
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;

    // In steps, the first of which is no definition yet.
    let begun = "document: {dsl: 1.0.3, namespace: identity, name: greet, version: 1.0.0}\ndo: [{say: {set: 5}}]\n";
    let saved = service.save_definition(&author, &greet(), "1.0.0", begun, None).await.unwrap();
    assert_eq!((saved.diagnostics[0].line, saved.diagnostics[0].column), (2, 18), "{:?}", saved.diagnostics);
    let checked = service.validate_definition(&author, begun).await.unwrap();
    assert_eq!((checked.diagnostics, checked.graph), (saved.diagnostics, None));
    let view = service.workflow_version(&author, &greet(), "1.0.0").await.unwrap();
    assert_eq!((view.state.as_str(), view.source.as_str(), view.steps.len()), ("draft", begun, 0));
    let broken = service.submit_definition(&author, &greet(), "1.0.0").await.unwrap_err();
    assert_eq!(
        (broken.code, broken.errors[0].expected.clone()),
        (ErrorCode::InvalidDefinition, json!({"line": 2, "column": 18}))
    );
    let whole = greeting("1.0.0", "hello");
    let saved = service.save_definition(&author, &greet(), "1.0.0", &whole, Some(&saved.digest)).await.unwrap();
    assert_eq!(saved.diagnostics, []);
    let checked = service.validate_definition(&author, &whole).await.unwrap();
    assert_eq!((checked.diagnostics, checked.graph.unwrap().nodes.len()), (Vec::new(), 3));

    let before = office.audit_end().await;
    let in_review = service.submit_definition(&author, &greet(), "1.0.0").await.unwrap();
    let life = in_review.life.unwrap();
    assert_eq!((in_review.state.as_str(), life.authors[0].login.as_str()), ("in-review", "author"));
    assert_eq!(life.actions, [Operation::DefinitionWithdraw, Operation::DefinitionComment]);
    assert_eq!(office.notices("publisher").await[0], ("definition-submitted".to_owned(), "Greet 1.0.0".to_owned()));
    let told = service.notifications(&publisher, None, None).await.unwrap().items;
    assert_eq!(told[0].link, "/definitions/identity/greet/1.0.0");
    assert_eq!(
        refused(service.launch(&staff, &greet(), Some("1.0.0".to_owned()), json!({})).await),
        ErrorCode::NotFound
    );

    let published = service.publish_definition(&publisher, &greet(), "1.0.0", &in_review.digest).await.unwrap();
    assert_eq!(
        (published.state.as_str(), &published.digest, &published.source),
        ("published", &in_review.digest, &whole)
    );
    assert_eq!(published.life.unwrap().changed_by.unwrap().login, "publisher");
    assert_eq!(office.notices("author").await[0], ("definition-published".to_owned(), "Greet 1.0.0".to_owned()));
    let run = service.launch(&staff, &greet(), None, json!({})).await.unwrap();
    assert_eq!(office.ended(run.id).await.output, Some(json!({"word": "hello"})));
    let entries = office.audit_after(before).await;
    let entry = entries.iter().find(|entry| entry.action == "definition.publish").unwrap();
    for part in [&published.digest[..], "\"author\"", "\"openComments\":0", "publishers-review-definitions"] {
        assert!(shown(entry).to_string().contains(part), "{part}: {}", entry.body);
    }
}

/// A definition that asks and writes a mail, with two tests; the second expects this.
fn asking(expected: &str) -> String {
    format!(
        "document:
  dsl: 1.0.3
  namespace: identity
  name: greet
  version: 1.0.0
  metadata:
    rondo:
      tests:
        - {{title: It is told, input: {{to: a@rondo.example}}, expect: {{output: told}}}}
        - {{title: It is refused, input: {{to: a@rondo.example}}, answers: {{ask: {{output: {{outcome: rejected}}}}}}, expect: {expected}}}
do:
  - ask: {{call: approval, with: {{approvers: {{role: approver}}}}}}
  - tell: {{call: smtp, with: {{connection: mail, to: '${{ $workflow.input.to }}', subject: Hello, text: Hello}}}}
  - finish: {{set: '${{ \"told\" }}'}}
"
    )
}

#[tokio::test]
async fn a_definition_is_tried_out_and_nothing_of_it_is_done() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let text = asking("{error: 'https://rondo.dev/errors/rejected'}");
    let before = office.audit_end().await;
    let tried = service.rehearse_definition(&author, &text, Some(json!({"to": "b@rondo.example"}))).await.unwrap();
    let [tried] = tried.as_slice() else { panic!("one input, one run") };
    assert_eq!((tried.status, tried.output.clone()), (RunStatus::Completed, Some(json!("told"))), "{tried:#?}");
    let tell = tried.steps.iter().find(|step| step.reference == "/do/1/tell").unwrap();
    let call = &tell.calls[0];
    assert_eq!((call.function.as_str(), call.made_up), ("smtp", true));
    assert_eq!(call.would.as_deref(), Some("A mail to b@rondo.example: Hello"));
    assert!(office.service.runs(&author, service::RunQuery::default(), None, None).await.unwrap().items.is_empty());
    assert_eq!(office.audit_after(before).await, [], "what only reads is no entry");

    let passed = service.rehearse_definition(&author, &text, None).await.unwrap();
    assert_eq!(passed.iter().map(|tried| tried.difference.clone()).collect::<Vec<_>>(), [None, None]);

    // For those who may write it, and nobody else.
    let staff = office.caller("staff").await;
    assert_eq!(refused(service.rehearse_definition(&staff, &text, None).await), ErrorCode::Forbidden);
    let elsewhere = office.hire("elsewhere", &[Role::Author], Scope::Namespace("network".parse().unwrap())).await;
    assert_eq!(refused(service.rehearse_definition(&elsewhere, &text, None).await), ErrorCode::Forbidden);
    assert_eq!(refused(service.rehearse_definition(&author, "do: []", None).await), ErrorCode::InvalidDefinition);
    assert_eq!(refused(service.rehearse_definition(&staff, "do: []", None).await), ErrorCode::Forbidden);
}

#[tokio::test]
async fn what_fails_its_own_tests_is_not_submitted() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let saved = service.save_definition(&author, &greet(), "1.0.0", &asking("{output: told}"), None).await.unwrap();
    assert_eq!(saved.diagnostics, []);
    let problem = service.submit_definition(&author, &greet(), "1.0.0").await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::InvalidDefinition);
    assert_eq!(problem.errors[0].expected, json!({"line": 10, "column": 11}));
    assert!(
        problem.errors[0].message.contains("the test “It is refused”: expected completed, but it is faulted"),
        "{problem:?}"
    );
    let right = asking("{status: faulted}");
    service.save_definition(&author, &greet(), "1.0.0", &right, Some(&saved.digest)).await.unwrap();
    assert_eq!(service.submit_definition(&author, &greet(), "1.0.0").await.unwrap().state, "in-review");
}

#[tokio::test]
async fn a_dry_run_is_kept_as_a_test_of_the_draft_whose_text_stays_as_it_was_written() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    let text = format!("# Ask first.\n{}# The end.\n", asking("{error: 'https://rondo.dev/errors/rejected'}"));
    let saved = service.save_definition(&author, &greet(), "1.0.0", &text, None).await.unwrap();
    let before = office.audit_end().await;
    let to = || json!({"to": "c@rondo.example"});
    let keep = async |who: &Caller, digest: &str, title: &str, input| {
        service.keep_as_test(who, &greet(), "1.0.0", digest, title, input).await
    };

    assert_eq!(refused(keep(&author, &saved.digest, " ", to()).await), ErrorCode::InvalidInput);
    assert_eq!(refused(keep(&author, "another", "It works", to()).await), ErrorCode::DigestMismatch);
    assert_eq!(refused(keep(&publisher, &saved.digest, "It works", to()).await), ErrorCode::Forbidden);
    let kept = keep(&author, &saved.digest, "It works", to()).await.unwrap();
    assert_eq!(kept.diagnostics, []);
    let stored = service.workflow_version(&author, &greet(), "1.0.0").await.unwrap();
    let added = "        - title: It works\n          input:\n            to: c@rondo.example\n          expect:\n            output: told\n";
    let at = text.find("\ndo:").unwrap() + 1;
    assert_eq!(stored.source, format!("{}{added}{}", &text[..at], &text[at..]));
    let entries: Vec<_> = office.audit_after(before).await.into_iter().map(|row| row.action).collect();
    assert!(entries.contains(&"definition.save".to_owned()), "{entries:?}");

    // What it comes to is what is expected, also if that is an error.
    let failing = keep(&author, &kept.digest, "It fails", json!({"to": 5})).await.unwrap();
    let tried = service.rehearse_version(&publisher, &greet(), "1.0.0", None).await.unwrap();
    assert_eq!(tried.iter().map(|tried| tried.difference.clone()).collect::<Vec<_>>(), [None, None, None, None]);
    assert_eq!(tried[3].expected.as_ref().unwrap().status, RunStatus::Faulted);
    let asked = tried[0].steps.iter().find(|step| step.reference == "/do/0/ask").unwrap();
    assert_eq!(asked.asks, ["role:approver"]);
    let checked = service.check_definition(&author, &stored.source).await.unwrap();
    assert_eq!(checked.tests.iter().map(|test| test.line).collect::<Vec<_>>(), [Some(10), Some(11), Some(12)]);

    // In review the text stays as it is, and its reviewer sees what came of the tests.
    service.submit_definition(&author, &greet(), "1.0.0").await.unwrap();
    assert_eq!(refused(keep(&author, &failing.digest, "Late", to()).await), ErrorCode::Conflict);
    assert_eq!(service.rehearse_version(&publisher, &greet(), "1.0.0", None).await.unwrap().len(), 4);
    let staff = office.caller("staff").await;
    assert_eq!(refused(service.rehearse_version(&staff, &greet(), "1.0.0", None).await), ErrorCode::NotFound);
}

#[tokio::test]
async fn what_a_version_changes_is_seen_by_those_who_may_see_both() {
    let office = Office::open().await;
    let service = &office.service;
    let (author, staff) = (office.caller("author").await, office.caller("staff").await);
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    office.published(&author, &publisher, "1.0.0", "hello").await;
    office.draft(&author, "1.1.0", "hi").await;

    let difference = service.definition_difference(&publisher, &greet(), "1.1.0", "1.0.0").await.unwrap();
    let [rows] = difference.passages.as_slice() else { panic!("{difference:?}") };
    let changed: Vec<_> = rows.iter().filter(|row| !row.is_same()).collect();
    assert_eq!(changed.len(), 2, "{rows:?}");
    let said = |row: &DifferenceRow| (row.before.clone().unwrap().text, row.after.clone().unwrap().text);
    assert_eq!(said(changed[1]), ("do: [{say: {set: {word: hello}}}]".into(), "do: [{say: {set: {word: hi}}}]".into()));

    let same = service.definition_difference(&author, &greet(), "1.0.0", "1.0.0").await.unwrap();
    assert_eq!(same.passages, Vec::<Vec<_>>::new());
    for (version, other) in [("1.1.0", "1.0.0"), ("1.0.0", "1.1.0")] {
        let hidden = service.definition_difference(&staff, &greet(), version, other).await;
        assert_eq!(refused(hidden), ErrorCode::NotFound);
    }
    assert_eq!(refused(service.definition_difference(&author, &greet(), "1.0.0", "9.9.9").await), ErrorCode::NotFound);
}

#[tokio::test]
async fn nobody_publishes_what_they_have_written_even_in_part() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let everything = [Role::Author, Role::Publisher, Role::Administrator];
    let first = office.hire("first", &everything, Scope::Everywhere).await;
    let second = office.hire("second", &everything, Scope::Everywhere).await;
    let digest = office.draft(&first, "1.0.0", "hello").await;
    let digest = service
        .save_definition(&author, &greet(), "1.0.0", &greeting("1.0.0", "goodbye"), Some(&digest))
        .await
        .unwrap()
        .digest;
    // Who saves it as it was has changed nothing.
    service.save_definition(&second, &greet(), "1.0.0", &greeting("1.0.0", "goodbye"), Some(&digest)).await.unwrap();
    let reviewed = service.submit_definition(&second, &greet(), "1.0.0").await.unwrap();
    let before = office.audit_end().await;
    let problem = service.publish_definition(&first, &greet(), "1.0.0", &reviewed.digest).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::OwnChange);
    assert_eq!(problem.policies[0].id, "nobody-publishes-their-own-change");
    assert_eq!(problem.detail, "another person than its authors");
    let entries = office.audit_after(before).await;
    assert!(entries.iter().any(|entry| entry.action == "definition.publish" && entry.outcome == "refused"));
    // Back to draft and submitted by another, it is still theirs.
    service.withdraw_definition(&author, &greet(), "1.0.0").await.unwrap();
    let reviewed = service.submit_definition(&second, &greet(), "1.0.0").await.unwrap();
    assert_eq!(
        refused(service.publish_definition(&first, &greet(), "1.0.0", &reviewed.digest).await),
        ErrorCode::OwnChange
    );
    assert_eq!(
        refused(service.publish_definition(&author, &greet(), "1.0.0", &reviewed.digest).await),
        ErrorCode::OwnChange
    );
    service.publish_definition(&second, &greet(), "1.0.0", &reviewed.digest).await.unwrap();
}

#[tokio::test]
async fn what_is_published_is_what_was_reviewed() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    let first = office.in_review(&author, "1.0.0", "hello").await;
    let publish = async |digest: &str| service.publish_definition(&publisher, &greet(), "1.0.0", digest).await;
    assert_eq!(refused(publish("0").await), ErrorCode::DigestMismatch);

    assert_eq!(refused(service.return_definition(&publisher, &greet(), "1.0.0", " ").await), ErrorCode::InvalidInput);
    let returned = service.return_definition(&publisher, &greet(), "1.0.0", "Be polite.").await.unwrap();
    assert_eq!((returned.state.as_str(), returned.life.unwrap().open_comments), ("draft", 1));
    assert_eq!(office.notices("author").await[0].0, "definition-returned");
    assert_eq!(refused(publish(&first.digest).await), ErrorCode::Conflict);
    let text = greeting("1.0.0", "goodbye");
    service.save_definition(&author, &greet(), "1.0.0", &text, Some(&returned.digest)).await.unwrap();
    let second = service.submit_definition(&author, &greet(), "1.0.0").await.unwrap();
    assert_eq!(refused(publish(&first.digest).await), ErrorCode::DigestMismatch);
    publish(&second.digest).await.unwrap();
    for answer in [
        refused(publish(&second.digest).await),
        refused(service.save_definition(&author, &greet(), "1.0.0", &text, Some(&second.digest)).await),
        refused(service.submit_definition(&author, &greet(), "1.0.0").await),
        refused(service.withdraw_definition(&author, &greet(), "1.0.0").await),
        refused(service.return_definition(&publisher, &greet(), "1.0.0", "too late").await),
        refused(service.delete_definition(&author, &greet(), "1.0.0").await),
    ] {
        assert_eq!(answer, ErrorCode::Conflict);
    }
}

#[tokio::test]
async fn of_two_who_change_the_same_draft_the_second_is_told() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let other = office.hire("other", &[Role::Author], Scope::Everywhere).await;
    let save = async |caller: &Caller, word: &str, digest: Option<&str>| {
        service.save_definition(caller, &greet(), "1.0.0", &greeting("1.0.0", word), digest).await
    };
    // Of two who begin it at once, one does.
    let begun = tokio::join!(save(&author, "mine", None), save(&other, "theirs", None));
    let (begun, late) = match begun {
        (Ok(saved), Err(late)) | (Err(late), Ok(saved)) => (saved, late),
        both => panic!("{both:?}"),
    };
    assert_eq!(late.status, 409);
    let digest = begun.digest.as_str();
    let saved = tokio::join!(save(&author, "more", Some(digest)), save(&other, "less", Some(digest)));
    let (word, late) = match saved {
        (Ok(_), Err(late)) => ("more", late),
        (Err(late), Ok(_)) => ("less", late),
        both => panic!("{both:?}"),
    };
    assert_eq!(late.code, ErrorCode::DigestMismatch);
    let view = service.workflow_version(&author, &greet(), "1.0.0").await.unwrap();
    assert_eq!(view.source, greeting("1.0.0", word));
    assert_eq!(refused(save(&author, "again", None).await), ErrorCode::Conflict);
    let gone = greeting("2.0.0", "gone");
    let gone = service.save_definition(&author, &greet(), "2.0.0", &gone, Some("0")).await;
    assert_eq!(refused(gone), ErrorCode::Conflict);
}

#[tokio::test]
async fn drafts_and_reviews_are_seen_by_those_who_write_and_publish_in_their_namespace() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let identity = Scope::Namespace("identity".parse().unwrap());
    let incident = Scope::Namespace("incident".parse().unwrap());
    let publisher = office.hire("publisher", &[Role::Publisher], identity.clone()).await;
    let elsewhere = office.hire("elsewhere", &[Role::Author, Role::Publisher, Role::Requester], incident).await;
    let beside = office.hire("beside", &[Role::Author], identity).await;
    office.draft(&author, "1.0.0", "hello").await;
    office.in_review(&author, "1.1.0", "hello").await;

    let versions = async |caller: &Caller| {
        let versions = service.workflow_versions(caller, &greet()).await;
        versions.map(|versions| versions.into_iter().map(|view| view.item.version).collect::<Vec<_>>())
    };
    for caller in [&author, &publisher, &beside] {
        assert_eq!(versions(caller).await.unwrap(), ["1.1.0", "1.0.0"]);
        assert_eq!(service.workflow_version(caller, &greet(), "1.0.0").await.unwrap().state, "draft");
        let query = DefinitionQuery { state: Some(VersionState::Draft), namespace: None };
        assert_eq!(service.definitions(caller, query, None, None).await.unwrap().items.len(), 1, "{}", caller.login);
    }
    let first = service.definitions(&publisher, DefinitionQuery::default(), None, Some(1)).await.unwrap();
    assert_eq!((first.items[0].name.as_str(), first.items[0].version.as_str()), ("greet", "1.1.0"));
    let second =
        service.definitions(&publisher, DefinitionQuery::default(), first.next.as_deref(), Some(1)).await.unwrap();
    assert_eq!((second.items[0].version.as_str(), second.items[0].state), ("1.0.0", VersionState::Draft));
    let query = DefinitionQuery { state: None, namespace: Some("identity".parse().unwrap()) };
    assert_eq!(service.definitions(&elsewhere, query, None, None).await.unwrap().items, []);

    let others =
        [office.caller("staff").await, office.caller("operator").await, office.caller("admin").await, elsewhere];
    for caller in &others {
        let digest = "0";
        for (what, answer) in [
            ("version", code(service.workflow_version(caller, &greet(), "1.0.0").await)),
            ("versions", code(service.workflow_versions(caller, &greet()).await)),
            ("workflow", code(service.workflow(caller, &greet()).await)),
            ("launch", code(service.launch(caller, &greet(), Some("1.1.0".to_owned()), json!({})).await)),
            ("comments", code(service.definition_comments(caller, &greet(), "1.1.0").await)),
            ("uses", code(service.definition_uses(caller, &greet(), "1.1.0").await)),
            ("save", code(service.save_definition(caller, &greet(), "1.0.0", "x", Some(digest)).await)),
            ("new", code(service.save_definition(caller, &greet(), "9.0.0", "x", None).await)),
            ("copy", code(service.copy_definition(caller, &greet(), "1.0.0", "9.0.0").await)),
            ("delete", code(service.delete_definition(caller, &greet(), "1.0.0").await)),
            ("submit", code(service.submit_definition(caller, &greet(), "1.0.0").await)),
            ("withdraw", code(service.withdraw_definition(caller, &greet(), "1.1.0").await)),
            ("return", code(service.return_definition(caller, &greet(), "1.1.0", "no").await)),
            ("publish", code(service.publish_definition(caller, &greet(), "1.1.0", digest).await)),
            ("retire", code(service.retire_definition(caller, &greet(), "1.1.0", true).await)),
        ] {
            assert_eq!(answer, "not-found", "{what} by {}", caller.login);
        }
    }
    // Who writes beside them may not take back or delete what is others', and who publishes does not write.
    assert_eq!(refused(service.withdraw_definition(&beside, &greet(), "1.1.0").await), ErrorCode::Forbidden);
    assert_eq!(refused(service.delete_definition(&beside, &greet(), "1.0.0").await), ErrorCode::Forbidden);
    assert_eq!(refused(service.submit_definition(&publisher, &greet(), "1.0.0").await), ErrorCode::Forbidden);
    assert_eq!(refused(service.publish_definition(&beside, &greet(), "1.1.0", "0").await), ErrorCode::Forbidden);

    service.delete_definition(&author, &greet(), "1.0.0").await.unwrap();
    assert_eq!(versions(&publisher).await.unwrap(), ["1.1.0"]);
    let digest = service.workflow_version(&publisher, &greet(), "1.1.0").await.unwrap().digest;
    service.publish_definition(&publisher, &greet(), "1.1.0", &digest).await.unwrap();
    let staff = office.caller("staff").await;
    office.draft(&author, "2.0.0", "later").await;
    assert_eq!(versions(&staff).await.unwrap(), ["1.1.0"]);
    assert_eq!(service.workflow(&staff, &greet()).await.unwrap().item.version, "1.1.0");
    assert_eq!(service.workflow_version(&staff, &greet(), "1.1.0").await.unwrap().life, None);
}

#[tokio::test]
async fn a_draft_says_of_itself_what_it_is() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let save = async |version: &str, text: &str| service.save_definition(&author, &greet(), version, text, None).await;
    let other = greeting("1.0.0", "x").replace("greet,", "greets,");
    let problem = save("1.0.0", &other).await.unwrap_err();
    assert_eq!((problem.code, problem.errors[0].pointer.as_str()), (ErrorCode::InvalidDefinition, "/document/name"));
    let problem = save("1.0.1", &greeting("1.0.0", "x")).await.unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/document/version");
    for version in ["1", "01.0.0", "latest", "1.0.0 "] {
        assert_eq!(refused(save(version, "").await), ErrorCode::InvalidInput, "{version}");
    }
    assert_eq!(refused(save("1.0.0", &" ".repeat(2 << 20)).await), ErrorCode::TooLarge);
    // What says nothing yet is kept, and goes no further.
    assert!(!save("1.0.0", "document: [").await.unwrap().diagnostics.is_empty());
    assert_eq!(refused(service.submit_definition(&author, &greet(), "1.0.0").await), ErrorCode::InvalidDefinition);
}

#[tokio::test]
async fn comments_are_made_on_a_text_resolved_and_stay() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    let digest = office.in_review(&author, "1.0.0", "hello").await.digest;
    let comment = async |text: &str, line: Option<u32>, digest: &str| {
        service.comment_on_definition(&publisher, &greet(), "1.0.0", text, line, digest).await
    };
    assert_eq!(refused(comment("Why?", None, "0").await), ErrorCode::DigestMismatch);
    assert_eq!(refused(comment("Why?", Some(3), &digest).await), ErrorCode::InvalidInput);
    assert_eq!(refused(comment("", None, &digest).await), ErrorCode::InvalidInput);
    let first = comment("Why?", Some(2), &digest).await.unwrap();
    comment("And who?", None, &digest).await.unwrap();
    assert_eq!((first.line, first.written_by.login.as_str(), first.digest.as_str()), (Some(2), "publisher", &*digest));
    let resolved = service.resolve_comment(&author, &greet(), "1.0.0", first.id).await.unwrap();
    assert_eq!(resolved.resolved_by.unwrap().login, "author");
    assert_eq!(refused(service.resolve_comment(&author, &greet(), "1.0.0", first.id).await), ErrorCode::Conflict);

    let before = office.audit_end().await;
    service.publish_definition(&publisher, &greet(), "1.0.0", &digest).await.unwrap();
    let entries = office.audit_after(before).await;
    let entry = entries.iter().find(|entry| entry.action == "definition.publish").unwrap();
    assert!(entry.body.contains("\"openComments\":1"), "{}", entry.body);
    let comments = service.definition_comments(&author, &greet(), "1.0.0").await.unwrap();
    let kept: Vec<_> = comments.iter().map(|comment| (comment.text.as_str(), comment.resolved_at.is_some())).collect();
    assert_eq!(kept, [("Why?", true), ("And who?", false)]);
    assert_eq!(refused(comment("Too late", None, &digest).await), ErrorCode::Conflict);
    let late = service.resolve_comment(&author, &greet(), "1.0.0", comments[1].id).await;
    assert_eq!(refused(late), ErrorCode::Conflict);
}

#[tokio::test]
async fn an_older_text_is_published_again_as_a_new_version() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    office.published(&author, &publisher, "1.0.0", "good").await;
    office.published(&author, &publisher, "1.1.0", "bad").await;
    office.draft(&author, "3.0.0", "worse").await;
    assert_eq!(refused(service.copy_definition(&author, &greet(), "3.0.0", "3.0.1").await), ErrorCode::Conflict);
    let copy = service.copy_definition(&author, &greet(), "1.0.0", "1.1.1").await.unwrap();
    assert_eq!((copy.version.as_str(), copy.diagnostics.len()), ("1.1.1", 0));
    assert_eq!(refused(service.copy_definition(&author, &greet(), "1.0.0", "1.1.1").await), ErrorCode::Conflict);
    assert_eq!(refused(service.copy_definition(&author, &greet(), "1.0.0", "x").await), ErrorCode::InvalidInput);
    assert_eq!(refused(service.copy_definition(&author, &greet(), "9.0.0", "9.0.1").await), ErrorCode::NotFound);
    assert_eq!(refused(service.copy_definition(&publisher, &greet(), "1.0.0", "1.1.2").await), ErrorCode::Forbidden);
    let digest = service.submit_definition(&author, &greet(), "1.1.1").await.unwrap().digest;
    let view = service.publish_definition(&publisher, &greet(), "1.1.1", &digest).await.unwrap();
    assert_eq!(view.source, greeting("1.1.1", "good"));
    let staff = office.caller("staff").await;
    let run = service.launch(&staff, &greet(), None, json!({})).await.unwrap();
    assert_eq!(office.ended(run.id).await.output, Some(json!({"word": "good"})));
}

const WAITS: &str = "
document: {dsl: 1.0.3, namespace: identity, name: waits, version: 1.0.0, title: Waits}
schedule: {on: {one: {with: {type: wanted}}}}
do: [{wait: {wait: {hours: 1}}}]
";

fn caller_of(name: &str, version: &str) -> String {
    format!(
        "document: {{dsl: 1.0.3, namespace: incident, name: {name}, version: 1.0.0, title: Caller}}\n\
         do: [{{ask: {{run: {{workflow: {{namespace: identity, name: waits, version: {version}}}}}}}}}]\n"
    )
}

#[tokio::test]
async fn what_is_used_is_retired_only_if_one_says_so() {
    let office = Office::open().await;
    let service = &office.service;
    let waits: WorkflowRef = "identity/waits".parse().unwrap();
    let (named, latest, other) =
        (caller_of("named", "1.0.0"), caller_of("newest", "latest"), caller_of("other", "2.0.0"));
    let files = [("w", WAITS), ("n", named.as_str()), ("l", latest.as_str()), ("o", other.as_str())];
    service.load_shipped(files).await.unwrap();
    let identity = Scope::Namespace("identity".parse().unwrap());
    let publisher = office.hire("publisher", &[Role::Publisher], identity).await;
    let (staff, operator) = (office.caller("staff").await, office.caller("operator").await);
    let run = service.launch(&staff, &waits, None, json!({})).await.unwrap();
    office.status(run.id, RunStatus::Waiting).await;

    let everywhere = office.hire("everywhere", &[Role::Publisher], Scope::Everywhere).await;
    let uses = service.definition_uses(&everywhere, &waits, "1.0.0").await.unwrap();
    let caller = |name: &str| CallerView {
        namespace: "incident".parse().unwrap(),
        name: name.parse().unwrap(),
        version: "1.0.0".to_owned(),
    };
    let callers = vec![caller("named"), caller("newest")];
    let expected = UsesView { schedules: vec![Trigger::On], callers, other_callers: 0, open_runs: 1 };
    assert_eq!(uses, expected);
    // Who may not see the callers learns how many there are.
    let uses = service.definition_uses(&publisher, &waits, "1.0.0").await.unwrap();
    assert_eq!((uses.callers.len(), uses.other_callers), (0, 2));

    let problem = service.retire_definition(&publisher, &waits, "1.0.0", false).await.unwrap_err();
    assert_eq!((problem.code, problem.errors.len()), (ErrorCode::StillUsed, 3), "{problem:?}");
    let view = service.retire_definition(&publisher, &waits, "1.0.0", true).await.unwrap();
    assert_eq!(view.state, "retired");
    assert_eq!(refused(service.retire_definition(&publisher, &waits, "1.0.0", true).await), ErrorCode::Conflict);
    assert_eq!(refused(service.launch(&staff, &waits, Some("1.0.0".to_owned()), json!({})).await), ErrorCode::Conflict);
    assert_eq!(refused(service.launch(&staff, &waits, None, json!({})).await), ErrorCode::NotFound);
    assert_eq!(office.store.snapshot().await.unwrap().schedules_of(&waits).await.unwrap(), []);
    // Its run goes on, and can still be steered.
    assert_eq!(service.run(&operator, run.id).await.unwrap().summary.status, RunStatus::Waiting);
    service.cancel_run(&operator, run.id, "").await.unwrap();
    assert_eq!(office.ended(run.id).await.summary.status, RunStatus::Cancelled);
    assert_eq!(service.definition_uses(&publisher, &waits, "1.0.0").await.unwrap().open_runs, 0);
}

#[tokio::test]
async fn the_schedule_of_a_workflow_follows_what_is_published() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    let scheduled = |version: &str| greeting(version, "hello") + "schedule: {cron: 0 3 * * *}\n";
    let kept = async || {
        let mut unit = office.store.snapshot().await.unwrap();
        let kept = unit.schedules_of(&greet()).await.unwrap();
        kept.into_iter().map(|schedule| schedule.version).collect::<Vec<_>>()
    };
    for version in ["1.0.0", "1.1.0"] {
        let saved = service.save_definition(&author, &greet(), version, &scheduled(version), None).await.unwrap();
        assert_eq!(saved.diagnostics, []);
        let digest = service.submit_definition(&author, &greet(), version).await.unwrap().digest;
        assert!(!kept().await.contains(&version.to_owned()), "a schedule of what nobody has published");
        service.publish_definition(&publisher, &greet(), version, &digest).await.unwrap();
        assert_eq!(kept().await, [version]);
    }
    service.retire_definition(&publisher, &greet(), "1.1.0", true).await.unwrap();
    assert_eq!(kept().await, ["1.0.0"]);
    service.retire_definition(&publisher, &greet(), "1.0.0", true).await.unwrap();
    assert_eq!(kept().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_keeps_a_version_from_running_is_said_when_it_is_submitted() {
    let office = Office::open().await;
    let service = &office.service;
    let author = office.caller("author").await;
    let text = greeting("1.0.0", "hello") + "use: {secrets: [token]}\n";
    service.save_definition(&author, &greet(), "1.0.0", &text, None).await.unwrap();
    let warnings = service.submit_definition(&author, &greet(), "1.0.0").await.unwrap().life.unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("“token”"), "{warnings:?}");
    assert!(warnings[1].contains("nobody can publish it"), "{warnings:?}");
}

/// What a version must be by what was done.
#[derive(Default)]
struct Model {
    authors: BTreeSet<UserId>,
    /// Text and digest, from publication on.
    published: Option<(String, String)>,
}

/// Random people do random things to few versions; whatever they are told, no version is ever published but by a publisher who
/// is none of its authors and sent its digest, and none changes afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_order_of_things_publishes_what_nobody_else_has_reviewed() {
    let office = Office::open().await;
    let service = &office.service;
    let everything = [Role::Author, Role::Publisher, Role::Administrator];
    let people = [
        office.caller("author").await,
        office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await,
        office.hire("both", &everything, Scope::Everywhere).await,
        office.hire("all", &everything, Scope::Everywhere).await,
        office.caller("staff").await,
    ];
    let given = std::env::var("SEED").ok().map(|seed| seed.parse().unwrap());
    let seed: u64 = given.unwrap_or_else(|| WallClock.now().as_micros().unsigned_abs());
    println!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let versions = ["1.0.0", "1.1.0", "2.0.0-rc.1"];
    let mut models: BTreeMap<&str, Model> = BTreeMap::new();
    let mut digests = vec!["0".to_owned()];
    let mut published = 0;
    for step in 0..300 {
        let person = &people[random.random_range(0..people.len())];
        let version = versions[random.random_range(0..versions.len())];
        let stored = office.store.snapshot().await.unwrap().workflow_version(&greet(), version).await.unwrap();
        let current = stored.as_ref().map(|stored| stored.digest.clone());
        // Mostly what is there, sometimes what was.
        let digest = match (&current, random.random_ratio(3, 4)) {
            (Some(current), true) => current.clone(),
            _ => digests[random.random_range(0..digests.len())].clone(),
        };
        let model = models.entry(version).or_default();
        match random.random_range(0..10) {
            0..=2 => {
                let text = if random.random_ratio(1, 6) {
                    "document: [".to_owned()
                } else {
                    greeting(version, ["a", "b", "c"][random.random_range(0..3)])
                };
                let sent = current.is_some().then_some(digest.as_str());
                let saved = service.save_definition(person, &greet(), version, &text, sent).await;
                if let Ok(saved) = saved {
                    if current.as_ref() != Some(&saved.digest) {
                        model.authors.insert(person.user);
                    }
                    digests.push(saved.digest);
                }
            }
            3 => {
                let other = versions[random.random_range(0..versions.len())];
                if service.copy_definition(person, &greet(), other, version).await.is_ok() {
                    model.authors.insert(person.user);
                }
            }
            4 if random.random_ratio(1, 4) => {
                if service.delete_definition(person, &greet(), version).await.is_ok() {
                    *model = Model::default();
                }
            }
            4 | 5 => {
                if let Ok(view) = service.submit_definition(person, &greet(), version).await {
                    digests.push(view.digest);
                }
            }
            6 if random.random_ratio(1, 2) => drop(service.withdraw_definition(person, &greet(), version).await),
            6 => drop(service.return_definition(person, &greet(), version, "again").await),
            7 | 8 => {
                if service.publish_definition(person, &greet(), version, &digest).await.is_ok() {
                    let stored = stored.unwrap();
                    assert_eq!(stored.state, VersionState::InReview, "seed {seed}, step {step}");
                    assert_eq!(stored.digest, digest, "seed {seed}, step {step}");
                    assert!(!model.authors.contains(&person.user), "seed {seed}, step {step}: {}", person.login);
                    assert_ne!(person.login, "author", "seed {seed}, step {step}");
                    assert!(model.published.is_none(), "seed {seed}, step {step}");
                    model.published = Some((stored.source, stored.digest));
                    published += 1;
                }
            }
            // Rarely, or nothing would be left to do.
            _ if random.random_ratio(1, 20) => {
                drop(service.retire_definition(person, &greet(), version, true).await);
            }
            _ => drop(service.comment_on_definition(person, &greet(), version, "hm", None, &digest).await),
        }
        let mut unit = office.store.snapshot().await.unwrap();
        for (version, model) in &models {
            let stored = unit.workflow_version(&greet(), version).await.unwrap();
            let authors: BTreeSet<_> = unit.version_authors(&greet(), version).await.unwrap().into_iter().collect();
            assert_eq!(authors, model.authors, "seed {seed}, step {step}: authors of {version}");
            let is_public = stored.as_ref().is_some_and(|stored| stored.state.has_been_published());
            assert_eq!(is_public, model.published.is_some(), "seed {seed}, step {step}: {version}");
            if let (Some((text, digest)), Some(stored)) = (&model.published, stored) {
                assert_eq!((text, digest), (&stored.source, &stored.digest), "seed {seed}, step {step}: {version}");
            }
        }
        drop(unit);
        // Nothing is left to do.
        if models.len() == versions.len() && models.values().all(|model| model.published.is_some()) {
            break;
        }
    }
    assert!(published > 0, "seed {seed}: nothing was ever published, so nothing was tried");
}
