//! Calendars of working time, by which approvals are due.

use domain::{ErrorCode, Name, Operation, Problem, Scope, view::CalendarView};
use policy::Resource;
use serde_json::{Value, json};
use store::calendars::Calendar;
use workflow::calendar::{self, CalendarText};

use crate::{
    Caller, Service,
    gate::Target,
    people::field,
    problems::{OrProblem as _, internal, not_found},
    views::People,
};

fn target(scope: &Scope, name: &Name) -> Target {
    let named = Target::new("calendar", format!("{scope}/{name}"), name.as_str());
    match scope {
        Scope::Everywhere => named,
        Scope::Namespace(namespace) => named.within(namespace),
    }
}

/// Says what is wrong with a calendar, field by field.
fn checked(text: &CalendarText) -> Result<(), Problem> {
    let Err(faults) = calendar::Calendar::read(text) else { return Ok(()) };
    let errors = faults.into_iter().map(|fault| field(&fault.pointer, "calendar", Value::Null, &fault.message));
    Err(Problem::new(ErrorCode::InvalidInput).with_errors(errors.collect()))
}

impl Service {
    /// All calendars, by name.
    pub async fn calendars(&self, caller: &Caller) -> Result<Vec<CalendarView>, Problem> {
        let mut gate = self.look(caller, Operation::CalendarList).await?;
        gate.authorize(&Resource::system(), &Target::new("calendars", "", "")).await?;
        let calendars = gate.unit.list_calendars().await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), calendars.iter().map(|one| one.changed_by)).await.or_problem()?;
        Ok(calendars.into_iter().map(|one| view(one, &people)).collect())
    }

    /// Adds a calendar to a namespace or for all, or replaces it. Approvals that are open keep the times that they were given.
    pub async fn put_calendar(
        &self,
        caller: &Caller,
        scope: Scope,
        name: Name,
        text: CalendarText,
    ) -> Result<CalendarView, Problem> {
        let mut gate = self.enter(caller, Operation::CalendarUpdate).await?;
        let target = target(&scope, &name);
        gate.authorize(&Resource::system(), &target).await?;
        checked(&text)?;
        let before = gate.unit.calendar(&scope, &name).await.or_problem()?;
        let after = serde_json::to_string(&text).map_err(|cause| internal("a calendar cannot be written", &cause))?;
        let calendar = Calendar { scope, name, text: after, changed_by: caller.user, changed_at: gate.now };
        gate.unit.put_calendar(&calendar).await.or_problem()?;
        let people = People::load(gate.unit.as_mut(), [caller.user]).await.or_problem()?;
        let before = before.map(|before| shown(&before));
        gate.finish(&target, json!({"before": before, "after": shown(&calendar)})).await?;
        self.parts.live.changed(engine::Topic::Administration);
        Ok(view(calendar, &people))
    }

    /// Deletes a calendar. Approvals that are open keep the times that they were given; one that names it later fails.
    pub async fn delete_calendar(&self, caller: &Caller, scope: &Scope, name: &Name) -> Result<(), Problem> {
        let mut gate = self.enter(caller, Operation::CalendarDelete).await?;
        let target = target(scope, name);
        gate.authorize(&Resource::system(), &target).await?;
        let before = gate.unit.calendar(scope, name).await.or_problem()?.ok_or_else(not_found)?;
        gate.unit.delete_calendar(scope, name).await.or_problem()?;
        gate.finish(&target, json!({"before": shown(&before), "after": null})).await?;
        self.parts.live.changed(engine::Topic::Administration);
        Ok(())
    }
}

fn shown(calendar: &Calendar) -> Value {
    serde_json::from_str(&calendar.text).unwrap_or_default()
}

fn view(calendar: Calendar, people: &People) -> CalendarView {
    let text: CalendarText = serde_json::from_str(&calendar.text).unwrap_or_default();
    CalendarView {
        scope: calendar.scope,
        name: calendar.name,
        time_zone: text.time_zone,
        hours: text.hours,
        holidays: text.holidays,
        changed_by: people.get(calendar.changed_by),
        changed_at: calendar.changed_at,
    }
}
