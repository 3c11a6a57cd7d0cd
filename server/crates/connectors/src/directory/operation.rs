//! The operations of `call: directory`, read from evaluated arguments.

use identity::Secret;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Failure;

/// What is to be done.
#[derive(Deserialize)]
#[serde(tag = "operation", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Operation {
    CreateUser(Person),
    ModifyUser(Person),
    DisableUser { login: String },
    EnableUser { login: String },
    DeleteUser { login: String },
    CreateGroup { group: String, title: Option<String>, owner: Option<String> },
    DeleteGroup { group: String },
    AddMember { group: String, login: String },
    RemoveMember { group: String, login: String },
    SetPassword { login: String, password: Secret, must_change: Option<bool> },
    IssuePassword { login: String, must_change: Option<bool> },
    ExpirePassword { login: String },
    RevokeSessions { login: String },
    Lookup { login: String },
    ListGroups { login: Option<String> },
    ListMembers { group: String },
}

/// A person as a definition describes one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Person {
    pub(super) login: String,
    pub(super) name: Option<String>,
    pub(super) given_name: Option<String>,
    pub(super) family_name: Option<String>,
    pub(super) email: Option<String>,
    /// The manager's sign-in name.
    #[serde(default)]
    pub(super) manager: Given,
    #[serde(default)]
    pub(super) department: Given,
    #[serde(default)]
    pub(super) job_title: Given,
    pub(super) employee_number: Option<String>,
    pub(super) phone: Option<String>,
    /// Attributes as the directory calls them: text or a list of texts.
    #[serde(default)]
    pub(super) attributes: Map<String, Value>,
}

/// What a definition says of a value.
#[derive(Clone, Default)]
pub(super) enum Given {
    /// Nothing: it stays as it is.
    #[default]
    Unsaid,
    /// There is to be none.
    Nothing,
    Text(String),
}

impl Given {
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Nothing, Self::Text))
    }
}

impl Person {
    /// What the built-in directory does not keep.
    pub(super) fn has_more_than_the_builtin_keeps(&self) -> bool {
        self.department.text().is_some()
            || self.job_title.text().is_some()
            || self.employee_number.is_some()
            || self.phone.is_some()
            || !self.attributes.is_empty()
    }
}

impl Operation {
    /// Reads arguments that satisfy the schema.
    pub(super) fn read(with: &Value) -> Result<Self, Failure> {
        // serde's message may quote a value, and the value may be a password.
        Self::deserialize(with).map_err(|_| Failure::configuration("the arguments of directory cannot be read"))
    }

    /// Its name in definitions.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::CreateUser(_) => "createUser",
            Self::ModifyUser(_) => "modifyUser",
            Self::DisableUser { .. } => "disableUser",
            Self::EnableUser { .. } => "enableUser",
            Self::DeleteUser { .. } => "deleteUser",
            Self::CreateGroup { .. } => "createGroup",
            Self::DeleteGroup { .. } => "deleteGroup",
            Self::AddMember { .. } => "addMember",
            Self::RemoveMember { .. } => "removeMember",
            Self::SetPassword { .. } => "setPassword",
            Self::IssuePassword { .. } => "issuePassword",
            Self::ExpirePassword { .. } => "expirePassword",
            Self::RevokeSessions { .. } => "revokeSessions",
            Self::Lookup { .. } => "lookup",
            Self::ListGroups { .. } => "listGroups",
            Self::ListMembers { .. } => "listMembers",
        }
    }

    /// Whom or what it is about, for logs.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::CreateUser(person) | Self::ModifyUser(person) => person.login.clone(),
            Self::DisableUser { login }
            | Self::EnableUser { login }
            | Self::DeleteUser { login }
            | Self::SetPassword { login, .. }
            | Self::IssuePassword { login, .. }
            | Self::ExpirePassword { login }
            | Self::RevokeSessions { login }
            | Self::Lookup { login } => login.clone(),
            Self::CreateGroup { group, .. } | Self::DeleteGroup { group } | Self::ListMembers { group } => {
                group.clone()
            }
            Self::AddMember { group, login } => format!("{login} in {group}"),
            Self::RemoveMember { group, login } => format!("{login} from {group}"),
            Self::ListGroups { login } => login.clone().unwrap_or_default(),
        }
    }
}
