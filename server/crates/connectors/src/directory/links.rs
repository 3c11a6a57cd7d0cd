//! One-time links by which a person gets a first password.

use std::time::Duration;

use domain::{LinkId, UserId};
use identity::{
    Secret,
    tokens::{TokenKind, generate},
};
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    credentials::{LinkPurpose, OneTimeLink},
};

use super::Portal;
use crate::{CallContext, Failure, registry::from_store};

/// How long a link works.
pub const LINK_LIFETIME: Duration = Duration::from_hours(72);

/// The place to which the password behind a link of purpose `reveal-password` is sealed.
#[must_use]
pub fn sealing_context(link: LinkId) -> String {
    format!("link:{link}")
}

/// The address that is sent to a person. One page serves every purpose: it asks what the link is for.
#[must_use]
pub fn link_address(base_url: &str, token: &Secret) -> Secret {
    Secret::new(format!("{}/link/{}", base_url.trim_end_matches('/'), token.expose()))
}

/// What a link leads to.
pub(super) enum Behind<'a> {
    /// A page where this person of the portal sets the own password.
    Account(UserId),
    /// A page that shows this password once.
    Password(&'a Secret),
}

/// Gives out a password that a person of a directory elsewhere has from now on, by a link that shows it once: the output of
/// `issuePassword`. The call's key remembers it.
pub(super) async fn show_once(portal: &Portal, context: &CallContext, password: &Secret) -> Result<Value, Failure> {
    let mut unit = portal.store.begin().await.map_err(|error| from_store(&error))?;
    let issued = issue(&mut *unit, portal, context, Behind::Password(password)).await;
    let output = issued.map_err(|error| from_store(&error))?;
    let now = context.clock.now();
    unit.put_effect(&context.key, &output.to_string(), now).await.map_err(|error| from_store(&error))?;
    unit.commit().await.map_err(|error| from_store(&error))?;
    Ok(output)
}

/// Asks for another password at the next sign-in, by `expire`. A directory that cannot do it still has the new password,
/// so that it is only a warning where nobody has said that it must.
pub(super) async fn ask_for_another(
    context: &CallContext,
    must_change: Option<bool>,
    expire: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    if must_change == Some(false) {
        return Ok(());
    }
    match expire.await {
        Err(failure) if must_change.is_none() => {
            context.warn(format!("the directory cannot ask for another password: {}", failure.detail()));
            Ok(())
        }
        result => result,
    }
}

/// Writes a link down and returns the output of `issuePassword`, with the address sealed.
pub(super) async fn issue(
    unit: &mut dyn UnitOfWork,
    portal: &Portal,
    context: &CallContext,
    behind: Behind<'_>,
) -> store::Result<Value> {
    let id = LinkId::new(&*context.ids);
    let token = generate(TokenKind::Link, &*portal.random);
    let now = context.clock.now();
    let (purpose, user_id, sealed) = match behind {
        Behind::Account(user) => {
            unit.revoke_links_of(user, now).await?;
            (LinkPurpose::SetPassword, Some(user), None)
        }
        Behind::Password(password) => {
            let sealed = portal.vault.seal(&sealing_context(id), password.expose());
            (LinkPurpose::RevealPassword, None, Some(sealed))
        }
    };
    let expires_at = now + LINK_LIFETIME;
    let link = OneTimeLink {
        id,
        token_hash: token.hash,
        purpose,
        user_id,
        sealed,
        created_at: now,
        expires_at,
        used_at: None,
    };
    unit.insert_link(&link).await?;
    let address = link_address(&context.base_url, &token.text);
    Ok(json!({"link": portal.vault.seal_value(address.expose()), "expiresAt": expires_at}))
}
