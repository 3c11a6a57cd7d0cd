//! Takes what names a person out of entries. Bodies, hashes and proofs stay as they are.

use domain::UserId;
use ledger::{
    canonical, parse,
    personal::{self, Disclosed, Personal},
};
use serde_json::Value;
use store::{audit::AuditRow, search::words};

use crate::seal::{PERSONS, USER, stored};

/// Whose values are taken out.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account.
    pub id: UserId,
    /// Sign-in name, name and mail address: what is looked for where an entry does not say whom it names.
    pub texts: Vec<String>,
}

/// The row without the person's values; none where it has none.
#[must_use]
pub fn without(row: &AuditRow, person: &Person) -> Option<AuditRow> {
    let beside = personal::read(row.personal.as_deref()?).ok()?;
    let body = parse(row.body.as_bytes()).ok()?;
    let owned = Owned { body: &body, id: person.id.to_string(), person };
    let mut left = beside.clone();
    left.retain(|pointer, value| !owned.is_theirs(pointer, value));
    // Whoever tried the sign-in name was most likely the person.
    let is_tried = body.pointer("/actor/id").is_none() && !left.contains_key("/actor/login");
    if is_tried && beside.contains_key("/actor/login") {
        left.remove("/address");
    }
    if left.len() == beside.len() {
        return None;
    }
    let gone = |pointer: &str| beside.contains_key(pointer) && !left.contains_key(pointer);
    Some(AuditRow {
        actor: if gone("/actor/login") { String::new() } else { row.actor.clone() },
        resource_name: if gone("/resource/name") { String::new() } else { row.resource_name.clone() },
        personal: stored(&left).ok()?,
        ..row.clone()
    })
}

/// The row that an entry had before it was archived, of its body and what stands beside it; none when the body is no entry.
#[must_use]
pub fn row_of(body: &Value, beside: &Personal) -> Option<AuditRow> {
    let mut shown = body.clone();
    personal::put_back(&mut shown, beside);
    let text = |pointer: &str| shown.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(AuditRow {
        seq: body.get("seq")?.as_i64()?,
        at: text("/at").parse().ok()?,
        actor_id: text("/actor/id").parse().ok(),
        actor: text("/actor/login"),
        action: text("/action"),
        resource_kind: text("/resource/kind"),
        resource_id: text("/resource/id"),
        resource_name: text("/resource/name"),
        namespace: body.get("namespace").and_then(Value::as_str).map(str::to_owned),
        outcome: text("/outcome"),
        body: canonical(body).ok()?,
        personal: stored(beside).ok()?,
        segment: None,
    })
}

struct Owned<'a> {
    body: &'a Value,
    id: String,
    person: &'a Person,
}

impl Owned<'_> {
    fn is_theirs(&self, pointer: &str, Disclosed { value, .. }: &Disclosed) -> bool {
        if let Some(persons) = self.body.get(PERSONS).and_then(|persons| persons.get(pointer)).and_then(Value::as_array)
        {
            return persons.iter().any(|person| person.as_str() == Some(self.id.as_str()));
        }
        let names = |pointer: &str| self.body.pointer(pointer).and_then(Value::as_str);
        let known = match pointer {
            "/actor/login" | "/address" => names("/actor/id"),
            "/resource/name" if names("/resource/kind") == Some(USER) => {
                names("/resource/id").filter(|id| !id.is_empty())
            }
            _ => None,
        };
        match known {
            Some(known) => known == self.id,
            None => self.person.texts.iter().any(|text| says(value, text)),
        }
    }
}

/// Whether a value has all the words of a text in it, one after the other.
fn says(value: &Value, text: &str) -> bool {
    let sought = words(text);
    let Some(value) = value.as_str() else {
        return match value {
            Value::Array(items) => items.iter().any(|item| says(item, text)),
            Value::Object(members) => members.values().any(|member| says(member, text)),
            _ => false,
        };
    };
    let found = words(value);
    !sought.is_empty() && found.windows(sought.len()).any(|some| some == sought)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::{
        Actor, Detail, Entry, Stored,
        fixture::{entry, rows},
        view,
    };

    fn user(number: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number))
    }

    fn manager() -> Person {
        Person { id: user(7), texts: vec!["manager".to_owned(), "Mina Kim".to_owned()] }
    }

    fn sealed(change: impl Fn(&mut Entry)) -> AuditRow {
        let mut entry = entry();
        change(&mut entry);
        rows(&[entry]).remove(0)
    }

    #[test]
    fn a_person_is_taken_out_and_the_entry_stays_sound() {
        let row = sealed(|_| ());
        let erased = without(&row, &manager()).unwrap();
        assert_eq!((erased.actor.as_str(), &erased.body), ("", &row.body));
        assert_eq!(view(&erased).erased, ["/actor/login", "/address"]);
        assert_eq!(view(&erased).detail, entry().detail);
        let leaf = ledger::tree::leaf(row.body.as_bytes());
        Stored::default().accept(&erased, Some(&leaf)).unwrap();
        assert_eq!(without(&erased, &manager()), None);
        let somebody_else = Person { id: user(8), texts: vec!["김민준".to_owned()] };
        assert_eq!(view(&without(&row, &somebody_else).unwrap()).erased, ["/detail/name"]);
        assert_eq!(without(&row, &Person { id: user(8), texts: Vec::new() }), None);
        assert_eq!(without(&AuditRow { personal: None, ..row }, &manager()), None);
    }

    #[test]
    fn values_are_the_person_s_by_what_the_entry_says() {
        let named = |persons: &[UserId], text: &str| {
            let detail = Detail::from(json!({"text": text})).naming("/text", persons.iter().copied());
            let row = sealed(|entry| {
                entry.actor = Actor::system();
                (entry.detail, entry.named) = (detail.value.clone(), detail.named.clone());
            });
            without(&row, &manager()).is_some()
        };
        assert!(named(&[user(7)], "any") && named(&[user(8), user(7)], "any"));
        assert!(!named(&[user(8)], "manager"), "it is somebody else's");
        assert!(named(&[], "MANAGER") && named(&[], "text of mina kim, again"));
        assert!(!named(&[], "managers") && !named(&[], "Mina") && !named(&[], ""));
        let attempt = sealed(|entry| {
            entry.actor = Actor::unknown("Manager");
            entry.named.clear();
        });
        assert_eq!(without(&attempt, &manager()).unwrap().personal, None);
        let user_entry = |id: &str, name: &str| {
            sealed(|entry| {
                entry.actor = Actor::system();
                entry.named.clear();
                entry.resource = crate::ResourceRef {
                    kind: USER.to_owned(),
                    id: id.to_owned(),
                    name: name.to_owned(),
                    persons: Vec::new(),
                };
            })
        };
        assert_eq!(without(&user_entry(&user(7).to_string(), "old-name"), &manager()).unwrap().resource_name, "");
        assert_eq!(without(&user_entry("", "manager"), &manager()).unwrap().resource_name, "");
        assert_eq!(without(&user_entry(&user(8).to_string(), "manager"), &manager()), None);
    }
}
