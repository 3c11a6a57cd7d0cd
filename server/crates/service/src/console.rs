//! What the command line of the server's own machine may do. Whoever can run it holds the database and the key anyway,
//! so no policy is asked; everything else is as in the portal: the same checks, and an audit entry in the same
//! transaction, by the door `cli`.

use std::{fmt, time::Duration};

use audit::{Actor, Detail, Door, Entry, Outcome, ResourceRef};
use domain::{
    ErrorCode, GrantId, Name, Operation, PolicySetState, Problem, Role, Scope, TokenId, UserId,
    view::{FileReport, UserView, VerificationView},
};
use identity::{Secret, tokens};
use serde_json::{Value, json};
use store::{
    UnitOfWork,
    access::{Grant, Subject},
    credentials::ApiToken,
    policy_sets::PolicySet,
    users::User,
};
use tokio::sync::mpsc;

use crate::{
    AuditExport, Caller, DefinitionArchive, DefinitionFile, ExportedVersions, NewUser, Origin, Service,
    administration::personal,
    audit_log::{self, export_lines},
    authoring::{archive_detail, archive_target},
    gate::Target,
    people::{all_right, check_login, check_name_and_email, field, user_view},
    problems::{OrProblem as _, from_store},
    separation::must_stay_apart,
    signed_log,
};

/// People listed at once.
const PAGE: u32 = 500;
/// The longest name of a token, in characters; the same as in the portal.
const TOKEN_NAME_LIMIT: usize = 64;
/// Pieces of an export that wait for a slow reader.
const EXPORT_QUEUE: usize = 4;

/// How somebody who was just created, or forgot the password, gets in.
#[derive(Clone, Debug)]
pub enum WayIn {
    /// The password was given; nothing is to be handed over.
    Password,
    /// By this one-time link (path within the portal).
    Link(String),
}

fn unknown(login: &str) -> Problem {
    Problem::new(ErrorCode::NotFound).with_detail(format!("nobody has the sign-in name {login}"))
}

impl Service {
    /// Creates a person with these roles. With a password they sign in at once; without, a one-time link is made.
    pub async fn console_create_user(
        &self,
        new: NewUser,
        roles: &[(Role, Scope)],
        password: Option<Secret>,
    ) -> Result<WayIn, Problem> {
        let login = new.login.trim().to_lowercase();
        let email = new.email.as_deref().map(str::trim).filter(|email| !email.is_empty()).map(ToOwned::to_owned);
        let mut errors = check_login(&login);
        errors.extend(check_name_and_email(&new.name, email.as_deref()));
        all_right(errors)?;
        let password_hash = match &password {
            Some(password) => {
                Some(self.new_password(&login, &new.name, email.as_deref(), password, "/password").await?)
            }
            None => None,
        };
        let now = self.now();
        let mut unit = self.parts.store.begin().await.or_problem()?;
        if unit.user_by_login(&login).await.or_problem()?.is_some() {
            all_right(vec![field("/login", "unique", Value::Null, "this sign-in name is taken")])?;
        }
        let manager_id = match new.manager.as_deref().map(str::trim).filter(|login| !login.is_empty()) {
            Some(login) => Some(unit.user_by_login(login).await.or_problem()?.ok_or_else(|| unknown(login))?.id),
            None => None,
        };
        let user = User {
            id: UserId::new(self.ids()),
            login,
            name: new.name.trim().to_owned(),
            email,
            active: true,
            password_hash,
            must_change_password: false,
            manager_id,
            locale: None,
            theme: None,
            created_at: now,
            updated_at: now,
            last_sign_in_at: None,
        };
        unit.insert_user(&user).await.or_problem()?;
        must_stay_apart(unit.as_mut(), &[user.id], roles, now).await?;
        let mut entries = vec![self.console_entry(
            Operation::UserCreate,
            ("user", user.id.to_string(), user.login.clone()),
            None,
            personal(
                user.id,
                json!({"after": {"name": user.name, "email": user.email, "active": true, "manager": user.manager_id}}),
            ),
        )];
        for (role, scope) in roles {
            let grant = Grant {
                id: GrantId::new(self.ids()),
                subject: Subject::User(user.id),
                role: *role,
                scope: scope.clone(),
                expires_at: None,
                created_by: None,
                created_at: now,
                emergency: None,
            };
            unit.insert_grant(&grant).await.or_problem()?;
            let namespace = match scope {
                Scope::Everywhere => None,
                Scope::Namespace(name) => Some(name),
            };
            let mut entry = self.console_entry(
                Operation::GrantCreate,
                ("grant", grant.id.to_string(), format!("{}: {role} on {scope}", user.login)),
                namespace,
                Detail::from(json!({"after": {"holder": user.login, "role": role, "scope": scope}}))
                    .naming("/after/holder", [user.id]),
            );
            entry.resource.persons = vec![user.id];
            entries.push(entry);
        }
        let way = match password {
            Some(_) => WayIn::Password,
            None => WayIn::Link(self.password_link(unit.as_mut(), user.id).await?),
        };
        finish(unit, &entries).await?;
        Ok(way)
    }

