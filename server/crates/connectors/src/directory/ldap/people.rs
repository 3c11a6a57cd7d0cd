//! People in a directory behind LDAP.

use std::collections::HashSet;

use identity::Secret;
use ldap3::{Mod, Scope, SearchEntry, ldap_escape};
use serde_json::{Value, json};

use super::{
    refusal::{code, refused},
    session::{Session, accept, class_filter},
    settings::Settings,
};
use crate::{
    Failure,
    directory::operation::{Given, Person},
};

/// The time that means "for ever" to the password policy of OpenLDAP.
const LOCKED_FOR_EVER: &str = "000001010000Z";
/// `ACCOUNTDISABLE` of `userAccountControl`.
const DISABLED: u32 = 0x2;
/// `NORMAL_ACCOUNT` of `userAccountControl`.
const NORMAL: u32 = 0x200;

/// Matches whatever stands at a DN.
const EVERYTHING: &str = "(objectClass=*)";

/// What is read of a person.
const ATTRIBUTES: [&str; 10] = [
    "cn",
    "displayName",
    "mail",
    "manager",
    "department",
    "departmentNumber",
    "title",
    "userAccountControl",
    "pwdAccountLockedTime",
    "objectClass",
];

impl Session {
    /// The entry of a person; none when nobody has this sign-in name.
    pub(super) async fn find_user(&mut self, login: &str) -> Result<Option<SearchEntry>, Failure> {
        let login_attribute = self.settings.login_attribute.clone();
        let key_attribute = self.settings.key_attribute.clone();
        let class = class_filter(&self.settings.user_classes);
        let filter = format!("(&{class}({login_attribute}={}))", ldap_escape(login));
        let mut attributes = ATTRIBUTES.to_vec();
        attributes.extend([login_attribute.as_str(), key_attribute.as_str()]);
        let mut found = self.search(&filter, &attributes).await?;
        if found.len() > 1 {
            return Err(Failure::refused(409, format!("{} entries have the sign-in name {login}", found.len())));
        }
        Ok(found.pop())
    }

    pub(super) async fn existing_user(&mut self, login: &str) -> Result<SearchEntry, Failure> {
        self.find_user(login)
            .await?
            .ok_or_else(|| Failure::refused(404, format!("there is nobody with the sign-in name {login}")))
    }

    /// A person as an output shows one.
    pub(super) async fn view(&mut self, login: &str) -> Result<Option<Value>, Failure> {
        let Some(entry) = self.find_user(login).await? else { return Ok(None) };
        let manager = self.login_behind(first(&entry, "manager")).await?;
        let groups = self.group_names_of(&entry.dn).await?;
        Ok(Some(json!({
            "id": entry.dn,
            "login": first(&entry, &self.settings.login_attribute).unwrap_or_else(|| login.to_owned()),
            "name": first(&entry, "displayName").or_else(|| first(&entry, "cn")).unwrap_or_default(),
            "email": first(&entry, "mail"),
            "active": is_active(&self.settings, &entry),
            "manager": manager,
            "department": first(&entry, self.settings.department_attribute()),
            "jobTitle": first(&entry, "title"),
            "groups": groups,
        })))
    }

    /// The sign-in name of the person at a DN; none when nobody is there.
    pub(super) async fn login_behind(&mut self, dn: Option<String>) -> Result<Option<String>, Failure> {
        let Some(dn) = dn else { return Ok(None) };
        let attribute = self.settings.login_attribute.clone();
        let found = self.search_at(&dn, Scope::Base, EVERYTHING, &[&attribute]).await?;
        Ok(found.first().and_then(|entry| first(entry, &attribute)))
    }

