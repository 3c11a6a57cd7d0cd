//! Secrets that are handed out once and stored only as a hash: API tokens and one-time links.
//!
//! They are 32 random bytes, so a plain SHA-256 suffices: there is nothing to guess, and a look-up by hash tells an
//! attacker nothing by its timing.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Timestamp;
use sha2::{Digest as _, Sha256};
use store::credentials::{ApiToken, LinkPurpose, OneTimeLink};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{Secret, random::Random};

const RANDOM_BYTES: usize = 32;
const RANDOM_CHARACTERS: usize = 43;

/// `store::credentials::ApiToken::last_used_at` is kept to this precision, so that use costs a write a minute at most.
pub const USE_PRECISION: Duration = Duration::from_mins(1);

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A bearer token of the REST interface, `rondo_…`: the prefix lets people and scanners know it for what it is.
    Api,
    /// What a runner shows, `rondo_runner_…`. It opens nothing but what runners ask for.
    Runner,
    /// The secret part of a one-time link, which stands in its path: no prefix.
    Link,
}

impl TokenKind {
    /// What its text begins with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Api => "rondo_",
            Self::Runner => "rondo_runner_",
            Self::Link => "",
        }
    }

    /// Whether the text has the form of such a token; if not, there is no need to look it up.
    #[must_use]
    pub fn has_form(self, text: &str) -> bool {
        text.strip_prefix(self.prefix()).is_some_and(|body| {
            body.len() == RANDOM_CHARACTERS
                && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
    }
}

/// A token just made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// To be shown once, to its owner.
    pub text: Secret,
    /// To be stored.
    pub hash: String,
}

/// Makes a token.
#[must_use]
pub fn generate(kind: TokenKind, random: &dyn Random) -> NewToken {
    let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
    random.fill(&mut *bytes);
    let text = Secret::new(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(*bytes)));
    let hash = hash(text.expose());
    NewToken { text, hash }
}

/// What is stored of a token: hex SHA-256 of its whole text.
#[must_use]
pub fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Compares two secrets or hashes in a time that depends on their lengths only.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

/// Whether an API token may be used at `now`: neither revoked nor past its end.
#[must_use]
pub fn is_active(token: &ApiToken, now: Timestamp) -> bool {
    token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end)
}

/// Whether its use at `now` is to be noted.
#[must_use]
pub fn is_use_noteworthy(token: &ApiToken, now: Timestamp) -> bool {
    token.last_used_at.is_none_or(|last| now.since(last) >= USE_PRECISION)
}

/// Whether a one-time link may be used for `purpose` at `now`. Using it up (`use_link`) decides between two who come at
/// once.
#[must_use]
pub fn is_usable(link: &OneTimeLink, purpose: LinkPurpose, now: Timestamp) -> bool {
    link.purpose == purpose && link.used_at.is_none() && now < link.expires_at
}

#[cfg(test)]
mod tests {
    use domain::{LinkId, TokenId, UserId};

    use super::*;
    use crate::random::seeded::SeededRandom;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn uuid(number: u128) -> uuid::Uuid {
        uuid::Uuid::from_u128(number)
    }

    #[test]
    fn a_token_has_its_form_and_its_hash() {
        let random = SeededRandom::new(7);
        for kind in [TokenKind::Api, TokenKind::Runner, TokenKind::Link] {
            let token = generate(kind, &random);
            assert!(kind.has_form(token.text.expose()));
            assert!(token.text.expose().starts_with(kind.prefix()));
            assert_eq!(token.hash, hash(token.text.expose()));
            assert_eq!(token.hash.len(), 64);
        }
    }

    #[test]
    fn tokens_differ() {
        let random = SeededRandom::new(7);
        assert_ne!(generate(TokenKind::Api, &random).hash, generate(TokenKind::Api, &random).hash);
    }

    #[test]
    fn other_text_has_not_the_form() {
        let body = "a".repeat(RANDOM_CHARACTERS);
        assert!(TokenKind::Api.has_form(&format!("rondo_{body}")));
        assert!(!TokenKind::Api.has_form(&format!("rondo_runner_{body}")), "it is that of a runner");
        for text in ["", "rondo_", &body, &format!("rondo_{body}a"), &format!("rondo_{}!", &body[1..])] {
            assert!(!TokenKind::Api.has_form(text), "{text}");
        }
    }

    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn comparing_looks_at_everything() {
        assert!(same("abc", "abc"));
        for other in ["abd", "bbc", "ab", "abcd", ""] {
            assert!(!same("abc", other), "{other}");
        }
    }

    #[test]
    fn an_api_token_ends_when_it_expires_or_is_revoked() {
        let token = ApiToken {
            id: TokenId::from_uuid(uuid(1)),
            user_id: UserId::from_uuid(uuid(2)),
            name: "ci".to_owned(),
            token_hash: hash("x"),
            created_at: at(0),
            expires_at: Some(at(100)),
            last_used_at: Some(at(10)),
            revoked_at: None,
        };
        assert!(is_active(&token, at(99)));
        assert!(!is_active(&token, at(100)));
        assert!(is_active(&ApiToken { expires_at: None, ..token.clone() }, at(100)));
        assert!(!is_active(&ApiToken { revoked_at: Some(at(50)), ..token.clone() }, at(60)));
        assert!(!is_use_noteworthy(&token, at(69)));
        assert!(is_use_noteworthy(&token, at(70)));
        assert!(is_use_noteworthy(&ApiToken { last_used_at: None, ..token }, at(0)));
    }

    #[test]
    fn a_link_works_once_in_time_and_for_its_purpose() {
        let link = OneTimeLink {
            id: LinkId::from_uuid(uuid(1)),
            token_hash: hash("x"),
            purpose: LinkPurpose::SetPassword,
            user_id: None,
            sealed: None,
            created_at: at(0),
            expires_at: at(100),
            used_at: None,
        };
        assert!(is_usable(&link, LinkPurpose::SetPassword, at(99)));
        assert!(!is_usable(&link, LinkPurpose::SetPassword, at(100)));
        assert!(!is_usable(&link, LinkPurpose::FirstAdministrator, at(99)));
        assert!(!is_usable(&OneTimeLink { used_at: Some(at(5)), ..link }, LinkPurpose::SetPassword, at(99)));
    }
}
