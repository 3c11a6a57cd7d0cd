//! Repositories whose branches bring definitions: which ones, and how they are followed.
//!
//! A repository belongs to a namespace and brings definitions of that one only. What comes from it takes the way of any other
//! definition, beginning with the review; nothing that people have made of it here is ever overwritten. Whoever sets a
//! repository up decides what comes from it, and so counts as an author of all of it. See
//! `docs/adr/0027-definitions-from-a-repository.md`.

mod hook;
mod intake;
mod look;

pub use hook::HookProof;

use connectors::git::{Branch, Checkout, Credentials, GitError};
use domain::{
    FieldError, Name, Operation, Problem,
    view::{FileReport, RepositoryView},
};
use engine::Topic;
use policy::Resource;
use serde_json::{Value, json};
use store::repositories::{Look, Repository};
use url::Url;

use crate::{
    Caller, Gate, Service,
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, internal, not_found},
    views::People,
};

/// The longest address, branch or folder, in characters.
const TEXT_LIMIT: usize = 500;
/// The longest time from one look to the next: a week, in minutes.
const EVERY_LIMIT: u32 = 7 * 24 * 60;
/// The longest certificates of an authority, in bytes.
const AUTHORITY_LIMIT: usize = 64 * 1024;
/// How a certificate begins in PEM.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";
/// The shortest secret of a webhook, in characters.
const HOOK_SECRET: usize = 16;

/// Reads branches of repositories elsewhere.
#[async_trait::async_trait]
pub trait Branches: Send + Sync {
    /// What stands on a branch; none if that is still the commit `known`. `authority` (PEM) alone is trusted with the server's
    /// certificate; without one, whom the system trusts.
    ///
    /// # Errors
    /// The repository cannot be reached or read, or is larger than is taken.
    async fn read(
        &self,
        branch: &Branch,
        authority: Option<&str>,
        known: Option<&str>,
    ) -> Result<Option<Checkout>, GitError>;
}

/// What becomes of something that is stored and that a form does not show again, when what it belongs to is changed.
#[derive(Clone, Debug, Default)]
pub enum StoredChange {
    /// It stays as it is.
    #[default]
    Keep,
    /// There is none any more.
    Remove,
    /// It is this text.
    Set(String),
}

/// How a repository is to be followed.
#[derive(Clone, Debug, Default)]
pub struct NewRepository {
    /// Its address: https, or http.
    pub url: String,
    /// The branch.
    pub branch: String,
    /// The folder with the definitions; empty for the root.
    pub folder: String,
    /// The account by which it is read; none or empty: anybody may read it.
    pub account: Option<String>,
    /// That account's password or token. It stays with the address: another host needs it given again.
    pub password: StoredChange,
    /// The authority (PEM) that alone is trusted with the server's certificate; without one, whom the system trusts.
    pub authority: StoredChange,
    /// What calls of its webhook are signed with; without one it has no webhook.
    pub hook_secret: StoredChange,
    /// Minutes from one look to the next; none: only when somebody asks.
    pub every_minutes: Option<u32>,
}

impl NewRepository {
    /// Without spaces and slashes around, with nothing where nothing was typed.
    fn tidied(self) -> Self {
        Self {
            url: self.url.trim().to_owned(),
            branch: self.branch.trim().to_owned(),
            folder: self.folder.trim().trim_matches('/').to_owned(),
            account: self.account.map(|account| account.trim().to_owned()).filter(|account| !account.is_empty()),
            ..self
        }
    }

