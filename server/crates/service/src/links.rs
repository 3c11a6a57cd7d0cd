//! One-time links: the first administrator, setting a password, showing a password once.

use std::time::Duration;

use domain::{ErrorCode, GrantId, LinkId, Operation, Problem, Role, Scope, UserId, view::LinkView};
use identity::{Secret, tokens};
use policy::Resource;
use serde_json::json;
use store::{
    UnitOfWork,
    access::{Grant, Subject},
    credentials::{LinkPurpose, OneTimeLink},
    users::User,
};

use crate::{
    Gate, Origin, Service,
    gate::Target,
    people::{all_right, check_login, check_name_and_email},
    problems::OrProblem as _,
};

/// How long the link to create the first administrator works.
const FIRST_ADMINISTRATOR: Duration = Duration::from_hours(24);
/// How long a link to set a password works.
const SET_PASSWORD: Duration = Duration::from_hours(72);

fn invalid() -> Problem {
    Problem::new(ErrorCode::LinkInvalid).with_detail("it was used, has expired or never existed; ask for another one")
}

const fn purpose_name(purpose: LinkPurpose) -> &'static str {
    match purpose {
        LinkPurpose::FirstAdministrator => "first-administrator",
        LinkPurpose::SetPassword => "set-password",
        LinkPurpose::RevealPassword => "reveal-password",
    }
}

impl Service {
    /// A fresh link (path within the portal) to create the first administrator; none when there are people already.
    /// Older ones become useless.
    pub async fn first_administrator_link(&self) -> Result<Option<String>, Problem> {
        let mut unit = self.parts.store.begin().await.or_problem()?;
        if unit.count_users().await.or_problem()? > 0 {
            return Ok(None);
        }
        let now = self.now();
        unit.revoke_links_for(LinkPurpose::FirstAdministrator, now).await.or_problem()?;
        let token = self.make_link(unit.as_mut(), LinkPurpose::FirstAdministrator, None, FIRST_ADMINISTRATOR).await?;
        unit.commit().await.or_problem()?;
        Ok(Some(format!("/setup/{token}")))
    }

    /// A link (path within the portal) by which a person sets a password; older ones of theirs become useless.
    pub(crate) async fn password_link(&self, unit: &mut dyn UnitOfWork, user: UserId) -> Result<String, Problem> {
        unit.revoke_links_of(user, self.now()).await.or_problem()?;
        let token = self.make_link(unit, LinkPurpose::SetPassword, Some(user), SET_PASSWORD).await?;
        Ok(format!("/link/{token}"))
    }

    async fn make_link(
        &self,
        unit: &mut dyn UnitOfWork,
        purpose: LinkPurpose,
        user_id: Option<UserId>,
        life: Duration,
    ) -> Result<String, Problem> {
        let now = self.now();
        let made = tokens::generate(tokens::TokenKind::Link, self.parts.random.as_ref());
        let link = OneTimeLink {
            id: LinkId::new(self.ids()),
            token_hash: made.hash,
            purpose,
            user_id,
            sealed: None,
            created_at: now,
            expires_at: now + life,
            used_at: None,
        };
        unit.insert_link(&link).await.or_problem()?;
        Ok(made.text.expose().to_owned())
    }

    /// What a link is for. Looking does not use it up, since mail scanners look.
    pub async fn link(&self, _origin: &Origin, token: &str) -> Result<LinkView, Problem> {
        let mut unit = self.parts.store.snapshot().await.or_problem()?;
        let link = unit.link_by_hash(&tokens::hash(token)).await.or_problem()?.ok_or_else(invalid)?;
        if !tokens::is_usable(&link, link.purpose, self.now()) {
            return Err(invalid());
        }
        let login = match link.user_id {
            Some(user) => unit.user(user).await.or_problem()?.map(|user| user.login),
            None => None,
        };
        Ok(LinkView { purpose: purpose_name(link.purpose).to_owned(), login, expires_at: link.expires_at })
    }

    /// Enters an operation by link: finds it and locks it to this unit of work.
    async fn enter_by_link(
        &self,
        origin: &Origin,
        operation: Operation,
        token: &str,
        purpose: LinkPurpose,
    ) -> Result<(Gate<'_>, OneTimeLink), Problem> {
        let mut gate = self.enter_anonymous(origin, operation, "one-time link").await?;
        let target = Target::new("link", "", purpose_name(purpose));
        gate.authorize(&Resource::system(), &target).await?;
        let link = gate.unit.link_by_hash(&tokens::hash(token)).await.or_problem()?;
        match link.filter(|link| tokens::is_usable(link, purpose, gate.now)) {
            Some(link) => Ok((gate, link)),
            None => Err(gate.refuse(&target, invalid()).await),
        }
    }

