//! Mails of notices: written by the engine into the outbox with the change, sent from here at least once.

use std::{sync::Arc, time::Duration};

use domain::{Clock, Timestamp};
use engine::notices::{NoticeKind, NoticeMail};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    address::AddressError,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use store::{Store, messages::Outgoing};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::DecisionLinks;

/// Looked for due mails this often.
const PAUSE: Duration = Duration::from_secs(2);
/// Mails taken at once.
const BATCH: u32 = 20;
/// A mail that was taken and not settled is due again after this time: its sender died.
const HOLD: Duration = Duration::from_mins(2);
/// How long a mail server may take for one mail.
const SEND_LIMIT: Duration = Duration::from_secs(30);
/// Attempts before a mail is given up.
const ATTEMPTS: u32 = 10;

/// How to reach the mail server.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `tls` from the first byte, `starttls` (required), or `none`.
    pub encryption: MailEncryption,
    /// Sign-in name and password.
    pub credentials: Option<(String, identity::Secret)>,
    /// The sender (`Rondo <rondo@example.test>`).
    pub from: String,
    /// PEM of a certificate authority to trust beside the system's.
    pub authority: Option<Vec<u8>>,
}

/// How the connection to the mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailEncryption {
    /// From the first byte.
    Tls,
    /// After a greeting in the clear; refused if the server does not offer it.
    StartTls,
    /// Not at all; for a server on the same machine.
    None,
}

