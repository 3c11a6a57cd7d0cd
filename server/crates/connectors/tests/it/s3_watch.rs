//! Files in a bucket as triggers see them: in moto, and in services that fail.

use axum::{Router, http::StatusCode};
use connectors::{
    Failure, FailureKind,
    egress::{Egress, EgressPolicy, Narrowed},
    watch::{Item, Reading, Watching},
};
use serde_json::{Value, json};

use crate::{
    faults::SECRET,
    http::serve,
    s3::{moto, settings},
    support::{Bench, closed_port, done},
};

/// What a watch finds, and what becomes of the first of it.
struct Seen {
    items: Vec<Item>,
    read: Vec<Option<Value>>,
}

impl Seen {
    fn names(&self) -> Vec<&str> {
        self.read.iter().flatten().map(|read| read["name"].as_str().unwrap()).collect()
    }
}

async fn look(bench: &Bench, place: &Value) -> Result<Seen, Failure> {
    let connection = bench.resolved("it", "s3").await;
    let mut watching = open(bench, &connection, place).await?;
    let items = watching.find(Some("begun")).await?.items;
    let mut read = Vec::new();
    for item in &items {
        read.push(match watching.read(item).await? {
            Reading::Said(said) => Some(said),
            _ => None,
        });
    }
    Ok(Seen { items, read })
}

async fn open<'a>(
    bench: &'a Bench,
    connection: &'a connectors::ResolvedConnection,
    place: &'a Value,
) -> Result<Box<dyn Watching + 'a>, Failure> {
    bench.registry.source("s3").unwrap().open(bench.look(connection, place)).await
}

async fn settle(bench: &Bench, place: &Value, item: &Item) {
    let connection = bench.resolved("it", "s3").await;
    let mut watching = open(bench, &connection, place).await.unwrap();
    // Twice, as if the node had died before it took note of that.
    for _ in 0..2 {
        watching.settle(item).await.unwrap();
    }
}

async fn put(bench: &Bench, bucket: &str, key: &str, content: &str) {
    let with = json!({
        "connection": "it", "operation": "putObject", "bucket": bucket, "key": key, "content": content,
    });
    done(bench.call("s3", "k", with).await);
}

async fn keys(bench: &Bench, bucket: &str) -> Vec<String> {
    let listed =
        done(bench.call("s3", "k", json!({"connection": "it", "operation": "listObjects", "bucket": bucket})).await);
    listed["objects"].as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn files_are_found_by_prefix_and_pattern_and_say_what_is_in_them() {
    let Some((bench, _, bucket)) = moto().await else { return };
    for (key, content) in [("in/a 1+é.csv", "a;b"), ("in/b.txt", "text"), ("in/", ""), ("out/c.csv", "c")] {
        put(&bench, &bucket, key, content).await;
    }
    let place = json!({"bucket": bucket, "prefix": "in/", "pattern": "*.csv", "content": true});
    let seen = look(&bench, &place).await.unwrap();
    assert_eq!(seen.names(), ["a 1+é.csv"]);
    let said = seen.read[0].as_ref().unwrap();
    assert_eq!((&said["content"], &said["size"], &said["key"]), (&json!("a;b"), &json!(3), &json!("in/a 1+é.csv")));
    assert!(said["etag"].is_string() && said["lastModified"].is_string());
    assert_eq!(look(&bench, &place).await.unwrap().items, seen.items, "the same file is the same item");
    let bare = look(&bench, &json!({"bucket": bucket})).await.unwrap();
    assert_eq!(bare.read.len(), 3);
    assert!(bare.read.iter().flatten().all(|said| said.get("content").is_none()));

    // Another file under the same key is another item, and the one before is gone.
    put(&bench, &bucket, "in/a 1+é.csv", "other").await;
    let connection = bench.resolved("it", "s3").await;
    let mut watching = open(&bench, &connection, &place).await.unwrap();
    assert_eq!(watching.read(&seen.items[0]).await.unwrap(), Reading::Gone);
    assert_ne!(watching.find(None).await.unwrap().items[0].key, seen.items[0].key);
}

#[tokio::test]
async fn what_is_too_large_or_no_text_is_delivered_without_and_says_so() {
    let Some((bench, _, bucket)) = moto().await else { return };
    put(&bench, &bucket, "exact", &"x".repeat(32 * 1024)).await;
    put(&bench, &bucket, "large", &"x".repeat(32 * 1024 + 1)).await;
    let raw = json!({
        "connection": "it", "operation": "putObject", "bucket": bucket, "key": "raw", "content": "AP8=",
        "encoding": "base64",
    });
    done(bench.call("s3", "k", raw).await);
    let seen = look(&bench, &json!({"bucket": bucket, "content": true})).await.unwrap();
    for said in seen.read.iter().flatten() {
        let why = said["contentLeftOut"].as_str().unwrap_or_default();
        match said["name"].as_str().unwrap() {
            "exact" => assert!(said["content"].is_string() && why.is_empty(), "{why}"),
            "large" => assert!(why.contains("larger than 32 KiB") && said.get("content").is_none(), "{why}"),
            _ => assert!(why.contains("no text in UTF-8"), "{why}"),
        }
    }
    assert_eq!(seen.read.len(), 3);
}

#[tokio::test]
async fn what_was_delivered_is_moved_or_tagged_and_twice_does_no_harm() {
    let Some((bench, url, bucket)) = moto().await else { return };
    put(&bench, &bucket, "in/deep/a.csv", "a").await;
    let place = json!({"bucket": bucket, "prefix": "in/", "end": "move", "movedTo": "done/"});
    let seen = look(&bench, &place).await.unwrap();
    settle(&bench, &place, &seen.items[0]).await;
    assert_eq!(keys(&bench, &bucket).await, ["done/deep/a.csv"]);

    // What was put there since it was found stays, to be found next time.
    put(&bench, &bucket, "in/b", "one").await;
    let seen = look(&bench, &place).await.unwrap();
    put(&bench, &bucket, "in/b", "two").await;
    settle(&bench, &place, &seen.items[0]).await;
    assert_eq!(keys(&bench, &bucket).await, ["done/deep/a.csv", "in/b"]);

    let place = json!({"bucket": bucket, "prefix": "in/", "end": "tag"});
    let seen = look(&bench, &place).await.unwrap();
    settle(&bench, &place, &seen.items[0]).await;
    let somebody =
        "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    let tags = json!({
        "method": "get", "endpoint": format!("{url}/{bucket}/in/b?tagging="), "headers": {"Authorization": somebody},
        "output": "raw",
    });
    let tags = done(bench.call("http", "k", tags).await).to_string();
    assert!(!tags.is_empty());
    assert_eq!(look(&bench, &place).await.unwrap().items, seen.items, "a tag makes no other file of it");

    let place = json!({"bucket": bucket, "prefix": "in/"});
    settle(&bench, &place, &seen.items[0]).await;
    assert!(keys(&bench, &bucket).await.contains(&"in/b".to_owned()));
}

