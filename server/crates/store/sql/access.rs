use async_trait::async_trait;
use domain::{GrantId, Name, Role, TeamId, Timestamp, UserId};
use store::{
    Result, StoreError,
    access::{Access, Grant, Subject, Team},
};

use crate::{
    row::{Columns, each, first},
    statement::sql,
    unit::Unit,
};

macro_rules! select_teams {
    ($rest:literal) => {
        concat!("SELECT t.id, t.name, t.title, t.created_at FROM teams t ", $rest)
    };
}

macro_rules! select_grants {
    ($rest:literal) => {
        concat!(
            "SELECT g.id, g.user_id, g.team_id, g.role, g.scope, g.expires_at, g.created_by, g.created_at, ",
            "g.emergency_id FROM grants g ",
            $rest
        )
    };
}

fn team(row: &Columns<'_>) -> Result<Team> {
    Ok(Team {
        id: row.parsed("id")?,
        name: row.text("name")?,
        title: row.text("title")?,
        created_at: row.time("created_at")?,
    })
}

fn grant(row: &Columns<'_>) -> Result<Grant> {
    let subject = match (row.maybe_parsed("user_id")?, row.maybe_parsed("team_id")?) {
        (Some(user), None) => Subject::User(user),
        (None, Some(team)) => Subject::Team(team),
        _ => return Err(StoreError::Inconsistent("the subject of a grant".to_owned())),
    };
    Ok(Grant {
        id: row.parsed("id")?,
        subject,
        role: row.parsed("role")?,
        scope: row.parsed("scope")?,
        expires_at: row.maybe_time("expires_at")?,
        created_by: row.maybe_parsed("created_by")?,
        created_at: row.time("created_at")?,
        emergency: row.maybe_parsed("emergency_id")?,
    })
}

#[async_trait]
impl Access for Unit {
    async fn team(&mut self, id: TeamId) -> Result<Option<Team>> {
        first(&self.fetch(sql(select_teams!("WHERE t.id = $1")).bind(id)).await?, team)
    }

    async fn team_by_name(&mut self, name: &str) -> Result<Option<Team>> {
        first(&self.fetch(sql(select_teams!("WHERE t.name = $1")).bind(name)).await?, team)
    }

    async fn list_teams(&mut self) -> Result<Vec<Team>> {
        each(&self.fetch(sql(select_teams!("ORDER BY t.name"))).await?, team)
    }

    async fn insert_team(&mut self, team: &Team) -> Result<()> {
        let statement = sql("INSERT INTO teams (id, name, title, created_at) VALUES ($1, $2, $3, $4)")
            .bind(team.id)
            .bind(&team.name)
            .bind(&team.title)
            .bind(team.created_at);
        self.execute(statement).await?;
        Ok(())
    }

    async fn update_team(&mut self, team: &Team) -> Result<()> {
        self.execute_one(sql("UPDATE teams SET title = $2 WHERE id = $1").bind(team.id).bind(&team.title)).await
    }

    async fn delete_team(&mut self, id: TeamId) -> Result<()> {
        self.execute(sql("DELETE FROM teams WHERE id = $1").bind(id)).await?;
        Ok(())
    }

    async fn team_members(&mut self, id: TeamId) -> Result<Vec<UserId>> {
        let statement = sql("SELECT user_id FROM team_members WHERE team_id = $1 ORDER BY user_id").bind(id);
        each(&self.fetch(statement).await?, |row| row.parsed("user_id"))
    }

    async fn teams_of(&mut self, user: UserId) -> Result<Vec<Team>> {
        let statement = sql(select_teams!(
            "WHERE EXISTS (SELECT 1 FROM team_members m WHERE m.team_id = t.id AND m.user_id = $1) ORDER BY t.name"
        ));
        each(&self.fetch(statement.bind(user)).await?, team)
    }

    async fn add_member(&mut self, team: TeamId, user: UserId) -> Result<bool> {
        let statement = sql("INSERT INTO team_members (team_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        Ok(self.execute(statement.bind(team).bind(user)).await? > 0)
    }

    async fn remove_member(&mut self, team: TeamId, user: UserId) -> Result<bool> {
        let statement = sql("DELETE FROM team_members WHERE team_id = $1 AND user_id = $2");
        Ok(self.execute(statement.bind(team).bind(user)).await? > 0)
    }

    async fn grants_of(&mut self, user: UserId, now: Timestamp) -> Result<Vec<Grant>> {
        let statement = sql(select_grants!(
            "WHERE (g.user_id = $1 OR g.team_id IN (SELECT m.team_id FROM team_members m WHERE m.user_id = $1)) \
             AND (g.expires_at IS NULL OR g.expires_at > $2) ORDER BY g.created_at, g.id"
        ));
        each(&self.fetch(statement.bind(user).bind(now)).await?, grant)
    }

    async fn list_grants(&mut self) -> Result<Vec<Grant>> {
        each(&self.fetch(sql(select_grants!("ORDER BY g.created_at, g.id"))).await?, grant)
    }

    async fn grant(&mut self, id: GrantId) -> Result<Option<Grant>> {
        first(&self.fetch(sql(select_grants!("WHERE g.id = $1")).bind(id)).await?, grant)
    }

    async fn insert_grant(&mut self, grant: &Grant) -> Result<()> {
        let (user, team) = match grant.subject {
            Subject::User(user) => (Some(user), None),
            Subject::Team(team) => (None, Some(team)),
        };
        let scope = grant.scope.to_string();
        // One that has ended is no reason to refuse it anew.
        let ended = sql(
            "DELETE FROM grants WHERE (user_id = $1 OR team_id = $2) AND role = $3 AND scope = $4 AND expires_at <= $5",
        )
        .bind(user)
        .bind(team)
        .bind(grant.role.as_str())
        .bind(&scope)
        .bind(grant.created_at);
        self.execute(ended).await?;
        let statement = sql(concat!(
            "INSERT INTO grants (id, user_id, team_id, role, scope, expires_at, created_by, created_at, ",
            "emergency_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        ))
        .bind(grant.id)
        .bind(user)
        .bind(team)
        .bind(grant.role.as_str())
        .bind(&scope)
        .bind(grant.expires_at)
        .bind(grant.created_by)
        .bind(grant.created_at)
        .bind(grant.emergency);
        self.execute(statement).await?;
        Ok(())
    }

    async fn delete_grant(&mut self, id: GrantId) -> Result<bool> {
        Ok(self.execute(sql("DELETE FROM grants WHERE id = $1").bind(id)).await? > 0)
    }

    async fn users_with_role(&mut self, role: Role, namespace: &Name, now: Timestamp) -> Result<Vec<UserId>> {
        let statement = sql(concat!(
            "SELECT u.id FROM users u WHERE u.active AND EXISTS (SELECT 1 FROM grants g ",
            "WHERE g.role = $1 AND g.scope IN ('*', $2) AND (g.expires_at IS NULL OR g.expires_at > $3) ",
            "AND (g.user_id = u.id OR g.team_id IN (SELECT m.team_id FROM team_members m WHERE m.user_id = u.id))) ",
            "ORDER BY u.login"
        ))
        .bind(role.as_str())
        .bind(namespace.as_str())
        .bind(now);
        each(&self.fetch(statement).await?, |row| row.parsed("id"))
    }
}
