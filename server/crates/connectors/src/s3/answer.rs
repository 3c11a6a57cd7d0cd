//! From answers to outputs, and to words that say what to do.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use roxmltree::{Document, Node};
use serde_json::{Map, Value, json};
use workflow::{RunError, StandardError};

use super::{
    operation::{Asked, Encoding, KEY_HEADER, METADATA, Operation},
    settings::Settings,
};
use crate::{
    Failure,
    http::{
        exchange,
        plain::{Answered, Terms, excerpt},
    },
    sigv4::sha256,
};

/// The output of an operation that was answered.
pub(super) fn output(
    operation: &Operation,
    asked: &Asked,
    answer: &Answered,
    settings: &Settings,
    terms: &Terms<'_>,
) -> Result<Value, Failure> {
    if answer.status == 404 && matches!(operation, Operation::HeadObject { .. }) {
        return Ok(json!({"found": false}));
    }
    // A copy can fail after its answer has begun.
    let failed_late = matches!(operation, Operation::CopyObject { .. }) && error(answer).is_some();
    if !answer.is_success() || failed_late {
        return Err(refused(&operation.shown(), answer, settings));
    }
    let garbled = |what: &str| {
        terms.unusable(format!("{what} ({}); check that the connection's endpoint is one of S3", operation.shown()))
    };
    let version = answer.header("x-amz-version-id");
    Ok(match operation {
        Operation::PutObject { .. } => {
            let etag = etag(answer).ok_or_else(|| garbled("the answer has no etag"))?;
            let (size, sha256) = (asked.body.len(), sha256(&asked.body));
            json!({"etag": etag, "versionId": version, "size": size, "sha256": sha256})
        }
        Operation::GetObject { encoding, .. } => {
            let content = match encoding {
                Encoding::Base64 => STANDARD.encode(&answer.content),
                Encoding::Text => String::from_utf8(answer.content.clone()).map_err(|_| {
                    Failure::refused(422, format!("it is not UTF-8 text ({}); ask for base64", operation.shown()))
                })?,
            };
            let mut output = known(answer);
            output.insert("size".to_owned(), answer.content.len().into());
            output.insert("content".to_owned(), content.into());
            Value::Object(output)
        }
        Operation::HeadObject { .. } => {
            let mut output = known(answer);
            output.insert("found".to_owned(), true.into());
            Value::Object(output)
        }
        Operation::DeleteObject { .. } => json!({"deleted": true, "versionId": version}),
        Operation::ListObjects { .. } => list(answer).ok_or_else(|| garbled("the answer is not a list of objects"))?,
        Operation::CopyObject { .. } => {
            let etag = document(&answer.content, |root| text(root, "ETag"));
            let etag = etag.flatten().ok_or_else(|| garbled("the answer has no etag"))?;
            json!({"etag": etag.trim_matches('"'), "versionId": version})
        }
        Operation::Presign { .. } => Value::Null,
    })
}

/// What is said of an object.
fn known(answer: &Answered) -> Map<String, Value> {
    let metadata: Map<String, Value> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.as_str() != KEY_HEADER)
        .filter_map(|(name, value)| {
            Some((name.as_str().strip_prefix(METADATA)?.to_owned(), value.to_str().ok()?.into()))
        })
        .collect();
    let size = answer.header("content-length").and_then(|size| size.parse::<u64>().ok());
    let known = json!({
        "etag": etag(answer),
        "versionId": answer.header("x-amz-version-id"),
        "size": size,
        "contentType": answer.header("content-type"),
        "lastModified": answer.header("last-modified"),
        "metadata": metadata,
    });
    match known {
        Value::Object(known) => known,
        _ => Map::new(),
    }
}

pub(super) fn etag(answer: &Answered) -> Option<&str> {
    answer.header("etag").map(|tag| tag.trim_matches('"'))
}

