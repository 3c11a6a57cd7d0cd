use async_trait::async_trait;
use store::{
    Result,
    value::{Counted, Endings, LEAD_TIME_BOUNDS, Requesters, RunVersion, Span, Spread, Value},
};

use crate::{
    row::{Columns, each},
    statement::{Statement, sql},
    unit::Unit,
};

/// The spans as a table. It stands first in every join, and `CROSS JOIN` keeps SQLite to that order: for each span, the
/// database goes along the index of that time.
fn with_spans(spans: &[Span]) -> Statement {
    let mut statement = sql("WITH span (place, begins, ends) AS (VALUES ");
    for (place, span) in spans.iter().enumerate() {
        statement.push(if place > 0 { ", (" } else { "(" });
        statement.value(i64::try_from(place).unwrap_or(i64::MAX)).push(", ").value(span.from).push(", ");
        statement.value(span.until).push(")");
    }
    statement.push(")");
    statement
}

/// The span, and the versions with their groups, as tables. Only where the columns have the type of those that they are
/// compared with, and the table is made, does SQLite make an index of it; else it would be read anew for each run.
fn with_groups<'v>(span: Span, groups: impl Iterator<Item = (&'v RunVersion, u32)>) -> Statement {
    let mut statement = with_spans(&[span]);
    statement.push(concat!(
        ", counted (part, namespace, name, version) AS MATERIALIZED (SELECT column1, CAST(column2 AS TEXT), ",
        "CAST(column3 AS TEXT), CAST(column4 AS TEXT) FROM (VALUES "
    ));
    for (index, (RunVersion { workflow, version }, group)) in groups.enumerate() {
        statement.push(if index > 0 { ", (" } else { "(" });
        statement.value(group).push(", ").value(workflow.namespace.as_str()).push(", ");
        statement.value(workflow.name.as_str()).push(", ").value(version).push(")");
    }
    statement.push(") told)");
    statement
}

/// Appends that a time is within the reach of all spans, which PostgreSQL has to be told: without, it reads the whole table and
/// compares each row with each span. After what says which span it is in, by which SQLite goes.
fn push_reach(statement: &mut Statement, spans: &[Span], (from, until): (&'static str, &'static str)) {
    let first = spans.iter().map(|span| span.from).min();
    let last = spans.iter().map(|span| span.until).max();
    statement.push(from).value(first).push(until).value(last);
}

/// The column of the team.
fn push_team(statement: &mut Statement, requesters: Requesters<'_>) {
    statement.push(if requesters == Requesters::ByTeam { ", t.name AS team" } else { ", CAST(NULL AS TEXT) AS team" });
}

/// The tables that the column of the team is from.
fn push_team_tables(statement: &mut Statement, requesters: Requesters<'_>) {
    if requesters == Requesters::ByTeam {
        statement.push(" LEFT JOIN team_members m ON m.user_id = r.requester_id LEFT JOIN teams t ON t.id = m.team_id");
    }
}

/// Whose runs, and that they are nobody's part.
fn push_requesters(statement: &mut Statement, requesters: Requesters<'_>) {
    statement.push(" AND NOT EXISTS (SELECT 1 FROM child_runs c WHERE c.run_id = r.id)");
    if let Requesters::Of(team) = requesters {
        statement.push(
            " AND r.requester_id IN (SELECT o.user_id FROM team_members o JOIN teams ot ON ot.id = o.team_id WHERE ot.name = ",
        );
        statement.value(team).push(")");
    }
}

fn push_grouping(statement: &mut Statement, requesters: Requesters<'_>) {
    statement.push(" GROUP BY s.place, r.namespace, r.name, r.version");
    let by_team = requesters == Requesters::ByTeam;
    statement.push(if by_team { ", t.name" } else { "" });
    statement.push(" ORDER BY s.place, r.namespace, r.name, r.version");
    // Where there is no team is first on one database and last on the other, unless told.
    statement.push(if by_team { ", t.name NULLS FIRST" } else { "" });
}

fn counted<T>(row: &Columns<'_>, figure: T) -> Result<Counted<T>> {
    Ok(Counted {
        span: row.count("place")?,
        version: RunVersion { workflow: row.workflow()?, version: row.text("version")? },
        team: row.maybe_text("team")?,
        figure,
    })
}

fn spread(row: &Columns<'_>) -> Result<Spread> {
    Ok(Spread {
        group: row.count("part")?,
        team: row.maybe_text("team")?,
        count: row.count("n")?,
        median: row.integer("median")?,
        ninetieth: row.integer("ninetieth")?,
    })
}

