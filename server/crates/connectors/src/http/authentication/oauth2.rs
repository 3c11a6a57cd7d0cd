//! `oauth2` and `oidc`: a token that an authorization server issues to the client.
//!
//! The token endpoint is a path below the authority, or what the authority's discovery document names: always with
//! `oidc`, and with `oauth2` where the authority is the address of such a document.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use identity::Secret;
use reqwest::header::HeaderValue;
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::{Url, form_urlencoded};
use workflow::{RunError, StandardError};

use super::{basic_header, bearer_header, tokens::Issued};
use crate::{Failure, http::exchange::Exchange};

/// Where a discovery document is, below the authority.
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// The kind of assertion by which a client authenticates (RFC 7523).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion that is made here is good for.
const ASSERTION_LIFETIME: Duration = Duration::from_mins(1);

/// What a token is asked for with: `oauth2` or `oidc` of the specification.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct TokenOrder {
    authority: String,
    grant: Grant,
    #[serde(default)]
    endpoints: Endpoints,
    #[serde(default)]
    client: Client,
    #[serde(default)]
    request: TokenRequest,
    #[serde(default)]
    issuers: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    audiences: Vec<String>,
    username: Option<String>,
    password: Option<String>,
    subject: Option<Token>,
    actor: Option<Token>,
    /// Whether the authority's discovery document says where the token endpoint is.
    #[serde(default, skip_deserializing)]
    discover: bool,
}

#[derive(Clone, Copy, Deserialize, Serialize, PartialEq, Eq)]
enum Grant {
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    #[serde(rename = "password")]
    Password,
    #[serde(rename = "refresh_token")]
    RefreshToken,
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
}

impl Grant {
    const fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }
}

#[derive(Clone, Deserialize, Serialize)]
struct Endpoints {
    #[serde(default = "Endpoints::default_token")]
    token: String,
}

impl Endpoints {
    fn default_token() -> String {
        "/oauth2/token".to_owned()
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        Self { token: Self::default_token() }
    }
}

#[derive(Clone, Default, Deserialize, Serialize)]
struct Client {
    id: Option<String>,
    secret: Option<String>,
    assertion: Option<String>,
    #[serde(default)]
    authentication: ClientAuthentication,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum ClientAuthentication {
    ClientSecretBasic,
    #[default]
    ClientSecretPost,
    ClientSecretJwt,
    PrivateKeyJwt,
    None,
}

#[derive(Clone, Default, Deserialize, Serialize)]
struct TokenRequest {
    #[serde(default)]
    encoding: Encoding,
}

#[derive(Clone, Copy, Default, Deserialize, Serialize, PartialEq, Eq)]
enum Encoding {
    #[default]
    #[serde(rename = "application/x-www-form-urlencoded")]
    Form,
    #[serde(rename = "application/json")]
    Json,
}

#[derive(Clone, Deserialize, Serialize)]
struct Token {
    token: String,
    r#type: String,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Secret,
    expires_in: Option<Number>,
    refresh_token: Option<Secret>,
    id_token: Option<Secret>,
}

/// Some authorization servers send numbers as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(f64),
    Text(String),
}

impl Number {
    fn seconds(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.parse().ok()?,
        };
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// The parameters of a token request, and the header where the client authenticates by one.
struct Parameters {
    pairs: Vec<(&'static str, String)>,
    authorization: Option<HeaderValue>,
}

impl TokenOrder {
    /// The same, with the endpoints that the authority's discovery document names.
    pub(super) fn discovered(self) -> Self {
        Self { discover: true, ..self }
    }

    /// A token that is good now, and whether it was issued for an earlier call.
    pub(in crate::http) async fn token(&self, exchange: &Exchange<'_>) -> Result<(Secret, bool), Failure> {
        let now = exchange.context.clock.now();
        if let Some(token) = exchange.http.tokens.valid(self, now) {
            return Ok((token, true));
        }
        let earlier = exchange.http.tokens.last(self).and_then(|issued| issued.refresh);
        let endpoint = self.endpoint(exchange).await?;
        let parameters = self.parameters(&endpoint, earlier.as_ref(), exchange)?;
        let answer = self.ask(&endpoint, parameters, exchange).await?;
        self.check_issuer(&answer)?;
        let expires_at = answer.expires_in.as_ref().and_then(Number::seconds).map(|lifetime| now + lifetime);
        let refresh = answer.refresh_token.or(earlier);
        let issued = Issued { token: answer.access_token.clone(), expires_at, refresh };
        exchange.http.tokens.keep(self, issued);
        exchange.context.info(format!("{endpoint}: a token was issued"));
        Ok((answer.access_token, false))
    }

