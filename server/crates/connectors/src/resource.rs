//! External resources of the specification: texts that a call needs and that are elsewhere.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{CallContext, Failure, FailureKind, http::Http};

/// The scheme of resources that are files.
const FILE_SCHEME: &str = "file://";
/// The largest file that is taken in.
const FILE_LIMIT: u64 = 5 * 1024 * 1024;

/// Gets external resources.
#[derive(Clone)]
pub struct Resources {
    http: Arc<Http>,
    files: Option<PathBuf>,
}

impl Resources {
    /// From services only. A server reads no files that a definition names.
    #[must_use]
    pub fn remote(http: Arc<Http>) -> Self {
        Self { http, files: None }
    }

    /// From services and from files, whose relative paths begin at this folder.
    #[must_use]
    pub fn with_files(http: Arc<Http>, folder: PathBuf) -> Self {
        Self { http, files: Some(folder) }
    }

    /// The content of a resource, `{name?, endpoint}`.
    pub async fn get(&self, resource: &Value, context: &CallContext) -> Result<Vec<u8>, Failure> {
        let endpoint = resource.get("endpoint").ok_or_else(|| Failure::configuration("a resource has no endpoint"))?;
        match address(endpoint).and_then(|uri| uri.strip_prefix(FILE_SCHEME)) {
            Some(path) => self.read(Path::new(path)).await,
            None => self.http.content(endpoint, context).await.map_err(nothing_sent),
        }
    }

    /// The same as text.
    pub async fn text(&self, resource: &Value, context: &CallContext) -> Result<String, Failure> {
        String::from_utf8(self.get(resource, context).await?)
            .map_err(|_| Failure::configuration(format!("{} is not UTF-8 text", name(resource))))
    }

    async fn read(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        let Some(folder) = &self.files else {
            return Err(Failure::configuration("files of the server cannot be read by definitions"));
        };
        // An absolute path stays what it is.
        let path = folder.join(path);
        let unreadable =
            |cause: std::io::Error| Failure::configuration(format!("{} cannot be read: {cause}", path.display()));
        let size = tokio::fs::metadata(&path).await.map_err(unreadable)?.len();
        if size > FILE_LIMIT {
            return Err(Failure::configuration(format!("{} is larger than 5 MiB", path.display())));
        }
        tokio::fs::read(&path).await.map_err(unreadable)
    }
}

/// Of the call that needs the text, nothing has been sent when that cannot be had.
fn nothing_sent(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Lost | FailureKind::Unknown => Failure { kind: FailureKind::Retryable, ..failure },
        FailureKind::Retryable | FailureKind::Permanent => failure,
    }
}

/// The address of an endpoint in either of its two forms.
pub(crate) fn address(endpoint: &Value) -> Option<&str> {
    endpoint.as_str().or_else(|| endpoint.get("uri")?.as_str())
}

/// What a resource is called in messages.
pub(crate) fn name(resource: &Value) -> &str {
    let named = resource.get("name").and_then(Value::as_str);
    named.or_else(|| resource.get("endpoint").and_then(address)).unwrap_or("the resource")
}

/// `$defs` of whatever takes a resource: those of authentication (`authentication_definitions`), and `resource`.
pub(crate) fn resource_definitions(mut authentication: Value) -> Value {
    let resource = json!({
        "type": "object",
        "required": ["endpoint"],
        "additionalProperties": false,
        "properties": {
            "name": {"type": "string"},
            "endpoint": {"oneOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "required": ["uri"],
                    "additionalProperties": false,
                    "properties": {
                        "uri": {"type": "string", "minLength": 1},
                        "authentication": {"$ref": "#/$defs/authentication"}
                    }
                }
            ]}
        }
    });
    if let Some(definitions) = authentication.as_object_mut() {
        definitions.insert("resource".to_owned(), resource);
    }
    authentication
}