/// Of what has ended, completed. Told as an equality, SQLite would go along the index of states, through all runs there are.
const COMPLETED: &str = " AND r.status NOT IN ('faulted', 'cancelled')";

/// The ends of a query about what took how long: PostgreSQL has percentiles and SQLite has not, both number rows in order.
const RANKS: (&str, &str, &str, &str) = (
    concat!(
        " SELECT part, team, n, max(CASE WHEN place = (n + 1) / 2 THEN took END) AS median, ",
        "max(CASE WHEN place = (9 * n + 9) / 10 THEN took END) AS ninetieth FROM (",
        "SELECT part, team, took, row_number() OVER (PARTITION BY part, team ORDER BY took) AS place, ",
        "count(*) OVER (PARTITION BY part, team) AS n FROM (SELECT p.part",
    ),
    " AND p.namespace = r.namespace AND p.name = r.name AND p.version = r.version",
    ") measured) ranked GROUP BY part, team, n ",
    "ORDER BY part, team NULLS FIRST",
);

#[async_trait]
impl Value for Unit {
    async fn runs_asked(&mut self, spans: &[Span], requesters: Requesters<'_>) -> Result<Vec<Counted<u64>>> {
        if spans.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = with_spans(spans);
        statement.push(" SELECT s.place, r.namespace, r.name, r.version");
        push_team(&mut statement, requesters);
        statement.push(", count(*) AS n FROM span s CROSS JOIN runs r");
        push_team_tables(&mut statement, requesters);
        statement.push(" WHERE r.created_at >= s.begins AND r.created_at < s.ends");
        push_reach(&mut statement, spans, (" AND r.created_at >= ", " AND r.created_at < "));
        push_requesters(&mut statement, requesters);
        push_grouping(&mut statement, requesters);
        each(&self.fetch(statement).await?, |row| counted(row, row.count("n")?))
    }

    async fn runs_ended(&mut self, spans: &[Span], requesters: Requesters<'_>) -> Result<Vec<Counted<Endings>>> {
        if spans.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = with_spans(spans);
        statement.push(" SELECT s.place, r.namespace, r.name, r.version");
        push_team(&mut statement, requesters);
        statement.push(concat!(
            ", count(*) FILTER (WHERE r.status = 'completed') AS completed, ",
            "count(*) FILTER (WHERE r.status = 'faulted' AND NOT r.rejected) AS faulted, ",
            "count(*) FILTER (WHERE r.status = 'faulted' AND r.rejected) AS rejected, ",
            "count(*) FILTER (WHERE r.status = 'cancelled') AS cancelled, ",
            "count(*) FILTER (WHERE r.compensated) AS compensated, ",
            "count(*) FILTER (WHERE r.needs_attention) AS unsettled FROM span s CROSS JOIN runs r"
        ));
        push_team_tables(&mut statement, requesters);
        statement.push(" WHERE r.ended_at >= s.begins AND r.ended_at < s.ends");
        push_reach(&mut statement, spans, (" AND r.ended_at >= ", " AND r.ended_at < "));
        push_requesters(&mut statement, requesters);
        push_grouping(&mut statement, requesters);
        each(&self.fetch(statement).await?, |row| {
            let endings = Endings {
                completed: row.count("completed")?,
                faulted: row.count("faulted")?,
                rejected: row.count("rejected")?,
                cancelled: row.count("cancelled")?,
                compensated: row.count("compensated")?,
                unsettled: row.count("unsettled")?,
            };
            counted(row, endings)
        })
    }

    async fn interventions(&mut self, spans: &[Span], requesters: Requesters<'_>) -> Result<Vec<Counted<u64>>> {
        if spans.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = with_spans(spans);
        statement.push(" SELECT s.place, r.namespace, r.name, r.version");
        push_team(&mut statement, requesters);
        statement.push(", count(*) AS n FROM span s CROSS JOIN audit_entries e CROSS JOIN runs r");
        push_team_tables(&mut statement, requesters);
        // The plus keeps to the index of actions: few entries are about these, and many are of any time.
        statement.push(concat!(
            " WHERE e.action IN ('run.retry', 'run.skip', 'run.resume-from', 'run.resolve') AND e.outcome = 'done' ",
            "AND +e.at >= s.begins AND +e.at < s.ends AND r.id = e.resource_id"
        ));
        push_requesters(&mut statement, requesters);
        push_grouping(&mut statement, requesters);
        each(&self.fetch(statement).await?, |row| counted(row, row.count("n")?))
    }