    /// A member of a group as an output shows one: a person, or whatever else is there.
    pub(super) async fn member_view(&mut self, dn: &str) -> Result<Value, Failure> {
        let login_attribute = self.settings.login_attribute.clone();
        let mut attributes = ATTRIBUTES.to_vec();
        attributes.push(&login_attribute);
        let found = self.search_at(dn, Scope::Base, EVERYTHING, &attributes).await?.pop();
        let Some(entry) = found else {
            return Ok(json!({"id": dn, "login": null, "name": dn, "email": null, "active": false}));
        };
        let is_person = self
            .settings
            .user_classes
            .iter()
            .all(|wanted| values(&entry, "objectClass").any(|class| class.eq_ignore_ascii_case(wanted)));
        Ok(json!({
            "id": entry.dn,
            "login": first(&entry, &login_attribute).filter(|_| is_person),
            "name": first(&entry, "displayName").or_else(|| first(&entry, "cn")).unwrap_or_else(|| entry.dn.clone()),
            "email": first(&entry, "mail"),
            "active": is_active(&self.settings, &entry),
        }))
    }

    pub(super) async fn existing_view(&mut self, login: &str) -> Result<Value, Failure> {
        self.view(login)
            .await?
            .ok_or_else(|| Failure::refused(404, format!("there is nobody with the sign-in name {login}")))
    }

    /// The output of `createUser` with this key, if it happened.
    pub(super) async fn created_user(&mut self, login: &str, key: &str) -> Result<Option<Value>, Failure> {
        let Some(entry) = self.find_user(login).await? else { return Ok(None) };
        if !carries(&entry, &self.settings.key_attribute, key) {
            return Ok(None);
        }
        Ok(Some(json!({"created": true, "user": self.existing_view(login).await?})))
    }

    /// Creates a person, unless an earlier attempt did.
    pub(super) async fn create_user(&mut self, person: &Person, key: &str, password: &Secret) -> Result<(), Failure> {
        let login = &person.login;
        if let Some(entry) = self.find_user(login).await? {
            return self.own_or_conflict(&entry, login, key);
        }
        let name = person.name.clone().unwrap_or_else(|| login.clone());
        let dn = self.settings.user_dn(login, &name);
        let attributes = self.new_attributes(person, &name, key, password).await?;
        let result = self.add(&dn, attributes).await?;
        if result.rc != code::EXISTS {
            return accept(&result, "the new account");
        }
        // The DN is taken: by this very call, or by somebody whose sign-in name is another.
        match self.find_user(login).await? {
            Some(entry) => self.own_or_conflict(&entry, login, key),
            None => Err(refused(&result, &format!("the new account {dn}"))),
        }
    }

    fn own_or_conflict(&self, entry: &SearchEntry, login: &str, key: &str) -> Result<(), Failure> {
        if carries(entry, &self.settings.key_attribute, key) { Ok(()) } else { Err(person_taken(login)) }
    }

    async fn new_attributes(
        &mut self,
        person: &Person,
        name: &str,
        key: &str,
        password: &Secret,
    ) -> Result<Vec<(Vec<u8>, HashSet<Vec<u8>>)>, Failure> {
        let settings = &self.settings;
        let ad = settings.is_active_directory();
        let mut set = Attributes::default();
        set.many("objectClass", settings.user_classes.iter().map(String::as_str));
        set.one(&settings.login_attribute, &person.login);
        set.one("cn", name);
        set.one("displayName", name);
        set.one(&settings.key_attribute, &marker(key));
        // Every person of the standard schema has a family name.
        let family = person.family_name.as_deref().or_else(|| name.split_whitespace().last()).unwrap_or(name);
        set.one("sn", family);
        if ad {
            set.one("userPrincipalName", &format!("{}@{}", person.login, settings.upn_suffix));
            set.one("userAccountControl", &NORMAL.to_string());
            set.bytes("unicodePwd", unicode_password(password));
        }
        self.add_details(&mut set, person).await?;
        // What there is to be none of is not there yet.
        set.0.retain(|(_, values)| !values.is_empty());
        Ok(set.0)
    }

