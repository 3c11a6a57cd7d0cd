//! What a change of a directory would come to, in the same words whichever directory it is.

use domain::view::{CallPlan, PlannedField};

/// What stands for a value that people may not see.
const HIDDEN: &str = "‹hidden›";
/// What the operations themselves set, by the names that the directories have for it: values that people may see.
const SET_BY_OPERATIONS: &[&str] = &[
    "cn",
    "department",
    "departmentNumber",
    "displayName",
    "dn",
    "email",
    "employeeNumber",
    "familyName",
    "givenName",
    "mail",
    "manager",
    "member",
    "name",
    "owner",
    "phone",
    "pwdAccountLockedTime",
    "sAMAccountName",
    "sn",
    "telephoneNumber",
    "title",
    "uid",
    "userAccountControl",
    "userName",
    "userPrincipalName",
];
/// What only describes. Of what is in neither list, nobody knows whether it lets somebody in.
const DESCRIPTIVE: &[&str] = &[
    "c",
    "co",
    "company",
    "description",
    "l",
    "o",
    "ou",
    "physicalDeliveryOfficeName",
    "postalAddress",
    "postalCode",
    "roomNumber",
    "st",
    "street",
    "streetAddress",
];

/// Whether people may see the values of an attribute, whichever options follow its name (`;binary`).
fn may_be_seen(name: &str) -> bool {
    let name = name.split_once(';').map_or(name, |(name, _)| name);
    SET_BY_OPERATIONS.iter().chain(DESCRIPTIVE).any(|seen| seen.eq_ignore_ascii_case(name))
}

/// A value of a person or group that would be another; none where it stays. What might let somebody in is hidden.
pub(super) fn field(name: &str, before: Option<&str>, after: Option<&str>) -> Option<PlannedField> {
    let is_hidden = !may_be_seen(name);
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
    fn what_stays_is_no_change_and_only_what_is_harmless_is_shown() {
        assert_eq!(field("mail", Some("a"), Some("a")), None);
        assert_eq!(field("mail", Some(""), None), None, "an empty value is none");
        let hidden = Some(HIDDEN.to_owned());
        for name in ["userPassword", "pwdHistory", "ms-Mcs-AdmPwd", "msLAPS-Password", "ipaNTHash", "userPKCS12;binary"]
        {
            let changed = field(name, Some("old"), Some("new")).unwrap();
            assert_eq!((changed.before, changed.after), (hidden.clone(), hidden.clone()), "{name}");
        }
        for name in ["Mail", "description", "POSTALCODE", "title;lang-en"] {
            assert_eq!(field(name, None, Some("new")).unwrap().after.as_deref(), Some("new"), "{name}");
        }
        assert_eq!(field("unicodePwd", Some("same"), Some("same")), None);
        assert_eq!(modification("ana", Vec::new()).effect, PlannedEffect::Nothing);
        assert_eq!(membership("vpn", "ana", None, true).effect, PlannedEffect::Changes);
    }
}
