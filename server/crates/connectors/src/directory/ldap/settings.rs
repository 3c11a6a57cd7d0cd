//! Settings of a connection of kind `ldap`, with the defaults of its flavour.

use identity::Secret;
use ldap3::dn_escape;
use serde::Deserialize;
use url::Url;

use crate::{Failure, ResolvedConnection, tls::TlsSettings};

/// Which product's ways it follows where the protocol leaves them open.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Flavour {
    #[serde(rename = "openldap")]
    OpenLdap,
    ActiveDirectory,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    url: Url,
    #[serde(default)]
    start_tls: bool,
    #[serde(flatten)]
    tls: TlsSettings,
    flavour: Flavour,
    base_dn: String,
    bind_dn: String,
    bind_password: Secret,
    user_dn: Option<String>,
    group_dn: Option<String>,
    user_classes: Option<Vec<String>>,
    group_classes: Option<Vec<String>>,
    login_attribute: Option<String>,
    key_attribute: Option<String>,
    upn_suffix: Option<String>,
}

/// Settings, complete.
pub(super) struct Settings {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) start_tls: bool,
    pub(super) tls: TlsSettings,
    pub(super) flavour: Flavour,
    pub(super) base_dn: String,
    pub(super) bind_dn: String,
    pub(super) bind_password: Secret,
    user_dn: String,
    group_dn: String,
    pub(super) user_classes: Vec<String>,
    pub(super) group_classes: Vec<String>,
    pub(super) login_attribute: String,
    pub(super) key_attribute: String,
    pub(super) upn_suffix: String,
}

impl Settings {
    pub(super) fn read(connection: &ResolvedConnection) -> Result<Self, Failure> {
        Self::complete(connection.settings::<Raw>()?)
    }

    fn complete(raw: Raw) -> Result<Self, Failure> {
        let host = raw.url.host_str().unwrap_or_default().to_owned();
        if host.is_empty() {
            return Err(Failure::configuration("the address has no host"));
        }
        let encrypted = raw.url.scheme() == "ldaps";
        if !encrypted && !raw.start_tls {
            return Err(Failure::configuration(
                "passwords would travel unencrypted: use an address that begins with ldaps://, or switch StartTLS on",
            ));
        }
        let port = raw.url.port().unwrap_or(if encrypted { 636 } else { 389 });
        let ad = raw.flavour == Flavour::ActiveDirectory;
        let base = &raw.base_dn;
        let below = |ad_form: &str, form: &str| if ad { format!("{ad_form},{base}") } else { format!("{form},{base}") };
        let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Ok(Self {
            user_dn: raw.user_dn.unwrap_or_else(|| below("CN={name},CN=Users", "uid={login},ou=people")),
            group_dn: raw.group_dn.unwrap_or_else(|| below("CN={group},CN=Users", "cn={group},ou=groups")),
            user_classes: raw.user_classes.unwrap_or_else(|| words(if ad { &["user"] } else { &["inetOrgPerson"] })),
            group_classes: raw.group_classes.unwrap_or_else(|| words(if ad { &["group"] } else { &["groupOfNames"] })),
            login_attribute: raw
                .login_attribute
                .unwrap_or_else(|| if ad { "sAMAccountName" } else { "uid" }.to_owned()),
            key_attribute: raw.key_attribute.unwrap_or_else(|| "description".to_owned()),
            upn_suffix: raw.upn_suffix.unwrap_or_else(|| domain_of(base)),
            host,
            port,
            start_tls: raw.start_tls && !encrypted,
            tls: raw.tls,
            flavour: raw.flavour,
            base_dn: raw.base_dn,
            bind_dn: raw.bind_dn,
            bind_password: raw.bind_password,
        })
    }

    pub(super) fn is_active_directory(&self) -> bool {
        self.flavour == Flavour::ActiveDirectory
    }

