//! Encryption of secrets at rest: XChaCha20-Poly1305 under one key of the installation.
//!
//! # Two kinds of sealed text
//! - [`Vault::seal`] binds the text to its place (`connection:<id>`): copied to another row it does not open.
//! - [`Vault::seal_value`] makes a token that may travel inside the strings of a workflow's data, alone or in the middle
//!   of other text. [`Vault::unseal_within`] opens these, and only these: a connection's secret that found its way into
//!   a workflow's data stays shut.
//!
//! Both look like `rondo-sealed:v1:<key id>:<nonce and ciphertext>~`, with the body in unpadded base64url: nothing that
//! JSON, HTML or a template would escape, and an end mark, so that text may follow directly.
//!
//! Whoever can put a token into a workflow's data can have it opened inside a call. So views redact tokens
//! ([`redact`]), and what people send is refused when it holds one ([`contains_sealed`]).

mod key;
mod token;

use std::{fmt, path::PathBuf, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    AeadInPlace, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use serde_json::Value;
use store::{StoreError, settings::Settings};
use zeroize::Zeroize;

use crate::{Secret, random::Random};

pub use key::{KEY_VARIABLE, KeySource};
pub use token::{contains_redacted, contains_sealed, redact, redact_str};

const CHECK_SETTING: &str = "vault.check";
const CHECK_CONTEXT: &str = "vault-check";
const CHECK_TEXT: &str = "rondo";
const NONCE_BYTES: usize = 24;

/// Why a secret cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key file does not exist and was not to be made.
    #[error("the key file {} does not exist; restore it from the backup of the keys, or set {KEY_VARIABLE}", path.display())]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The key file cannot be read or written.
    #[error("the key file {} cannot be used", path.display())]
    KeyFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than the owner may read or write the key file.
    #[error("the key file {path} can be used by others (mode {mode:04o}); run: chmod 600 {path}", path = path.display())]
    KeyFileOpenToOthers {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key is not base64 of 32 bytes.
    #[error("the key in {origin} is not base64 of 32 bytes; make one with: openssl rand -base64 32")]
    InvalidKey {
        /// The variable or file it came from.
        origin: String,
    },
    /// The secret was sealed with another key than the one at hand.
    #[error(
        "the secret was sealed with the key {sealed_with}, but the key at hand is {at_hand}; start with the right key"
    )]
    WrongKey {
        /// Id of the key that sealed it.
        sealed_with: String,
        /// Id of the key at hand.
        at_hand: String,
    },
    /// The sealed text was altered, cut, or belongs to another place.
    #[error("the sealed secret was altered or belongs to another place")]
    Unreadable,
    /// The check value cannot be read or written.
    #[error("the check value of the key cannot be read or written")]
    Store(#[from] StoreError),
}

/// Seals and opens secrets with the installation's key.
pub struct Vault {
    cipher: XChaCha20Poly1305,
    key_id: String,
    random: Arc<dyn Random>,
}

impl Vault {
    /// Reads (or, if the source says so and there is none, makes) the key.
    ///
    /// Whether it is the right one for a database is seen only by [`Vault::check`].
    pub fn open(source: &KeySource, random: Arc<dyn Random>) -> Result<Self, VaultError> {
        let key = source.key(&*random)?;
        Ok(Self { cipher: XChaCha20Poly1305::new((&*key).into()), key_id: key::id_of(&key), random })
    }

    /// What names the key without telling anything of it: 8 hexadecimal digits.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Makes sure that the database's secrets were sealed with this key. Call it at every start, before anything is
    /// sealed. The first call leaves a check value in the settings; the caller commits.
    ///
    /// [`VaultError::WrongKey`] is a reason to refuse to start: going on would mix secrets of two keys.
    pub async fn check(&self, settings: &mut dyn Settings) -> Result<(), VaultError> {
        if let Some(sealed) = settings.setting(CHECK_SETTING).await? {
            let text = self.unseal(CHECK_CONTEXT, &sealed)?;
            return if text.expose() == CHECK_TEXT { Ok(()) } else { Err(VaultError::Unreadable) };
        }
        Ok(settings.put_setting(CHECK_SETTING, &self.seal(CHECK_CONTEXT, CHECK_TEXT)).await?)
    }

