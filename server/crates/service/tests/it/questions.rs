//! Saved questions of auditors.

use std::{sync::Arc, time::Duration};

use domain::{
    AnswerEvery, DecisionKind, ErrorCode, Role, UserId,
    view::{AnswerCell, AuditAnswerView, NotificationView},
};
use engine::notices::{NoticeKind, NoticeMail};
use store::{access::Subject, audit::AuditRow};
use testkit::ManualClock;

use crate::office::{Office, code, shown};

/// An office by a clock that begins on Sunday, 2026-11-22, at nine o'clock.
struct Watched {
    office: Office,
    clock: Arc<ManualClock>,
}

impl Watched {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::default());
        Self { office: Office::open_with_mail_by(clock.clone()).await, clock }
    }

    /// Somebody tries to sign in, and fails.
    async fn intruder(&self, name: &str) {
        let refused = self.office.service.sign_in(&Office::origin(), name, "wrong password").await;
        assert_eq!(refused.unwrap_err().code, ErrorCode::SignInRefused);
    }

    /// The answer about all that there is up to now.
    async fn answer(&self, question: &str) -> AuditAnswerView {
        let auditor = self.office.caller("auditor").await;
        self.clock.advance(Duration::from_secs(1));
        self.office.service.audit_answer(&auditor, question, None, None).await.unwrap()
    }

    /// All nodes look at the same time for what is to be answered.
    async fn look(&self) {
        tokio::join!(self.office.service.answer_due_questions(), self.office.other_node.answer_due_questions());
    }

    /// What the auditor was told, the latest first.
    async fn told(&self) -> Vec<NotificationView> {
        let auditor = self.office.caller("auditor").await;
        let notices = self.office.service.notifications(&auditor, None, None).await.unwrap().items;
        notices.into_iter().filter(|notice| notice.kind == "audit-answer").collect()
    }

    async fn entries(&self, action: &str) -> Vec<AuditRow> {
        let entries = self.office.audit_after(0).await;
        entries.into_iter().filter(|entry| entry.action == action).collect()
    }
}

fn texts(row: &[AnswerCell]) -> Vec<&str> {
    row.iter().map(|cell| cell.text.as_str()).collect()
}

