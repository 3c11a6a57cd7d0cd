//! Authentication of a call: the specification's schemes, as the interpreter hands them over, references resolved.

mod certificate;
mod digest;
mod oauth2;
mod tokens;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::header::HeaderValue;
use serde::Deserialize;

pub(crate) use self::certificate::ClientCertificate;
pub(super) use self::{digest::Login, oauth2::TokenOrder, tokens::Tokens};
use super::outgoing::header_value;
use crate::Failure;

/// `authentication` of an endpoint, as it stands in the arguments.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Authentication {
    Use(String),
    Basic(Resolved<Basic>),
    Bearer(Resolved<Bearer>),
    Digest(Resolved<Login>),
    Certificate(Resolved<ClientCertificate>),
    Oauth2(Resolved<Box<TokenOrder>>),
    Oidc(Resolved<Box<TokenOrder>>),
}

/// What a scheme needs, or the secret that holds it and that nobody has put in.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Resolved<T> {
    Reference { r#use: String },
    Given(T),
}

#[derive(Deserialize)]
pub(crate) struct Basic {
    username: String,
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct Bearer {
    token: String,
}

/// How a request proves who sends it. Has no `Debug`: everything in it is secret.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// By this value of `Authorization`.
    Header(HeaderValue),
    /// By answering the service's challenge.
    Digest(Login),
    /// By the client's certificate, before anything is sent.
    Certificate(ClientCertificate),
    /// By a token that an authorization server issues.
    Token(Box<TokenOrder>),
}

impl TryFrom<Authentication> for Credentials {
    type Error = Failure;

    fn try_from(authentication: Authentication) -> Result<Self, Failure> {
        Ok(match authentication {
            Authentication::Use(name) => return Err(undefined(&name)),
            Authentication::Basic(basic) => {
                let Basic { username, password } = basic.given()?;
                Self::Header(basic_header(&username, &password)?)
            }
            Authentication::Bearer(bearer) => Self::Header(bearer_header(&bearer.given()?.token)?),
            Authentication::Digest(login) => Self::Digest(login.given()?),
            Authentication::Certificate(certificate) => Self::Certificate(certificate.given()?),
            Authentication::Oauth2(order) => Self::Token(order.given()?),
            Authentication::Oidc(order) => Self::Token(Box::new(order.given()?.discovered())),
        })
    }
}

impl<T> Resolved<T> {
    fn given(self) -> Result<T, Failure> {
        match self {
            Self::Given(given) => Ok(given),
            Self::Reference { r#use } => Err(undefined(&r#use)),
        }
    }
}

fn undefined(name: &str) -> Failure {
    Failure::configuration(format!("the authentication or secret “{name}” is not defined under use"))
}

/// `Authorization` with a name and a password.
pub(crate) fn basic_header(username: &str, password: &str) -> Result<HeaderValue, Failure> {
    header_value("Authorization", &format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
}

/// `Authorization` with a token.
pub(crate) fn bearer_header(token: &str) -> Result<HeaderValue, Failure> {
    header_value("Authorization", &format!("Bearer {token}"))
}