    /// Whether the database has been used with some key already. If so, a missing key file must not be made anew
    /// (`KeySource::File { create: false, .. }`): the operator is to restore it.
    pub async fn is_established(settings: &mut dyn Settings) -> Result<bool, VaultError> {
        Ok(settings.setting(CHECK_SETTING).await?.is_some())
    }

    /// Seals a text for one place, named by `context` (`connection:<id>`); only [`Vault::unseal`] with the same context
    /// opens it.
    #[must_use]
    pub fn seal(&self, context: &str, text: &str) -> String {
        self.seal_for(&Binding::Place(context), text)
    }

    /// Opens what [`Vault::seal`] made for the same context.
    pub fn unseal(&self, context: &str, sealed: &str) -> Result<Secret, VaultError> {
        self.unseal_for(&Binding::Place(context), token::parse(sealed).ok_or(VaultError::Unreadable)?)
    }

    /// Seals a text that travels through a workflow's data.
    #[must_use]
    pub fn seal_value(&self, text: &str) -> String {
        self.seal_for(&Binding::Value, text)
    }

    /// Replaces every token of [`Vault::seal_value`] in any string (values and member names, alone or within other text)
    /// by the clear text, and gives what it has opened. Text that only resembles a token stays as it is.
    ///
    /// On an error the value may be half opened: drop it.
    pub fn unseal_within(&self, value: &mut Value) -> Result<Vec<Secret>, VaultError> {
        let mut opened = Vec::new();
        token::rewrite(value, &mut |text| {
            token::replace_tokens(text, |token| {
                let secret = self.unseal_for(&Binding::Value, token)?;
                let text = secret.expose().to_owned();
                opened.push(secret);
                Ok::<_, VaultError>(text)
            })
        })?;
        Ok(opened)
    }

    fn seal_for(&self, binding: &Binding<'_>, text: &str) -> String {
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce);
        let mut body = Vec::with_capacity(NONCE_BYTES + text.len() + 16);
        body.extend_from_slice(&nonce);
        #[expect(
            clippy::expect_used,
            reason = "the cipher refuses only texts over 256 GiB, more than a string in memory"
        )]
        let ciphertext = self
            .cipher
            .encrypt(
                XNonce::from_slice(&nonce),
                Payload { msg: text.as_bytes(), aad: &binding.associated_data(&self.key_id) },
            )
            .expect("a text that fits in memory can be sealed");
        body.extend_from_slice(&ciphertext);
        token::format(&self.key_id, &URL_SAFE_NO_PAD.encode(body))
    }

    fn unseal_for(&self, binding: &Binding<'_>, token: token::Token<'_>) -> Result<Secret, VaultError> {
        if token.key_id != self.key_id {
            return Err(VaultError::WrongKey { sealed_with: token.key_id.to_owned(), at_hand: self.key_id.clone() });
        }
        let body = URL_SAFE_NO_PAD.decode(token.body).map_err(|_| VaultError::Unreadable)?;
        let (nonce, ciphertext) = body.split_at_checked(NONCE_BYTES).ok_or(VaultError::Unreadable)?;
        let mut clear = ciphertext.to_vec();
        self.cipher
            .decrypt_in_place(XNonce::from_slice(nonce), &binding.associated_data(&self.key_id), &mut clear)
            .map_err(|_| VaultError::Unreadable)?;
        String::from_utf8(clear).map(Secret::new).map_err(|error| {
            error.into_bytes().zeroize();
            VaultError::Unreadable
        })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// What a sealed text is tied to.
enum Binding<'a> {
    Place(&'a str),
    Value,
}

impl Binding<'_> {
    /// The version and key id are bound too, so that no part of the token can be exchanged.
    fn associated_data(&self, key_id: &str) -> Vec<u8> {
        let place = match self {
            Self::Place(context) => format!("place:{context}"),
            Self::Value => "value".to_owned(),
        };
        format!("{}{key_id}:{place}", token::PREFIX).into_bytes()
    }
}

#[cfg(test)]
mod tests;
