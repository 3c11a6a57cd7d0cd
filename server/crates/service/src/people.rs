//! What several operations need to know of people.

use domain::{ErrorCode, FieldError, Problem, Role, Scope, Timestamp, UserId, view::UserView};
use identity::{Secret, passwords};
use policy::Principal;
use serde_json::Value;
use store::{UnitOfWork, access::Subject, users::User};

use crate::{
    Service,
    erasure::erasure_view,
    problems::{OrProblem as _, internal},
    views,
};

/// The longest name, in characters.
const NAME_LIMIT: usize = 128;
/// The longest mail address, in bytes (RFC 5321).
const EMAIL_LIMIT: usize = 254;

/// A person as policies see them at this moment.
pub(crate) async fn principal(unit: &mut dyn UnitOfWork, user: &User, now: Timestamp) -> store::Result<Principal> {
    let grants = unit.grants_of(user.id, now).await?;
    let emergency = grants.iter().find_map(|grant| grant.emergency);
    Ok(Principal {
        id: user.id,
        login: user.login.clone(),
        active: user.active,
        grants: grants.into_iter().map(|grant| (grant.role, grant.scope)).collect(),
        emergency,
    })
}

/// The active people who hold one of these roles on a scope at `now`, themselves or by a team.
pub(crate) async fn people_with(
    unit: &mut dyn UnitOfWork,
    roles: &[Role],
    scope: &Scope,
    now: Timestamp,
) -> Result<Vec<User>, Problem> {
    let mut ids = Vec::new();
    match scope {
        Scope::Namespace(namespace) => {
            for role in roles {
                ids.extend(unit.users_with_role(*role, namespace, now).await.or_problem()?);
            }
        }
        Scope::Everywhere => {
            for grant in unit.list_grants().await.or_problem()? {
                let holds = roles.contains(&grant.role)
                    && grant.scope == Scope::Everywhere
                    && grant.expires_at.is_none_or(|end| end > now);
                match grant.subject {
                    _ if !holds => {}
                    Subject::User(id) => ids.push(id),
                    Subject::Team(id) => ids.extend(unit.team_members(id).await.or_problem()?),
                }
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let mut people = unit.users_by_id(&ids).await.or_problem()?;
    people.retain(|person| person.active);
    Ok(people)
}

/// A person as administrators see them.
pub(crate) async fn user_view(unit: &mut dyn UnitOfWork, user: &User) -> Result<UserView, Problem> {
    let manager = match user.manager_id {
        Some(manager) => unit.user(manager).await.or_problem()?.map(|manager| views::person(&manager)),
        None => None,
    };
    let teams = unit.teams_of(user.id).await.or_problem()?;
    let erasure = if user.active { None } else { erasure_view(unit, user.id).await.or_problem()? };
    Ok(UserView {
        id: user.id,
        login: user.login.clone(),
        name: user.name.clone(),
        email: user.email.clone(),
        active: user.active,
        has_password: user.password_hash.is_some(),
        manager,
        teams: teams.into_iter().map(|team| team.title).collect(),
        created_at: user.created_at,
        last_sign_in_at: user.last_sign_in_at,
        erasure,
    })
}

/// One wrong field.
pub(crate) fn field(pointer: &str, rule: &str, expected: Value, message: &str) -> FieldError {
    FieldError { pointer: pointer.to_owned(), rule: rule.to_owned(), expected, message: message.to_owned() }
}

/// The problem of wrong fields, if there are any.
pub(crate) fn all_right(errors: Vec<FieldError>) -> Result<(), Problem> {
    if errors.is_empty() { Ok(()) } else { Err(Problem::new(ErrorCode::InvalidInput).with_errors(errors)) }
}

/// Checks a sign-in name: what every directory and mail system takes.
pub(crate) fn check_login(login: &str) -> Vec<FieldError> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
    let valid = (1..=64).contains(&login.len())
        && login.chars().all(inner)
        && login.starts_with(|c: char| c.is_ascii_alphanumeric());
    if valid {
        Vec::new()
    } else {
        let message = "a sign-in name has 1 to 64 lower-case letters, digits, dots, hyphens and underscores, and begins \
                       with a letter or digit";
        vec![field("/login", "login", Value::Null, message)]
    }
}

/// Checks a name for people and a mail address.
pub(crate) fn check_name_and_email(name: &str, email: Option<&str>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if name.trim().is_empty() {
        errors.push(field("/name", "required", Value::Null, "a name is needed"));
    } else if name.chars().count() > NAME_LIMIT || name.chars().any(char::is_control) {
        errors.push(field("/name", "maxLength", NAME_LIMIT.into(), "the name is too long or has control characters"));
    }
    if let Some(email) = email {
        let parts = email.split_once('@');
        let plain = !email.chars().any(|c| c.is_whitespace() || c.is_control());
        let valid = plain
            && email.len() <= EMAIL_LIMIT
            && parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'));
        if !valid {
            errors.push(field("/email", "format", "email".into(), "not a mail address"));
        }
    }
    errors
}

impl Service {
    /// Checks a new password by the rule and makes its hash. `pointer` is where it stands in the input.
    pub(crate) async fn new_password(
        &self,
        login: &str,
        name: &str,
        email: Option<&str>,
        password: &Secret,
        pointer: &str,
    ) -> Result<String, Problem> {
        let person = passwords::Person { login, name, email };
        all_right(passwords::violations(password, &person, pointer))?;
        self.parts.passwords.hash(password).await.map_err(|cause| internal("a password cannot be hashed", &cause))
    }

    /// A person by id, or not found. [`UserId::SCHEDULE`] and [`UserId::TRIGGER`] are none.
    pub(crate) async fn known_user(&self, unit: &mut dyn UnitOfWork, id: UserId) -> Result<User, Problem> {
        let user = unit.user(id).await.or_problem()?.filter(|user| user.id.can_be_a_person());
        user.ok_or_else(crate::problems::not_found)
    }
}
