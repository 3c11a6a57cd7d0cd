//! Links in mails that lead to a decision.
//!
//! A link is a text sealed with the installation's key: who was asked, in which stage of which approval, about which digest,
//! and until when it works. Nobody can make or change one, and nothing of it is stored. It gives no rights: whoever follows
//! it signs in, is the person whom it was sent to, and decides by the one function that decides. It is used up by what
//! it asks for: whoever has decided in that stage, by whatever door, cannot decide there again.

use std::{sync::Arc, time::Duration};

use domain::{DecisionKind, ErrorCode, Operation, Problem, Timestamp, UserId, view::ApprovalDetail};
use engine::notices::AskedDecision;
use identity::vault::Vault;
use serde::{Deserialize, Serialize};

use super::{Manner, NewDecision};
use crate::{Caller, Service, gate::Target, problems::OrProblem as _};

/// How long a link works.
const LIFE: Duration = Duration::from_hours(7 * 24);
/// What sealed links are bound to, so that nothing else which is sealed can be taken for one.
const PLACE: &str = "decision-link";
/// What the vault puts around a sealed text, which has no place in an address.
const AROUND: (&str, &str) = ("rondo-sealed:v1:", "~");

/// Makes and reads links.
#[derive(Clone)]
pub struct DecisionLinks {
    vault: Arc<Vault>,
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    #[serde(flatten)]
    asked: AskedDecision,
    until: Timestamp,
}

impl DecisionLinks {
    /// Links under the installation's key.
    #[must_use]
    pub fn new(vault: Arc<Vault>) -> Self {
        Self { vault }
    }

    /// The path, within the portal, of a link that works from `now` on for a week; and until when that is.
    #[must_use]
    pub fn issue(&self, asked: &AskedDecision, now: Timestamp) -> (String, Timestamp) {
        let until = now + LIFE;
        let text = serde_json::to_string(&Sealed { asked: asked.clone(), until }).unwrap_or_default();
        let sealed = self.vault.seal(PLACE, &text);
        let token = sealed.trim_start_matches(AROUND.0).trim_end_matches(AROUND.1).replacen(':', ".", 1);
        (format!("/decide/{token}"), until)
    }

    fn read(&self, token: &str) -> Option<Sealed> {
        let sealed = format!("{}{}{}", AROUND.0, token.replacen('.', ":", 1), AROUND.1);
        let text = self.vault.unseal(PLACE, &sealed).ok()?;
        serde_json::from_str(text.expose()).ok()
    }
}

/// The stage that a link asked about has gone by without its person.
pub(super) fn passed() -> Problem {
    Problem::new(ErrorCode::AlreadyDecided).with_detail("others have decided what this link asked about")
}

fn invalid(why: &str) -> Problem {
    Problem::new(ErrorCode::LinkInvalid).with_detail(why)
}

impl Service {
    fn decision_links(&self) -> DecisionLinks {
        DecisionLinks::new(Arc::clone(&self.parts.vault))
    }

    /// What a link in a mail asks the caller to decide. Looking at it decides nothing and uses nothing up.
    pub async fn linked_approval(&self, caller: &Caller, token: &str) -> Result<ApprovalDetail, Problem> {
        let asked = self.follow_link(caller, Operation::ApprovalRead, token).await?;
        let detail = self.approval(caller, asked.approval).await?;
        if detail.summary.digest == asked.digest {
            return Ok(detail);
        }
        Err(Problem::new(ErrorCode::DigestMismatch).with_detail("what the mail asked about is not what would run now"))
    }

    /// Decides by a link in a mail, on what the mail was about.
    pub async fn decide_by_link(
        &self,
        caller: &Caller,
        token: &str,
        kind: DecisionKind,
        comment: &str,
    ) -> Result<ApprovalDetail, Problem> {
        let AskedDecision { approval, stage, digest, .. } =
            self.follow_link(caller, Operation::ApprovalDecide, token).await?;
        let manner = Manner::MailLink { stage };
        self.decide_on(caller, approval, NewDecision { manner, ..NewDecision::new(kind, comment, &digest) }).await
    }

    /// What a link asks, if it is the caller's and may still be used.
    async fn follow_link(&self, caller: &Caller, operation: Operation, token: &str) -> Result<AskedDecision, Problem> {
        let mut gate = self.look(caller, operation).await?;
        let Some(Sealed { asked, until }) = self.decision_links().read(token) else {
            let target = Target::new("link", "", PLACE);
            return Err(gate.refuse(&target, invalid("no mail of this portal has such a link")).await);
        };
        let target = Target::new("approval", asked.approval, PLACE);
        if asked.person != caller.user {
            let problem = invalid("it was sent to somebody else, who alone can use it");
            return Err(gate.refuse(&target, problem).await);
        }
        let decisions = gate.unit.decisions(asked.approval).await.or_problem()?;
        let used = |by: UserId, stage: u32| by == caller.user && stage == asked.stage;
        if decisions.iter().any(|decision| used(decision.user_id, decision.stage)) {
            let problem = Problem::new(ErrorCode::AlreadyDecided)
                .with_detail("this link is used: you have decided already what it asked about");
            return Err(gate.refuse(&target, problem).await);
        }
        if gate.now >= until {
            let problem = invalid("its time is over; what waits for you is in the list of decisions");
            return Err(gate.refuse(&target, problem).await);
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use identity::random::OsRandom;
    use identity::vault::KeySource;

    use super::*;

    fn links() -> DecisionLinks {
        let directory = tempfile::tempdir().unwrap();
        let key = KeySource::File { path: directory.path().join("key"), create: true };
        DecisionLinks::new(Arc::new(Vault::open(&key, Arc::new(OsRandom)).unwrap()))
    }

    #[test]
    fn a_link_says_what_was_asked_to_this_portal_alone_and_cannot_be_changed() {
        let links = links();
        let asked = AskedDecision {
            approval: "00000000-0000-0000-0000-000000000001".parse().unwrap(),
            person: "00000000-0000-0000-0000-000000000002".parse().unwrap(),
            stage: 1,
            digest: "ab".repeat(32),
        };
        let (path, until) = links.issue(&asked, Timestamp::from_micros(0));
        let token = path.strip_prefix("/decide/").unwrap();
        assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{token}");
        let read = links.read(token).unwrap();
        assert_eq!((read.asked, read.until), (asked, until));
        assert!(self::links().read(token).is_none());
        for at in [0, 12, token.len() - 1] {
            let mut changed = token.to_owned().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(links.read(&String::from_utf8(changed).unwrap()).is_none(), "{at}");
        }
    }
}
