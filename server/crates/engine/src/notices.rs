//! Notices to people: an entry in the portal, and a mail in the outbox where mail is on.

use domain::{ApprovalId, Ids, NotificationId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::{
    UnitOfWork,
    approvals::Approval,
    messages::{Notification, Outgoing},
    users::User,
};

/// What a notice tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A decision is asked of the recipient.
    ApprovalRequested,
    /// A decision is still asked of the recipient, and is due soon.
    ApprovalReminder,
    /// An approver sent the recipient's request back for changes.
    ChangesRequested,
    /// An approver asks the recipient something about a request.
    QuestionAsked,
    /// A question of the recipient about a request was answered.
    QuestionAnswered,
    /// The recipient's run has completed.
    RunCompleted,
    /// The recipient's run has failed.
    RunFaulted,
    /// The recipient's run was rejected.
    RunRejected,
    /// The recipient's run was cancelled by somebody else.
    RunCancelled,
    /// A run needs an operator.
    RunNeedsAttention,
    /// A schedule may not launch what it should.
    ScheduleRefused,
    /// A trigger may not launch what it should.
    TriggerRefused,
    /// A version of a definition waits for the recipient's review.
    DefinitionSubmitted,
    /// A version that the recipient has written came back from review.
    DefinitionReturned,
    /// A version that the recipient has written was published.
    DefinitionPublished,
    /// A repository that the recipient has set up cannot be read, or has brought what was not taken.
    RepositoryNeedsAttention,
    /// A connection that the recipient owns does not work any more.
    ConnectionFails,
    /// Policies wait for the recipient's review.
    PoliciesProposed,
    /// Policies that the recipient has written are in force.
    PoliciesActivated,
    /// Policies that the recipient has written were turned down.
    PoliciesWithdrawn,
    /// The recipient is to say who still needs which roles.
    AccessReviewStarted,
    /// The recipient stands in for somebody.
    DelegationGiven,
    /// A delegation to or of the recipient was ended before its time.
    DelegationRevoked,
    /// Somebody asks for emergency access, to which the recipient may agree.
    EmergencyAsked,
    /// The recipient holds the role that they asked for.
    EmergencyConfirmed,
    /// Somebody holds a role by emergency access, at which the recipient is to look afterwards.
    EmergencyBegun,
    /// A question that the recipient has answered every so often was answered.
    AuditAnswer,
}

impl NoticeKind {
    /// The name as it stands in databases and interfaces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApprovalRequested => "approval-requested",
            Self::ApprovalReminder => "approval-reminder",
            Self::ChangesRequested => "changes-requested",
            Self::QuestionAsked => "question-asked",
            Self::QuestionAnswered => "question-answered",
            Self::RunCompleted => "run-completed",
            Self::RunFaulted => "run-faulted",
            Self::RunRejected => "run-rejected",
            Self::RunCancelled => "run-cancelled",
            Self::RunNeedsAttention => "run-needs-attention",
            Self::ScheduleRefused => "schedule-refused",
            Self::TriggerRefused => "trigger-refused",
            Self::DefinitionSubmitted => "definition-submitted",
            Self::DefinitionReturned => "definition-returned",
            Self::DefinitionPublished => "definition-published",
            Self::RepositoryNeedsAttention => "repository-needs-attention",
            Self::ConnectionFails => "connection-fails",
            Self::PoliciesProposed => "policies-proposed",
            Self::PoliciesActivated => "policies-activated",
            Self::PoliciesWithdrawn => "policies-withdrawn",
            Self::AccessReviewStarted => "access-review-started",
            Self::DelegationGiven => "delegation-given",
            Self::DelegationRevoked => "delegation-revoked",
            Self::EmergencyAsked => "emergency-asked",
            Self::EmergencyConfirmed => "emergency-confirmed",
            Self::EmergencyBegun => "emergency-begun",
            Self::AuditAnswer => "audit-answer",
        }
    }
}