/// Why mails cannot be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The sender or recipient is no mail address.
    #[error("not a mail address")]
    Address(#[from] AddressError),
    /// The certificate authority cannot be read, or TLS cannot be set up.
    #[error("the mail connection cannot be set up")]
    Setup(#[source] lettre::transport::smtp::Error),
    /// The message cannot be made.
    #[error("the mail cannot be composed")]
    Compose(#[from] lettre::error::Error),
    /// The server did not take it.
    #[error("the mail server did not take the mail")]
    Refused(#[source] lettre::transport::smtp::Error),
}

/// Hands mails to the mail server.
pub struct Post {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Post {
    /// One by these settings.
    pub fn new(settings: MailSettings) -> Result<Self, MailError> {
        let from: Mailbox = settings.from.parse()?;
        let mut tls = TlsParameters::builder(settings.host.clone());
        if let Some(authority) = &settings.authority {
            tls = tls.add_root_certificate(Certificate::from_pem(authority).map_err(MailError::Setup)?);
        }
        let tls = match settings.encryption {
            MailEncryption::Tls => Tls::Wrapper(tls.build_rustls().map_err(MailError::Setup)?),
            MailEncryption::StartTls => Tls::Required(tls.build_rustls().map_err(MailError::Setup)?),
            MailEncryption::None => Tls::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(SEND_LIMIT));
        if let Some((name, password)) = settings.credentials {
            transport = transport.credentials(Credentials::new(name, password.expose().to_owned()));
        }
        Ok(Self { transport: transport.build(), from })
    }

    /// Hands over a mail. The same `id` is the same message to whoever receives it, so that it may be sent again after a
    /// lost answer.
    pub async fn send(&self, to: Mailbox, id: &str, subject: &str, body: String) -> Result<(), MailError> {
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .message_id(Some(format!("<{id}@rondo>")))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(body)?;
        self.transport.send(message).await.map(|_| ()).map_err(MailError::Refused)
    }
}

/// Sends what is in the outbox.
pub struct Mailer {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    post: Post,
    base_url: String,
    links: DecisionLinks,
}

impl Mailer {
    /// A mailer with these settings.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: MailSettings,
        base_url: String,
        links: DecisionLinks,
    ) -> Result<Self, MailError> {
        Ok(Self { store, clock, post: Post::new(settings)?, base_url, links })
    }

    /// Sends mails until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.send_due().await {
                Ok(sent) if sent > 0 => continue,
                Ok(_) => {}
                Err(error) => warn!(error = &error as &dyn std::error::Error, "the outbox cannot be read"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn send_due(&self) -> store::Result<usize> {
        let now = self.clock.now();
        let mut unit = self.store.begin().await?;
        let due = unit.take_outgoing("mail", now, HOLD, BATCH).await?;
        unit.commit().await?;
        for outgoing in &due {
            let sent = self.send(outgoing).await;
            let now = self.clock.now();
            let mut unit = self.store.begin().await?;
            match sent {
                Ok(()) => unit.settle_outgoing(outgoing.seq, now).await?,
                Err(error) => {
                    let words = with_causes(&error);
                    warn!(seq = outgoing.seq, error = words, "a mail was not sent");
                    unit.defer_outgoing(outgoing.seq, &words, next_attempt(&error, outgoing.attempts, now)).await?;
                }
            }
            unit.commit().await?;
        }
        Ok(due.len())
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<(), MailError> {
        // A payload that this version cannot read is given up like a bad address.
        let Ok(mail) = serde_json::from_str::<NoticeMail>(&outgoing.payload) else {
            return Err(MailError::Compose(lettre::error::Error::MissingTo));
        };
        // Made anew each time, so that no way to decide lies about in the outbox.
        let link = mail.decision.as_ref().map(|asked| self.links.issue(asked, self.clock.now()));
        let (subject, body) = words(&mail, &self.base_url, link);
        let to = Mailbox::new(Some(mail.name.clone()), mail.to.parse()?);
        self.post.send(to, &hex::encode(&outgoing.key), &subject, body).await
    }
}

/// When to try again; never after a clear no, or too many attempts.
fn next_attempt(error: &MailError, attempts: u32, now: Timestamp) -> Option<Timestamp> {
    let hopeless = match error {
        MailError::Refused(cause) => cause.is_permanent(),
        MailError::Address(_) | MailError::Compose(_) => true,
        MailError::Setup(_) => false,
    };
    let delay = Duration::from_secs(15 * 2_u64.pow(attempts.min(10)));
    (!hopeless && attempts < ATTEMPTS).then(|| now + delay)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        cause = inner.source();
    }
    words
}

/// Subject and text in the recipient's language.
fn words(mail: &NoticeMail, base_url: &str, link: Option<(String, Timestamp)>) -> (String, String) {
    let title = mail.title.replace(['\r', '\n'], " ");
    let number = mail.run_number.map(|number| format!(" (R-{number})")).unwrap_or_default();
    let korean = mail.locale == "ko";
    let (subject, sentence) = match (mail.kind, korean) {
        (NoticeKind::ApprovalRequested, false) => (
            format!("Your decision is needed: {title}{number}"),
            format!("\"{title}\"{number} waits for your decision."),
        ),
        (NoticeKind::ApprovalRequested, true) => (
            format!("승인이 필요합니다: {title}{number}"),
            format!("\"{title}\"{number} 요청이 승인을 기다리고 있습니다."),
        ),
        (NoticeKind::ApprovalReminder, false) => (
            format!("Your decision is due soon: {title}{number}"),
            format!("\"{title}\"{number} still waits for your decision, and is due soon."),
        ),
        (NoticeKind::ApprovalReminder, true) => (
            format!("승인 기한이 다가옵니다: {title}{number}"),
            format!("\"{title}\"{number} 요청이 아직 승인을 기다리고 있으며 기한이 얼마 남지 않았습니다."),
        ),
        (NoticeKind::ChangesRequested, false) => (
            format!("Changes requested: {title}{number}"),
            format!("An approver asks you to change your request \"{title}\"{number}. Your input is kept as a draft."),
        ),
        (NoticeKind::ChangesRequested, true) => (
            format!("수정이 요청되었습니다: {title}{number}"),
            format!(
                "승인자가 요청 \"{title}\"{number}의 수정을 요청했습니다. 입력한 내용은 초안으로 보관되어 있습니다."
            ),
        ),
        (NoticeKind::QuestionAsked, false) => (
            format!("A question about your request: {title}{number}"),
            format!("An approver asks you something about \"{title}\"{number} before deciding."),
        ),
        (NoticeKind::QuestionAsked, true) => (
            format!("요청에 대한 질문이 있습니다: {title}{number}"),
            format!("승인자가 결정하기 전에 \"{title}\"{number} 요청에 대해 질문했습니다."),
        ),
        (NoticeKind::QuestionAnswered, false) => (
            format!("Your question was answered: {title}{number}"),
            format!("Your question about \"{title}\"{number} was answered."),
        ),
        (NoticeKind::QuestionAnswered, true) => (
            format!("질문에 답변이 등록되었습니다: {title}{number}"),
            format!("\"{title}\"{number} 요청에 대한 질문에 답변이 등록되었습니다."),
        ),
        (NoticeKind::RunCompleted, false) => {
            (format!("Completed: {title}{number}"), format!("Your request \"{title}\"{number} is completed."))
        }
        (NoticeKind::RunCompleted, true) => {
            (format!("완료되었습니다: {title}{number}"), format!("요청하신 \"{title}\"{number} 작업이 완료되었습니다."))
        }
        (NoticeKind::RunFaulted, false) => {
            (format!("Failed: {title}{number}"), format!("Your request \"{title}\"{number} has failed."))
        }
        (NoticeKind::RunFaulted, true) => {
            (format!("실패했습니다: {title}{number}"), format!("요청하신 \"{title}\"{number} 작업이 실패했습니다."))
        }
        (NoticeKind::RunRejected, false) => {
            (format!("Rejected: {title}{number}"), format!("Your request \"{title}\"{number} was rejected."))
        }
        (NoticeKind::RunRejected, true) => {
            (format!("반려되었습니다: {title}{number}"), format!("요청하신 \"{title}\"{number} 작업이 반려되었습니다."))
        }
        (NoticeKind::RunCancelled, false) => {
            (format!("Cancelled: {title}{number}"), format!("Your request \"{title}\"{number} was cancelled."))
        }
        (NoticeKind::RunCancelled, true) => {
            (format!("취소되었습니다: {title}{number}"), format!("요청하신 \"{title}\"{number} 작업이 취소되었습니다."))
        }
        (NoticeKind::RunNeedsAttention, false) => (
            format!("Needs attention: {title}{number}"),
            format!("The run \"{title}\"{number} cannot go on without an operator."),
        ),
        (NoticeKind::RunNeedsAttention, true) => (
            format!("조치가 필요합니다: {title}{number}"),
            format!("실행 \"{title}\"{number}은(는) 운영자의 조치 없이는 계속할 수 없습니다."),
        ),
        (NoticeKind::ScheduleRefused, false) => (
            format!("Not launched: {title}"),
            format!("The schedule of \"{title}\" may not launch it at the moment. The page of the workflow says why."),
        ),
        (NoticeKind::ScheduleRefused, true) => (
            format!("실행되지 않았습니다: {title}"),
            format!("일정이 지금 \"{title}\"을(를) 실행할 수 없습니다. 이유는 워크플로 페이지에서 확인하세요."),
        ),
        (NoticeKind::TriggerRefused, false) => (
            format!("Not launched: {title}"),
            format!(
                "Another system called for \"{title}\", which may not be launched at the moment. The page of the trigger says why."
            ),
        ),
        (NoticeKind::TriggerRefused, true) => (
            format!("실행되지 않았습니다: {title}"),
            format!(
                "다른 시스템이 호출했지만 지금 \"{title}\"을(를) 실행할 수 없습니다. 이유는 트리거 페이지에서 확인하세요."
            ),
        ),
        (NoticeKind::DefinitionSubmitted, false) => (
            format!("A review is asked of you: {title}"),
            format!("\"{title}\" was submitted and waits for a publisher's review."),
        ),
        (NoticeKind::DefinitionSubmitted, true) => (
            format!("검토가 필요합니다: {title}"),
            format!("\"{title}\" 정의가 제출되어 게시자의 검토를 기다리고 있습니다."),
        ),
        (NoticeKind::DefinitionReturned, false) => (
            format!("Returned: {title}"),
            format!("\"{title}\" came back from review and is a draft again. The comments say why."),
        ),
        (NoticeKind::DefinitionReturned, true) => (
            format!("반송되었습니다: {title}"),
            format!("\"{title}\" 정의가 검토에서 반송되어 다시 초안이 되었습니다. 이유는 검토 의견에 있습니다."),
        ),
        (NoticeKind::RepositoryNeedsAttention, false) => (
            format!("Look at the repository: {title}"),
            format!(
                "The repository \"{title}\" cannot be read, or has brought files that were not taken. Its page says why."
            ),
        ),
        (NoticeKind::RepositoryNeedsAttention, true) => (
            format!("저장소를 확인하세요: {title}"),
            format!(
                "저장소 \"{title}\"을(를) 읽을 수 없거나 반영되지 않은 파일이 있습니다. 이유는 저장소 페이지에 있습니다."
            ),
        ),
        (NoticeKind::ConnectionFails, false) => (
            format!("A connection does not work: {title}"),
            format!(
                "The connection {title} does not work any more, and workflows that use it will fail. You get this mail \
                 once until it works again."
            ),
        ),
        (NoticeKind::ConnectionFails, true) => (
            format!("연결이 작동하지 않습니다: {title}"),
            format!(
                "연결 {title}이(가) 더 이상 작동하지 않아 이를 쓰는 워크플로가 실패하게 됩니다. 다시 작동할 때까지 이 메일은 한 번만 \
                 발송됩니다."
            ),
        ),
        (NoticeKind::PoliciesProposed, false) => (
            format!("Policies wait for your review: {title}"),
            format!(
                "Another administrator proposes policies: \"{title}\". They take effect once you have reviewed them."
            ),
        ),
        (NoticeKind::PoliciesProposed, true) => (
            format!("정책 검토가 필요합니다: {title}"),
            format!("다른 관리자가 정책을 제안했습니다: \"{title}\". 검토를 마쳐야 적용됩니다."),
        ),
        (NoticeKind::PoliciesActivated, false) => {
            (format!("Policies in force: {title}"), format!("The policies \"{title}\" were reviewed and are in force."))
        }
        (NoticeKind::PoliciesActivated, true) => {
            (format!("정책이 적용되었습니다: {title}"), format!("정책 \"{title}\"이(가) 검토를 거쳐 적용되었습니다."))
        }
        (NoticeKind::PoliciesWithdrawn, false) => (
            format!("Policies turned down: {title}"),
            format!("The policies \"{title}\" were taken back and will not take effect."),
        ),
        (NoticeKind::PoliciesWithdrawn, true) => {
            (format!("정책이 철회되었습니다: {title}"), format!("정책 \"{title}\"이(가) 철회되어 적용되지 않습니다."))
        }
        (NoticeKind::AccessReviewStarted, false) => (
            format!("Review who holds which roles: {title}"),
            format!("In \"{title}\" say which grants stay. What nobody confirms by the date ends."),
        ),
        (NoticeKind::AccessReviewStarted, true) => (
            format!("역할 검토가 필요합니다: {title}"),
            format!("\"{title}\"에서 어떤 권한을 유지할지 확인하십시오. 기한까지 확인되지 않은 권한은 종료됩니다."),
        ),
        (NoticeKind::EmergencyAsked, false) => (
            format!("Emergency access for {title}?"),
            format!("{title} asks for a role for a few hours. It holds once a second person agrees, within an hour."),
        ),
        (NoticeKind::EmergencyAsked, true) => (
            format!("{title} 님의 비상 권한 요청"),
            format!("{title} 님이 몇 시간 동안 쓸 역할을 요청했습니다. 한 시간 안에 다른 사람이 동의해야 적용됩니다."),
        ),
        (NoticeKind::EmergencyConfirmed, false) => (
            "You have emergency access".to_owned(),
            "A second person has agreed. What you do meanwhile is marked, and is looked at afterwards.".to_owned(),
        ),
        (NoticeKind::EmergencyConfirmed, true) => (
            "비상 권한이 적용되었습니다".to_owned(),
            "다른 사람이 동의했습니다. 그동안의 작업은 따로 표시되며 나중에 검토됩니다.".to_owned(),
        ),
        (NoticeKind::EmergencyBegun, false) => (
            format!("Emergency access: {title}"),
            format!("{title} holds a role by emergency access. When it has ended, say what was done with it."),
        ),
        (NoticeKind::EmergencyBegun, true) => (
            format!("비상 권한 사용 중: {title}"),
            format!("{title} 님이 비상 권한으로 역할을 사용하고 있습니다. 종료되면 수행한 작업을 검토하십시오."),
        ),
        (NoticeKind::DefinitionPublished, false) => {
            (format!("Published: {title}"), format!("\"{title}\" was published and can be launched."))
        }
        (NoticeKind::DelegationGiven, false) => (
            format!("You stand in for {title}"),
            format!(
                "{title} has named you as substitute. What waits for {title} in that time waits for you as well. Your \
                 account page says what and until when."
            ),
        ),
        (NoticeKind::DelegationGiven, true) => (
            format!("{title} 님의 대리인으로 지정되었습니다"),
            format!(
                "{title} 님이 대리인으로 지정했습니다. 지정된 기간에는 {title} 님에게 온 결정 요청을 대신 처리할 수 \
                 있습니다. 범위와 기간은 계정 페이지에서 확인하세요."
            ),
        ),
        (NoticeKind::DelegationRevoked, false) => (
            format!("A delegation has ended: {title}"),
            format!("The delegation between you and {title} was ended before its time."),
        ),
        (NoticeKind::DelegationRevoked, true) => (
            format!("대리 지정이 해제되었습니다: {title}"),
            format!("{title} 님과의 대리 지정이 기간 전에 해제되었습니다."),
        ),
        (NoticeKind::AuditAnswer, false) => (
            format!("Answered: {title}"),
            format!("A question that you follow was answered, with so many rows: {title}."),
        ),
        (NoticeKind::AuditAnswer, true) => (
            format!("질문에 대한 결과: {title}"),
            format!("받아 보는 질문의 결과가 나왔습니다. 괄호 앞의 수는 해당하는 행의 수입니다: {title}"),
        ),
        (NoticeKind::DefinitionPublished, true) => {
            (format!("게시되었습니다: {title}"), format!("\"{title}\" 정의가 게시되어 이제 실행할 수 있습니다."))
        }
    };
    let signature = if korean { "Rondo에서 보낸 메일입니다." } else { "Sent by Rondo." };
    let ways = link.map(|(path, until)| ways(korean, base_url, &path, until)).unwrap_or_default();
    let body = format!("{sentence}\n\n{base_url}{}\n{ways}\n-- \n{signature}\n", mail.link);
    (subject, body)
}

/// The links to a decision, each with the choice prepared.
fn ways(korean: bool, base_url: &str, path: &str, until: Timestamp) -> String {
    let (approve, reject) = if korean { ("승인", "반려") } else { ("Approve", "Reject") };
    let day = until.to_utc().date();
    let what = if korean {
        format!("이 링크는 받는 분만 한 번 사용할 수 있으며 {day}까지 유효합니다. 로그인한 뒤 확인해야 결정됩니다.")
    } else {
        format!(
            "These links are for you alone, work once, and until {day}. You sign in and confirm; opening one decides nothing."
        )
    };
    let to = |choice: &str| format!("{base_url}{path}?choice={choice}");
    format!("\n{approve}:\n{}\n\n{reject}:\n{}\n\n{what}\n", to("approve"), to("reject"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_add_headers() {
        let mail = NoticeMail {
            to: "a@example.test".to_owned(),
            name: "A".to_owned(),
            locale: "ko".to_owned(),
            kind: NoticeKind::RunCompleted,
            title: "x\r\nBcc: b@example.test".to_owned(),
            run_number: Some(7),
            link: "/runs/7".to_owned(),
            decision: None,
        };
        let (subject, body) = words(&mail, "https://rondo.example.test", None);
        assert!(!subject.contains('\n'));
        assert!(body.contains("https://rondo.example.test/runs/7"));
        let until = Timestamp::from_micros(0);
        let (_, body) = words(&mail, "https://rondo.example.test", Some(("/decide/x".to_owned(), until)));
        assert!(body.contains("https://rondo.example.test/decide/x?choice=reject\n"), "{body}");
        assert!(body.contains("1970-01-01"), "{body}");
    }
}
