//! What a SCIM service keeps: people and groups, as documents.

use serde_json::{Map, Value, json};

/// The schema of people.
pub(super) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// The schema of what organisations know of people beside that; its name is the name of the member as well.
pub(super) const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// The schema of groups.
pub(super) const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A person or a group.
pub(super) struct Resource {
    pub(super) id: String,
    document: Map<String, Value>,
}

impl Resource {
    /// None where the document has no id: then it is none of SCIM.
    pub(super) fn read(document: Value) -> Option<Self> {
        let Value::Object(document) = document else { return None };
        let id = document.get("id")?.as_str().filter(|id| !id.is_empty())?.to_owned();
        Some(Self { id, document })
    }

    /// The version that a change can say it is about (RFC 7644, section 3.14).
    pub(super) fn version(&self) -> Option<&str> {
        self.document.get("meta")?.get("version")?.as_str()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.document.get(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Of what organisations know beside the rest.
    pub(super) fn enterprise(&self, name: &str) -> Option<&Value> {
        self.get(ENTERPRISE)?.get(name).filter(|value| !value.is_null())
    }

    /// Whether it is the work of the call with this key.
    pub(super) fn carries(&self, key: &str) -> bool {
        self.text("externalId").is_some_and(|external| external == mark(key))
    }

    /// The name for people.
    pub(super) fn name(&self) -> String {
        let formatted = || self.get("name")?.get("formatted")?.as_str();
        self.text("displayName").or_else(formatted).or_else(|| self.text("userName")).unwrap_or(&self.id).to_owned()
    }

    /// The mail address that counts: the primary one, else that of work, else the first.
    pub(super) fn email(&self) -> Option<&str> {
        let all = self.get("emails")?.as_array()?;
        let primary = || all.iter().find(|email| email.get("primary") == Some(&Value::Bool(true)));
        let work = || all.iter().find(|email| is_of_work(email));
        primary().or_else(work).or_else(|| all.first())?.get("value")?.as_str()
    }

    /// Whether the person may sign in. A service that does not say so lets everybody in.
    pub(super) fn is_active(&self) -> bool {
        self.get("active").and_then(Value::as_bool).unwrap_or(true)
    }

    /// A person as a member of a group is shown.
    pub(super) fn as_member(&self) -> Value {
        json!({
            "id": self.id, "login": self.text("userName"), "name": self.name(), "email": self.email(),
            "active": self.is_active(),
        })
    }

    /// A group as an output shows one.
    pub(super) fn as_group(&self) -> Value {
        json!({"name": self.name(), "title": self.name()})
    }

    /// The value of work in a list such as that of the mail addresses.
    pub(super) fn work(&self, list: &str) -> Option<&str> {
        self.get(list)?.as_array()?.iter().find(|entry| is_of_work(entry))?.get("value")?.as_str()
    }

    /// A list such as that of the mail addresses, with this value as the one of work.
    pub(super) fn with_work(&self, list: &str, value: &str) -> Value {
        let others = self.get(list).and_then(Value::as_array).into_iter().flatten().filter(|entry| !is_of_work(entry));
        let mut entries: Vec<Value> = others.cloned().collect();
        for entry in &mut entries {
            if let Some(entry) = entry.as_object_mut() {
                entry.remove("primary");
            }
        }
        entries.push(of_work(value));
        Value::Array(entries)
    }
}

fn is_of_work(entry: &Value) -> bool {
    entry.get("type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
}

/// An entry of such a list.
pub(super) fn of_work(value: &str) -> Value {
    json!({"value": value, "type": "work", "primary": true})
}

/// What marks a resource as the work of the call with this key.
pub(super) fn mark(key: &str) -> String {
    format!("rondo:{key}")
}

/// The condition that an attribute has this value. It is written as JSON has it, so that it stays a value, whatever is in it.
pub(super) fn is(attribute: &str, value: &str) -> String {
    format!("{attribute} eq {}", Value::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(document: Value) -> Resource {
        Resource::read(document).unwrap()
    }

    #[test]
    fn values_cannot_leave_their_place_in_a_condition() {
        assert_eq!(is("userName", "jdoe"), r#"userName eq "jdoe""#);
        assert_eq!(
            is("userName", r#"x" or userName pr or a eq "\"#),
            r#"userName eq "x\" or userName pr or a eq \"\\""#
        );
        assert_eq!(is("userName", "a\nb"), r#"userName eq "a\nb""#);
    }

    #[test]
    fn the_address_that_counts_is_the_primary_one() {
        let emails = json!([{"value": "h@a.test", "type": "home"}, {"value": "w@a.test", "type": "Work"}]);
        assert_eq!(person(json!({"id": "1", "emails": emails})).email(), Some("w@a.test"));
        let emails = json!([{"value": "w@a.test", "type": "work"}, {"value": "p@a.test", "primary": true}]);
        assert_eq!(person(json!({"id": "1", "emails": emails})).email(), Some("p@a.test"));
        assert_eq!(person(json!({"id": "1", "emails": [{"value": "x@a.test"}]})).email(), Some("x@a.test"));
        assert_eq!(person(json!({"id": "1"})).email(), None);
    }

    #[test]
    fn another_address_of_work_leaves_the_others() {
        let emails =
            json!([{"value": "h@a.test", "type": "home", "primary": true}, {"value": "w@a.test", "type": "work"}]);
        let changed = person(json!({"id": "1", "emails": emails})).with_work("emails", "n@a.test");
        assert_eq!(
            changed,
            json!([{"value": "h@a.test", "type": "home"}, {"value": "n@a.test", "type": "work", "primary": true}])
        );
    }

    #[test]
    fn what_has_no_id_is_none() {
        for other in [json!("<html>"), json!({}), json!({"id": ""}), json!({"id": 7}), json!([])] {
            assert!(Resource::read(other).is_none());
        }
    }
}
