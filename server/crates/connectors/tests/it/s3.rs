//! `call: s3`: against moto, which answers as S3 does and believes any signature, and against services that fail.

use axum::{Router, http::StatusCode};
use connectors::{Outcome, Probe, Repetition};
use domain::view::PlannedEffect;
use serde_json::{Value, json};
use workflow::StandardError;

use crate::{
    faults::{SECRET, Subject},
    http::serve,
    support::{Bench, done, failed_step, permanent, planned, service},
};

pub(crate) fn settings(endpoint: &str) -> Value {
    json!({"region": "us-east-1", "accessKey": "AKTEST", "secretKey": SECRET, "endpoint": endpoint})
}

fn with(operation: &str, more: Value) -> Value {
    let mut with = json!({"connection": "it", "operation": operation});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

/// A bench with a connection to moto, and a bucket of this test's own.
pub(crate) async fn moto() -> Option<(Bench, String, String)> {
    let [url] = service(&["TEST_S3_URL"])?.try_into().ok()?;
    let bench = Bench::new().await;
    let folder = bench.folder.path().file_name().unwrap().to_string_lossy().to_lowercase();
    let bucket = format!("bucket-{}", folder.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
    let somebody =
        "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    let make = json!({"method": "put", "endpoint": format!("{url}/{bucket}"), "headers": {"Authorization": somebody}});
    done(bench.call("http", "k", make).await);
    bench.connect("it", "s3", settings(&url)).await;
    Some((bench, url, bucket))
}

#[tokio::test]
async fn objects_are_put_found_listed_copied_and_deleted() {
    let Some((bench, _, bucket)) = moto().await else { return };
    let s3 = async |operation: &str, more: Value| done(bench.call("s3", "key", with(operation, more)).await);
    let put = json!({
        "bucket": bucket, "key": "reports/é 1+.txt", "content": "Grüße", "metadata": {"Run": "7"}, "contentType": "text/csv"
    });
    let made = s3("putObject", put).await;
    assert_eq!(made["size"], 7);
    // As `printf Grüße | sha256sum` says.
    assert_eq!(made["sha256"], "f83e039796c6453a10f5519e39fd113901572316a1a8ea07cb525d2801dfd074");
    let read = s3("getObject", json!({"bucket": bucket, "key": "reports/é 1+.txt"})).await;
    assert_eq!((&read["content"], &read["contentType"]), (&json!("Grüße"), &json!("text/csv")));
    assert_eq!((&read["metadata"], &read["etag"]), (&json!({"run": "7"}), &made["etag"]));
    s3("putObject", json!({"bucket": bucket, "key": "raw", "content": "AP8=", "encoding": "base64"})).await;
    let raw = s3("getObject", json!({"bucket": bucket, "key": "raw", "encoding": "base64"})).await;
    assert_eq!((&raw["content"], &raw["size"]), (&json!("AP8="), &json!(2)));
    let text = bench.call("s3", "key", with("getObject", json!({"bucket": bucket, "key": "raw"}))).await;
    assert!(permanent(text).1.contains("ask for base64"));

    let head = s3("headObject", json!({"bucket": bucket, "key": "raw"})).await;
    assert_eq!((&head["found"], &head["size"]), (&json!(true), &json!(2)));
    assert_eq!(s3("headObject", json!({"bucket": bucket, "key": "nobody"})).await, json!({"found": false}));
    let copied = json!({"bucket": bucket, "key": "copy", "from": {"bucket": bucket, "key": "reports/é 1+.txt"}});
    assert_eq!(s3("copyObject", copied).await["etag"], made["etag"]);
    let folders = s3("listObjects", json!({"bucket": bucket, "delimiter": "/"})).await;
    assert_eq!(folders["prefixes"], json!(["reports/"]));
    let first = s3("listObjects", json!({"bucket": bucket, "limit": 2})).await;
    let rest = s3("listObjects", json!({"bucket": bucket, "after": first["next"]})).await;
    let keys: Vec<_> =
        [&first, &rest].iter().flat_map(|page| page["objects"].as_array().unwrap()).map(|o| &o["key"]).collect();
    assert_eq!(keys, ["copy", "raw", "reports/é 1+.txt"]);
    assert_eq!(rest["next"], Value::Null);
    for _ in 0..2 {
        assert_eq!(s3("deleteObject", json!({"bucket": bucket, "key": "raw"})).await["deleted"], true);
    }
    let gone = bench.call("s3", "key", with("getObject", json!({"bucket": bucket, "key": "raw"}))).await;
    let (status, words) = permanent(gone);
    assert_eq!(status, 404);
    assert!(words.contains("there is no such object"), "{words}");
    let nowhere = bench.call("s3", "key", with("listObjects", json!({"bucket": "no-such-bucket-here"}))).await;
    assert!(permanent(nowhere).1.contains("there is no such bucket"));
}

#[tokio::test]
async fn an_object_that_may_not_be_there_is_put_once_and_known_again() {
    let Some((bench, _, bucket)) = moto().await else { return };
    let put = with("putObject", json!({"bucket": bucket, "key": "lock", "content": "mine", "ifNoneMatch": "*"}));
    assert_eq!(bench.probe("s3", "key-1", put.clone()).await, Probe::DidNotHappen);
    let made = done(bench.call("s3", "key-1", put.clone()).await);
    match bench.probe("s3", "key-1", put.clone()).await {
        Probe::Happened(output) => assert_eq!((&output["etag"], &output["sha256"]), (&made["etag"], &made["sha256"])),
        other => panic!("{other:?}"),
    }
    assert_eq!(bench.probe("s3", "key-2", put.clone()).await, Probe::DidNotHappen);
    let (status, words) = permanent(bench.call("s3", "key-2", put).await);
    assert_eq!(status, 412);
    assert!(words.contains("there is an object already"), "{words}");
    let read = done(bench.call("s3", "k", with("getObject", json!({"bucket": bucket, "key": "lock"}))).await);
    assert_eq!((&read["content"], &read["metadata"]), (&json!("mine"), &json!({})));
}

#[tokio::test]
async fn an_address_lets_in_whoever_has_it_and_leaves_sealed() {
    let Some((bench, _, bucket)) = moto().await else { return };
    let presign =
        |method: &str| with("presign", json!({"bucket": bucket, "key": "upload", "method": method, "expires": "PT5M"}));
    let put = done(bench.call("s3", "k", presign("put")).await);
    let url = bench.opened(&put["url"]);
    assert!(url.contains("X-Amz-Expires=300") && url.contains("X-Amz-Signature="), "{url}");
    done(bench.call("http", "k", json!({"method": "put", "endpoint": url, "body": "over the address"})).await);
    let get = bench.opened(&done(bench.call("s3", "k", presign("get")).await)["url"]);
    let read = done(bench.call("http", "k", json!({"method": "get", "endpoint": get, "output": "raw"})).await);
    assert_eq!(read, "b3ZlciB0aGUgYWRkcmVzcw==");
    let long = with("presign", json!({"bucket": bucket, "key": "upload", "expires": "P8D"}));
    assert!(permanent(bench.call("s3", "k", long).await).1.contains("seven days"));
}

#[tokio::test]
async fn only_the_buckets_of_the_connection_are_reached() {
    let Some((bench, url, bucket)) = moto().await else { return };
    let mut limited = settings(&url);
    limited["buckets"] = json!([bucket]);
    let check = bench.check("s3", limited.clone()).await;
    assert!(check.ok, "{check:?}");
    let steps: Vec<_> = check.steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["settings", "name", "connect", "sign-in", "right"]);
    assert!(bench.check("s3", settings(&url)).await.ok);
    bench.connect("limited", "s3", limited.clone()).await;
    let over_it = |operation: &str, more: Value| {
        let mut with = with(operation, more);
        with["connection"] = json!("limited");
        with
    };
    let put = over_it("putObject", json!({"bucket": bucket, "key": "a", "content": ""}));
    done(bench.call("s3", "k", put).await);
    let other = json!({"bucket": bucket, "key": "b", "from": {"bucket": "another", "key": "a"}});
    for (operation, more) in [("listObjects", json!({"bucket": "another"})), ("copyObject", other)] {
        let (_, words) = permanent(bench.call("s3", "k", over_it(operation, more)).await);
        assert!(words.contains("not for the bucket another") && words.contains("administrator"), "{words}");
    }
    limited["buckets"] = json!([bucket, "no-such-bucket-here"]);
    let (step, words) = failed_step(&bench.check("s3", limited).await);
    assert_eq!(step, "right");
    assert!(words.contains("no-such-bucket-here"), "{words}");
}

#[tokio::test]
async fn keys_that_are_not_accepted_are_told_from_rights_that_are_missing() {
    for (code, kind, remedy, step) in [
        ("InvalidAccessKeyId", StandardError::Authentication, "enter both keys", "sign-in"),
        ("SignatureDoesNotMatch", StandardError::Authentication, "enter region and keys", "sign-in"),
        ("AccessDenied", StandardError::Authorization, "add it to their policy", "right"),
    ] {
        let answer = format!("<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>");
        let at = serve(Router::new().fallback(move || async move { (StatusCode::FORBIDDEN, answer) })).await;
        let bench = Bench::new().await;
        bench.connect("it", "s3", settings(&at)).await;
        let read = with("getObject", json!({"bucket": "bucket", "key": "k"}));
        let Outcome::Permanent(error) = bench.call("s3", "k", read).await else { panic!("{code}") };
        let words = error.to_string();
        assert!(error.is(kind) && words.contains(remedy) && !words.contains(SECRET), "{words}");
        let (failed, words) = failed_step(&bench.check("s3", settings(&at)).await);
        assert_eq!(failed, step, "{words}");
    }
}

#[tokio::test]
async fn faults_are_told_apart() {
    let object = json!({"bucket": "bucket", "key": "k", "content": "c", "ifNoneMatch": "*"});
    let subject = Subject {
        function: "s3",
        kind: "s3",
        settings,
        reads: Some(with("listObjects", json!({"bucket": "bucket"}))),
        changes: with("putObject", object),
        garbled: "check that the connection's endpoint is one of S3",
    };
    subject.endures().await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_it_is() {
    let bench = Bench::new().await;
    bench.connect("it", "s3", settings("http://127.0.0.1:1")).await;
    let large = "x".repeat((5 << 20) + 1);
    for (operation, more, words) in [
        ("putObject", json!({"bucket": "bucket", "key": "a", "content": large}), "presign"),
        ("putObject", json!({"bucket": "bucket", "key": "a", "content": "%", "encoding": "base64"}), "not base64"),
        ("getObject", json!({"bucket": "bucket", "key": "a/../b"}), "choose another name"),
        ("getObject", json!({"bucket": "No", "key": "a"}), "/bucket"),
        ("getObject", json!({"bucket": "bucket", "key": "a", "content": "c"}), "content"),
        ("putObject", json!({"bucket": "bucket", "key": "a"}), "content"),
    ] {
        let (_, said) = permanent(bench.call("s3", "k", with(operation, more)).await);
        assert!(said.contains(words), "{said}");
    }
    for (more, expected) in [
        (json!({}), Repetition::Safe),
        (json!({"ifNoneMatch": "*"}), Repetition::Probe),
        (json!({"ifMatch": "e"}), Repetition::Once),
    ] {
        let mut put = with("putObject", json!({"bucket": "bucket", "key": "a", "content": ""}));
        put.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = bench.prepare("s3", put).await.unwrap();
        assert_eq!(bench.registry.repetition(&request), expected, "{more}");
    }
}

#[tokio::test]
async fn a_plan_says_what_would_change_and_changes_nothing() {
    let Some((bench, _, bucket)) = moto().await else { return };
    let plan = async |operation: &str, more: Value| planned(bench.plan("s3", with(operation, more)).await);
    let put = json!({"bucket": bucket, "key": "a", "content": "abc"});
    let (effect, words, fields) = plan("putObject", put.clone()).await;
    assert!(effect == PlannedEffect::Changes && words.contains("there is no object a"), "{words}");
    assert_eq!(fields, ["size: - → 3", "contentType: - → text/plain; charset=utf-8"]);
    let head = async || done(bench.call("s3", "k", with("headObject", json!({"bucket": bucket, "key": "a"}))).await);
    assert_eq!(head().await["found"], false, "nothing was put");
    assert_eq!(plan("deleteObject", json!({"bucket": bucket, "key": "a"})).await.0, PlannedEffect::Nothing);

    let made = done(bench.call("s3", "k", with("putObject", put.clone())).await);
    let etag = made["etag"].as_str().unwrap();
    let (_, words, fields) = plan("putObject", json!({"bucket": bucket, "key": "a", "content": "abcd"})).await;
    assert!(words.contains("replaces the object a") && words.contains(etag), "{words}");
    assert_eq!(fields, ["size: 3 → 4"]);
    let mut only_new = put.clone();
    only_new["ifNoneMatch"] = json!("*");
    assert_eq!(plan("putObject", only_new).await.0, PlannedEffect::Fails);
    let mut other = put;
    other["ifMatch"] = json!("\"0\"");
    assert_eq!(plan("putObject", other).await.0, PlannedEffect::Fails);
    let copy = |key: &str| json!({"bucket": bucket, "key": key, "from": {"bucket": bucket, "key": "a"}});
    assert_eq!(plan("copyObject", copy("b")).await.0, PlannedEffect::Changes);
    assert_eq!(plan("copyObject", copy("a")).await.0, PlannedEffect::Nothing);
    let missing = json!({"bucket": bucket, "key": "b", "from": {"bucket": bucket, "key": "nobody"}});
    assert_eq!(plan("copyObject", missing).await.0, PlannedEffect::Fails);
    let (effect, words, _) = plan("deleteObject", json!({"bucket": bucket, "key": "a"})).await;
    assert!(effect == PlannedEffect::Changes && words.contains(etag), "{words}");
    let (effect, words, _) = plan("putObject", json!({"bucket": "no-such-bucket", "key": "a", "content": ""})).await;
    assert!(effect == PlannedEffect::Fails && words.contains("there is no bucket"), "{words}");
    assert_eq!((&head().await["found"], &head().await["etag"]), (&json!(true), &made["etag"]));
}

#[tokio::test]
async fn a_service_that_refuses_could_not_be_asked() {
    let bench = Bench::new().await;
    let router = Router::new().fallback(|| async { StatusCode::FORBIDDEN });
    bench.connect("it", "s3", settings(&serve(router).await)).await;
    let (effect, words, _) =
        planned(bench.plan("s3", with("deleteObject", json!({"bucket": "bucket", "key": "a"}))).await);
    assert!(effect == PlannedEffect::Unasked && words.contains("need the right to read it"), "{words}");
    assert!(!words.contains(SECRET));
}
