//! What a change of a directory would come to, in the same words whichever directory it is.

use domain::view::{CallPlan, PlannedField};

/// What stands for a value that people may not see.
const HIDDEN: &str = "‹hidden›";
/// Parts of the names of attributes whose values let somebody in. In lower case.
const TELLING: [&str; 6] = ["password", "unicodepwd", "secret", "krbprincipalkey", "sshkey", "privatekey"];

/// A value of a person or group that would be another; none where it stays. What lets somebody in is hidden.
pub(super) fn field(name: &str, before: Option<&str>, after: Option<&str>) -> Option<PlannedField> {
    let lower = name.to_ascii_lowercase();
    let is_hidden = TELLING.iter().any(|part| lower.contains(part));
    let shown = |value: Option<&str>| {
        value.filter(|value| !value.is_empty()).map(|value| if is_hidden { HIDDEN } else { value }.to_owned())
    };
    let is_same = before.unwrap_or_default() == after.unwrap_or_default();
    (!is_same).then(|| PlannedField::new(name, shown(before), shown(after)))
}

/// Somebody, or something, that would come to be.
pub(super) fn creation(what: &str, fields: impl IntoIterator<Item = PlannedField>) -> CallPlan {
    CallPlan::changes(format!("creates {what}")).with_fields(fields)
}

/// What is another of a person.
pub(super) fn modification(login: &str, fields: Vec<PlannedField>) -> CallPlan {
    if fields.is_empty() {
        return CallPlan::nothing(format!("{login} is so already"));
    }
    CallPlan::changes(format!("changes {login}")).with_fields(fields)
}

pub(super) fn activity(login: &str, is: bool, to_be: bool) -> CallPlan {
    let word = |active: bool| if active { "enabled" } else { "disabled" };
    if is == to_be {
        return CallPlan::nothing(format!("{login} is {} already", word(to_be)));
    }
    let field = PlannedField::new("active", Some(is.to_string()), Some(to_be.to_string()));
    CallPlan::changes(format!("{login} is {}, and will be {}", word(is), word(to_be))).with_fields([field])
}

/// A person goes, and is no longer in these groups; none where nobody is there.
pub(super) fn person_gone(login: &str, groups: Option<&[String]>) -> CallPlan {
    match groups {
        None => CallPlan::nothing(format!("there is nobody with the sign-in name {login}")),
        Some([]) => CallPlan::changes(format!("deletes {login}, who is in no group")),
        Some(groups) => {
            let field = PlannedField::new("groups", Some(groups.join(", ")), None);
            CallPlan::changes(format!("deletes {login}, who is in {} groups", groups.len())).with_fields([field])
        }
    }
}

/// A group goes, if it is there, with so many members, where that is known.
pub(super) fn group_gone(group: &str, is_there: bool, members: Option<usize>) -> CallPlan {
    match members {
        _ if !is_there => CallPlan::nothing(format!("there is no group {group}")),
        None => CallPlan::changes(format!("deletes the group {group}")),
        Some(members) => CallPlan::changes(format!("deletes the group {group} with its members ({members})")),
    }
}

/// Who comes into a group, or leaves it. `is` is none where nobody can say who is in it.
pub(super) fn membership(group: &str, login: &str, is: Option<bool>, to_be: bool) -> CallPlan {
    match (is, to_be) {
        (Some(true), true) => CallPlan::nothing(format!("{login} is a member of {group} already")),
        (Some(false), false) => CallPlan::nothing(format!("{login} is no member of {group}")),
        (Some(false), true) => CallPlan::changes(format!("{login} is no member of {group}, and will be one")),
        (Some(true), false) => CallPlan::changes(format!("{login} is a member of {group}, and will be none")),
        (None, _) => CallPlan::changes(format!(
            "the directory does not say whether {login} is a member of {group}; afterwards they will {}be one",
            if to_be { "" } else { "not " }
        )),
    }
}

pub(super) fn password(login: &str) -> CallPlan {
    CallPlan::changes(format!("{login} gets another password"))
}

pub(super) fn password_expires(login: &str, is: Option<bool>) -> CallPlan {
    if is == Some(true) {
        return CallPlan::nothing(format!("{login} has to choose another password already"));
    }
    CallPlan::changes(format!("{login} has to choose another password at the next sign-in"))
}

#[cfg(test)]
mod tests {
    use domain::view::PlannedEffect;

    use super::*;

    #[test]
    fn what_stays_is_no_change_and_what_lets_in_is_not_shown() {
        assert_eq!(field("mail", Some("a"), Some("a")), None);
        assert_eq!(field("mail", Some(""), None), None, "an empty value is none");
        let hidden = Some(HIDDEN.to_owned());
        let changed = field("userPassword", Some("old"), Some("new")).unwrap();
        assert_eq!((changed.before, changed.after), (hidden.clone(), hidden));
        assert_eq!(field("unicodePwd", Some("same"), Some("same")), None);
        assert_eq!(modification("ana", Vec::new()).effect, PlannedEffect::Nothing);
        assert_eq!(membership("vpn", "ana", None, true).effect, PlannedEffect::Changes);
    }
}
