//! Who and where a form means by what was typed.

use domain::{
    AccessReviewId, AnswerEvery, DelegationScope, EmergencyId, ErrorCode, FieldError, Name, Problem, Role, Scope,
    Timestamp, TriggerId, UserId,
};
use serde_json::Value;
use service::{Caller, Service, Subject};

use crate::errors::AppError;

/// The person with this sign-in name. `pointer` is the field that asks.
pub(super) async fn person(service: &Service, caller: &Caller, login: &str, pointer: &str) -> Result<UserId, AppError> {
    let login = login.trim();
    let mut cursor = None;
    loop {
        let page = service.users(caller, Some(login.to_owned()), cursor.as_deref(), Some(100)).await?;
        if let Some(user) = page.items.iter().find(|user| user.login == login) {
            return Ok(user.id);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Err(wrong(pointer, "person", "There is nobody with this sign-in name."))?;
        }
    }
}

/// The person, or `team NAME`.
pub(super) async fn subject(
    service: &Service,
    caller: &Caller,
    text: &str,
    pointer: &str,
) -> Result<Subject, AppError> {
    let Some(name) = text.trim().strip_prefix("team ") else {
        return Ok(Subject::User(person(service, caller, text, pointer).await?));
    };
    let teams = service.teams(caller).await?;
    let team = teams.iter().find(|team| team.name == name.trim());
    Ok(Subject::Team(team.ok_or_else(|| wrong(pointer, "team", "There is no team of this name."))?.id))
}

/// A namespace, or everywhere.
pub(super) fn place(text: &str) -> Result<Scope, AppError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Scope::Everywhere);
    }
    Ok(text.parse().map_err(|_| wrong("/place", "namespace", "This is no name of a namespace."))?)
}

/// A namespace.
pub(super) fn namespace(text: &str) -> Result<Name, AppError> {
    Ok(text.trim().parse().map_err(|_| wrong("/namespace", "namespace", "This is no name of a namespace."))?)
}

/// The name of something in a namespace.
pub(super) fn name(text: &str) -> Result<Name, AppError> {
    Ok(text.trim().parse().map_err(|_| wrong("/name", "name", "This is no name."))?)
}

/// The name of a calendar.
pub(super) fn calendar(text: &str) -> Result<Name, AppError> {
    Ok(text.trim().parse().map_err(|_| wrong("/name", "name", "This is no name of a calendar."))?)
}

/// How often something is to be answered; never where nothing was chosen.
pub(super) fn every(text: &str) -> Result<Option<AnswerEvery>, AppError> {
    if text.is_empty() {
        return Ok(None);
    }
    let every = text.parse().map_err(|_| wrong("/every", "enum", "Choose day, week, month or never."))?;
    Ok(Some(every))
}

/// A number, or none.
pub(super) fn number(text: &str, pointer: &str) -> Result<Option<u32>, AppError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(text.parse().map_err(|_| wrong(pointer, "type", "This is no whole number."))?))
}

/// The number of a set of policies, or none.
pub(super) fn version(text: &str) -> Result<Option<i64>, AppError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(text.parse().map_err(|_| wrong("/based_on", "type", "This is no whole number."))?))
}

/// A review of access by its id; what is none names nothing that there is.
pub(super) fn access_review(text: &str) -> Result<AccessReviewId, AppError> {
    Ok(text.parse().map_err(|_| Problem::new(ErrorCode::NotFound))?)
}

/// Emergency access by its id; what is none names nothing that there is.
pub(super) fn emergency(text: &str) -> Result<EmergencyId, AppError> {
    Ok(text.parse().map_err(|_| Problem::new(ErrorCode::NotFound))?)
}

/// A trigger by its id; what is none names nothing that there is.
pub(super) fn trigger(text: &str) -> Result<TriggerId, AppError> {
    Ok(text.parse().map_err(|_| Problem::new(ErrorCode::NotFound))?)
}

/// A delivery by its number; what is none names nothing that there is.
pub(super) fn delivery(text: &str) -> Result<i64, AppError> {
    Ok(text.parse().map_err(|_| Problem::new(ErrorCode::NotFound))?)
}

/// The problem of a field that was left empty.
pub(super) fn missing(pointer: &str) -> Problem {
    wrong(pointer, "required", "This is needed.")
}

/// Pairs of roles, each with a space between them.
pub(super) fn role_pairs(texts: &[String]) -> Result<Vec<(Role, Role)>, AppError> {
    let pair = |text: &String| {
        let (one, other) = text.split_once(' ')?;
        Some((one.parse().ok()?, other.parse().ok()?))
    };
    let pairs: Option<Vec<_>> = texts.iter().map(pair).collect();
    Ok(pairs.ok_or_else(|| wrong("/pairs", "enum", "These are no two roles."))?)
}

/// A namespace, a workflow, or everything.
pub(super) fn decisions(text: &str) -> Result<DelegationScope, AppError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(DelegationScope::Everything);
    }
    Ok(text.parse().map_err(|_| wrong("/scope", "namespace", "This is no name of a namespace or workflow."))?)
}

/// The beginning of a day in UTC, or none.
pub(super) fn start_of_day(text: &str) -> Result<Option<Timestamp>, AppError> {
    moment(text, "T00:00:00Z", "/from")
}

/// The end of a day in UTC, or none.
pub(super) fn end_of_day(text: &str) -> Result<Option<Timestamp>, AppError> {
    moment(text, "T23:59:59Z", "/until")
}

/// The end of a day in UTC.
pub(super) fn last_day(text: &str) -> Result<Timestamp, AppError> {
    Ok(end_of_day(text)?.ok_or_else(|| wrong("/until", "required", "A date is needed."))?)
}

/// The beginning of a day in UTC, or none. `pointer` is the field that asks.
pub(super) fn day(text: &str, pointer: &str) -> Result<Option<Timestamp>, AppError> {
    moment(text, "T00:00:00Z", pointer)
}

fn moment(text: &str, time: &str, pointer: &str) -> Result<Option<Timestamp>, AppError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let moment = format!("{text}{time}").parse();
    Ok(Some(moment.map_err(|_| wrong(pointer, "format", "This is no date."))?))
}

fn wrong(pointer: &str, rule: &str, message: &str) -> Problem {
    let expected = match rule {
        "format" => Value::from("date"),
        "type" => Value::from("integer"),
        _ => Value::Null,
    };
    let error =
        FieldError { pointer: pointer.to_owned(), rule: rule.to_owned(), expected, message: message.to_owned() };
    Problem::new(ErrorCode::InvalidInput).with_errors(vec![error])
}
