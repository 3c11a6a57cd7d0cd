//! One's own account: who one is, sessions, password, preferences, API tokens, and the home page.

use std::time::Duration;

use domain::{
    ApprovalState, ErrorCode, NotificationId, Operation, Problem, RunStatus, SessionId, Timestamp, TokenId,
    view::{GrantView, HomeView, MeView, SessionView, SubjectView, TokenView},
};
use identity::{Secret, tokens};
use policy::{Resource, ResourceKind};
use serde_json::{Value, json};
use store::{
    access::{Grant, Subject},
    approvals::ApprovalFilter,
    credentials::ApiToken,
    runs::RunFilter,
};

use crate::{
    Caller, Service,
    gate::Target,
    people::{all_right, field},
    problems::{OrProblem as _, internal, not_found},
    runs, views,
    views::People,
};

/// Decisions that are counted at most: more is no figure that anybody acts on.
const COUNTED: u32 = 1_000;
/// Entries of each list on the home page.
const HOME_ITEMS: u32 = 8;
/// The longest name of a token, in characters.
const TOKEN_NAME_LIMIT: usize = 64;
/// The longest life of a token that is created in the portal, in days.
const TOKEN_DAYS_LIMIT: u32 = 3_650;

fn account(caller: &Caller) -> (Resource, Target) {
    (Resource::account(caller.user), Target::new("user", caller.user, caller.login.clone()))
}

impl Service {
    /// Who the caller is and what the caller may do.
    pub async fn me(&self, caller: &Caller) -> Result<MeView, Problem> {
        let mut gate = self.look(caller, Operation::MeRead).await?;
        let (resource, target) = account(caller);
        gate.authorize(&resource, &target).await?;
        let unit = gate.unit.as_mut();
        let user = self.known_user(unit, caller.user).await?;
        let manager = match user.manager_id {
            Some(manager) => unit.user(manager).await.or_problem()?.map(|manager| views::person(&manager)),
            None => None,
        };
        let represents = unit.represented_by(caller.user, gate.now).await.or_problem()?;
        let mut grants = Vec::new();
        for grant in unit.grants_of(caller.user, gate.now).await.or_problem()? {
            grants.push(grant_view(unit, &grant, gate.now).await?);
        }
        Ok(MeView {
            id: user.id,
            login: user.login,
            name: user.name,
            email: user.email,
            locale: user.locale.unwrap_or_default(),
            theme: user.theme.unwrap_or_else(|| "system".to_owned()),
            manager,
            grants,
            operations: self.in_force().operations(&caller.principal),
            pending_decisions: unit.count_waiting_for(caller.user, &represents, COUNTED).await.or_problem()?,
            unread_notifications: unit.count_unread(caller.user).await.or_problem()?,
            must_change_password: user.must_change_password,
            mail_enabled: self.parts.mail_enabled,
            demo: !self.parts.demo.is_empty(),
        })
    }

    /// The sign-ins of the demonstration organisation; none outside it.
    #[must_use]
    pub fn demo_sign_ins(&self) -> Vec<domain::view::DemoSignIn> {
        self.parts.demo.clone()
    }

    /// What needs the caller, what became of the caller's requests, what runs, what is on fire.
    pub async fn home(&self, caller: &Caller) -> Result<HomeView, Problem> {
        let mut gate = self.look(caller, Operation::MeRead).await?;
        let (resource, target) = account(caller);
        gate.authorize(&resource, &target).await?;
        let unit = gate.unit.as_mut();
        let visible = runs::visibility(self, unit, caller, gate.now).await?;
        let waiting = ApprovalFilter {
            state: Some(ApprovalState::Pending),
            waiting_for: Some(caller.user),
            for_others: visible.represents.clone(),
            run: None,
        };
        let waiting = unit.list_approvals(&visible, &waiting, None, HOME_ITEMS).await.or_problem()?;
        let decisions = self.approval_summaries(unit, caller, &visible.represents, waiting).await?;
        let mine = RunFilter { requester: Some(caller.user), ..RunFilter::default() };
        let requests = unit.list_runs(&visible, &mine, None, HOME_ITEMS).await.or_problem()?;
        let operates = visible.everywhere || !visible.namespaces.is_empty();
        let (mut running, mut attention) = (Vec::new(), Vec::new());
        if operates {
            let open = vec![RunStatus::Pending, RunStatus::Running, RunStatus::Waiting, RunStatus::Suspended];
            let filter = RunFilter { statuses: open, ..RunFilter::default() };
            running = unit.list_runs(&visible, &filter, None, HOME_ITEMS).await.or_problem()?;
            let filter = RunFilter { needs_attention: Some(true), ..RunFilter::default() };
            attention = unit.list_runs(&visible, &filter, None, HOME_ITEMS).await.or_problem()?;
        }
        let connections = self.failing_connections(unit, caller).await?;
        let everyone = requests.iter().chain(&running).chain(&attention).map(|run| run.requester_id);
        let people = People::load(unit, everyone.collect::<Vec<_>>()).await.or_problem()?;
        let summaries = |rows: Vec<store::runs::Run>| rows.iter().map(|run| views::run_summary(run, &people)).collect();
        Ok(HomeView {
            decisions,
            requests: summaries(requests),
            running: summaries(running),
            attention: summaries(attention),
            connections,
        })
    }

