//! Signing in, and telling who calls.

use std::{net::IpAddr, time::Duration};

use domain::{ErrorCode, Operation, Problem, SessionId, UserId};
use identity::{Secret, throttle, tokens};
use policy::Resource;
use serde_json::{Value, json};
use store::UnitOfWork;

use crate::{
    Caller, Origin, Service,
    gate::Target,
    people,
    problems::{OrProblem as _, internal},
};

/// Longer texts are no password and are not hashed.
const PASSWORD_LIMIT: usize = 1_024;
/// A password that was given again counts for so long.
const CONFIRMED: Duration = Duration::from_mins(5);
/// What is kept of a name that nobody has, in the audit log.
const CLAIMED_LIMIT: usize = 64;

/// Who has to wait after failed attempts: the account, and the address that they came from.
fn slowed_down(login: &str, origin: &Origin) -> Vec<throttle::Subject> {
    let mut subjects = vec![throttle::Subject::account(login)];
    subjects.extend(origin.address.parse::<IpAddr>().ok().map(throttle::Subject::address));
    subjects
}

fn too_many(wait: Duration) -> Problem {
    let mut problem =
        Problem::new(ErrorCode::TooManyRequests).with_detail("too many failed attempts; wait before the next one");
    problem.retry_after = Some(wait.as_secs().max(1));
    problem
}

impl Service {
    /// Checks a name and password. The answer, and the time it takes, is the same for an unknown name, a disabled
    /// person and a wrong password. The caller makes the session.
    pub async fn sign_in(&self, origin: &Origin, login: &str, password: &str) -> Result<UserId, Problem> {
        let login = login.trim().to_lowercase();
        let claimed: String = login.chars().filter(|c| !c.is_control()).take(CLAIMED_LIMIT).collect();
        let password = Secret::new(password.to_owned());
        let subjects = slowed_down(&login, origin);
        let target = Target::new("user", "", claimed.clone());

        let mut gate = self.enter_anonymous(origin, Operation::SessionCreate, &claimed).await?;
        gate.authorize(&Resource::system(), &target).await?;
        // Counted before the password is looked at, so that many attempts at once do not all find the counter at zero.
        if let Some(wait) = throttle::attempt(gate.unit.as_mut(), &subjects, gate.now).await.or_problem()? {
            return Err(gate.fail(&target, too_many(wait), json!({"reason": "throttled"})).await);
        }
        let user = gate.unit.user_by_login(&login).await.or_problem()?;
        gate.unit.commit().await.or_problem()?;

        let stored = user.as_ref().and_then(|user| user.password_hash.as_deref());
        let fits = password.expose().len() <= PASSWORD_LIMIT;
        let checked = if fits { password } else { Secret::new(String::new()) };
        let verified = self
            .parts
            .passwords
            .verify(stored, &checked)
            .await
            .map_err(|cause| internal("a password cannot be checked", &cause))?;

        let mut gate = self.enter_anonymous(origin, Operation::SessionCreate, &claimed).await?;
        let welcome = user.filter(|user| verified.matches && fits && user.active);
        let Some(mut user) = welcome else {
            let problem = Problem::new(ErrorCode::SignInRefused);
            return Err(gate.fail(&target, problem, json!({"reason": "refused"})).await);
        };
        throttle::clear(gate.unit.as_mut(), &subjects).await.or_problem()?;
        gate.act_as(&user);
        user.last_sign_in_at = Some(gate.now);
        if let Some(upgraded) = verified.upgraded {
            user.password_hash = Some(upgraded);
        }
        gate.unit.update_user(&user).await.or_problem()?;
        let id = user.id;
        gate.finish(&Target::new("user", id, user.login), json!({})).await?;
        Ok(id)
    }

