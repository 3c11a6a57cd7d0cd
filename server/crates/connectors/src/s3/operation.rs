//! What can be done with objects, and how it is asked.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::settings::Settings;
use crate::{
    Failure, Repetition,
    sigv4::{encode, set_query, sha256},
};

/// The largest content that is put.
const CONTENT_LIMIT: usize = crate::http::exchange::CONTENT_LIMIT;
/// What the names of headers of an object's own metadata begin with.
pub(super) const METADATA: &str = "x-amz-meta-";
/// By which an object that may only be put where there is none says whose it is.
pub(super) const KEY_HEADER: &str = "x-amz-meta-rondo-key";
/// The longest that the service lets an address hold.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// An operation.
#[derive(Deserialize)]
#[serde(tag = "operation", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Operation {
    PutObject {
        bucket: String,
        key: String,
        #[serde(default)]
        content: String,
        #[serde(default)]
        encoding: Encoding,
        content_type: Option<String>,
        #[serde(default)]
        metadata: BTreeMap<String, String>,
        if_none_match: Option<String>,
        if_match: Option<String>,
    },
    GetObject {
        bucket: String,
        key: String,
        version_id: Option<String>,
        #[serde(default)]
        encoding: Encoding,
    },
    HeadObject {
        bucket: String,
        key: String,
        version_id: Option<String>,
    },
    DeleteObject {
        bucket: String,
        key: String,
        version_id: Option<String>,
    },
    ListObjects {
        bucket: String,
        prefix: Option<String>,
        delimiter: Option<String>,
        limit: Option<u32>,
        after: Option<String>,
    },
    CopyObject {
        bucket: String,
        key: String,
        from: Source,
    },
    Presign {
        bucket: String,
        key: String,
        #[serde(default)]
        method: Access,
        #[serde(deserialize_with = "expires", default = "quarter_of_an_hour")]
        expires: Duration,
    },
}

/// How content stands in arguments and outputs.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encoding {
    #[default]
    Text,
    Base64,
}

/// What an address lets people do.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Access {
    #[default]
    Get,
    Put,
}

impl Access {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
        }
    }
}

/// What is copied.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Source {
    bucket: String,
    key: String,
    version_id: Option<String>,
}

impl Source {
    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Where it is.
    pub(super) fn address(&self, settings: &Settings) -> Result<Url, Failure> {
        Ok(versioned(settings.object(&self.bucket, &self.key)?, self.version_id.as_deref()))
    }
}

/// The address of one version of an object.
fn versioned(mut url: Url, version: Option<&str>) -> Url {
    if let Some(version) = version {
        set_query(&mut url, [("versionId", version)]);
    }
    url
}

fn quarter_of_an_hour() -> Duration {
    Duration::from_mins(15)
}

fn expires<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let within = |holds: &Duration| (Duration::from_secs(1)..=LONGEST).contains(holds);
    workflow::duration::from_value(&value)
        .filter(within)
        .ok_or_else(|| serde::de::Error::custom("not a duration of a second to seven days"))
}