#[tokio::test]
async fn asking_is_for_whoever_reads_the_log_and_is_an_entry() {
    let watched = Watched::open().await;
    let service = &watched.office.service;
    let (auditor, admin) = (watched.office.caller("auditor").await, watched.office.caller("admin").await);
    assert_eq!(service.audit_questions(&auditor).await.unwrap().len(), 8);
    assert_eq!(code(service.audit_questions(&admin).await), "forbidden");
    assert_eq!(code(service.audit_answer(&admin, "failed-sign-ins", None, None).await), "forbidden");
    assert_eq!(code(service.audit_answer(&admin, "nothing-like-this", None, None).await), "forbidden");
    assert_eq!(code(service.audit_answer(&auditor, "nothing-like-this", None, None).await), "not-found");
    let now = watched.office.now();
    let empty = service.audit_answer(&auditor, "failed-sign-ins", Some(now), Some(now)).await.unwrap_err();
    assert_eq!((empty.code, empty.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/from"));

    assert!(watched.answer("failed-sign-ins").await.rows.is_empty());
    watched.intruder("root").await;
    watched.intruder("=cmd()").await;
    let before = watched.office.audit_end().await;
    let answer = watched.answer("failed-sign-ins").await;
    assert_eq!((answer.to.since(answer.from), answer.cut_off), (Duration::from_hours(30 * 24), false));
    let [row] = answer.rows.as_slice() else { panic!("{:?}", answer.rows) };
    assert_eq!(texts(row)[..4], ["192.0.2.7", "2", "2", "0"]);
    assert_eq!(row[6].text, before.to_string());
    // The link leads to the entry: it is the first on the page.
    let cursor = row[6].link.as_deref().unwrap().strip_prefix("/audit?cursor=").unwrap();
    let page = service.audit(&auditor, domain::view::AuditFilter::default(), Some(cursor), None).await.unwrap();
    assert_eq!(page.items[0].seq, before);

    let asked = watched.office.audit_after(before).await;
    let [entry] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((entry.action.as_str(), entry.actor.as_str()), ("audit.read", "auditor"));
    assert_eq!((entry.resource_kind.as_str(), entry.resource_id.as_str()), ("question", "failed-sign-ins"));
    assert!(entry.body.contains(&answer.from.to_string()), "{}", entry.body);

    let csv = service.audit_answer_csv(&auditor, "failed-sign-ins", None, None).await.unwrap();
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!(lines[0], r#""address","failed","names","succeeded","first_at","last_at","entry""#);
    assert!(lines.len() == 2 && lines[1].starts_with(r#""192.0.2.7","2","2","0","2026-11-22T"#), "{csv}");
}

#[tokio::test]
async fn decisions_are_found_with_their_entries() {
    let watched = Watched::open().await;
    let (run, approval) = watched.office.request().await;
    let manager = watched.office.caller("manager").await;
    watched.clock.advance(Duration::from_secs(20));
    let digest = &approval.summary.digest;
    let decided = watched.office.service.decide(&manager, approval.summary.id, DecisionKind::Approve, "", digest).await;
    decided.unwrap();
    let decisions = watched.answer("decisions-within-a-minute").await;
    let [row] = decisions.rows.as_slice() else { panic!("{:?}", decisions.rows) };
    assert_eq!(texts(row)[1..4], ["manager", "approve", "20"]);
    let entries = watched.entries("approval.decide").await;
    assert_eq!(row[6].text, entries[0].seq.to_string());
    assert!(watched.answer("decisions-by-substitutes").await.rows.is_empty());
    // What it went on to do was approved.
    watched.office.ended(run).await;
    assert!(!watched.entries("task.execute").await.is_empty());
    assert!(watched.answer("changes-without-approval").await.rows.is_empty());
}

fn definition(name: &str, rondo: &str) -> String {
    format!(
        "document: {{dsl: 1.0.3, namespace: identity, name: {name}, version: 1.0.0, metadata: {{rondo: {{{rondo}}}}}}}\n\
         do: [{{a: {{set: {{b: 1}}}}}}]\n"
    )
}

#[tokio::test]
async fn publishing_says_how_many_tests_there_are() {
    let watched = Watched::open().await;
    let tests = "tests: [{title: One, input: {}, expect: {output: {b: 1}}}]";
    let (tested, untested) = (definition("tested", tests), definition("untested", ""));
    let texts = [("tested.yaml", tested.as_str()), ("untested.yaml", untested.as_str())];
    watched.office.service.load_shipped(texts).await.unwrap();
    let answer = watched.answer("published-without-tests").await;
    let found: Vec<_> = answer.rows.iter().map(|row| (row[1].text.as_str(), row[4].text.as_str())).collect();
    assert!(found.contains(&("identity/untested 1.0.0", "0")), "{found:?}");
    assert!(!found.iter().any(|(definition, _)| *definition == "identity/tested 1.0.0"), "{found:?}");
}

#[tokio::test]
async fn who_follows_a_question_is_told_once_for_each_time() {
    let watched = Watched::open().await;
    let service = &watched.office.service;
    let auditor = watched.office.caller("auditor").await;
    let question = service.follow_question(&auditor, "failed-sign-ins", Some(AnswerEvery::Day)).await.unwrap();
    assert_eq!(question.due_at.unwrap().to_string(), "2026-11-23T00:00:00.000000Z");
    watched.intruder("root").await;
    watched.look().await;
    assert!(watched.told().await.is_empty());

    watched.clock.advance(Duration::from_hours(15));
    watched.look().await;
    watched.look().await;
    let told = watched.told().await;
    let [notice] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(notice.title, "Failed sign-ins by address: 1 (2026-11-22)");
    assert_eq!(notice.link, "/audit/questions/failed-sign-ins?from=2026-11-22&to=2026-11-22");
    let entries = watched.entries("audit.answer").await;
    assert_eq!((entries.len(), entries[0].actor.as_str()), (1, "system"));
    let mut unit = watched.office.store.begin().await.unwrap();
    let sent = unit.take_outgoing("mail", watched.office.now(), Duration::from_mins(1), 20).await.unwrap();
    drop(unit);
    let mails: Vec<NoticeMail> = sent.iter().map(|mail| serde_json::from_str(&mail.payload).unwrap()).collect();
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!((mail.kind, mail.to.as_str()), (NoticeKind::AuditAnswer, "auditor@example.test"));
    assert!(!sent[0].payload.contains("192.0.2.7") && !sent[0].payload.contains("root"), "{}", sent[0].payload);

    // While no node ran, days have passed: one answer is about all of them.
    service.change_preferences(&auditor, Some("ko".to_owned()), None).await.unwrap();
    watched.clock.advance(Duration::from_hours(73));
    watched.look().await;
    assert_eq!(watched.told().await[0].title, "주소별 로그인 실패: 0건 (2026-11-23 – 2026-11-25)");
    assert_eq!(watched.told().await.len(), 2);

    let question = service.follow_question(&auditor, "failed-sign-ins", None).await.unwrap();
    assert_eq!((question.every, question.due_at), (None, None));
    watched.clock.advance(Duration::from_hours(48));
    watched.look().await;
    assert_eq!(watched.told().await.len(), 2);
    assert_eq!(watched.entries("audit.subscribe").await.len(), 2);
}

#[tokio::test]
async fn whoever_may_no_longer_read_the_log_is_told_no_more() {
    let watched = Watched::open().await;
    let service = &watched.office.service;
    let (auditor, admin) = (watched.office.caller("auditor").await, watched.office.caller("admin").await);
    assert_eq!(code(service.follow_question(&admin, "unused-roles", Some(AnswerEvery::Week)).await), "forbidden");
    service.follow_question(&auditor, "unused-roles", Some(AnswerEvery::Week)).await.unwrap();
    let listed = service.audit_questions(&auditor).await.unwrap();
    let followed: Vec<_> =
        listed.iter().filter_map(|question| Some((question.name.as_str(), question.every?))).collect();
    assert_eq!(followed, [("unused-roles", AnswerEvery::Week)]);
    revoke(&watched, auditor.user).await;
    watched.clock.advance(Duration::from_hours(24));
    watched.look().await;
    watched.look().await;
    assert!(watched.told().await.is_empty());
    let entries = watched.entries("audit.unsubscribe").await;
    let [entry] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((entry.resource_id.as_str(), shown(entry)["detail"]["for"].as_str()), ("unused-roles", Some("auditor")));
    let mut unit = watched.office.store.snapshot().await.unwrap();
    assert_eq!(unit.subscriptions_of(auditor.user).await.unwrap(), []);
}

/// Takes the role auditor from somebody.
async fn revoke(watched: &Watched, person: UserId) {
    let admin = watched.office.caller("admin").await;
    let grants = watched.office.store.snapshot().await.unwrap().list_grants().await.unwrap();
    for grant in grants {
        if grant.subject == Subject::User(person) && grant.role == Role::Auditor {
            watched.office.service.revoke_grant(&admin, grant.id).await.unwrap();
        }
    }
}
