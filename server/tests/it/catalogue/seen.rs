//! What the counterparts hold in the end.

use std::collections::HashSet;

use reqwest::Method;
use serde_json::Value;

use super::lab;
use crate::server::client;

/// A name that nothing else has.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{:08x}", rand::random::<u32>())
}

/// The mails that came for an address, in order. One whose answer was lost is sent again under the same identifier, by which
/// a mailbox knows it: it counts once.
pub(crate) async fn mails_to(address: &str) -> Vec<Value> {
    let mut mails: Vec<Value> =
        client().get(lab::setting("TEST_SMTP_HTTP")).send().await.unwrap().json().await.unwrap();
    let mut known = HashSet::new();
    mails.retain(|mail| mail["to"].as_array().unwrap().iter().any(|to| to == address));
    mails.retain(|mail| known.insert(mail["messageId"].to_string()));
    mails
}

/// What S3 says of a path that it must know; moto believes every signature.
pub(crate) async fn s3(method: Method, path: &str) -> String {
    let signed =
        "AWS4-HMAC-SHA256 Credential=test/20261101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none";
    let url = format!("{}/{path}", lab::setting("TEST_S3_URL"));
    let answer = client().request(method, url).header("authorization", signed).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {text}");
    text
}

/// The keys of a bucket below a folder, in order.
pub(crate) async fn keys(bucket: &str, prefix: &str) -> Vec<String> {
    let listed = s3(Method::GET, &format!("{bucket}?list-type=2&prefix={prefix}")).await;
    listed.split("<Key>").skip(1).map(|part| part.split('<').next().unwrap().to_owned()).collect()
}