    async fn approvals_decided(&mut self, spans: &[Span], requesters: Requesters<'_>) -> Result<Vec<Counted<u64>>> {
        if spans.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = with_spans(spans);
        statement.push(" SELECT s.place, r.namespace, r.name, r.version");
        push_team(&mut statement, requesters);
        statement.push(", count(*) AS n FROM span s CROSS JOIN approvals a CROSS JOIN runs r");
        push_team_tables(&mut statement, requesters);
        statement.push(concat!(
            " WHERE a.closed_at >= s.begins AND a.closed_at < s.ends AND a.state IN ('approved', 'rejected') ",
            "AND r.id = a.run_id"
        ));
        push_reach(&mut statement, spans, (" AND a.closed_at >= ", " AND a.closed_at < "));
        push_requesters(&mut statement, requesters);
        push_grouping(&mut statement, requesters);
        each(&self.fetch(statement).await?, |row| counted(row, row.count("n")?))
    }

    async fn lead_times(
        &mut self,
        span: Span,
        groups: &[(RunVersion, u32)],
        requesters: Requesters<'_>,
    ) -> Result<Vec<Spread>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = with_groups(span, groups.iter().map(|(version, group)| (version, *group)));
        statement.push(RANKS.0);
        push_team(&mut statement, requesters);
        statement.push(", r.ended_at - r.created_at AS took FROM span s CROSS JOIN runs r CROSS JOIN counted p");
        push_team_tables(&mut statement, requesters);
        statement.push(" WHERE r.ended_at >= s.begins AND r.ended_at < s.ends").push(COMPLETED);
        statement.push(RANKS.1);
        push_requesters(&mut statement, requesters);
        statement.push(RANKS.2).push(RANKS.3);
        each(&self.fetch(statement).await?, spread)
    }

    async fn decision_times(
        &mut self,
        span: Span,
        groups: &[(RunVersion, u32)],
        requesters: Requesters<'_>,
    ) -> Result<Vec<Spread>> {
        if groups.is_empty() {
            return Ok(Vec::new());
        }
        let mut statement = with_groups(span, groups.iter().map(|(version, group)| (version, *group)));
        statement.push(RANKS.0);
        push_team(&mut statement, requesters);
        statement.push(concat!(
            ", a.closed_at - a.opened_at AS took FROM span s CROSS JOIN approvals a CROSS JOIN runs r ",
            "CROSS JOIN counted p"
        ));
        push_team_tables(&mut statement, requesters);
        statement.push(concat!(
            " WHERE a.closed_at >= s.begins AND a.closed_at < s.ends AND a.state IN ('approved', 'rejected') ",
            "AND r.id = a.run_id"
        ));
        statement.push(RANKS.1);
        push_requesters(&mut statement, requesters);
        statement.push(RANKS.2).push(RANKS.3);
        each(&self.fetch(statement).await?, spread)
    }

    async fn lead_time_classes(
        &mut self,
        span: Span,
        versions: &[RunVersion],
        requesters: Requesters<'_>,
    ) -> Result<Vec<u64>> {
        let mut classes = vec![0; LEAD_TIME_BOUNDS.len() + 1];
        if versions.is_empty() {
            return Ok(classes);
        }
        let mut statement = with_groups(span, versions.iter().map(|version| (version, 0)));
        statement.push(" SELECT class, count(*) AS n FROM (SELECT CASE");
        for (class, bound) in LEAD_TIME_BOUNDS.into_iter().enumerate() {
            statement.push(" WHEN r.ended_at - r.created_at < ").value(bound);
            statement.push(" THEN ").value(i64::try_from(class).unwrap_or(i64::MAX));
        }
        statement.push(" ELSE ").value(i64::try_from(LEAD_TIME_BOUNDS.len()).unwrap_or(i64::MAX));
        statement.push(" END AS class FROM span s CROSS JOIN runs r CROSS JOIN counted p");
        statement.push(" WHERE r.ended_at >= s.begins AND r.ended_at < s.ends").push(COMPLETED);
        statement.push(RANKS.1);
        let whose = if requesters == Requesters::ByTeam { Requesters::Everybody } else { requesters };
        push_requesters(&mut statement, whose);
        statement.push(") classed GROUP BY class ORDER BY class");
        for (class, count) in
            each(&self.fetch(statement).await?, |row| Ok((row.count::<usize>("class")?, row.count("n")?)))?
        {
            if let Some(place) = classes.get_mut(class) {
                *place = count;
            }
        }
        Ok(classes)
    }
}