    /// The attribute of the department.
    pub(super) fn department_attribute(&self) -> &'static str {
        if self.is_active_directory() { "department" } else { "departmentNumber" }
    }

    /// The attribute that names the owner of a group.
    pub(super) fn owner_attribute(&self) -> &'static str {
        if self.is_active_directory() { "managedBy" } else { "owner" }
    }

    /// The DN of a new person. What a definition says cannot leave its place in it.
    pub(super) fn user_dn(&self, login: &str, name: &str) -> String {
        fill(&self.user_dn, &[("{login}", login), ("{name}", name)])
    }

    /// The DN of a new group.
    pub(super) fn group_dn(&self, group: &str) -> String {
        fill(&self.group_dn, &[("{group}", group)])
    }
}

/// Replaces placeholders by escaped values, in one pass, so that a value that looks like a placeholder stays a value.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((at, (placeholder, value))) =
        values.iter().filter_map(|pair| rest.find(pair.0).map(|at| (at, *pair))).min_by_key(|(at, _)| *at)
    {
        filled.push_str(rest.get(..at).unwrap_or_default());
        filled.push_str(&dn_escape(value));
        rest = rest.get(at + placeholder.len()..).unwrap_or_default();
    }
    filled.push_str(rest);
    filled
}

/// `example.test` for `DC=example,DC=test`.
fn domain_of(base_dn: &str) -> String {
    let labels: Vec<&str> = base_dn
        .split(',')
        .filter_map(|part| {
            let (name, value) = part.trim().split_once('=')?;
            name.eq_ignore_ascii_case("dc").then_some(value)
        })
        .collect();
    labels.join(".")
}

#[cfg(test)]
mod tests {
    use domain::ConnectionId;
    use serde_json::{Value, json};

    use super::*;

    fn settings(extra: &Value) -> Result<Settings, Failure> {
        let mut all = json!({
            "url": "ldaps://dc.example.test", "flavour": "openldap", "baseDn": "dc=example,dc=test",
            "bindDn": "cn=admin", "bindPassword": "x"
        });
        let members = all.as_object_mut().unwrap();
        members.extend(extra.as_object().unwrap().clone());
        Settings::read(&ResolvedConnection::new(ConnectionId::from_uuid(uuid::Uuid::nil()), "d", "ldap", all))
    }

    #[test]
    fn each_flavour_has_its_defaults() {
        let open = settings(&json!({})).ok().unwrap();
        assert_eq!(open.user_dn("jdoe", "Jane"), "uid=jdoe,ou=people,dc=example,dc=test");
        assert_eq!((open.port, open.login_attribute.as_str()), (636, "uid"));
        let ad = settings(&json!({"flavour": "active-directory", "baseDn": "DC=example,DC=test"})).ok().unwrap();
        assert_eq!(ad.user_dn("jdoe", "Jane Doe"), "CN=Jane Doe,CN=Users,DC=example,DC=test");
        assert_eq!(ad.upn_suffix, "example.test");
    }

    #[test]
    fn values_cannot_leave_their_place_in_a_dn() {
        let open = settings(&json!({})).ok().unwrap();
        let dn = open.user_dn("x,ou=admins", "n");
        assert_eq!(dn, "uid=x\\2cou\\3dadmins,ou=people,dc=example,dc=test");
        assert!(open.user_dn("{name}", "evil").starts_with("uid={name},"), "{}", open.user_dn("{name}", "evil"));
        assert!(open.group_dn(" #a\"+<>;\\\0").starts_with("cn=\\20#a\\22\\2b\\3c\\3e\\3b\\5c\\00,"));
    }

    #[test]
    fn unencrypted_connections_are_refused() {
        let detail = settings(&json!({"url": "ldap://dc.example.test"})).err().unwrap().to_string();
        assert!(detail.contains("StartTLS"), "{detail}");
        let start_tls = settings(&json!({"url": "ldap://dc.example.test", "startTls": true})).ok().unwrap();
        assert_eq!((start_tls.port, start_tls.start_tls), (389, true));
    }
}