    /// Creates the first administrator. They hold every role that runs the portal, until there are more people.
    pub async fn claim_setup(
        &self,
        origin: &Origin,
        token: &str,
        login: &str,
        name: &str,
        email: Option<String>,
        password: &str,
    ) -> Result<UserId, Problem> {
        let login = login.trim().to_lowercase();
        let email = email.map(|email| email.trim().to_owned()).filter(|email| !email.is_empty());
        let mut errors = check_login(&login);
        errors.extend(check_name_and_email(name, email.as_deref()));
        all_right(errors)?;
        let (gate, _) =
            self.enter_by_link(origin, Operation::SetupClaim, token, LinkPurpose::FirstAdministrator).await?;
        gate.unit.rollback().await.or_problem()?;
        let hash =
            self.new_password(&login, name, email.as_deref(), &Secret::new(password.to_owned()), "/password").await?;
        let (mut gate, link) =
            self.enter_by_link(origin, Operation::SetupClaim, token, LinkPurpose::FirstAdministrator).await?;
        if gate.unit.count_users().await.or_problem()? > 0 {
            return Err(invalid());
        }
        let user = User {
            id: UserId::new(self.ids()),
            login,
            name: name.trim().to_owned(),
            email,
            active: true,
            password_hash: Some(hash),
            must_change_password: false,
            manager_id: None,
            locale: None,
            theme: None,
            created_at: gate.now,
            updated_at: gate.now,
            last_sign_in_at: Some(gate.now),
        };
        gate.unit.use_link(link.id, gate.now).await.or_problem()?;
        gate.unit.insert_user(&user).await.or_problem()?;
        for role in [Role::Administrator, Role::Auditor, Role::Operator, Role::Requester] {
            let grant = Grant {
                id: GrantId::new(self.ids()),
                subject: Subject::User(user.id),
                role,
                scope: Scope::Everywhere,
                expires_at: None,
                created_by: None,
                created_at: gate.now,
                emergency: None,
            };
            gate.unit.insert_grant(&grant).await.or_problem()?;
        }
        gate.act_as(&user);
        let target = Target::new("user", user.id, user.login.clone());
        gate.finish(&target, json!({"roles": ["administrator", "auditor", "operator", "requester"]})).await?;
        Ok(user.id)
    }

    /// Sets a password by link, and signs every browser of the person out.
    pub async fn claim_password(&self, origin: &Origin, token: &str, password: &str) -> Result<UserId, Problem> {
        let (mut gate, link) =
            self.enter_by_link(origin, Operation::PasswordClaim, token, LinkPurpose::SetPassword).await?;
        let id = link.user_id.ok_or_else(invalid)?;
        let user = self.known_user(gate.unit.as_mut(), id).await?;
        gate.unit.rollback().await.or_problem()?;
        let hash = self
            .new_password(
                &user.login,
                &user.name,
                user.email.as_deref(),
                &Secret::new(password.to_owned()),
                "/password",
            )
            .await?;
        let (mut gate, link) =
            self.enter_by_link(origin, Operation::PasswordClaim, token, LinkPurpose::SetPassword).await?;
        let mut user = self.known_user(gate.unit.as_mut(), id).await?;
        if !user.active {
            return Err(invalid());
        }
        gate.unit.use_link(link.id, gate.now).await.or_problem()?;
        user.password_hash = Some(hash);
        user.must_change_password = false;
        user.updated_at = gate.now;
        gate.unit.update_user(&user).await.or_problem()?;
        gate.unit.revoke_sessions_of(id, None).await.or_problem()?;
        gate.act_as(&user);
        gate.finish(&Target::new("user", id, user.login), json!({})).await?;
        Ok(id)
    }

    /// Shows a generated password, once.
    pub async fn reveal_password(&self, origin: &Origin, token: &str) -> Result<String, Problem> {
        let (mut gate, link) =
            self.enter_by_link(origin, Operation::PasswordReveal, token, LinkPurpose::RevealPassword).await?;
        let sealed = link.sealed.clone().ok_or_else(invalid)?;
        let secret = self
            .parts
            .vault
            .unseal(&connectors::directory::sealing_context(link.id), &sealed)
            .map_err(|cause| crate::problems::internal("a sealed password cannot be opened", &cause))?;
        gate.unit.use_link(link.id, gate.now).await.or_problem()?;
        gate.finish(&Target::new("link", link.id, purpose_name(link.purpose)), json!({})).await?;
        Ok(secret.expose().to_owned())
    }
}