    /// The address, if nothing is wrong with what was typed.
    fn checked(&self) -> Result<Url, Problem> {
        let mut errors = Vec::new();
        let url = check_url(&self.url).map_err(|error| errors.push(error)).ok();
        if !is_branch(&self.branch) {
            let message = "name a branch, such as main";
            errors.push(field("/branch", "pattern", Value::Null, message));
        }
        if !is_folder(&self.folder) {
            let message = "name a folder of the repository, such as workflows/identity, or nothing for all of it";
            errors.push(field("/folder", "pattern", Value::Null, message));
        }
        if matches!(&self.authority, StoredChange::Set(pem) if pem.len() > AUTHORITY_LIMIT || !pem.contains(CERTIFICATE))
        {
            let message = "paste the authority's certificate in PEM, from -----BEGIN CERTIFICATE----- on";
            errors.push(field("/authority", "format", "pem".into(), message));
        }
        if self.every_minutes.is_some_and(|minutes| !(1..=EVERY_LIMIT).contains(&minutes)) {
            let message = "from one minute to a week (10080), or nothing to look only when somebody asks";
            errors.push(field("/everyMinutes", "maximum", EVERY_LIMIT.into(), message));
        }
        if matches!(&self.hook_secret, StoredChange::Set(secret) if secret.chars().count() < HOOK_SECRET) {
            let message = "the secret of a webhook has at least 16 characters";
            errors.push(field("/hookSecret", "minLength", HOOK_SECRET.into(), message));
        }
        all_right(errors)?;
        url.ok_or_else(not_found)
    }
}

