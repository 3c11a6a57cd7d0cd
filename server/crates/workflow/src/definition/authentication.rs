//! Authentication policies: `use.authentications`, and those that calls name or hold (dsl-reference.md,
//! "Authentication"). Whatever the definition writes, a call has one explicit policy.

use serde_json::{Value, json};

use super::cursor::{Cursor, Object};
use super::parts::Decoder;
use crate::diagnostic::suggestion;
use crate::process;

const SCHEMES: [&str; 6] = ["basic", "bearer", "certificate", "digest", "oauth2", "oidc"];
const GRANTS: [&str; 5] = [
    "authorization_code",
    "client_credentials",
    "password",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];
const CLIENT_METHODS: [&str; 5] =
    ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"];
const ENCODINGS: [&str; 2] = ["application/x-www-form-urlencoded", "application/json"];

/// Where the arguments of a function hold an endpoint: a URI, or an object of `uri` and `authentication`.
pub(crate) fn endpoints(function: &str) -> &'static [&'static str] {
    match function {
        "http" => &["/endpoint"],
        "openapi" | "asyncapi" => &["/document/endpoint"],
        "grpc" => &["/proto/endpoint"],
        "a2a" => &["/agentCard/endpoint", "/server"],
        "mcp" => &["/transport/http/endpoint"],
        process::SCRIPT => &["/source/endpoint"],
        _ => &[],
    }
}

/// Where the arguments of a function hold an authentication policy.
pub(crate) fn policies(function: &str) -> impl Iterator<Item = String> {
    let own: &[&str] = match function {
        "openapi" | "asyncapi" => &["/authentication"],
        "grpc" => &["/service/authentication"],
        _ => &[],
    };
    let of_endpoints = endpoints(function).iter().map(|endpoint| format!("{endpoint}/authentication"));
    own.iter().map(|&pointer| pointer.to_owned()).chain(of_endpoints)
}

impl Decoder<'_> {
    /// The arguments with every policy written out.
    pub(super) fn explicit_authentication(&mut self, function: &str, at: &Cursor<'_>, mut with: Value) -> Value {
        for pointer in policies(function) {
            if with.pointer(&pointer).is_none() {
                continue;
            }
            let policy = at.descend(&pointer);
            let explicit = self.authentication(&policy, true).unwrap_or_else(|| json!({}));
            if let Some(place) = with.pointer_mut(&pointer) {
                *place = explicit;
            }
        }
        with
    }

    /// A policy, written out. Only below a call it may name one of `use.authentications`.
    pub(super) fn authentication(&mut self, at: &Cursor<'_>, may_refer: bool) -> Option<Value> {
        if may_refer && at.is_text() {
            let name = at.text(&mut self.diagnostics)?;
            return self.named_policy(name, at);
        }
        let object = if may_refer {
            let known: Vec<&str> = SCHEMES.into_iter().chain(["use"]).collect();
            at.object(&mut self.diagnostics, &known)?
        } else {
            at.object(&mut self.diagnostics, &SCHEMES)?
        };
        if may_refer && let Some(reference) = object.get("use") {
            let name = reference.text(&mut self.diagnostics)?;
            return self.named_policy(name, &reference);
        }
        let found: Vec<&str> = SCHEMES.into_iter().filter(|name| object.has(name)).collect();
        let [scheme] = found.as_slice() else {
            at.report(&mut self.diagnostics, format!("expected exactly one of {}", SCHEMES.join(", ")));
            return None;
        };
        let policy = self.policy(scheme, &object.get(scheme)?)?;
        Some(Value::Object(serde_json::Map::from_iter([((*scheme).to_owned(), policy)])))
    }

    fn named_policy(&mut self, name: &str, at: &Cursor<'_>) -> Option<Value> {
        let found = self.authentications.get(name).cloned();
        if found.is_none() {
            let hint = suggestion(name, self.authentications.keys().map(String::as_str));
            let message = format!("there is no authentication “{name}” under `use.authentications`{hint}");
            at.report(&mut self.diagnostics, message);
        }
        found
    }

    fn policy(&mut self, scheme: &str, at: &Cursor<'_>) -> Option<Value> {
        if scheme == "bearer" && at.is_text() {
            return Some(json!({"token": at.node.to_value()}));
        }
        let object = at.open_object(&mut self.diagnostics)?;
        if let Some(secret) = object.get("use") {
            object.only(&mut self.diagnostics, &["use"]);
            let name = secret.text(&mut self.diagnostics)?;
            return Some(Value::String(format!("${{ $secrets[{}] }}", Value::from(name))));
        }
        match scheme {
            "basic" | "digest" => self.texts(&object, &["username", "password"]),
            "bearer" => self.texts(&object, &["token"]),
            "oauth2" | "oidc" => self.oauth2(scheme, &object),
            // The specification names no properties; whoever serves it does.
            _ => {}
        }
        Some(at.node.to_value())
    }

    fn texts(&mut self, object: &Object<'_>, names: &[&str]) {
        object.only(&mut self.diagnostics, names);
        for name in names {
            if let Some(at) = object.require(&mut self.diagnostics, name) {
                at.text(&mut self.diagnostics);
            }
        }
    }

    fn oauth2(&mut self, scheme: &str, object: &Object<'_>) {
        let mut known = vec![
            "authority",
            "grant",
            "client",
            "request",
            "issuers",
            "scopes",
            "audiences",
            "username",
            "password",
            "subject",
            "actor",
        ];
        if scheme == "oauth2" {
            known.push("endpoints");
        }
        object.only(&mut self.diagnostics, &known);
        if let Some(authority) = object.require(&mut self.diagnostics, "authority") {
            authority.text(&mut self.diagnostics);
        }
        if let Some(grant) = object.require(&mut self.diagnostics, "grant") {
            self.one_of(&grant, &GRANTS);
        }
        for name in ["username", "password"] {
            if let Some(at) = object.get(name) {
                at.text(&mut self.diagnostics);
            }
        }
        if let Some(client) = object.get("client")
            && let Some(client) = client.object(&mut self.diagnostics, &["id", "secret", "assertion", "authentication"])
            && let Some(method) = client.get("authentication")
        {
            self.one_of(&method, &CLIENT_METHODS);
        }
        if let Some(request) = object.get("request")
            && let Some(request) = request.object(&mut self.diagnostics, &["encoding"])
            && let Some(encoding) = request.get("encoding")
        {
            self.one_of(&encoding, &ENCODINGS);
        }
        if let Some(endpoints) = object.get("endpoints") {
            endpoints.object(&mut self.diagnostics, &["token", "revocation", "introspection"]);
        }
        for name in ["issuers", "scopes", "audiences"] {
            if let Some(at) = object.get(name).filter(|at| !at.is_text()) {
                for item in at.list(&mut self.diagnostics) {
                    item.text(&mut self.diagnostics);
                }
            }
        }
        for name in ["subject", "actor"] {
            if let Some(token) = object.get(name)
                && let Some(token) = token.open_object(&mut self.diagnostics)
            {
                self.texts(&token, &["token", "type"]);
            }
        }
    }

    /// A word out of several, unless it is an expression.
    pub(super) fn one_of(&mut self, at: &Cursor<'_>, words: &[&str]) {
        if let Some(text) = at.text(&mut self.diagnostics)
            && !self.is_dynamic(text)
            && !words.contains(&text)
        {
            let hint = suggestion(text, words.iter().copied());
            let message = format!("expected one of {}, found “{text}”{hint}", words.join(", "));
            at.report(&mut self.diagnostics, message);
        }
    }
}