    /// `Authorization` with a token.
    pub(in crate::http) fn header(token: &Secret) -> Result<HeaderValue, Failure> {
        bearer_header(token.expose())
    }

    async fn endpoint(&self, exchange: &Exchange<'_>) -> Result<Url, Failure> {
        let authority = self.authority.trim_end_matches('/');
        if !self.discover && !authority.contains("/.well-known/") {
            // An endpoint is a path below the authority, whatever its first character; some write the whole address.
            return match Url::parse(&self.endpoints.token) {
                Ok(whole) => Ok(whole),
                Err(_) => address(&format!("{authority}/{}", self.endpoints.token.trim_start_matches('/'))),
            };
        }
        let document = if authority.contains("/.well-known/") {
            address(authority)?
        } else {
            address(&format!("{authority}{DISCOVERY}"))?
        };
        let (status, content) = exchange.fetch(document.clone()).await?;
        let discovered = serde_json::from_slice::<Value>(&content).unwrap_or_default();
        match discovered.get("token_endpoint").and_then(Value::as_str) {
            Some(endpoint) if (200..300).contains(&status) => address(endpoint),
            _ if status >= 500 => Err(Failure::unreachable(format!("{document} answered with status {status}"))),
            _ => Err(refused(format!("{document} names no token endpoint (status {status})"))),
        }
    }