    /// The caller's signed-in browsers, last seen first.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionView>, Problem> {
        let mut gate = self.look(caller, Operation::SessionList).await?;
        let own = Resource::own(ResourceKind::Session, caller.user);
        gate.authorize(&own, &account(caller).1).await?;
        let sessions = gate.unit.sessions_of(caller.user, gate.now).await.or_problem()?;
        Ok(sessions
            .into_iter()
            .map(|session| SessionView {
                id: session.id,
                current: caller.session == Some(session.id),
                address: session.address,
                user_agent: session.user_agent,
                created_at: session.created_at,
                last_seen_at: session.last_seen_at,
                expires_at: session.expires_at,
            })
            .collect())
    }

    /// Signs one of the caller's browsers out.
    pub async fn revoke_session(&self, caller: &Caller, id: SessionId) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::SessionRevoke).await?;
        let own = Resource::own(ResourceKind::Session, caller.user);
        let target = Target::new("session", id, caller.login.clone()).naming([caller.user]);
        gate.authorize(&own, &target).await?;
        if !gate.unit.revoke_session(caller.user, id).await.or_problem()? {
            return Err(not_found());
        }
        gate.finish(&target, json!({})).await
    }

    /// Signs all of the caller's browsers out but the one that asks.
    pub async fn revoke_other_sessions(&self, caller: &Caller) -> Result<u64, Problem> {
        let mut gate = self.enter(caller, Operation::SessionRevoke).await?;
        let own = Resource::own(ResourceKind::Session, caller.user);
        let target = account(caller).1;
        gate.authorize(&own, &target).await?;
        let ended = gate.unit.revoke_sessions_of(caller.user, caller.session).await.or_problem()?;
        gate.finish(&target, json!({"ended": ended})).await?;
        Ok(ended)
    }

    /// Changes the caller's password and signs the caller's other browsers out.
    pub async fn change_password(&self, caller: &Caller, current: &str, new: &str) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::PasswordChange).await?;
        let (resource, target) = account(caller);
        gate.authorize(&resource, &target).await?;
        let user = self.known_user(gate.unit.as_mut(), caller.user).await?;
        // The writer is not held while hashing.
        gate.unit.rollback().await.or_problem()?;
        let verified = self
            .parts
            .passwords
            .verify(user.password_hash.as_deref(), &Secret::new(current.to_owned()))
            .await
            .map_err(|cause| internal("a password cannot be checked", &cause))?;
        let gate = self.enter(caller, Operation::PasswordChange).await?;
        if !verified.matches {
            let wrong = field("/current", "wrong", Value::Null, "this is not your present password");
            let problem = Problem::new(ErrorCode::InvalidInput).with_errors(vec![wrong]);
            return Err(gate.fail(&target, problem, json!({"reason": "wrong password"})).await);
        }
        drop(gate);
        let hash = self
            .new_password(&user.login, &user.name, user.email.as_deref(), &Secret::new(new.to_owned()), "/password")
            .await?;
        let mut gate = self.enter(caller, Operation::PasswordChange).await?;
        let mut user = self.known_user(gate.unit.as_mut(), caller.user).await?;
        user.password_hash = Some(hash);
        user.must_change_password = false;
        user.updated_at = gate.now;
        gate.unit.update_user(&user).await.or_problem()?;
        let ended = gate.unit.revoke_sessions_of(caller.user, caller.session).await.or_problem()?;
        gate.finish(&target, json!({"sessionsEnded": ended})).await
    }

    /// Changes the caller's language or theme. `None` leaves it as it is, an empty text goes back to the browser's.
    pub async fn change_preferences(
        &self,
        caller: &Caller,
        locale: Option<String>,
        theme: Option<String>,
    ) -> Result<(), Problem> {
        let mut errors = Vec::new();
        if locale.as_deref().is_some_and(|locale| !matches!(locale, "" | "en" | "ko")) {
            errors.push(field("/locale", "enum", json!(["en", "ko"]), "en or ko"));
        }
        if theme.as_deref().is_some_and(|theme| !matches!(theme, "" | "system" | "light" | "dark")) {
            errors.push(field("/theme", "enum", json!(["system", "light", "dark"]), "system, light or dark"));
        }
        all_right(errors)?;
        let mut gate = self.enter(caller, Operation::PreferencesChange).await?;
        let (resource, target) = account(caller);
        gate.authorize(&resource, &target).await?;
        let mut user = self.known_user(gate.unit.as_mut(), caller.user).await?;
        if let Some(locale) = &locale {
            user.locale = Some(locale.clone()).filter(|locale| !locale.is_empty());
        }
        if let Some(theme) = &theme {
            user.theme = Some(theme.clone()).filter(|theme| !matches!(theme.as_str(), "" | "system"));
        }
        user.updated_at = gate.now;
        gate.unit.update_user(&user).await.or_problem()?;
        gate.finish(&target, json!({"locale": locale, "theme": theme})).await
    }

    /// The caller's API tokens, newest first.
    pub async fn tokens(&self, caller: &Caller) -> Result<Vec<TokenView>, Problem> {
        let mut gate = self.look(caller, Operation::TokenList).await?;
        gate.authorize(&Resource::own(ResourceKind::Token, caller.user), &account(caller).1).await?;
        let tokens = gate.unit.tokens_of(caller.user).await.or_problem()?;
        Ok(tokens.into_iter().map(|token| token_view(token, None)).collect())
    }

    /// Creates an API token of the caller's. The answer holds its text, once.
    pub async fn create_token(&self, caller: &Caller, name: &str, days: Option<u32>) -> Result<TokenView, Problem> {
        let name = name.trim();
        let mut errors = Vec::new();
        if name.is_empty() {
            errors.push(field("/name", "required", Value::Null, "a name is needed"));
        } else if name.chars().count() > TOKEN_NAME_LIMIT {
            errors.push(field("/name", "maxLength", TOKEN_NAME_LIMIT.into(), "the name is too long"));
        }
        if days.is_some_and(|days| !(1..=TOKEN_DAYS_LIMIT).contains(&days)) {
            errors.push(field("/days", "maximum", TOKEN_DAYS_LIMIT.into(), "1 to 3650 days"));
        }
        all_right(errors)?;
        let mut gate = self.enter(caller, Operation::TokenCreate).await?;
        let made = tokens::generate(tokens::TokenKind::Api, self.parts.random.as_ref());
        let token = ApiToken {
            id: TokenId::new(self.ids()),
            user_id: caller.user,
            name: name.to_owned(),
            token_hash: made.hash,
            created_at: gate.now,
            expires_at: days.map(|days| gate.now + Duration::from_secs(u64::from(days) * 86_400)),
            last_used_at: None,
            revoked_at: None,
        };
        let target = Target::new("token", token.id, token.name.clone());
        gate.authorize(&Resource::own(ResourceKind::Token, caller.user), &target).await?;
        gate.unit.insert_token(&token).await.or_problem()?;
        gate.finish(&target, json!({"expiresAt": token.expires_at})).await?;
        Ok(token_view(token, Some(made.text.expose().to_owned())))
    }

    /// Revokes one of the caller's tokens.
    pub async fn revoke_token(&self, caller: &Caller, id: TokenId) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::TokenRevoke).await?;
        let target = Target::new("token", id, "");
        gate.authorize(&Resource::own(ResourceKind::Token, caller.user), &target).await?;
        if !gate.unit.revoke_token(caller.user, id, gate.now).await.or_problem()? {
            return Err(not_found());
        }
        gate.finish(&target, json!({})).await
    }

    /// Marks one, or all, of the caller's notices as read.
    pub async fn mark_notifications_read(&self, caller: &Caller, id: Option<NotificationId>) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::NotificationRead).await?;
        let own = Resource::own(ResourceKind::Notification, caller.user);
        let target = account(caller).1;
        gate.authorize(&own, &target).await?;
        gate.unit.mark_read(caller.user, id, gate.now).await.or_problem()?;
        gate.finish(&target, json!({"notice": id})).await?;
        self.parts.live.changed(engine::Topic::Notifications(caller.user));
        Ok(())
    }
}

fn token_view(token: ApiToken, secret: Option<String>) -> TokenView {
    TokenView {
        id: token.id,
        name: token.name,
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
        secret,
    }
}

/// A grant with its holder's name.
pub(crate) async fn grant_view(
    unit: &mut dyn store::UnitOfWork,
    grant: &Grant,
    now: Timestamp,
) -> Result<GrantView, Problem> {
    let subject = match grant.subject {
        Subject::User(id) => {
            let name = unit.user(id).await.or_problem()?.map(|user| user.name).unwrap_or_default();
            SubjectView::User { id, name }
        }
        Subject::Team(id) => {
            let name = unit.team(id).await.or_problem()?.map(|team| team.title).unwrap_or_default();
            SubjectView::Team { id, name }
        }
    };
    Ok(GrantView {
        id: grant.id,
        subject,
        role: grant.role,
        scope: grant.scope.clone(),
        expires_at: grant.expires_at,
        ended: grant.expires_at.is_some_and(|end| end <= now),
        created_at: grant.created_at,
    })
}
