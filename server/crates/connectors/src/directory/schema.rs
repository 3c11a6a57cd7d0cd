//! JSON Schemas of `call: directory` and of its kinds of connection.

use serde_json::{Map, Value, json};

use crate::{arguments::operation_rule, tls};

/// An operation with what it takes.
pub(super) struct OperationEntry {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) required: &'static [&'static str],
    pub(super) optional: &'static [&'static str],
    pub(super) output: &'static [&'static str],
    pub(super) reads: bool,
}

const PERSON: &[&str] =
    &["givenName", "familyName", "email", "manager", "department", "jobTitle", "employeeNumber", "phone", "attributes"];
const PERSON_AND_NAME: &[&str] = &[
    "name",
    "givenName",
    "familyName",
    "email",
    "manager",
    "department",
    "jobTitle",
    "employeeNumber",
    "phone",
    "attributes",
];

/// All operations.
pub(super) const OPERATIONS: &[OperationEntry] = &[
    OperationEntry {
        name: "createUser",
        title: "Create a person",
        required: &["login", "name"],
        optional: PERSON,
        output: &["created", "user"],
        reads: false,
    },
    OperationEntry {
        name: "modifyUser",
        title: "Change a person",
        required: &["login"],
        optional: PERSON_AND_NAME,
        output: &["user"],
        reads: false,
    },
    OperationEntry {
        name: "disableUser",
        title: "Disable a person",
        required: &["login"],
        optional: &[],
        output: &["changed", "user"],
        reads: false,
    },
    OperationEntry {
        name: "enableUser",
        title: "Enable a person",
        required: &["login"],
        optional: &[],
        output: &["changed", "user"],
        reads: false,
    },
    OperationEntry {
        name: "deleteUser",
        title: "Delete a person",
        required: &["login"],
        optional: &[],
        output: &["deleted"],
        reads: false,
    },
    OperationEntry {
        name: "createGroup",
        title: "Create a group",
        required: &["group"],
        optional: &["title", "owner"],
        output: &["created", "group"],
        reads: false,
    },
    OperationEntry {
        name: "deleteGroup",
        title: "Delete a group",
        required: &["group"],
        optional: &[],
        output: &["deleted"],
        reads: false,
    },
    OperationEntry {
        name: "addMember",
        title: "Add a person to a group",
        required: &["group", "login"],
        optional: &[],
        output: &["added"],
        reads: false,
    },
    OperationEntry {
        name: "removeMember",
        title: "Remove a person from a group",
        required: &["group", "login"],
        optional: &[],
        output: &["removed"],
        reads: false,
    },
    OperationEntry {
        name: "setPassword",
        title: "Set a password",
        required: &["login", "password"],
        optional: &["mustChange"],
        output: &["changed"],
        reads: false,
    },
    OperationEntry {
        name: "issuePassword",
        title: "Issue a password by one-time link",
        required: &["login"],
        optional: &["mustChange"],
        output: &["link", "expiresAt"],
        reads: false,
    },
    OperationEntry {
        name: "expirePassword",
        title: "Let a password expire",
        required: &["login"],
        optional: &[],
        output: &["changed"],
        reads: false,
    },
    OperationEntry {
        name: "revokeSessions",
        title: "Sign a person out everywhere",
        required: &["login"],
        optional: &[],
        output: &["sessions", "tokens"],
        reads: false,
    },
    OperationEntry {
        name: "lookup",
        title: "Look a person up",
        required: &["login"],
        optional: &[],
        output: &["found", "user"],
        reads: true,
    },
    OperationEntry {
        name: "listGroups",
        title: "List groups, or those of a person",
        required: &[],
        optional: &["login"],
        output: &["groups"],
        reads: true,
    },
    OperationEntry {
        name: "listMembers",
        title: "List the members of a group",
        required: &["group"],
        optional: &[],
        output: &["group", "owner", "members"],
        reads: true,
    },
];