fn list(answer: &Answered) -> Option<Value> {
    document(&answer.content, |root| {
        if root.tag_name().name() != "ListBucketResult" {
            return None;
        }
        let all = |name: &'static str| root.children().filter(move |node| node.tag_name().name() == name);
        let objects: Option<Vec<Value>> = all("Contents")
            .map(|object| {
                Some(json!({
                    "key": text(object, "Key")?,
                    "size": text(object, "Size")?.parse::<u64>().ok()?,
                    "etag": text(object, "ETag").map(|tag| tag.trim_matches('"').to_owned()),
                    "lastModified": text(object, "LastModified"),
                }))
            })
            .collect();
        let prefixes: Vec<String> = all("CommonPrefixes").filter_map(|prefix| text(prefix, "Prefix")).collect();
        Some(json!({"objects": objects?, "prefixes": prefixes, "next": text(root, "NextContinuationToken")}))
    })?
}

fn document<T>(content: &[u8], read: impl FnOnce(Node<'_, '_>) -> T) -> Option<T> {
    let document = Document::parse(std::str::from_utf8(content).ok()?).ok()?;
    Some(read(document.root_element()))
}

fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.children().find(|child| child.tag_name().name() == name)?.text().map(str::to_owned)
}

/// The code and message of an error.
fn error(answer: &Answered) -> Option<(String, String)> {
    document(&answer.content, |root| {
        let is_error = root.tag_name().name() == "Error";
        is_error.then(|| Some((text(root, "Code")?, text(root, "Message").unwrap_or_default()))).flatten()
    })?
}

/// Whether a refusal says that the keys are known, but not good for this bucket, or that there is none.
pub(super) fn is_about_the_bucket(failure: &Failure) -> bool {
    failure.error.is(StandardError::Authorization) || failure.error.status == 404
}

/// What a refusal means; `what` was asked.
pub(super) fn refused(what: &str, answer: &Answered, settings: &Settings) -> Failure {
    let (code, message) = error(answer).unwrap_or_default();
    let permanent = |kind, words: &str| Failure::permanent(RunError::new(kind, format!("{what}: {code}: {words}")));
    match code.as_str() {
        // What the service says about a signature repeats what was signed, and that may be secret.
        "SignatureDoesNotMatch" | "AuthorizationHeaderMalformed" => permanent(
            StandardError::Authentication,
            "the secret key is not the one of this access key, or the region is another; enter region and keys of the \
             connection again",
        ),
        "InvalidAccessKeyId" | "InvalidToken" => permanent(
            StandardError::Authentication,
            "the service does not know the access key; enter both keys of the connection again",
        ),
        "ExpiredToken" => permanent(
            StandardError::Authentication,
            "the session token is no longer valid; enter new keys into the connection",
        ),
        "RequestTimeTooSkewed" => permanent(
            StandardError::Authentication,
            "the service and this server do not have the same time; set the clock of this server",
        ),
        "AccessDenied" | "AllAccessDisabled" => permanent(
            StandardError::Authorization,
            "the connection's keys lack the right to do this; add it to their policy or the bucket's",
        ),
        "" if answer.status == 403 => permanent(
            StandardError::Authorization,
            "the service refuses it (403); compare the keys of the connection, and their rights in this bucket",
        ),
        "NoSuchBucket" => Failure::refused(404, format!("{what}: {code}: there is no such bucket; compare its name")),
        "NoSuchKey" | "NoSuchVersion" => {
            Failure::refused(404, format!("{what}: {code}: there is no such object; compare its key"))
        }
        "PreconditionFailed" => Failure::refused(
            412,
            format!("{what}: {code}: there is an object already, or another than the one with this etag"),
        ),
        "SlowDown" => Failure::retryable(RunError::communication(
            429,
            format!("{what}: {code}; limit the calls per minute of the connection, or try again later"),
        )),
        code => {
            let said = excerpt(&message, settings.secrets());
            let status = if answer.is_success() { 500 } else { answer.status };
            exchange::refused(status, format!("{what} was refused with status {status}: {code} {said}"))
        }
    }
}