    /// Sets a person's password and signs every browser of theirs out; without a password, makes a one-time link by
    /// which they set one themselves.
    pub async fn console_set_password(&self, login: &str, password: Option<Secret>) -> Result<WayIn, Problem> {
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let known = unit.user_by_login(login).await.or_problem()?.ok_or_else(|| unknown(login))?;
        unit.rollback().await.or_problem()?;
        let hash = match &password {
            Some(password) => {
                Some(self.new_password(&known.login, &known.name, known.email.as_deref(), password, "/password").await?)
            }
            None => None,
        };
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let mut user = self.known_user(unit.as_mut(), known.id).await?;
        let (way, detail) = if let Some(hash) = hash {
            user.password_hash = Some(hash);
            user.must_change_password = false;
            user.updated_at = self.now();
            unit.update_user(&user).await.or_problem()?;
            let ended = unit.revoke_sessions_of(user.id, None).await.or_problem()?;
            unit.revoke_links_of(user.id, self.now()).await.or_problem()?;
            (WayIn::Password, json!({"set": true, "sessionsEnded": ended}))
        } else {
            (WayIn::Link(self.password_link(unit.as_mut(), user.id).await?), json!({}))
        };
        let target = ("user", user.id.to_string(), user.login.clone());
        let entry = self.console_entry(Operation::UserResetPassword, target, None, detail);
        finish(unit, &[entry]).await?;
        Ok(way)
    }

