//! Webhooks: a repository's host says that something was pushed, and proves that it is that host.

use domain::{ErrorCode, Name, Problem};
use ring::hmac;

use super::place_of_hook;
use crate::{Service, problems::OrProblem as _};

/// Where a repository's host calls.
pub(super) fn path(namespace: &Name, name: &Name) -> String {
    format!("/api/v1/hooks/repositories/{namespace}/{name}")
}

/// How a call proves that it comes from somebody who knows the webhook's secret.
#[derive(Clone, Debug)]
pub enum HookProof {
    /// By the HMAC-SHA256 of the body under the secret, in hexadecimal: GitHub, Gitea, Forgejo, Bitbucket.
    Signature(String),
    /// By the secret itself: GitLab.
    Token(String),
}

impl HookProof {
    fn holds(&self, secret: &str, body: &[u8]) -> bool {
        match self {
            Self::Signature(text) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                hex::decode(text).is_ok_and(|signature| hmac::verify(&key, body, &signature).is_ok())
            }
            // The same comparison, which takes as long whatever is wrong.
            Self::Token(text) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
                let expected = hmac::sign(&key, secret.as_bytes());
                hmac::verify(&key, text.as_bytes(), expected.as_ref()).is_ok()
            }
        }
    }
}

impl Service {
    /// Has a repository looked at because its host says so. Whoever cannot prove to be that host learns nothing: the answer is
    /// the same whether there is no such repository, it has no webhook, or the proof is wrong. What the call says is not
    /// believed; the branch is read.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`]; or the database fails.
    pub async fn repository_was_pushed(
        &self,
        namespace: &Name,
        name: &Name,
        proof: Option<&HookProof>,
        body: &[u8],
    ) -> Result<(), Problem> {
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let repository = unit.repository(namespace, name).await.or_problem()?;
        drop(unit);
        let sealed = repository.as_ref().and_then(|repository| repository.sealed_hook.as_deref());
        let secret = sealed.and_then(|sealed| self.parts.vault.unseal(&place_of_hook(namespace, name), sealed).ok());
        let proven = secret.is_some_and(|secret| proof.is_some_and(|proof| proof.holds(secret.expose(), body)));
        if !proven {
            return Err(Problem::new(ErrorCode::NotFound));
        }
        let mut unit = self.parts.store.begin().await.or_problem()?;
        unit.hasten_repository(namespace, name, self.now()).await.or_problem()?;
        unit.commit().await.or_problem()?;
        self.repositories_changed();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_proven_by_signature_or_secret() {
        // From GitHub's description of its webhooks.
        let secret = "It's a Secret to Everybody";
        let body = b"Hello, World!";
        let signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(HookProof::Signature(signature.to_owned()).holds(secret, body));
        assert!(!HookProof::Signature(signature.to_owned()).holds(secret, b"Hello, World?"));
        assert!(!HookProof::Signature(signature.replace('7', "8")).holds(secret, body));
        assert!(!HookProof::Signature("no hexadecimal".to_owned()).holds(secret, body));
        assert!(HookProof::Token(secret.to_owned()).holds(secret, body));
        assert!(!HookProof::Token("it's a secret".to_owned()).holds(secret, body));
        assert!(!HookProof::Token(String::new()).holds(secret, body));
    }
}