/// The kind of failure and its words, which hold no secret.
async fn fails(bench: &Bench, place: &Value) -> (FailureKind, String) {
    let failure = look(bench, place).await.err().unwrap();
    let words = failure.detail().to_owned();
    assert!(!words.contains(SECRET), "{words}");
    (failure.kind, words)
}

#[tokio::test]
async fn what_hinders_a_look_is_said_with_the_remedy() {
    let bench = Bench::new().await;
    let place = json!({"bucket": "incoming"});
    let at = async |address: &str| bench.connect("it", "s3", settings(address)).await;

    at(&format!("http://127.0.0.1:{}", closed_port().await)).await;
    let (kind, words) = fails(&bench, &place).await;
    assert!(kind == FailureKind::Retryable && words.contains("compare the address"), "{words}");

    for (status, code, remedy) in [
        (StatusCode::FORBIDDEN, "InvalidAccessKeyId", "enter both keys"),
        (StatusCode::FORBIDDEN, "AccessDenied", "add it to their policy"),
        (StatusCode::NOT_FOUND, "NoSuchBucket", "compare its name"),
    ] {
        let answer = format!("<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>");
        at(&serve(Router::new().fallback(move || async move { (status, answer) })).await).await;
        let (kind, words) = fails(&bench, &place).await;
        assert!(kind == FailureKind::Permanent && words.contains(remedy), "{words}");
    }

    at(&serve(Router::new().fallback(|| async { "<html>hello</html>" })).await).await;
    assert!(fails(&bench, &place).await.1.contains("check that the connection's endpoint is one of S3"));
    at(&serve(Router::new().fallback(|| async { "x".repeat(6 * 1024 * 1024) })).await).await;
    assert!(fails(&bench, &place).await.1.contains("larger than"));

    let limited = settings("http://127.0.0.1:9");
    let mut limited = limited.as_object().unwrap().clone();
    limited.insert("buckets".to_owned(), json!(["other"]));
    bench.connect("it", "s3", limited.into()).await;
    assert!(fails(&bench, &place).await.1.contains("can add it to the connection's buckets"));
}

#[tokio::test]
async fn too_many_files_are_said_to_be_too_many() {
    let page = |next: &str| {
        let object = "<Contents><Key>k</Key><Size>1</Size><ETag>e</ETag><LastModified>t</LastModified></Contents>";
        format!(
            "<ListBucketResult>{}<NextContinuationToken>{next}</NextContinuationToken></ListBucketResult>",
            object.repeat(1000)
        )
    };
    let at = serve(Router::new().fallback(move || async move { page("more") })).await;
    let bench = Bench::new().await;
    bench.connect("it", "s3", settings(&at)).await;
    let (_, words) = fails(&bench, &json!({"bucket": "incoming"})).await;
    assert!(words.contains("more than 10000 objects") && words.contains("choose a longer prefix"), "{words}");
}

#[tokio::test]
async fn a_look_reaches_what_the_namespace_may_reach() {
    let at = serve(Router::new().fallback(|| async { "<ListBucketResult></ListBucketResult>" })).await;
    let fenced = Narrowed { namespace: "tests".parse().unwrap(), only: vec!["10.0.0.0/8".parse().unwrap()] };
    let bench = Bench::with_egress(Egress::new(EgressPolicy::default(), [fenced])).await;
    bench.connect("it", "s3", settings(&at)).await;
    let (kind, words) = fails(&bench, &json!({"bucket": "incoming"})).await;
    assert!(kind == FailureKind::Permanent && words.contains("may not be reached"), "{words}");
}
