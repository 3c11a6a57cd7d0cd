//! Settings of a connection of kind `scim`.

use identity::Secret;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use url::{Host, Url};

use crate::{
    Failure, ResolvedConnection,
    http::authentication::{basic_header, bearer_header},
    tls::TlsSettings,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Settings {
    pub(super) base_url: Url,
    token: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    #[serde(flatten)]
    pub(super) tls: TlsSettings,
}

impl Settings {
    pub(super) fn read(connection: &ResolvedConnection) -> Result<Self, Failure> {
        let settings = connection.settings::<Self>()?;
        settings.authorization()?;
        Ok(settings)
    }

    /// Who asks.
    pub(super) fn authorization(&self) -> Result<HeaderValue, Failure> {
        match (&self.token, &self.username, &self.password) {
            (Some(token), None, None) => bearer_header(token.expose()),
            (None, Some(username), Some(password)) => basic_header(username, password.expose()),
            _ => Err(Failure::configuration("enter either a token, or user name and password")),
        }
    }

    /// Whether what is said on the way can be read by others: passwords of people do not go there.
    pub(super) fn is_open(&self) -> bool {
        let is_this_machine = match self.base_url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            None => false,
        };
        self.base_url.scheme() != "https" && !is_this_machine
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        [&self.password, &self.token].into_iter().flatten().map(Secret::expose)
    }
}

#[cfg(test)]
mod tests {
    use domain::ConnectionId;
    use serde_json::{Value, json};

    use super::*;

    fn settings(base: &str, more: &Value) -> Result<Settings, Failure> {
        let mut all = json!({"baseUrl": base});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Settings::read(&ResolvedConnection::new(ConnectionId::from_uuid(uuid::Uuid::nil()), "d", "scim", all))
    }

    #[test]
    fn there_is_one_account() {
        for wrong in [json!({}), json!({"username": "u"}), json!({"token": "t", "username": "u", "password": "p"})] {
            let detail = settings("https://a.test", &wrong).err().unwrap().to_string();
            assert!(detail.contains("enter either"), "{detail}");
        }
        let token = settings("https://a.test", &json!({"token": "t"})).ok().unwrap();
        assert_eq!(token.authorization().unwrap(), "Bearer t");
        let login = settings("https://a.test", &json!({"username": "u", "password": "p"})).ok().unwrap();
        assert_eq!(login.authorization().unwrap(), "Basic dTpw");
    }

    #[test]
    fn passwords_of_people_travel_encrypted_or_stay_on_this_machine() {
        for (base, open) in [
            ("https://id.example.test/v2", false),
            ("http://127.0.0.1:8880/v2", false),
            ("http://[::1]/v2", false),
            ("http://localhost/v2", false),
            ("http://id.example.test/v2", true),
            ("http://10.0.0.7/v2", true),
        ] {
            assert_eq!(settings(base, &json!({"token": "t"})).ok().unwrap().is_open(), open, "{base}");
        }
    }
}
