use async_trait::async_trait;
use domain::UserId;
use store::{
    Result, StoreError, search,
    users::{User, Users},
};

use crate::{
    db,
    row::{Columns, each, first, only},
    statement::{IDS_PER_QUERY, sql},
    unit::Unit,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, login, name, email, active, password_hash, must_change_password, manager_id, locale, theme, ",
            "created_at, updated_at, last_sign_in_at FROM users ",
            $rest
        )
    };
}

fn user(row: &Columns<'_>) -> Result<User> {
    Ok(User {
        id: row.parsed("id")?,
        login: row.text("login")?,
        name: row.text("name")?,
        email: row.maybe_text("email")?,
        active: row.flag("active")?,
        password_hash: row.maybe_text("password_hash")?,
        must_change_password: row.flag("must_change_password")?,
        manager_id: row.maybe_parsed("manager_id")?,
        locale: row.maybe_text("locale")?,
        theme: row.maybe_text("theme")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        last_sign_in_at: row.maybe_time("last_sign_in_at")?,
    })
}

#[async_trait]
impl Users for Unit {
    async fn user(&mut self, id: UserId) -> Result<Option<User>> {
        first(&self.fetch(sql(select!("WHERE id = $1")).bind(id)).await?, user)
    }

    async fn user_by_login(&mut self, login: &str) -> Result<Option<User>> {
        first(&self.fetch(sql(select!("WHERE login = $1")).bind(&login.to_lowercase())).await?, user)
    }

    async fn users_by_id(&mut self, ids: &[UserId]) -> Result<Vec<User>> {
        let mut users = Vec::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_QUERY) {
            let mut statement = sql(select!("WHERE id IN ("));
            statement.values(some.iter().copied()).push(")");
            users.extend(each(&self.fetch(statement).await?, user)?);
        }
        Ok(users)
    }

    async fn users_by_email(&mut self, emails: &[String]) -> Result<Vec<User>> {
        let mut users = Vec::new();
        for some in emails.chunks(IDS_PER_QUERY) {
            let mut statement = sql(select!("WHERE lower(email) IN ("));
            let folded: Vec<String> = some.iter().map(|email| email.to_ascii_lowercase()).collect();
            statement.values(&folded).push(")");
            users.extend(each(&self.fetch(statement).await?, user)?);
        }
        Ok(users)
    }

    async fn list_users(&mut self, search: Option<&str>, after: Option<&str>, limit: u32) -> Result<Vec<User>> {
        let mut statement = sql(select!("WHERE id NOT IN ($1, $2)")).bind(UserId::SCHEDULE).bind(UserId::TRIGGER);
        if let Some(text) = search {
            statement.push(" AND ").push(db::POSITION).push("(search_text, ").value(&search::fold(text)).push(") > 0");
        }
        if let Some(login) = after {
            statement.push(" AND login > ").value(login);
        }
        statement.push(" ORDER BY login").limit(limit);
        each(&self.fetch(statement).await?, user)
    }

    async fn count_users(&mut self) -> Result<u64> {
        let statement = sql("SELECT count(*) AS n FROM users WHERE id NOT IN ($1, $2)");
        let statement = statement.bind(UserId::SCHEDULE).bind(UserId::TRIGGER);
        only(&self.fetch(statement).await?, |row| row.count("n"))
    }

    async fn insert_user(&mut self, user: &User) -> Result<()> {
        let statement = sql(concat!(
            "INSERT INTO users (id, login, name, email, active, password_hash, must_change_password, manager_id, locale, ",
            "theme, created_at, updated_at, last_sign_in_at, search_text) ",
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
        ))
        .bind(user.id)
        .bind(&user.login)
        .bind(&user.name)
        .bind(user.email.as_deref())
        .bind(user.active)
        .bind(user.password_hash.as_deref())
        .bind(user.must_change_password)
        .bind(user.manager_id)
        .bind(user.locale.as_deref())
        .bind(user.theme.as_deref())
        .bind(user.created_at)
        .bind(user.updated_at)
        .bind(user.last_sign_in_at)
        .bind(&search::text_of_user(user));
        self.execute(statement).await?;
        Ok(())
    }

    async fn update_user(&mut self, user: &User) -> Result<()> {
        let statement = sql(concat!(
            "UPDATE users SET login = $2, name = $3, email = $4, active = $5, password_hash = $6, ",
            "must_change_password = $7, manager_id = $8, locale = $9, theme = $10, updated_at = $11, ",
            "last_sign_in_at = $12, search_text = $13 WHERE id = $1"
        ))
        .bind(user.id)
        .bind(&user.login)
        .bind(&user.name)
        .bind(user.email.as_deref())
        .bind(user.active)
        .bind(user.password_hash.as_deref())
        .bind(user.must_change_password)
        .bind(user.manager_id)
        .bind(user.locale.as_deref())
        .bind(user.theme.as_deref())
        .bind(user.updated_at)
        .bind(user.last_sign_in_at)
        .bind(&search::text_of_user(user));
        self.execute_one(statement).await
    }

    async fn delete_user(&mut self, id: UserId) -> Result<()> {
        // The audit log does not refer to users, so that trace is looked for here; the others are foreign keys.
        let traces = sql(concat!(
            "SELECT EXISTS (SELECT 1 FROM audit_entries WHERE actor_id = $1) ",
            "OR EXISTS (SELECT 1 FROM audit_queue WHERE actor_id = $1) AS found"
        ));
        let traces = traces.bind(id);
        if only(&self.fetch(traces).await?, |row| row.flag("found"))? {
            return Err(StoreError::Reference("audit_entries.actor_id".to_owned()));
        }
        self.execute(sql("DELETE FROM users WHERE id = $1").bind(id)).await?;
        Ok(())
    }
}