/// Of `with`.
pub(super) fn with() -> Value {
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    let rules: Vec<Value> = OPERATIONS
        .iter()
        .map(|operation| {
            let (required, optional) = (operation.required, operation.optional);
            let mut rule = operation_rule(operation.name, &["connection", "operation"], required, optional);
            if operation.name == "createUser"
                && let Some(then) = rule.get_mut("then").and_then(Value::as_object_mut)
            {
                // Only what is created has to be well formed: an old name must stay reachable.
                then.insert(
                    "properties".to_owned(),
                    json!({"login": {"pattern": "^[a-z0-9][a-z0-9._-]*$", "maxLength": 64}}),
                );
            }
            rule
        })
        .collect();
    let text = |title: &str, limit: u32| json!({"type": "string", "minLength": 1, "maxLength": limit, "title": title});
    let clearable = |title: &str, limit: u32| {
        json!({
            "type": ["string", "null"], "minLength": 1, "maxLength": limit, "title": title,
            "description": "Null takes it away."
        })
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "operation"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind builtin, ldap or scim"},
            "operation": {"enum": names},
            "login": text("Sign-in name", 200),
            "name": text("Name for people", 200),
            "givenName": text("Given name", 100),
            "familyName": text("Family name", 100),
            "email": {"type": "string", "format": "email", "maxLength": 254, "title": "Mail address"},
            "manager": clearable("Manager's sign-in name", 200),
            "department": clearable("Department", 100),
            "jobTitle": clearable("Job title", 100),
            "employeeNumber": text("Employee number", 60),
            "phone": text("Telephone", 60),
            "attributes": {
                "type": "object",
                "title": "Other attributes, as the directory calls them",
                "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9-]*$"},
                "additionalProperties": {"oneOf": [
                    {"type": "string", "minLength": 1},
                    {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": true}
                ]}
            },
            "group": text("Group", 200),
            "title": text("Title for people", 200),
            "owner": text("Sign-in name of the group's owner", 200),
            "password": {"type": "string", "minLength": 1, "maxLength": 256, "title": "Password"},
            "mustChange": {"type": "boolean", "title": "The person must choose another password at once"}
        },
        "allOf": rules
    })
}

/// Of the output of any operation.
pub(super) fn output() -> Value {
    json!({"type": "object", "properties": output_properties()})
}

/// Of the output of one operation.
pub(super) fn output_of(operation: &OperationEntry) -> Value {
    let all = output_properties();
    let properties: Map<String, Value> = operation
        .output
        .iter()
        .filter_map(|name| all.get(name).map(|schema| ((*name).to_owned(), schema.clone())))
        .collect();
    json!({"type": "object", "required": operation.output, "properties": properties})
}

fn output_properties() -> Value {
    let group = json!({
        "type": "object",
        "required": ["name", "title"],
        "properties": {"name": {"type": "string"}, "title": {"type": "string"}}
    });
    let optional = || json!({"type": ["string", "null"]});
    json!({
        "user": {
            "type": ["object", "null"],
            "required": ["id", "login", "name", "email", "active", "manager", "department", "jobTitle", "groups"],
            "properties": {
                "id": {"type": "string", "description": "Id, or distinguished name."},
                "login": {"type": "string"},
                "name": {"type": "string"},
                "email": optional(),
                "active": {"type": "boolean"},
                "manager": {"type": ["string", "null"], "description": "The manager's sign-in name."},
                "department": optional(),
                "jobTitle": optional(),
                "groups": {"type": "array", "items": {"type": "string"}}
            }
        },
        "group": group,
        "groups": {"type": "array", "items": group},
        "owner": {
            "type": ["string", "null"],
            "description": "Sign-in name of the group's owner, where the directory knows one."
        },
        "members": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "login", "name", "email", "active"],
                "properties": {
                    "id": {"type": "string", "description": "Id, or distinguished name."},
                    "login": {"type": ["string", "null"], "description": "Null for what is no person, such as a group."},
                    "name": {"type": "string"},
                    "email": optional(),
                    "active": {"type": "boolean"}
                }
            }
        },
        "found": {"type": "boolean"},
        "created": {"type": "boolean"},
        "changed": {"type": "boolean"},
        "deleted": {"type": "boolean"},
        "added": {"type": "boolean", "description": "False when the person was a member already."},
        "removed": {"type": "boolean", "description": "False when the person was no member."},
        "link": {"type": "string", "description": "One-time link, sealed: readable only inside another call."},
        "expiresAt": {"type": "string", "format": "date-time"},
        "sessions": {"type": "integer"},
        "tokens": {"type": "integer"}
    })
}

