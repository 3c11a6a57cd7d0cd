//! JSON Schemas of `call: s3` and of connections of kind `s3`.

use serde_json::{Map, Value, json};

use crate::{arguments::operation_rule, tls};

/// An operation with what it takes and gives.
pub(super) struct OperationEntry {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    output: &'static [&'static str],
    pub(super) reads: bool,
}

/// What is said of an object.
const KNOWN: &[&str] = &["etag", "versionId", "size", "contentType", "lastModified", "metadata"];

/// All operations.
pub(super) const OPERATIONS: &[OperationEntry] = &[
    OperationEntry {
        name: "putObject",
        title: "Put an object",
        required: &["bucket", "key", "content"],
        optional: &["encoding", "contentType", "metadata", "ifNoneMatch", "ifMatch"],
        output: &["etag", "versionId", "size", "sha256"],
        reads: false,
    },
    OperationEntry {
        name: "getObject",
        title: "Read an object",
        required: &["bucket", "key"],
        optional: &["versionId", "encoding"],
        output: &["content", "etag", "versionId", "size", "contentType", "lastModified", "metadata"],
        reads: true,
    },
    OperationEntry {
        name: "headObject",
        title: "Look for an object",
        required: &["bucket", "key"],
        optional: &["versionId"],
        output: &["found"],
        reads: true,
    },
    OperationEntry {
        name: "deleteObject",
        title: "Delete an object",
        required: &["bucket", "key"],
        optional: &["versionId"],
        output: &["deleted", "versionId"],
        reads: false,
    },
    OperationEntry {
        name: "listObjects",
        title: "List objects",
        required: &["bucket"],
        optional: &["prefix", "delimiter", "limit", "after"],
        output: &["objects", "prefixes", "next"],
        reads: true,
    },
    OperationEntry {
        name: "copyObject",
        title: "Copy an object",
        required: &["bucket", "key", "from"],
        optional: &[],
        output: &["etag", "versionId"],
        reads: false,
    },
    OperationEntry {
        name: "presign",
        title: "Make an address of an object",
        required: &["bucket", "key"],
        optional: &["method", "expires"],
        output: &["url", "expiresAt"],
        reads: true,
    },
];

fn bucket() -> Value {
    json!({"type": "string", "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", "title": "Bucket"})
}

/// Of `with`.
pub(super) fn with() -> Value {
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    let rule =
        |one: &OperationEntry| operation_rule(one.name, &["connection", "operation"], one.required, one.optional);
    let rules: Vec<Value> = OPERATIONS.iter().map(rule).collect();
    let key = json!({"type": "string", "minLength": 1, "maxLength": 1024, "title": "Key"});
    let version = json!({"type": "string", "minLength": 1, "maxLength": 1024, "title": "Version"});
    let duration = json!({"type": "string", "pattern": "^P", "title": "Holds for", "default": "PT15M"});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["connection", "operation"],
        "additionalProperties": false,
        "properties": {
            "connection": {"type": "string", "minLength": 1, "title": "Connection of kind s3"},
            "operation": {"enum": names},
            "bucket": bucket(),
            "key": key,
            "versionId": version,
            "content": {"type": "string", "title": "Content", "description": "At most 5 MiB."},
            "encoding": {"enum": ["text", "base64"], "default": "text", "title": "How the content is written"},
            "contentType": {"type": "string", "minLength": 3, "maxLength": 200, "title": "Media type"},
            "metadata": {
                "type": "object",
                "title": "Metadata",
                "maxProperties": 20,
                "propertyNames": {"pattern": "^[A-Za-z0-9-]{1,60}$", "not": {"pattern": "^[Rr]ondo-[Kk]ey$"}},
                "additionalProperties": {"type": "string", "pattern": "^[ -~]*$", "maxLength": 500}
            },
            "ifNoneMatch": {"const": "*", "title": "Only where there is no such object"},
            "ifMatch": {"type": "string", "minLength": 1, "maxLength": 200, "title": "Only over the object with this etag"},
            "prefix": {"type": "string", "maxLength": 1024, "title": "What keys begin with"},
            "delimiter": {"type": "string", "minLength": 1, "maxLength": 10, "title": "What ends a folder"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "title": "At most so many"},
            "after": {"type": "string", "minLength": 1, "maxLength": 4096, "title": "What the page before gave as next"},
            "from": {
                "type": "object",
                "title": "What is copied",
                "required": ["bucket", "key"],
                "additionalProperties": false,
                "properties": {"bucket": bucket(), "key": key, "versionId": version}
            },
            "method": {"enum": ["get", "put"], "default": "get", "title": "What the address is for"},
            "expires": duration
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
    let optional: &[&str] = if operation.name == "headObject" { KNOWN } else { &[] };
    let properties: Map<String, Value> = operation
        .output
        .iter()
        .chain(optional)
        .filter_map(|name| all.get(name).map(|schema| ((*name).to_owned(), schema.clone())))
        .collect();
    json!({"type": "object", "required": operation.output, "properties": properties})
}

fn output_properties() -> Value {
    json!({
        "etag": {"type": ["string", "null"], "description": "Without quotes."},
        "versionId": {"type": ["string", "null"], "description": "Where the bucket keeps versions."},
        "size": {"type": ["integer", "null"], "description": "In bytes."},
        "sha256": {"type": "string", "description": "Of the content, in hexadecimal digits; the service has compared it."},
        "content": {"type": "string"},
        "contentType": {"type": ["string", "null"]},
        "lastModified": {"type": ["string", "null"]},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "found": {"type": "boolean"},
        "deleted": {"type": "boolean", "description": "Also where there was none."},
        "objects": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["key", "size"],
                "properties": {
                    "key": {"type": "string"},
                    "size": {"type": "integer"},
                    "etag": {"type": ["string", "null"]},
                    "lastModified": {"type": ["string", "null"], "format": "date-time"}
                }
            }
        },
        "prefixes": {"type": "array", "items": {"type": "string"}, "description": "Folders, where there is a delimiter."},
        "next": {"type": ["string", "null"], "description": "For after, where there is more."},
        "url": {"type": "string", "description": "Sealed: readable only inside another call."},
        "expiresAt": {"type": "string", "format": "date-time"}
    })
}

/// Of a connection's settings.
pub(super) fn settings() -> Value {
    tls::with_settings(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["region", "accessKey", "secretKey"],
        "additionalProperties": false,
        "properties": {
            "endpoint": {
                "type": "string", "format": "uri", "pattern": "^https?://", "title": "Endpoint",
                "description": "Of a service other than AWS."
            },
            "region": {
                "type": "string", "pattern": "^[a-z0-9-]{1,40}$", "title": "Region",
                "description": "Services other than AWS often take us-east-1."
            },
            "accessKey": {"type": "string", "minLength": 1, "maxLength": 128, "title": "Access key ID"},
            "secretKey": {"type": "string", "minLength": 1, "title": "Secret access key", "writeOnly": true},
            "sessionToken": {
                "type": "string", "minLength": 1, "title": "Session token", "writeOnly": true,
                "description": "Only with keys that hold for a while."
            },
            "buckets": {
                "type": "array", "items": bucket(), "maxItems": 100, "uniqueItems": true, "title": "Buckets",
                "description": "If given, workflows reach only these."
            },
            "pathStyle": {
                "type": "boolean", "title": "Bucket in the path",
                "description": "Default: true with an endpoint, false without."
            }
        }
    }))
}