    /// Everybody in order of sign-in name.
    pub async fn console_list_users(&self) -> Result<Vec<UserView>, Problem> {
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let mut views = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let rows = unit.list_users(None, after.as_deref(), PAGE).await.or_problem()?;
            let Some(last) = rows.last() else { return Ok(views) };
            after = Some(last.login.clone());
            for user in &rows {
                views.push(user_view(unit.as_mut(), user).await?);
            }
        }
    }

    /// Makes an API token for a person; its text is told this once.
    pub async fn console_create_token(
        &self,
        login: &str,
        name: &str,
        life: Option<Duration>,
    ) -> Result<Secret, Problem> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > TOKEN_NAME_LIMIT {
            let message = "a token's name has 1 to 64 characters";
            all_right(vec![field("/name", "maxLength", TOKEN_NAME_LIMIT.into(), message)])?;
        }
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let user = unit.user_by_login(login).await.or_problem()?.ok_or_else(|| unknown(login))?;
        if !user.active {
            return Err(Problem::new(ErrorCode::Conflict).with_detail(format!("{login} is disabled")));
        }
        let now = self.now();
        let made = tokens::generate(tokens::TokenKind::Api, self.parts.random.as_ref());
        let token = ApiToken {
            id: TokenId::new(self.ids()),
            user_id: user.id,
            name: name.to_owned(),
            token_hash: made.hash,
            created_at: now,
            expires_at: life.map(|life| now + life),
            last_used_at: None,
            revoked_at: None,
        };
        unit.insert_token(&token).await.or_problem()?;
        let entry = self.console_entry(
            Operation::TokenCreate,
            ("token", token.id.to_string(), token.name.clone()),
            None,
            json!({"for": user.login, "expiresAt": token.expires_at}),
        );
        finish(unit, &[entry]).await?;
        Ok(made.text)
    }

    /// Goes back to the policies of the program: for when those of administrators cannot be used by it, or let nobody repair
    /// them. Servers follow within seconds. The set that was in force; none if there was none.
    pub async fn console_reset_policies(&self) -> Result<Option<i64>, Problem> {
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let Some(active) = unit.active_policy_set().await.or_problem()? else { return Ok(None) };
        let replaced = PolicySet { state: PolicySetState::Replaced, ..active.clone() };
        unit.update_policy_set(&replaced, PolicySetState::Active).await.or_problem()?;
        let version = active.version;
        let target = ("policies", version.to_string(), format!("policies {version}"));
        let detail = json!({
            "before": {"version": version, "digest": active.digest},
            "after": {"version": null, "digest": self.parts.policies.digest()},
        });
        finish(unit, &[self.console_entry(Operation::PolicyWithdraw, target, None, detail)]).await?;
        Ok(Some(version))
    }

    /// Exports the whole audit log as JSON Lines, in pieces.
    pub async fn console_export_audit(&self) -> Result<AuditExport, Problem> {
        let unit = self.parts.store.begin().await.or_problem()?;
        let target = ("audit", "log".to_owned(), "audit log".to_owned());
        let entry = self.console_entry(Operation::AuditExport, target, None, json!({"format": "json-lines"}));
        finish(unit, &[entry]).await?;
        let signed = self.checkpoint().await.or_problem()?;
        self.await_cosignatures(signed.size).await.or_problem()?;
        let (pieces, export) = mpsc::channel(EXPORT_QUEUE);
        let store = std::sync::Arc::clone(&self.parts.store);
        tokio::spawn(async move {
            if let Err(cause) = export_lines(store.as_ref(), &signed, &pieces).await {
                // An error only says that the reader has gone.
                let _ = pieces.send(Err(from_store(cause))).await;
            }
        });
        Ok(export)
    }

    /// An archive of definitions: of one namespace, or of all.
    pub async fn console_export_definitions(
        &self,
        namespace: Option<Name>,
        versions: ExportedVersions,
    ) -> Result<DefinitionArchive, Problem> {
        let unit = self.parts.store.begin().await.or_problem()?;
        let Target { kind, id, name, .. } = archive_target(namespace.as_ref());
        let detail = archive_detail(versions);
        let entry = self.console_entry(Operation::DefinitionExport, (kind, id, name), namespace.as_ref(), detail);
        finish(unit, &[entry]).await?;
        Ok(self.pack(namespace, versions, |_| true))
    }

    /// Makes drafts of files. Each has an author, who answers for it and may not publish it: so it is done as this person, by
    /// their rights and no others.
    pub async fn console_import_definitions(
        &self,
        author: &str,
        files: Vec<DefinitionFile>,
    ) -> Result<Vec<FileReport>, Problem> {
        let caller = self.console_caller(author).await?;
        let mut reports = Vec::new();
        // One by one: how much comes in one request is of no matter here.
        for file in files {
            reports.extend(self.import_definitions(&caller, vec![file]).await?);
        }
        Ok(reports)
    }

    /// A person in whose name something is done, by their rights and no others: what has to have somebody who answers for it.
    pub async fn console_caller(&self, login: &str) -> Result<Caller, Problem> {
        self.load_policies().await?;
        let origin =
            Origin { door: Door::Cli, address: String::new(), user_agent: String::new(), trace_id: String::new() };
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let user = unit.user_by_login(login).await.or_problem()?.ok_or_else(|| unknown(login))?;
        let caller = self.caller(unit.as_mut(), user.id, None, None, origin).await?;
        caller.ok_or_else(|| Problem::new(ErrorCode::Conflict).with_detail(format!("{login} is disabled")))
    }

    /// Checks the stored audit log from its beginning, without an entry: for `rondo doctor`.
    pub async fn console_verify_audit(&self) -> Result<VerificationView, Problem> {
        self.sequence().await.or_problem()?;
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        self.verdict(unit.as_mut()).await.or_problem()
    }

    /// Says in the audit log that it was verified, and with what verdict.
    pub async fn console_note_verification(&self, verdict: &VerificationView) -> Result<(), Problem> {
        let Target { kind, id, name, .. } = audit_log::verified();
        let entry =
            self.console_entry(Operation::AuditRead, (kind, id, name), None, audit_log::verdict_detail(verdict));
        finish(self.parts.store.begin().await.or_problem()?, &[entry]).await
    }

    /// The public key of the audit log.
    pub async fn console_audit_key(&self) -> Result<String, Problem> {
        self.checkpoint().await.or_problem()?;
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        Ok(signed_log::keys(unit.as_mut()).await.or_problem()?.0)
    }

    /// Has the audit log signed with a new key from now on, which the newest so far introduces; the new one's public key.
    pub async fn console_rotate_audit_key(&self) -> Result<String, Problem> {
        // The key so far signs all that there is, and there is one.
        self.checkpoint().await.or_problem()?;
        let mut unit = self.parts.store.begin().await.or_problem()?;
        let key = self.introduce_audit_key(unit.as_mut()).await.or_problem()?;
        let target = ("audit", "log".to_owned(), "audit log".to_owned());
        let detail = json!({"key": key.to_string()});
        finish(unit, &[self.console_entry("audit.rotate-key", target, None, detail)]).await?;
        self.checkpoint().await.or_problem()?;
        Ok(key.to_string())
    }

    fn console_entry(
        &self,
        action: impl fmt::Display,
        (kind, id, name): (&str, String, String),
        namespace: Option<&Name>,
        detail: impl Into<Detail>,
    ) -> Entry {
        let detail = detail.into();
        Entry {
            at: self.now(),
            actor: Actor { id: None, login: "console".to_owned() },
            door: Door::Cli,
            session: None,
            token: None,
            address: None,
            trace_id: String::new(),
            action: action.to_string(),
            resource: ResourceRef { kind: kind.to_owned(), id, name, persons: Vec::new() },
            namespace: namespace.cloned(),
            outcome: Outcome::Done,
            policies: Vec::new(),
            policy_set: None,
            detail: detail.value,
            named: detail.named,
        }
    }
}

/// Enters the change in the audit log and makes both durable.
async fn finish(mut unit: Box<dyn UnitOfWork>, entries: &[Entry]) -> Result<(), Problem> {
    audit::append_all(unit.as_mut(), entries).await.or_problem()?;
    unit.commit().await.or_problem()
}