    /// Changes what the definition gives.
    pub(super) async fn modify_user(&mut self, person: &Person) -> Result<(), Failure> {
        let dn = self.existing_user(&person.login).await?.dn;
        let set = self.wanted(person).await?;
        let changes: Vec<Mod<Vec<u8>>> = set.0.into_iter().map(|(name, values)| Mod::Replace(name, values)).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let result = self.modify(&dn, changes).await?;
        accept(&result, "the change")
    }

    /// The attributes that a person is to have afterwards; those without values are to go.
    pub(super) async fn wanted(&mut self, person: &Person) -> Result<Attributes, Failure> {
        let mut set = Attributes::default();
        if let Some(name) = &person.name {
            set.one("displayName", name);
            // On Active Directory the common name is part of the DN and stays.
            if !self.settings.is_active_directory() {
                set.one("cn", name);
            }
        }
        if let Some(family) = &person.family_name {
            set.one("sn", family);
        }
        self.add_details(&mut set, person).await?;
        Ok(set)
    }

    /// The attributes that creating and changing have in common.
    async fn add_details(&mut self, set: &mut Attributes, person: &Person) -> Result<(), Failure> {
        for (name, value) in [
            ("givenName", &person.given_name),
            ("mail", &person.email),
            ("employeeNumber", &person.employee_number),
            ("telephoneNumber", &person.phone),
        ] {
            if let Some(value) = value {
                set.one(name, value);
            }
        }
        for (name, value) in [(self.settings.department_attribute(), &person.department), ("title", &person.job_title)]
        {
            match value {
                Given::Unsaid => {}
                Given::Nothing => set.none(name),
                Given::Text(value) => set.one(name, value),
            }
        }
        match &person.manager {
            Given::Unsaid => {}
            Given::Nothing => set.none("manager"),
            Given::Text(manager) => {
                let dn = self.existing_user(manager).await?.dn;
                set.one("manager", &dn);
            }
        }
        for (name, value) in &person.attributes {
            match value {
                Value::String(text) => set.one(name, text),
                Value::Array(values) => set.many(name, values.iter().filter_map(Value::as_str)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets a person sign in, or not.
    pub(super) async fn set_active(&mut self, login: &str, active: bool) -> Result<Value, Failure> {
        let entry = self.existing_user(login).await?;
        let changed = is_active(&self.settings, &entry) != active;
        if changed {
            let change = if self.settings.is_active_directory() {
                let control = account_control(&entry);
                let control = if active { control & !DISABLED } else { control | DISABLED };
                replace("userAccountControl", &control.to_string())
            } else if active {
                Mod::Replace(b"pwdAccountLockedTime".to_vec(), HashSet::new())
            } else {
                replace("pwdAccountLockedTime", LOCKED_FOR_EVER)
            };
            let result = self.modify(&entry.dn, vec![change]).await?;
            if result.rc == code::UNDEFINED_ATTRIBUTE {
                return Err(Failure::refused(
                    400,
                    "this OpenLDAP has no password policy (overlay ppolicy), without which it cannot disable accounts",
                ));
            }
            accept(&result, if active { "to enable the account" } else { "to disable the account" })?;
        }
        Ok(json!({"changed": changed, "user": self.existing_view(login).await?}))
    }

    /// Deletes a person with the memberships.
    pub(super) async fn delete_user(&mut self, login: &str) -> Result<Value, Failure> {
        let Some(entry) = self.find_user(login).await? else { return Ok(json!({"deleted": false})) };
        // Active Directory does this by itself; OpenLDAP only with another overlay.
        if !self.settings.is_active_directory() {
            self.leave_all_groups(&entry.dn).await?;
        }
        Ok(json!({"deleted": self.delete(&entry.dn).await?}))
    }

    /// Sets a password; the DN of its owner.
    pub(super) async fn set_password(&mut self, login: &str, password: &Secret) -> Result<String, Failure> {
        let dn = self.existing_user(login).await?.dn;
        if self.settings.is_active_directory() {
            let change = Mod::Replace(b"unicodePwd".to_vec(), HashSet::from([unicode_password(password)]));
            let result = self.modify(&dn, vec![change]).await?;
            accept(&result, "the new password")?;
        } else {
            self.modify_password(&dn, password.expose()).await?;
        }
        Ok(dn)
    }

    /// Asks for another password at the next sign-in.
    pub(super) async fn expire_password(&mut self, dn: &str) -> Result<(), Failure> {
        let change =
            if self.settings.is_active_directory() { replace("pwdLastSet", "0") } else { replace("pwdReset", "TRUE") };
        let result = self.modify(dn, vec![change]).await?;
        accept(&result, "to let the password expire")
    }
}

/// Attributes of an entry in the form of the library.
#[derive(Default)]
pub(super) struct Attributes(pub(super) Vec<(Vec<u8>, HashSet<Vec<u8>>)>);

impl Attributes {
    fn one(&mut self, name: &str, value: &str) {
        self.bytes(name, value.as_bytes().to_vec());
    }

    fn none(&mut self, name: &str) {
        self.put(name, HashSet::new());
    }

    fn many<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>) {
        let values = values.map(|value| value.as_bytes().to_vec()).collect();
        self.put(name, values);
    }

    fn bytes(&mut self, name: &str, value: Vec<u8>) {
        self.put(name, HashSet::from([value]));
    }

    /// A later value of the same attribute replaces the earlier: what a definition writes out wins over the defaults.
    fn put(&mut self, name: &str, values: HashSet<Vec<u8>>) {
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name.as_bytes()));
        self.0.push((name.as_bytes().to_vec(), values));
    }
}

pub(super) fn person_taken(login: &str) -> Failure {
    Failure::refused(409, format!("there is already a person with the sign-in name {login}"))
}

/// A change of one attribute to one value.
pub(super) fn replace(name: &str, value: &str) -> Mod<Vec<u8>> {
    Mod::Replace(name.as_bytes().to_vec(), HashSet::from([value.as_bytes().to_vec()]))
}

/// What marks an entry as the work of the call with this key.
pub(super) fn marker(key: &str) -> String {
    format!("rondo:{key}")
}

/// Whether an entry is the work of the call with this key.
pub(super) fn carries(entry: &SearchEntry, attribute: &str, key: &str) -> bool {
    let marker = marker(key);
    values(entry, attribute).any(|value| value == marker)
}

/// The first value of an attribute; names of attributes differ in case between servers.
pub(super) fn first(entry: &SearchEntry, attribute: &str) -> Option<String> {
    values(entry, attribute).next().map(str::to_owned)
}

/// All values of an attribute.
pub(super) fn values<'a>(entry: &'a SearchEntry, attribute: &str) -> impl Iterator<Item = &'a str> {
    entry
        .attrs
        .iter()
        .filter(move |(name, _)| name.eq_ignore_ascii_case(attribute))
        .flat_map(|(_, values)| values.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .into_iter()
}

pub(super) fn is_active(settings: &Settings, entry: &SearchEntry) -> bool {
    if settings.is_active_directory() {
        account_control(entry) & DISABLED == 0
    } else {
        first(entry, "pwdAccountLockedTime").is_none_or(|at| at != LOCKED_FOR_EVER)
    }
}

fn account_control(entry: &SearchEntry) -> u32 {
    first(entry, "userAccountControl").and_then(|text| text.parse().ok()).unwrap_or(NORMAL)
}

/// A password as Active Directory takes it: in quotes, UTF-16, little-endian.
fn unicode_password(password: &Secret) -> Vec<u8> {
    format!("\"{}\"", password.expose()).encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn active_directory_passwords_are_quoted_utf16() {
        assert_eq!(unicode_password(&"aé".into()), [0x22, 0, 0x61, 0, 0xe9, 0, 0x22, 0]);
    }

    #[test]
    fn a_written_out_attribute_replaces_the_default() {
        let mut set = Attributes::default();
        set.one("sn", "Doe");
        set.one("SN", "Smith");
        assert_eq!(set.0, [(b"SN".to_vec(), HashSet::from([b"Smith".to_vec()]))]);
    }
}
