//! People in a directory behind SCIM.

use identity::Secret;
use serde_json::{Map, Value, json};

use super::{
    resource::{ENTERPRISE, Resource, USER, is, mark, of_work},
    service::{ATTEMPTS, Changed, Created, Kind, Service, contended},
};
use crate::{
    Failure,
    directory::operation::{Given, Person},
};

impl Service<'_> {
    pub(super) async fn find_user(&self, login: &str) -> Result<Option<Resource>, Failure> {
        self.only(Kind::User, &is("userName", login), &format!("called {login}")).await
    }

    pub(super) async fn existing_user(&self, login: &str) -> Result<Resource, Failure> {
        self.find_user(login)
            .await?
            .ok_or_else(|| Failure::refused(404, format!("there is nobody with the sign-in name {login}")))
    }

    /// A person as an output shows one.
    pub(super) async fn view(&self, login: &str) -> Result<Option<Value>, Failure> {
        match self.find_user(login).await? {
            Some(user) => self.view_of(&user).await.map(Some),
            None => Ok(None),
        }
    }

    async fn existing_view(&self, login: &str) -> Result<Value, Failure> {
        let user = self.existing_user(login).await?;
        self.view_of(&user).await
    }

    /// The same after a change was made: that it cannot be read does not take the change back.
    pub(super) async fn view_after_change(&self, login: &str) -> Result<Value, Failure> {
        self.existing_view(login).await.map_err(|mut failure| {
            failure.error.detail =
                Some(format!("{login} was changed, and could not be read after it: {}", failure.detail()));
            Failure::lost(*failure.error)
        })
    }

    async fn view_of(&self, user: &Resource) -> Result<Value, Failure> {
        let manager = match user.enterprise("manager").and_then(|manager| manager.get("value")?.as_str()) {
            Some(id) => self.get(Kind::User, id).await?.and_then(|manager| manager.text("userName").map(str::to_owned)),
            None => None,
        };
        Ok(shown(user, manager.as_deref(), &self.group_names_of(user).await?))
    }

    /// The output of `createUser` with this key, if it happened.
    pub(super) async fn created_user(&self, login: &str, key: &str) -> Result<Option<Value>, Failure> {
        match self.find_user(login).await?.filter(|user| user.carries(key)) {
            Some(user) => Ok(Some(json!({"created": true, "user": self.view_of(&user).await?}))),
            None => Ok(None),
        }
    }

    /// Creates a person, unless an earlier attempt did.
    pub(super) async fn create_user(&self, person: &Person, key: &str) -> Result<Value, Failure> {
        let manager = match person.manager.text() {
            Some(manager) => Some(self.existing_user(manager).await?),
            None => None,
        };
        match self.create(Kind::User, &new_document(person, key, manager.as_ref())?).await? {
            Created::Made(user) => {
                let user = shown(&user, person.manager.text(), &[]);
                Ok(json!({"created": true, "user": user}))
            }
            Created::Taken => self.created_user(&person.login, key).await?.ok_or_else(|| {
                Failure::refused(409, format!("there is already a person with the sign-in name {}", person.login))
            }),
        }
    }

    /// Changes what the definition gives.
    pub(super) async fn modify_user(&self, person: &Person) -> Result<(), Failure> {
        let manager = match person.manager.text() {
            Some(manager) => Some(self.existing_user(manager).await?.id),
            None => None,
        };
        for _ in 0..ATTEMPTS {
            let user = self.existing_user(&person.login).await?;
            let operations = changes(person, &user, manager.as_deref())?;
            if operations.is_empty() || self.patch(Kind::User, &user, &operations).await? == Changed::Done {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Lets a person sign in, or not.
    pub(super) async fn set_active(&self, login: &str, active: bool) -> Result<Value, Failure> {
        let operation = [replace("active", active)];
        for _ in 0..ATTEMPTS {
            let user = self.existing_user(login).await?;
            let changed = user.is_active() != active;
            if !changed {
                return Ok(json!({"changed": false, "user": self.view_of(&user).await?}));
            }
            if self.patch(Kind::User, &user, &operation).await? == Changed::Done {
                return Ok(json!({"changed": true, "user": self.view_after_change(login).await?}));
            }
        }
        Err(contended())
    }

    /// Deletes a person with the memberships: not every service takes these away by itself.
    pub(super) async fn delete_user(&self, login: &str) -> Result<Value, Failure> {
        let Some(user) = self.find_user(login).await? else { return Ok(json!({"deleted": false})) };
        for (id, _) in self.groups_of(&user).await? {
            self.leave(&id, &user.id).await?;
        }
        Ok(json!({"deleted": self.delete(Kind::User, &user.id).await?}))
    }

    pub(super) async fn set_password(&self, login: &str, password: &Secret) -> Result<(), Failure> {
        if self.settings.is_open() {
            return Err(Failure::configuration(
                "passwords would travel unencrypted: use an address that begins with https://",
            ));
        }
        if !self.offers("changePassword").await? {
            return Err(Failure::refused(
                501,
                "this service takes no passwords by SCIM; people get theirs where they sign in to it",
            ));
        }
        let operation = [replace("password", password.expose())];
        for _ in 0..ATTEMPTS {
            let user = self.existing_user(login).await?;
            let changed = self.patch(Kind::User, &user, &operation).await.map_err(|mut failure| {
                // A service may repeat what it does not like.
                failure.error.detail = failure.error.detail.map(|detail| detail.replace(password.expose(), "…"));
                failure
            })?;
            if changed == Changed::Done {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Not to be had by SCIM.
    #[expect(clippy::unused_self, reason = "an operation like the others")]
    pub(super) fn expire_password(&self) -> Result<(), Failure> {
        Err(Failure::refused(501, "SCIM has no way to let a password expire; set another one"))
    }
}

fn shown(user: &Resource, manager: Option<&str>, groups: &[String]) -> Value {
    json!({
        "id": user.id,
        "login": user.text("userName"),
        "name": user.name(),
        "email": user.email(),
        "active": user.is_active(),
        "manager": manager,
        "department": user.enterprise("department"),
        "jobTitle": user.text("title"),
        "groups": groups,
    })
}

fn new_document(person: &Person, key: &str, manager: Option<&Resource>) -> Result<Value, Failure> {
    let name = person.name.as_deref().unwrap_or(&person.login);
    let mut names = Map::new();
    let mut enterprise = Map::new();
    let mut document = Map::new();
    let put = |object: &mut Map<String, Value>, name: &str, value: Option<Value>| {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    };
    put(&mut names, "formatted", Some(json!(name)));
    put(&mut names, "givenName", person.given_name.as_ref().map(|text| json!(text)));
    put(&mut names, "familyName", person.family_name.as_ref().map(|text| json!(text)));
    put(&mut enterprise, "department", person.department.text().map(|text| json!(text)));
    put(&mut enterprise, "employeeNumber", person.employee_number.as_ref().map(|text| json!(text)));
    put(&mut enterprise, "manager", manager.map(|manager| json!({"value": manager.id})));
    let mut schemas = vec![USER];
    if !enterprise.is_empty() {
        schemas.push(ENTERPRISE);
    }
    put(&mut document, "schemas", Some(json!(schemas)));
    put(&mut document, "userName", Some(json!(person.login)));
    put(&mut document, "externalId", Some(json!(mark(key))));
    put(&mut document, "displayName", Some(json!(name)));
    put(&mut document, "name", Some(Value::Object(names)));
    put(&mut document, "active", Some(json!(true)));
    put(&mut document, "title", person.job_title.text().map(|text| json!(text)));
    put(&mut document, "emails", person.email.as_ref().map(|text| json!([of_work(text)])));
    put(&mut document, "phoneNumbers", person.phone.as_ref().map(|text| json!([of_work(text)])));
    put(&mut document, ENTERPRISE, Some(Value::Object(enterprise)).filter(|object| object != &json!({})));
    for (name, value) in &person.attributes {
        put(&mut document, name, Some(plain(name, value)?));
    }
    Ok(Value::Object(document))
}

/// What brings a person as read to what the definition gives.
pub(super) fn changes(person: &Person, user: &Resource, manager: Option<&str>) -> Result<Vec<Value>, Failure> {
    let enterprise = |name: &str| format!("{ENTERPRISE}:{name}");
    let mut operations = Vec::new();
    for (path, value) in [
        ("displayName".to_owned(), &person.name),
        ("name.givenName".to_owned(), &person.given_name),
        ("name.familyName".to_owned(), &person.family_name),
        (enterprise("employeeNumber"), &person.employee_number),
    ] {
        operations.extend(value.as_ref().map(|value| replace(&path, value.as_str())));
    }
    for (list, value) in [("emails", &person.email), ("phoneNumbers", &person.phone)] {
        operations.extend(value.as_ref().map(|value| replace(list, user.with_work(list, value))));
    }
    let manager_value = manager.map(|id| json!({"value": id}));
    for (path, given, value, is_there) in [
        (
            "title".to_owned(),
            &person.job_title,
            person.job_title.text().map(|text| json!(text)),
            user.text("title").is_some(),
        ),
        (
            enterprise("department"),
            &person.department,
            person.department.text().map(|text| json!(text)),
            user.enterprise("department").is_some(),
        ),
        (enterprise("manager"), &person.manager, manager_value, user.enterprise("manager").is_some()),
    ] {
        match (given, value) {
            (Given::Text(_), Some(value)) => operations.push(replace(&path, value)),
            (Given::Nothing, _) if is_there => operations.push(json!({"op": "remove", "path": path})),
            _ => {}
        }
    }
    for (name, value) in &person.attributes {
        operations.push(replace(name, plain(name, value)?));
    }
    Ok(operations)
}

/// The value of an attribute that the definition calls as the service does.
fn plain(name: &str, value: &Value) -> Result<Value, Failure> {
    if value.is_string() {
        Ok(value.clone())
    } else {
        Err(Failure::configuration(format!(
            "the attribute {name} is a list, and only texts can be given over SCIM; leave it out"
        )))
    }
}

fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!({"op": "replace", "path": path, "value": value.into()})
}