    /// Checks the caller's password once more, before something that can do much harm. Failures count as those of signing in
    /// do. The answer is the caller as one who has done so; a browser's session may remember it.
    pub async fn confirm(&self, caller: &Caller, password: &str) -> Result<Caller, Problem> {
        // The idempotency key belongs to what is done afterwards.
        let alone = Caller { reservation: None, ..caller.clone() };
        let password = Secret::new(password.to_owned());
        let subjects = slowed_down(&caller.login, &caller.origin);
        let own = Resource::own(policy::ResourceKind::Session, caller.user);
        let target = Target::new("user", caller.user, caller.login.clone());

        let mut gate = self.enter(&alone, Operation::SessionConfirm).await?;
        gate.authorize(&own, &target).await?;
        let user = self.known_user(gate.unit.as_mut(), caller.user).await?;
        if user.password_hash.is_none() {
            let problem = Problem::new(ErrorCode::StepUpRequired)
                .with_detail("this account has no password; an administrator makes a link by which one is set");
            return Err(gate.refuse(&target, problem).await);
        }
        // Counted before the password is looked at, as at the sign-in.
        if let Some(wait) = throttle::attempt(gate.unit.as_mut(), &subjects, gate.now).await.or_problem()? {
            return Err(gate.fail(&target, too_many(wait), json!({"reason": "throttled"})).await);
        }
        gate.unit.commit().await.or_problem()?;

        let fits = password.expose().len() <= PASSWORD_LIMIT;
        let checked = if fits { password } else { Secret::new(String::new()) };
        let verified = self
            .parts
            .passwords
            .verify(user.password_hash.as_deref(), &checked)
            .await
            .map_err(|cause| internal("a password cannot be checked", &cause))?;

        let mut gate = self.enter(&alone, Operation::SessionConfirm).await?;
        gate.authorize(&own, &target).await?;
        if !(verified.matches && fits) {
            let wrong = people::field("/password", "wrong", Value::Null, "this is not your password");
            let problem = Problem::new(ErrorCode::InvalidInput).with_errors(vec![wrong]);
            return Err(gate.fail(&target, problem, json!({"reason": "wrong password"})).await);
        }
        throttle::clear(gate.unit.as_mut(), &subjects).await.or_problem()?;
        let confirmed_at = Some(gate.now);
        gate.finish(&target, json!({})).await?;
        Ok(Caller { confirmed_at, ..caller.clone() })
    }

    /// Whether the caller has given the password again a moment ago.
    pub(crate) fn is_confirmed(&self, caller: &Caller) -> bool {
        caller.confirmed_at.is_some_and(|at| self.now().since(at) <= CONFIRMED)
    }

    /// The caller behind a session; none when the person is gone or disabled.
    pub async fn caller_of_session(
        &self,
        user: UserId,
        session: SessionId,
        origin: Origin,
    ) -> Result<Option<Caller>, Problem> {
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        self.caller(unit.as_mut(), user, Some(session), None, origin).await
    }

    /// The caller behind an API token.
    pub async fn caller_of_token(&self, text: &str, origin: Origin) -> Result<Caller, Problem> {
        let refused = || Problem::new(ErrorCode::Unauthenticated).with_detail("the token is not valid");
        if !tokens::TokenKind::Api.has_form(text) {
            return Err(refused());
        }
        let now = self.now();
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let token = unit.token_by_hash(&tokens::hash(text)).await.or_problem()?;
        let token = token.filter(|token| tokens::is_active(token, now)).ok_or_else(refused)?;
        let caller = self.caller(unit.as_mut(), token.user_id, None, Some(token.id), origin).await?;
        drop(unit);
        if tokens::is_use_noteworthy(&token, now)
            && let Err(cause) = self.note_use(token.id, now).await
        {
            // Reading is possible where writing is not, on a full disk for instance.
            tracing::warn!(error = &cause as &dyn std::error::Error, "the use of a token could not be noted");
        }
        caller.ok_or_else(refused)
    }

    async fn note_use(&self, token: domain::TokenId, now: domain::Timestamp) -> store::Result<()> {
        let mut unit = self.parts.store.begin().await?;
        unit.touch_token(token, now).await?;
        unit.commit().await
    }

    pub(crate) async fn caller(
        &self,
        unit: &mut dyn UnitOfWork,
        user: UserId,
        session: Option<SessionId>,
        token: Option<domain::TokenId>,
        origin: Origin,
    ) -> Result<Option<Caller>, Problem> {
        let Some(user) = unit.user(user).await.or_problem()?.filter(|user| user.active) else { return Ok(None) };
        let principal = people::principal(unit, &user, self.now()).await.or_problem()?;
        Ok(Some(Caller {
            user: user.id,
            login: user.login,
            name: user.name,
            principal,
            session,
            token,
            origin,
            reservation: None,
            confirmed_at: None,
        }))
    }

    /// Enters a sign-out in the audit log. The caller ends the session itself.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::SessionEnd).await?;
        let own = Resource::own(policy::ResourceKind::Session, caller.user);
        let target = Target::new("user", caller.user, caller.login.clone());
        gate.authorize(&own, &target).await?;
        gate.finish(&target, json!({})).await
    }
}