    fn parameters(
        &self,
        endpoint: &Url,
        earlier: Option<&Secret>,
        exchange: &Exchange<'_>,
    ) -> Result<Parameters, Failure> {
        let mut pairs = vec![("grant_type", self.grant.name().to_owned())];
        match self.grant {
            Grant::ClientCredentials => {}
            Grant::Password => {
                pairs.push(("username", needed(self.username.as_ref(), "username")?));
                pairs.push(("password", needed(self.password.as_ref(), "password")?));
            }
            Grant::RefreshToken => {
                // The specification has no place of its own for the first one; later ones come from the server.
                let first = self.subject.as_ref().map(|subject| &subject.token);
                let token = earlier.map(|token| token.expose().to_owned());
                pairs.push(("refresh_token", token.map_or_else(|| needed(first, "subject"), Ok)?));
            }
            Grant::TokenExchange => {
                let subject = self
                    .subject
                    .as_ref()
                    .ok_or_else(|| Failure::configuration("oauth2 needs a subject for this grant"))?;
                pairs.push(("subject_token", subject.token.clone()));
                pairs.push(("subject_token_type", subject.r#type.clone()));
                if let Some(actor) = &self.actor {
                    pairs.push(("actor_token", actor.token.clone()));
                    pairs.push(("actor_token_type", actor.r#type.clone()));
                }
            }
        }
        if !self.scopes.is_empty() {
            pairs.push(("scope", self.scopes.join(" ")));
        }
        pairs.extend(self.audiences.iter().map(|audience| ("audience", audience.clone())));
        let authorization = self.authenticate_client(endpoint, &mut pairs, exchange)?;
        Ok(Parameters { pairs, authorization })
    }

    fn authenticate_client(
        &self,
        endpoint: &Url,
        pairs: &mut Vec<(&'static str, String)>,
        exchange: &Exchange<'_>,
    ) -> Result<Option<HeaderValue>, Failure> {
        let client = &self.client;
        let id = || needed(client.id.as_ref(), "client.id");
        match client.authentication {
            ClientAuthentication::ClientSecretBasic => {
                let secret = needed(client.secret.as_ref(), "client.secret")?;
                // RFC 6749, section 2.3.1: both are form-encoded before they are put together.
                let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                return basic_header(&encode(&id()?), &encode(&secret)).map(Some);
            }
            ClientAuthentication::ClientSecretPost => {
                pairs.push(("client_id", id()?));
                pairs.extend(client.secret.clone().map(|secret| ("client_secret", secret)));
            }
            ClientAuthentication::ClientSecretJwt => {
                let secret = needed(client.secret.as_ref(), "client.secret")?;
                let assertion = sign(&Self::claims(&id()?, endpoint, exchange), &secret);
                pairs.push(("client_id", id()?));
                pairs.push(("client_assertion_type", JWT_BEARER.to_owned()));
                pairs.push(("client_assertion", assertion));
            }
            ClientAuthentication::PrivateKeyJwt => {
                pairs.push(("client_id", id()?));
                pairs.push(("client_assertion_type", JWT_BEARER.to_owned()));
                pairs.push(("client_assertion", needed(client.assertion.as_ref(), "client.assertion")?));
            }
            ClientAuthentication::None => pairs.extend(client.id.clone().map(|id| ("client_id", id))),
        }
        Ok(None)
    }

    /// RFC 7523, section 3.
    fn claims(id: &str, endpoint: &Url, exchange: &Exchange<'_>) -> Value {
        let seconds = |at: domain::Timestamp| at.as_micros().div_euclid(1_000_000);
        let now = exchange.context.clock.now();
        json!({
            "iss": id,
            "sub": id,
            "aud": endpoint.as_str(),
            "jti": exchange.context.ids.next().to_string(),
            "iat": seconds(now),
            "exp": seconds(now + ASSERTION_LIFETIME),
        })
    }

    async fn ask(&self, endpoint: &Url, parameters: Parameters, exchange: &Exchange<'_>) -> Result<Answer, Failure> {
        let (content_type, body) = match self.request.encoding {
            Encoding::Form => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.extend_pairs(&parameters.pairs);
                ("application/x-www-form-urlencoded", form.finish())
            }
            Encoding::Json => ("application/json", in_json(parameters.pairs).to_string()),
        };
        let (status, content) =
            exchange.post(endpoint.clone(), content_type, body.into_bytes(), parameters.authorization).await?;
        if status >= 500 {
            return Err(Failure::unreachable(format!("{endpoint} answered with status {status}")));
        }
        if !(200..300).contains(&status) {
            let said = serde_json::from_slice::<Value>(&content).unwrap_or_default();
            let code = said.get("error").and_then(Value::as_str).unwrap_or("no reason given");
            return Err(refused(format!("{endpoint} issued no token: {code} (status {status})")));
        }
        // The message of serde may quote the token.
        serde_json::from_slice(&content).map_err(|_| refused(format!("{endpoint} issued no token that can be read")))
    }

    /// Where issuers are listed, a token must come from one of them.
    fn check_issuer(&self, answer: &Answer) -> Result<(), Failure> {
        if self.issuers.is_empty() {
            return Ok(());
        }
        let issuer = issuer(&answer.access_token).or_else(|| answer.id_token.as_ref().and_then(issuer));
        match issuer {
            Some(issuer) if self.issuers.contains(&issuer) => Ok(()),
            Some(issuer) => Err(refused(format!("the token was issued by {issuer}, which is not among the issuers"))),
            None => Err(refused("the token does not say who issued it, and `issuers` asks for that".to_owned())),
        }
    }
}

fn refused(detail: String) -> Failure {
    Failure::permanent(RunError::new(StandardError::Authentication, detail))
}

fn needed(value: Option<&String>, name: &str) -> Result<String, Failure> {
    value.cloned().ok_or_else(|| Failure::configuration(format!("oauth2 needs {name} for this grant and client")))
}

fn address(text: &str) -> Result<Url, Failure> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| Failure::configuration(format!("“{text}” is not the address of an authorization server")))
}

/// Parameters as JSON; one that comes several times is a list.
fn in_json(pairs: Vec<(&'static str, String)>) -> Value {
    let mut object = Map::new();
    for (name, value) in pairs {
        match object.get_mut(name) {
            Some(Value::Array(values)) => values.push(Value::String(value)),
            Some(first) => *first = json!([first.take(), value]),
            None => {
                object.insert(name.to_owned(), Value::String(value));
            }
        }
    }
    Value::Object(object)
}

/// A JSON Web Token (RFC 7519) by HMAC with SHA-256.
fn sign(claims: &Value, secret: &str) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// The issuer that a JSON Web Token claims. It came from the issuer itself, over a connection that was checked.
fn issuer(token: &Secret) -> Option<String> {
    let claims = token.expose().split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}
