//! A signed-in connection to a directory.

use std::{collections::HashSet, time::Duration};

use ldap3::{Ldap, LdapError, LdapResult, Mod, Scope, SearchEntry, ldap_escape};
use rustls::ClientConfig;
use tokio::net::TcpStream;

use super::{
    link::Link,
    refusal::{Loss, broken, code, refused},
    settings::Settings,
};
use crate::{Failure, egress::EgressPolicy};

/// How long one operation may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// More than this many entries are never read.
const ENTRY_LIMIT: i32 = 1_000;

/// A connection on which operations are made one after another.
pub(super) struct Session {
    ldap: Ldap,
    link: Link,
    pub(super) settings: Settings,
}

impl Session {
    /// Connects, encrypts and signs in.
    pub(super) async fn open(policy: &EgressPolicy, settings: Settings) -> Result<Self, Failure> {
        let config = settings.tls.config().map_err(|error| Failure::configuration(error.to_string()))?;
        let stream = policy.connect(&settings.host, settings.port).await?;
        let mut session = Self::encrypt(stream, settings, config).await?;
        session.bind().await?;
        Ok(session)
    }

    /// Encrypts an open connection, by StartTLS if the settings say so.
    pub(super) async fn encrypt(stream: TcpStream, settings: Settings, config: ClientConfig) -> Result<Self, Failure> {
        let (link, ldap) = Link::over(stream, &settings, config).await?;
        Ok(Self { ldap, link, settings })
    }

    /// Signs in.
    pub(super) async fn bind(&mut self) -> Result<(), Failure> {
        let password = self.settings.bind_password.clone();
        let answer = self.ldap.with_timeout(ANSWER_LIMIT).simple_bind(&self.settings.bind_dn, password.expose()).await;
        let result = self.answered(answer, Loss::Nothing).await?;
        accept(&result, "the sign-in")
    }

    /// Says goodbye; what goes wrong then does not matter any more.
    pub(super) async fn close(mut self) {
        let _ = self.ldap.unbind().await;
    }

    /// Whether the base DN can be read.
    pub(super) async fn check_base(&mut self) -> Result<String, Failure> {
        let base = self.settings.base_dn.clone();
        let found = self.search_at(&base, Scope::Base, "(objectClass=*)", &["1.1"]).await?;
        if found.is_empty() {
            return Err(Failure::refused(404, format!("the base DN {base} is not there, or may not be read")));
        }
        let class = class_filter(&self.settings.user_classes);
        let people = self.search_at(&base, Scope::Subtree, &class, &["1.1"]).await?;
        Ok(format!("{base} can be read, {} people seen below it", counted(people.len())))
    }

    /// Entries below the base DN.
    pub(super) async fn search(&mut self, filter: &str, attributes: &[&str]) -> Result<Vec<SearchEntry>, Failure> {
        let base = self.settings.base_dn.clone();
        self.search_at(&base, Scope::Subtree, filter, attributes).await
    }

    /// Entries at or below a DN. None when the DN does not exist.
    pub(super) async fn search_at(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Vec<SearchEntry>, Failure> {
        const SIZE_LIMIT_EXCEEDED: u32 = 4;
        let options = ldap3::SearchOptions::new().sizelimit(ENTRY_LIMIT);
        let answer = self
            .ldap
            .with_search_options(options)
            .with_timeout(ANSWER_LIMIT)
            .search(base, scope, filter, attributes.to_vec())
            .await;
        let ldap3::SearchResult(entries, result) = self.answered(answer, Loss::Nothing).await?;
        if !matches!(result.rc, code::SUCCESS | code::NO_SUCH_OBJECT | SIZE_LIMIT_EXCEEDED) {
            return Err(refused(&result, "the search"));
        }
        // Active Directory answers a search at its root also with references to elsewhere, which are no entries.
        Ok(entries
            .into_iter()
            .filter(|entry| !entry.is_ref() && !entry.is_intermediate())
            .map(SearchEntry::construct)
            .collect())
    }

    /// Adds an entry. A lost connection leaves it unknown.
    pub(super) async fn add(
        &mut self,
        dn: &str,
        attributes: Vec<(Vec<u8>, HashSet<Vec<u8>>)>,
    ) -> Result<LdapResult, Failure> {
        let answer = self.ldap.with_timeout(ANSWER_LIMIT).add(dn, attributes).await;
        self.answered(answer, Loss::Unknown).await
    }

    /// Changes an entry in a way that may be repeated.
    pub(super) async fn modify(&mut self, dn: &str, changes: Vec<Mod<Vec<u8>>>) -> Result<LdapResult, Failure> {
        let answer = self.ldap.with_timeout(ANSWER_LIMIT).modify(dn, changes).await;
        self.answered(answer, Loss::Repeatable).await
    }

    /// Deletes an entry; false when it is not there.
    pub(super) async fn delete(&mut self, dn: &str) -> Result<bool, Failure> {
        let answer = self.ldap.with_timeout(ANSWER_LIMIT).delete(dn).await;
        let result = self.answered(answer, Loss::Repeatable).await?;
        if result.rc == code::NO_SUCH_OBJECT {
            return Ok(false);
        }
        accept(&result, "the deletion").map(|()| true)
    }

    /// Sets a password by the extended operation, so that the server hashes it as its policy says.
    pub(super) async fn modify_password(&mut self, dn: &str, password: &str) -> Result<(), Failure> {
        let operation = ldap3::exop::PasswordModify { user_id: Some(dn), old_pass: None, new_pass: Some(password) };
        let answer = self.ldap.with_timeout(ANSWER_LIMIT).extended(operation).await;
        let ldap3::result::ExopResult(_, result) = self.answered(answer, Loss::Repeatable).await?;
        accept(&result, "the new password")
    }

    /// An answer, or what it means that there is none.
    async fn answered<T>(&mut self, answer: Result<T, LdapError>, loss: Loss) -> Result<T, Failure> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let end = self.link.end(&error).await;
                Err(broken(&error, end, loss))
            }
        }
    }
}

/// Success, or what the code means.
pub(super) fn accept(result: &LdapResult, what: &str) -> Result<(), Failure> {
    if result.rc == code::SUCCESS { Ok(()) } else { Err(refused(result, what)) }
}

/// The filter for entries of all these classes.
pub(super) fn class_filter(classes: &[String]) -> String {
    let parts: Vec<String> =
        classes.iter().map(|class| format!("(objectClass={})", ldap_escape(class.as_str()))).collect();
    let joined = parts.concat();
    if parts.len() == 1 { joined } else { format!("(&{joined})") }
}

fn counted(number: usize) -> String {
    if i32::try_from(number).is_ok_and(|number| number < ENTRY_LIMIT) {
        number.to_string()
    } else {
        format!("{ENTRY_LIMIT} or more")
    }
}