/// Of a connection of kind `builtin`.
pub(super) fn builtin_settings() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": false
    })
}

/// Of a connection of kind `ldap`.
pub(super) fn ldap_settings() -> Value {
    let dn = "^[^=,]+=.+";
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["url", "flavour", "baseDn", "bindDn", "bindPassword"],
        "additionalProperties": false,
        "properties": {
            "url": {
                "type": "string", "pattern": "^ldaps?://[^/]+/?$", "title": "Address",
                "description": "ldaps://HOST[:PORT], or ldap://HOST[:PORT] with StartTLS."
            },
            "startTls": {"type": "boolean", "default": false, "title": "StartTLS"},
            "flavour": {
                "title": "Kind of directory",
                "oneOf": [
                    {"const": "openldap", "title": "OpenLDAP"},
                    {"const": "active-directory", "title": "Active Directory"}
                ]
            },
            "baseDn": {"type": "string", "pattern": dn, "title": "Base DN", "description": "Everything is searched below it."},
            "bindDn": {"type": "string", "minLength": 1, "title": "Sign-in DN"},
            "bindPassword": {"type": "string", "minLength": 1, "title": "Password", "writeOnly": true},
            "userDn": {
                "type": "string", "pattern": "^.*\\{(login|name)\\}.*$", "title": "DN of new people",
                "description": "With {login} or {name}. Default: uid={login},ou=people,BASE, or CN={name},CN=Users,BASE."
            },
            "groupDn": {
                "type": "string", "pattern": "^.*\\{group\\}.*$", "title": "DN of new groups",
                "description": "With {group}. Default: cn={group},ou=groups,BASE, or CN={group},CN=Users,BASE."
            },
            "userClasses": {
                "type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1},
                "title": "Object classes of people", "description": "Default: inetOrgPerson, or user."
            },
            "groupClasses": {
                "type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1},
                "title": "Object classes of groups", "description": "Default: groupOfNames, or group."
            },
            "loginAttribute": {
                "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9-]*$", "title": "Attribute of the sign-in name",
                "description": "Default: uid, or sAMAccountName."
            },
            "keyAttribute": {
                "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9-]*$", "default": "description",
                "title": "Attribute of the idempotency key",
                "description": "Marks what a run has created, so that a repeated call knows its own work."
            },
            "upnSuffix": {
                "type": "string", "pattern": "^[^@]+$", "title": "Suffix of user principal names",
                "description": "Active Directory only. Default: the domain of the base DN."
            }
        }
    }))
}

/// Of a connection of kind `scim`.
pub(super) fn scim_settings() -> Value {
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["baseUrl"],
        "additionalProperties": false,
        "properties": {
            "baseUrl": {
                "type": "string", "format": "uri", "pattern": "^https?://[^?#]+$", "title": "Address",
                "description": "What stands before /Users and /Groups, such as https://id.example.com/scim/v2."
            },
            "token": {"type": "string", "minLength": 1, "title": "Bearer token", "writeOnly": true},
            "username": {
                "type": "string", "minLength": 1, "pattern": "^[^:]+$", "title": "User name",
                "description": "In place of a token."
            },
            "password": {"type": "string", "minLength": 1, "title": "Password", "writeOnly": true}
        }
    }))
}