fn check_url(text: &str) -> Result<Url, FieldError> {
    let wrong = |message: &str| field("/url", "format", "uri".into(), message);
    let Ok(url) = Url::parse(text) else {
        return Err(wrong("write the whole address, such as https://git.example.com/team/definitions.git"));
    };
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() || text.len() > TEXT_LIMIT {
        return Err(wrong("repositories are read by https (or http), so the address begins with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("give the account and its password in their own fields, not in the address"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("the address of a repository has no ? and no #"));
    }
    Ok(url)
}

/// The rules of git for names of branches, as far as they matter to us.
fn is_branch(name: &str) -> bool {
    let forbidden = |letter: char| letter.is_whitespace() || letter.is_control() || "~^:?*[\\".contains(letter);
    !name.is_empty()
        && name.len() <= TEXT_LIMIT
        && !name.starts_with(['-', '/', '.'])
        && !name.ends_with(['/', '.'])
        && !name.contains("..")
        && !name.contains("//")
        && !name.contains(forbidden)
}

fn is_folder(folder: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    folder.is_empty()
        || (folder.len() <= TEXT_LIMIT
            && folder.split('/').all(is_part)
            && !folder.contains(|letter: char| letter == '\\' || letter.is_control()))
}

fn target(namespace: &Name, name: &Name) -> Target {
    let place = format!("{namespace}/{name}");
    Target::new("repository", &place, place.clone()).within(namespace)
}

/// Where a password is sealed for: sent to another host it does not open.
fn place_of_password(namespace: &Name, name: &Name, url: &Url) -> String {
    format!("repository:{namespace}/{name}:password:{}", url.origin().ascii_serialization())
}

fn place_of_hook(namespace: &Name, name: &Name) -> String {
    format!("repository:{namespace}/{name}:hook")
}

/// What the audit log keeps of a repository: never a secret, only whether there is one.
fn facts(repository: &Repository) -> Value {
    json!({
        "url": repository.url,
        "branch": repository.branch,
        "folder": repository.folder,
        "account": repository.account,
        "password": repository.sealed_password.is_some(),
        "authority": repository.authority,
        "hook": repository.sealed_hook.is_some(),
        "everyMinutes": repository.every_minutes,
    })
}

impl Service {
    /// The repositories of the namespaces for which the caller writes, reviews or administers, by namespace and name.
    pub async fn repositories(&self, caller: &Caller) -> Result<Vec<RepositoryView>, Problem> {
        let mut gate = self.look(caller, Operation::RepositoryList).await?;
        gate.authorize(&Resource::system(), &Target::new("repositories", "", "")).await?;
        let mut repositories = gate.unit.list_repositories().await.or_problem()?;
        repositories.retain(|one| gate.shows(&Resource::repository(&one.namespace, &one.name)));
        let people = People::load(gate.unit.as_mut(), repositories.iter().map(|one| one.changed_by)).await;
        let people = people.or_problem()?;
        Ok(repositories.into_iter().map(|one| self.repository_view(caller, one, &people)).collect())
    }

    /// One of them.
    pub async fn repository(&self, caller: &Caller, namespace: &Name, name: &Name) -> Result<RepositoryView, Problem> {
        let mut gate = self.look(caller, Operation::RepositoryList).await?;
        let resource = Resource::repository(namespace, name);
        gate.authorize_or_hide(&resource, &target(namespace, name)).await?;
        let repository = gate.unit.repository(namespace, name).await.or_problem()?.ok_or_else(not_found)?;
        let people = People::load(gate.unit.as_mut(), [repository.changed_by]).await.or_problem()?;
        Ok(self.repository_view(caller, repository, &people))
    }

    /// Follows a repository, or the one of this name in another way. It is looked at at once, from the beginning.
    pub async fn put_repository(
        &self,
        caller: &Caller,
        namespace: Name,
        name: Name,
        new: NewRepository,
    ) -> Result<RepositoryView, Problem> {
        let mut gate = self.enter(caller, Operation::RepositoryUpdate).await?;
        let target = target(&namespace, &name);
        gate.authorize(&Resource::repository(&namespace, &name), &target).await?;
        let new = new.tidied();
        let url = new.checked()?;
        let known = gate.unit.repository(&namespace, &name).await.or_problem()?;
        let sealed_password = self.password(&namespace, &name, &url, &new, known.as_ref())?;
        let authority = match new.authority {
            StoredChange::Keep => known.as_ref().and_then(|known| known.authority.clone()),
            StoredChange::Remove => None,
            StoredChange::Set(pem) => Some(pem),
        };
        let sealed_hook = match new.hook_secret {
            StoredChange::Keep => known.as_ref().and_then(|known| known.sealed_hook.clone()),
            StoredChange::Remove => None,
            StoredChange::Set(text) => Some(self.parts.vault.seal(&place_of_hook(&namespace, &name), &text)),
        };
        let repository = Repository {
            url: url.to_string(),
            branch: new.branch,
            folder: new.folder,
            account: new.account,
            sealed_password,
            authority,
            sealed_hook,
            every_minutes: new.every_minutes,
            changed_by: caller.user,
            changed_at: gate.now,
            due_at: Some(gate.now),
            look: Look { files: "[]".to_owned(), ..Look::default() },
            namespace,
            name,
        };
        gate.unit.put_repository(&repository).await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), [caller.user]).await.or_problem()?;
        let detail = json!({"before": known.as_ref().map(facts), "after": facts(&repository)});
        gate.finish(&target, detail).await?;
        self.repositories_changed();
        Ok(self.repository_view(caller, repository, &people))
    }

    /// Follows a repository no longer. What it has brought stays.
    pub async fn delete_repository(&self, caller: &Caller, namespace: &Name, name: &Name) -> Result<(), Problem> {
        let (mut gate, repository) =
            self.known_repository(caller, Operation::RepositoryDelete, namespace, name).await?;
        gate.unit.delete_repository(namespace, name).await.or_problem()?;
        gate.finish(&target(namespace, name), json!({"before": facts(&repository), "after": null})).await?;
        self.parts.live.changed(Topic::Repositories);
        Ok(())
    }

    /// Has a repository looked at now. The look itself is done in the background, and shows in [`Service::repository`].
    pub async fn sync_repository(
        &self,
        caller: &Caller,
        namespace: &Name,
        name: &Name,
    ) -> Result<RepositoryView, Problem> {
        let (mut gate, _) = self.known_repository(caller, Operation::RepositorySync, namespace, name).await?;
        let now = gate.now;
        gate.unit.hasten_repository(namespace, name, now).await.or_problem()?;
        gate.finish(&target(namespace, name), json!({})).await?;
        self.repositories_changed();
        self.repository(caller, namespace, name).await
    }

    /// Begins a change of a repository that must be there.
    async fn known_repository(
        &self,
        caller: &Caller,
        operation: Operation,
        namespace: &Name,
        name: &Name,
    ) -> Result<(Gate<'_>, Repository), Problem> {
        let mut gate = self.enter(caller, operation).await?;
        let resource = Resource::repository(namespace, name);
        let may_know = self.in_force().decide(&caller.principal, Operation::RepositoryList, &resource).allowed;
        if may_know {
            gate.authorize(&resource, &target(namespace, name)).await?;
        } else {
            gate.authorize_or_hide(&resource, &target(namespace, name)).await?;
        }
        let repository = gate.unit.repository(namespace, name).await.or_problem()?.ok_or_else(not_found)?;
        Ok((gate, repository))
    }

    /// The sealed password that a repository has from now on: none without an account, and one without a password is refused.
    fn password(
        &self,
        namespace: &Name,
        name: &Name,
        url: &Url,
        new: &NewRepository,
        known: Option<&Repository>,
    ) -> Result<Option<String>, Problem> {
        if new.account.is_none() {
            return Ok(None);
        }
        let place = place_of_password(namespace, name, url);
        let wrong = |message: &str| all_right(vec![field("/password", "required", Value::Null, message)]);
        match &new.password {
            StoredChange::Set(text) if !text.is_empty() => return Ok(Some(self.parts.vault.seal(&place, text))),
            StoredChange::Keep => {}
            StoredChange::Set(_) | StoredChange::Remove => wrong("an account needs its password or token")?,
        }
        let Some(sealed) = known.and_then(|known| known.sealed_password.clone()) else {
            wrong("an account needs its password or token")?;
            return Ok(None);
        };
        if self.parts.vault.unseal(&place, &sealed).is_err() {
            wrong("the password was given for another host; give it again for this one")?;
        }
        Ok(Some(sealed))
    }

    /// The branch of a repository, with its password opened.
    fn branch_of(&self, repository: &Repository) -> Result<Branch, Problem> {
        let Repository { namespace, name, .. } = repository;
        let url = Url::parse(&repository.url).map_err(|cause| internal("a stored address is none", &cause))?;
        let credentials = match (&repository.account, &repository.sealed_password) {
            (Some(user), Some(sealed)) => {
                let password = self.parts.vault.unseal(&place_of_password(namespace, name, &url), sealed);
                let password = password.map_err(|cause| internal("a password cannot be opened", &cause))?;
                Some(Credentials { user: user.clone(), password })
            }
            _ => None,
        };
        Ok(Branch { url, name: repository.branch.clone(), folder: repository.folder.clone(), credentials })
    }

    fn repositories_changed(&self) {
        self.parts.live.changed(Topic::Repositories);
        self.repositories_due.notify_one();
    }

    fn repository_view(&self, caller: &Caller, repository: Repository, people: &People) -> RepositoryView {
        let Repository { namespace, name, look, .. } = repository;
        let resource = Resource::repository(&namespace, &name);
        let policies = self.in_force();
        let actions = [Operation::RepositorySync, Operation::RepositoryUpdate, Operation::RepositoryDelete];
        let files: Vec<FileReport> = serde_json::from_str(&look.files).unwrap_or_default();
        RepositoryView {
            url: repository.url,
            branch: repository.branch,
            folder: repository.folder,
            account: repository.account,
            authority: repository.authority,
            every_minutes: repository.every_minutes,
            hook: repository.sealed_hook.map(|_| hook::path(&namespace, &name)),
            changed_by: people.get(repository.changed_by),
            changed_at: repository.changed_at,
            due_at: repository.due_at,
            looked_at: look.looked_at,
            commit: look.commit,
            failure: look.failure,
            files,
            actions: actions
                .into_iter()
                .filter(|operation| policies.decide(&caller.principal, *operation, &resource).allowed)
                .collect(),
            namespace,
            name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_and_folders_are_what_git_takes() {
        for name in ["main", "release/2.1", "feature/a-b_c", "한국어"] {
            assert!(is_branch(name), "{name}");
        }
        for name in ["", "-x", "/a", "a/", "a..b", "a b", "a~1", "a^", "a:b", "*", "a\\b", "a//b", ".a", "a."] {
            assert!(!is_branch(name), "{name}");
        }
        for folder in ["", "workflows", "a/b c/d"] {
            assert!(is_folder(folder), "{folder}");
        }
        for folder in ["..", "a/../b", "a//b", "./a", "a\\b"] {
            assert!(!is_folder(folder), "{folder}");
        }
    }

    #[test]
    fn an_address_carries_no_secret() {
        assert!(check_url("https://git.example.test/a.git").is_ok());
        for text in [
            "git.example.test/a",
            "ssh://git@example.test/a",
            "file:///etc",
            "https://me:secret@example.test/a",
            "https://me@example.test/a",
            "https://example.test/a?x=1",
            "https://example.test/a#x",
        ] {
            assert!(check_url(text).is_err(), "{text}");
        }
    }
}
