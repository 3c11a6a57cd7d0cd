//! Signing in and out, one-time links, and what a visitor may choose before signing in.

use domain::view::{DemoSignIn, LinkView};
use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::{browser_session, go_on, open_scope, scope, set_cookie};
use crate::{door::Door, errors::AppError};
#[cfg(feature = "ssr")]
use crate::{i18n::Locale, session::Theme, url_state::inner_path};

/// Signs in with a password; the answer is where to go next.
#[server(protocol = Door, prefix = "/ui", endpoint = "sign-in")]
pub async fn sign_in(login: String, password: String, #[server(default)] next: String) -> Result<String, AppError> {
    let (service, origin) = open_scope()?;
    let user = service.sign_in(&origin, login.trim(), &password).await?;
    browser_session()?.begin(user).await?;
    let next = inner_path(&next);
    go_on(&next);
    Ok(next)
}

/// Signs this browser out.
#[server(protocol = Door, prefix = "/ui", endpoint = "sign-out")]
pub async fn sign_out() -> Result<(), AppError> {
    let (service, caller) = scope()?;
    service.sign_out(&caller).await?;
    browser_session()?.end().await?;
    go_on("/sign-in");
    Ok(())
}

/// The sign-ins of the demonstration organisation; none elsewhere.
#[server(protocol = Door, prefix = "/ui", endpoint = "demo-sign-ins")]
pub async fn demo_sign_ins() -> Result<Vec<DemoSignIn>, AppError> {
    let (service, _origin) = open_scope()?;
    Ok(service.demo_sign_ins())
}

/// What a one-time link is for.
#[server(protocol = Door, prefix = "/ui", endpoint = "link")]
pub async fn link(token: String) -> Result<LinkView, AppError> {
    let (service, origin) = open_scope()?;
    Ok(service.link(&origin, &token).await?)
}

/// Creates the first administrator and signs in.
#[server(protocol = Door, prefix = "/ui", endpoint = "claim-setup")]
pub async fn claim_setup(
    token: String,
    login: String,
    name: String,
    #[server(default)] email: String,
    password: String,
    repeated: String,
) -> Result<(), AppError> {
    same_twice(&password, &repeated)?;
    let (service, origin) = open_scope()?;
    let email = Some(email);
    let user = service.claim_setup(&origin, &token, login.trim(), name.trim(), email, &password).await?;
    browser_session()?.begin(user).await?;
    go_on("/");
    Ok(())
}

/// Sets a password by a one-time link and signs in.
#[server(protocol = Door, prefix = "/ui", endpoint = "claim-password")]
pub async fn claim_password(token: String, password: String, repeated: String) -> Result<(), AppError> {
    same_twice(&password, &repeated)?;
    let (service, origin) = open_scope()?;
    let user = service.claim_password(&origin, &token, &password).await?;
    browser_session()?.begin(user).await?;
    go_on("/");
    Ok(())
}

/// Shows a generated password, once.
#[server(protocol = Door, prefix = "/ui", endpoint = "reveal-password")]
pub async fn reveal_password(token: String) -> Result<String, AppError> {
    let (service, origin) = open_scope()?;
    let password = service.reveal_password(&origin, &token).await?;
    super::keep_once("password", &password);
    Ok(password)
}

/// Chooses the language: for the account where somebody is signed in, and for the browser.
#[server(protocol = Door, prefix = "/ui", endpoint = "set-locale")]
pub async fn set_locale(locale: String, #[server(default)] back: String) -> Result<(), AppError> {
    let locale = locale.parse::<Locale>().unwrap_or_default().as_str();
    remember("locale", locale);
    if let Ok((service, caller)) = scope() {
        service.change_preferences(&caller, Some(locale.to_owned()), None).await?;
    }
    go_on(&inner_path(&back));
    Ok(())
}

/// Chooses the theme: for the account where somebody is signed in, and for the browser.
#[server(protocol = Door, prefix = "/ui", endpoint = "set-theme")]
pub async fn set_theme(theme: String, #[server(default)] back: String) -> Result<(), AppError> {
    let theme = Theme::from_text(&theme).as_str();
    remember("theme", theme);
    if let Ok((service, caller)) = scope() {
        service.change_preferences(&caller, None, Some(theme.to_owned())).await?;
    }
    go_on(&inner_path(&back));
    Ok(())
}

/// Keeps a choice in the browser for a year.
#[cfg(feature = "ssr")]
fn remember(name: &str, value: &str) {
    set_cookie(name, value, "Max-Age=31536000; SameSite=Lax");
}

/// Refuses a new password whose repetition differs.
#[cfg(feature = "ssr")]
pub(super) fn same_twice(password: &str, repeated: &str) -> Result<(), AppError> {
    use domain::{ErrorCode, FieldError, Problem};
    if password == repeated {
        return Ok(());
    }
    let error = FieldError {
        pointer: "/repeated".to_owned(),
        rule: "password-repeated".to_owned(),
        expected: serde_json::Value::Null,
        message: "The two passwords differ.".to_owned(),
    };
    Err(Problem::new(ErrorCode::InvalidInput).with_errors(vec![error]))?
}