/// A request before it is signed.
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Operation {
    pub(super) fn read(with: &Value) -> Result<Self, Failure> {
        let expires = with.get("operation").and_then(Value::as_str) == Some("presign");
        // The message of serde may quote a value, and the value may be a secret.
        Self::deserialize(with).map_err(|_| {
            Failure::configuration(if expires {
                "the arguments cannot be read; expires is a duration of a second to seven days, such as PT1H"
            } else {
                "the arguments cannot be read"
            })
        })
    }

    pub(super) fn repetition(&self) -> Repetition {
        match self {
            Self::PutObject { if_none_match: Some(_), .. } => Repetition::Probe,
            // The etag that it asks for is gone once it has happened.
            Self::PutObject { if_match: Some(_), .. } => Repetition::Once,
            _ => Repetition::Safe,
        }
    }

    /// The object that it is about, for people.
    pub(super) fn object(&self) -> String {
        match self {
            Self::PutObject { bucket, key, .. }
            | Self::GetObject { bucket, key, .. }
            | Self::HeadObject { bucket, key, .. }
            | Self::DeleteObject { bucket, key, .. }
            | Self::CopyObject { bucket, key, .. }
            | Self::Presign { bucket, key, .. } => format!("{key} in {bucket}"),
            Self::ListObjects { bucket, .. } => bucket.clone(),
        }
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::PutObject { bucket, key, .. } => format!("putting the object {key} into {bucket}"),
            Self::GetObject { bucket, key, .. } => format!("reading the object {key} of {bucket}"),
            Self::HeadObject { bucket, key, .. } => format!("looking for the object {key} in {bucket}"),
            Self::DeleteObject { bucket, key, .. } => format!("deleting the object {key} of {bucket}"),
            Self::ListObjects { bucket, .. } => format!("listing the objects of {bucket}"),
            Self::CopyObject { bucket, key, from } => {
                format!("copying the object {} of {} to {key} in {bucket}", from.key, from.bucket)
            }
            Self::Presign { bucket, key, .. } => format!("making an address of the object {key} of {bucket}"),
        }
    }

    /// The request. An address is made without one.
    pub(super) fn ask(&self, settings: &Settings, call: &str) -> Result<Asked, Failure> {
        let plain = |method, url| Asked { method, url, headers: Vec::new(), body: Vec::new() };
        Ok(match self {
            Self::PutObject { bucket, key, .. } => {
                let body = self.body()?;
                let headers = self.said_of(&body, call);
                Asked { method: Method::PUT, url: settings.object(bucket, key)?, headers, body }
            }
            Self::GetObject { bucket, key, version_id, .. } => {
                plain(Method::GET, versioned(settings.object(bucket, key)?, version_id.as_deref()))
            }
            Self::HeadObject { bucket, key, version_id } => {
                plain(Method::HEAD, versioned(settings.object(bucket, key)?, version_id.as_deref()))
            }
            Self::DeleteObject { bucket, key, version_id } => {
                plain(Method::DELETE, versioned(settings.object(bucket, key)?, version_id.as_deref()))
            }
            Self::ListObjects { bucket, prefix, delimiter, limit, after } => {
                let mut url = settings.bucket(bucket)?;
                set_query(&mut url, [("list-type", "2"), ("max-keys", limit.unwrap_or(1000).to_string().as_str())]);
                let given = [("prefix", prefix), ("delimiter", delimiter), ("continuation-token", after)];
                set_query(&mut url, given.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
                plain(Method::GET, url)
            }
            Self::CopyObject { bucket, key, from } => {
                settings.permit(&from.bucket)?;
                let mut source = format!("/{}/{}", encode(&from.bucket, false), encode(&from.key, true));
                if let Some(version) = &from.version_id {
                    source = format!("{source}?versionId={}", encode(version, false));
                }
                let mut asked = plain(Method::PUT, settings.object(bucket, key)?);
                asked.headers.push(("x-amz-copy-source".to_owned(), source));
                asked
            }
            Self::Presign { bucket, key, .. } => plain(Method::HEAD, settings.object(bucket, key)?),
        })
    }

    /// What is put.
    fn body(&self) -> Result<Vec<u8>, Failure> {
        let Self::PutObject { content, encoding, .. } = self else { return Ok(Vec::new()) };
        let body = match encoding {
            Encoding::Text => content.clone().into_bytes(),
            Encoding::Base64 => STANDARD
                .decode(content)
                .map_err(|_| Failure::configuration("the content is not base64; leave encoding away for text"))?,
        };
        if body.len() > CONTENT_LIMIT {
            let most = CONTENT_LIMIT >> 20;
            return Err(Failure::configuration(format!(
                "the content is larger than {most} MiB; put it by an address of the operation presign"
            )));
        }
        Ok(body)
    }

    /// What is said of what is put.
    fn said_of(&self, body: &[u8], call: &str) -> Vec<(String, String)> {
        let Self::PutObject { encoding, content_type, metadata, if_none_match, if_match, .. } = self else {
            return Vec::new();
        };
        let usual = if *encoding == Encoding::Text { "text/plain; charset=utf-8" } else { "application/octet-stream" };
        let mut said = vec![
            ("content-type".to_owned(), content_type.as_deref().unwrap_or(usual).to_owned()),
            ("x-amz-checksum-sha256".to_owned(), STANDARD.encode(digest(&SHA256, body))),
        ];
        for (name, value) in metadata {
            said.push((format!("{METADATA}{}", name.to_ascii_lowercase()), value.clone()));
        }
        if let Some(tag) = if_none_match {
            said.push(("if-none-match".to_owned(), tag.clone()));
            said.push((KEY_HEADER.to_owned(), mark(call)));
        }
        if let Some(tag) = if_match {
            said.push(("if-match".to_owned(), tag.clone()));
        }
        said
    }
}

/// What an object carries instead of the idempotency key itself.
pub(super) fn mark(call: &str) -> String {
    sha256(call.as_bytes())
}