/// A notice before it is addressed.
#[derive(Clone, Debug)]
pub struct Notice {
    /// What it tells.
    pub kind: NoticeKind,
    /// The workflow's title; with its version, where it is about a definition; what policies are for; of a delegation, the
    /// other one's name; who holds emergency access; a question with the number of rows that answer it; a connection and why
    /// it fails.
    pub title: String,
    /// The run's number, if it is about one.
    pub run_number: Option<i64>,
    /// Where it leads, within the portal.
    pub link: String,
    /// Makes it unique per recipient: the same cause never mails twice.
    pub cause: String,
}

/// The payload of a mail in the outbox. The text is made when it is sent, in the recipient's language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeMail {
    /// Recipient's address.
    pub to: String,
    /// Recipient's name.
    pub name: String,
    /// Recipient's language.
    pub locale: String,
    /// What it tells.
    pub kind: NoticeKind,
    /// The workflow's title; with its version, where it is about a definition; what policies are for; of a delegation, the
    /// other one's name; who holds emergency access; a question with the number of rows that answer it; a connection and why
    /// it fails.
    pub title: String,
    /// The run's number, if it is about one.
    #[serde(default)]
    pub run_number: Option<i64>,
    /// Where it leads, within the portal.
    pub link: String,
    /// The decision that it asks for: the mail has links to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<AskedDecision>,
}

/// A decision that is asked of one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedDecision {
    /// On which approval.
    pub approval: ApprovalId,
    /// Of whom.
    pub person: UserId,
    /// In which stage, from 0.
    pub stage: u32,
    /// About what: the approval's digest.
    pub digest: String,
}

/// Writes a notice to each recipient, with the change that caused it.
pub async fn notify(
    unit: &mut dyn UnitOfWork,
    ids: &dyn Ids,
    now: Timestamp,
    mail: bool,
    recipients: &[User],
    notice: &Notice,
) -> store::Result<()> {
    tell(unit, ids, now, mail, recipients, notice, None).await
}

/// The same to people whom an approval asks: their mails have links to the decision.
pub async fn ask_for_decision(
    unit: &mut dyn UnitOfWork,
    ids: &dyn Ids,
    now: Timestamp,
    mail: bool,
    recipients: &[User],
    notice: &Notice,
    approval: &Approval,
) -> store::Result<()> {
    tell(unit, ids, now, mail, recipients, notice, Some(approval)).await
}

async fn tell(
    unit: &mut dyn UnitOfWork,
    ids: &dyn Ids,
    now: Timestamp,
    mail: bool,
    recipients: &[User],
    notice: &Notice,
    approval: Option<&Approval>,
) -> store::Result<()> {
    for user in recipients.iter().filter(|user| user.active) {
        unit.insert_notification(&Notification {
            id: NotificationId::new(ids),
            user_id: user.id,
            kind: notice.kind.as_str().to_owned(),
            title: notice.title.clone(),
            run_number: notice.run_number,
            link: notice.link.clone(),
            created_at: now,
            read_at: None,
        })
        .await?;
        let Some(to) = user.email.clone().filter(|_| mail) else { continue };
        let payload = NoticeMail {
            to,
            name: user.name.clone(),
            locale: user.locale.clone().unwrap_or_else(|| "en".to_owned()),
            kind: notice.kind,
            title: notice.title.clone(),
            run_number: notice.run_number,
            link: notice.link.clone(),
            decision: approval.map(|approval| AskedDecision {
                approval: approval.id,
                person: user.id,
                stage: approval.stage,
                digest: approval.digest.clone(),
            }),
        };
        unit.push_outgoing(&Outgoing {
            seq: 0,
            kind: "mail".to_owned(),
            payload: serde_json::to_string(&payload).unwrap_or_default(),
            key: format!("{}:{}", notice.cause, user.id),
            attempts: 0,
            due_at: now,
            last_error: None,
            created_at: now,
        })
        .await?;
    }
    Ok(())
}
