//! An object per parcel in a bucket of an S3 service, locked if asked for.

use std::sync::Arc;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use connectors::{
    egress::EgressPolicy,
    s3::{bucket_address, object_address},
    sigv4::Signer,
};
use domain::{Clock, Timestamp};
use md5::{Digest as _, Md5};
use reqwest::Client;

use super::{
    Sink, Undelivered,
    http::{client, send},
};
use crate::{Format, Lock, Locking, Objects, Parcel};

pub(super) struct ObjectSink {
    client: Client,
    egress: Arc<EgressPolicy>,
    objects: Objects,
    format: Format,
    clock: Arc<dyn Clock>,
}

impl ObjectSink {
    pub(super) fn new(
        objects: &Objects,
        format: Format,
        egress: Arc<EgressPolicy>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Undelivered> {
        bucket_address(&objects.endpoint, &objects.bucket, objects.in_path).map_err(|cause| {
            Undelivered::Settings(format!(
                "the bucket cannot be addressed, an IP address needs path_style = true: {cause}"
            ))
        })?;
        Ok(Self { client: client(&egress, &objects.trust)?, egress, objects: objects.clone(), format, clock })
    }
}

#[async_trait]
impl Sink for ObjectSink {
    async fn deliver(&mut self, log: &str, parcel: &Parcel) -> Result<(), Undelivered> {
        let body = self.format.lines(log, parcel);
        let Objects { endpoint, bucket, in_path, prefix, region, access_key, secret, lock, .. } = &self.objects;
        let url = object_address(endpoint, bucket, *in_path, &name(prefix, parcel))
            .map_err(|cause| Undelivered::Settings(format!("the object cannot be addressed: {cause}")))?;
        let now = self.clock.now();
        let headers = headers(&body, *lock, now);
        let signer = Signer { access_key, secret, token: None, region, service: "s3" };
        let given: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let added = signer.headers("PUT", &url, &given, body.as_bytes(), now);
        let mut request = self.client.put(url.clone()).body(body);
        for (name, value) in headers.iter().chain(&added) {
            request = request.header(*name, value);
        }
        send(&self.egress, &url, request).await
    }
}

/// The name of an object tells what it holds, so that a repetition has the same.
fn name(prefix: &str, parcel: &Parcel) -> String {
    let (first, last) = parcel.range();
    let folder = match parcel {
        Parcel::Entries(_) => "",
        Parcel::Checkpoints(_) => "checkpoints/",
    };
    format!("{prefix}{folder}{first:012}-{last:012}.jsonl")
}

/// What is signed with the request. A service that locks an object wants to be told the digest of its content.
fn headers(body: &str, lock: Option<Lock>, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-md5", STANDARD.encode(Md5::digest(body.as_bytes()))),
        ("content-type", "application/jsonl".to_owned()),
    ];
    if let Some(Lock { mode, retain }) = lock {
        let mode = match mode {
            Locking::Compliance => "COMPLIANCE",
            Locking::Governance => "GOVERNANCE",
        };
        headers.push(("x-amz-object-lock-mode", mode.to_owned()));
        headers.push(("x-amz-object-lock-retain-until-date", in_seconds(now + retain)));
    }
    headers
}

/// Whole seconds: not every service takes fractions.
fn in_seconds(at: Timestamp) -> String {
    Timestamp::from_micros(at.as_micros().div_euclid(1_000_000) * 1_000_000).to_string().replace(".000000Z", "Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store::audit::AuditCheckpoint;

    use super::*;

    #[test]
    fn a_name_sorts_like_what_it_holds() {
        let parcel =
            |size| Parcel::Checkpoints(vec![AuditCheckpoint { size, at: Timestamp::default(), note: String::new() }]);
        assert_eq!(name("log/", &parcel(12)), "log/checkpoints/000000000012-000000000012.jsonl");
        assert!(name("", &parcel(9)) < name("", &parcel(10)));
    }

    #[test]
    fn a_lock_is_asked_for_in_whole_seconds() {
        let now: Timestamp = "2026-11-22T15:04:05.123456Z".parse().unwrap();
        let lock = Lock { mode: Locking::Compliance, retain: Duration::from_hours(24) };
        let headers = headers("text", Some(lock), now);
        // As `printf text | openssl md5 -binary | base64` says.
        assert!(headers.contains(&("content-md5", "HLJR7A1WjeapKbUgxK7Y0Q==".to_owned())), "{headers:?}");
        assert!(headers.contains(&("x-amz-object-lock-retain-until-date", "2026-11-23T15:04:05Z".to_owned())));
        assert!(headers.contains(&("x-amz-object-lock-mode", "COMPLIANCE".to_owned())));
    }
}
