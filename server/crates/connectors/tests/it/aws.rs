//! `call: aws`: against moto, which answers as AWS does and believes any signature, and against services that fail.

use axum::{Router, http::StatusCode};
use connectors::{Outcome, Repetition};
use serde_json::{Value, json};
use workflow::StandardError;

use crate::{
    faults::{SECRET, Subject},
    http::serve,
    support::{Bench, done, failed_step, permanent, service},
};

fn settings(endpoint: &str) -> Value {
    json!({"region": "eu-central-1", "accessKey": "AKTEST", "secretKey": SECRET, "endpoint": endpoint})
}

fn call(service: &str, action: &str, parameters: Value) -> Value {
    json!({"connection": "it", "service": service, "action": action, "parameters": parameters})
}

/// A bench with a connection to moto; none without the services of the lab.
async fn moto() -> Option<(Bench, String)> {
    let [url] = service(&["TEST_S3_URL"])?.try_into().ok()?;
    let bench = Bench::new().await;
    bench.connect("it", "aws", settings(&url)).await;
    Some((bench, url))
}

/// A name that no other test has.
fn unique(bench: &Bench, name: &str) -> String {
    let folder =
        bench.folder.path().file_name().unwrap().to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "");
    format!("{name}-{folder}")
}

#[tokio::test]
async fn a_server_is_started_once_found_and_stopped() {
    let Some((bench, _)) = moto().await else { return };
    let key = unique(&bench, "run");
    let aws =
        async |action: &str, parameters: Value| done(bench.call("aws", &key, call("ec2", action, parameters)).await);
    let images = aws("DescribeImages", json!({"Owner": ["amazon"]})).await;
    let image = images["result"]["imagesSet"][0]["imageId"].as_str().unwrap().to_owned();
    assert!(images["requestId"].is_string(), "{}", images["requestId"]);
    let run = json!({
        "ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro",
        "TagSpecification": [{"ResourceType": "instance", "Tag": [{"Key": "run", "Value": key}]}]
    });
    let started = aws("RunInstances", run.clone()).await;
    let instance = started["result"]["instancesSet"][0].clone();
    let id = instance["instanceId"].as_str().unwrap();
    // The token is what comes from the key.
    assert!(uuid::Uuid::parse_str(instance["clientToken"].as_str().unwrap()).is_ok(), "{instance}");
    assert_eq!(instance["tagSet"], json!([{"key": "run", "value": key}]));
    let mut empty = run.clone();
    empty["ClientToken"] = json!(null);
    let repeated = &aws("RunInstances", empty).await["result"]["instancesSet"][0]["clientToken"];
    assert_eq!(*repeated, instance["clientToken"]);
    let mut own = run.clone();
    own["ClientToken"] = json!("mine");
    assert_eq!(aws("RunInstances", own).await["result"]["instancesSet"][0]["clientToken"], "mine");

    let found = aws("DescribeInstances", json!({"InstanceId": [id]})).await;
    assert_eq!(found["result"]["reservationSet"][0]["instancesSet"][0]["instanceState"]["name"], "running");
    let stopped = aws("StopInstances", json!({"InstanceId": [id]})).await;
    assert_eq!(stopped["result"]["instancesSet"][0]["instanceId"], *id);

    let mut rehearsed = run;
    rehearsed["DryRun"] = json!(true);
    let dry = aws("RunInstances", rehearsed).await;
    assert_eq!((&dry["dryRun"], &dry["result"]), (&json!(true), &json!({})));
}

#[tokio::test]
async fn forms_of_every_service_are_answered_as_json() {
    let Some((bench, _)) = moto().await else { return };
    let name = unique(&bench, "user");
    let aws = async |service: &str, action: &str, parameters: Value| {
        done(bench.call("aws", "key", call(service, action, parameters)).await)["result"].clone()
    };
    let made = aws("iam", "CreateUser", json!({"UserName": name, "Tags": [{"Key": "team", "Value": "ops"}]})).await;
    assert_eq!(made["User"]["UserName"], name);
    let tags = aws("iam", "ListUserTags", json!({"UserName": name})).await;
    assert_eq!(tags["Tags"], json!([{"Key": "team", "Value": "ops"}]));
    // What is given out as a secret can be passed on, and not read.
    let keys = aws("iam", "CreateAccessKey", json!({"UserName": name})).await;
    assert!(keys["AccessKey"]["AccessKeyId"].as_str().unwrap().starts_with("AK"), "{keys}");
    assert!(!bench.opened(&keys["AccessKey"]["SecretAccessKey"]).is_empty());
    let (status, words) =
        permanent(bench.call("aws", "key", call("iam", "CreateUser", json!({"UserName": name}))).await);
    assert_eq!(status, 409);
    assert!(words.contains("EntityAlreadyExists"), "{words}");

    let subnets = done(bench.call("aws", "key", call("ec2", "DescribeSubnets", json!({}))).await);
    let subnet = subnets["result"]["subnetSet"][0]["subnetId"].clone();
    let images = done(bench.call("aws", "key", call("ec2", "DescribeImages", json!({"Owner": ["amazon"]}))).await);
    let launch = json!({
        "LaunchConfigurationName": name, "ImageId": images["result"]["imagesSet"][0]["imageId"], "InstanceType": "t3.micro"
    });
    aws("autoscaling", "CreateLaunchConfiguration", launch).await;
    let group = json!({
        "AutoScalingGroupName": name, "LaunchConfigurationName": name, "MinSize": 1, "MaxSize": 4,
        "DesiredCapacity": 1, "VPCZoneIdentifier": subnet
    });
    aws("autoscaling", "CreateAutoScalingGroup", group).await;
    let scale = json!({"AutoScalingGroupName": name, "DesiredCapacity": 3});
    assert_eq!(aws("autoscaling", "SetDesiredCapacity", scale).await, json!({}));
    let groups = aws("autoscaling", "DescribeAutoScalingGroups", json!({"AutoScalingGroupNames": [name]})).await;
    assert_eq!(groups["AutoScalingGroups"][0]["DesiredCapacity"], "3");
    assert_eq!(groups["AutoScalingGroups"][0]["Instances"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn documents_of_every_service_are_answered_as_json() {
    let Some((bench, _)) = moto().await else { return };
    let name = unique(&bench, "thing");
    let aws = async |service: &str, action: &str, parameters: Value| {
        done(bench.call("aws", "key", call(service, action, parameters)).await)["result"].clone()
    };
    let parameter = format!("/{name}");
    aws("ssm", "PutParameter", json!({"Name": parameter, "Value": "hunter2", "Type": "SecureString"})).await;
    let read = aws("ssm", "GetParameter", json!({"Name": parameter, "WithDecryption": true})).await;
    assert_eq!(bench.opened(&read["Parameter"]["Value"]), "hunter2");
    let made = aws("secretsmanager", "CreateSecret", json!({"Name": name, "SecretString": "hunter3"})).await;
    // Its version is the token, so the same call makes no second one.
    assert!(uuid::Uuid::parse_str(made["VersionId"].as_str().unwrap()).is_ok(), "{made}");
    let read = aws("secretsmanager", "GetSecretValue", json!({"SecretId": name})).await;
    assert_eq!(bench.opened(&read["SecretString"]), "hunter3");
    assert_eq!(aws("ecs", "CreateCluster", json!({"clusterName": name})).await["cluster"]["clusterName"], name);
    let table = json!({
        "TableName": name, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]
    });
    aws("dynamodb", "CreateTable", table).await;
    aws("dynamodb", "PutItem", json!({"TableName": name, "Item": {"id": {"S": "a"}, "n": {"N": "1"}}})).await;
    let item = aws("dynamodb", "GetItem", json!({"TableName": name, "Key": {"id": {"S": "a"}}})).await;
    assert_eq!(item["Item"]["n"]["N"], "1");
    let missing = call("dynamodb", "DescribeTable", json!({"TableName": "nobody"}));
    let (status, words) = permanent(bench.call("aws", "key", missing).await);
    assert_eq!(status, 400);
    assert!(words.contains("ResourceNotFoundException"), "{words}");
    let log = bench.log_text();
    assert!(!log.contains("hunter") && !words.contains(SECRET), "{log}");
}

#[tokio::test]
async fn a_role_is_taken_before_the_call() {
    let Some((bench, url)) = moto().await else { return };
    let mut with_role = settings(&url);
    with_role["role"] = json!("arn:aws:iam::123456789012:role/portal");
    let check = bench.check("aws", with_role.clone()).await;
    assert!(check.ok, "{check:?}");
    let steps: Vec<_> = check.steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["settings", "name", "connect", "sign-in", "right"]);
    assert!(check.steps[4].detail.contains("assumed-role/portal/rondo"), "{check:?}");
    bench.connect("as-role", "aws", with_role).await;
    let mut ask = call("sts", "GetCallerIdentity", json!({}));
    ask["connection"] = json!("as-role");
    let who = done(bench.call("aws", "k", ask).await);
    assert!(who["result"]["Arn"].as_str().unwrap().ends_with("assumed-role/portal/rondo"), "{who}");
    assert!(bench.check("aws", settings(&url)).await.ok);
}

#[tokio::test]
async fn keys_that_are_not_accepted_are_told_from_rights_that_are_missing() {
    let refusing = |code: &'static str| async move {
        let answer = format!("<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>");
        serve(Router::new().fallback(move || async move { (StatusCode::FORBIDDEN, answer) })).await
    };
    let read = call("ec2", "DescribeInstances", json!({}));
    for (code, kind, remedy) in [
        ("InvalidClientTokenId", StandardError::Authentication, "enter both keys"),
        ("SignatureDoesNotMatch", StandardError::Authentication, "enter both keys"),
        ("ExpiredToken", StandardError::Authentication, "no longer valid"),
        ("AccessDenied", StandardError::Authorization, "add it to their policy"),
    ] {
        let bench = Bench::new().await;
        let at = refusing(code).await;
        bench.connect("it", "aws", settings(&at)).await;
        let Outcome::Permanent(error) = bench.call("aws", "k", read.clone()).await else { panic!("{code}") };
        assert!(error.is(kind) && error.to_string().contains(remedy), "{error}");
        let (step, words) = failed_step(&bench.check("aws", settings(&at)).await);
        assert_eq!(step, "sign-in");
        assert!(words.contains(code), "{words}");
    }
    let busy = "<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message/></Error></Errors></Response>";
    let bench = Bench::new().await;
    let busy = serve(Router::new().fallback(move || async move { (StatusCode::SERVICE_UNAVAILABLE, busy) })).await;
    bench.connect("it", "aws", settings(&busy)).await;
    let Outcome::Retryable(error) = bench.call("aws", "k", read).await else { panic!("not retryable") };
    assert!(error.to_string().contains("calls per minute"), "{error}");
}

#[tokio::test]
async fn faults_are_told_apart() {
    let subject = Subject {
        function: "aws",
        kind: "aws",
        settings,
        reads: Some(call("ec2", "DescribeInstances", json!({}))),
        changes: call("ec2", "TerminateInstances", json!({"InstanceId": ["i-1"]})),
        garbled: "check that the connection's endpoint is AWS",
    };
    subject.endures().await;
}

#[tokio::test]
async fn what_aws_recognises_as_a_repetition_is_repeated() {
    let bench = Bench::new().await;
    bench.connect("it", "aws", settings("http://127.0.0.1:1")).await;
    for (service, action, expected) in [
        ("ec2", "RunInstances", Repetition::Safe),
        ("ec2", "DescribeInstances", Repetition::Safe),
        ("ec2", "TerminateInstances", Repetition::Once),
    ] {
        let request = bench.prepare("aws", call(service, action, json!({}))).await.unwrap();
        assert_eq!(bench.registry.repetition(&request), expected, "{action}");
    }
    for (with, place) in [
        (json!({"connection": "it", "service": "lambda", "action": "Invoke"}), "/service"),
        (json!({"connection": "it", "service": "ec2", "action": "run; drop"}), "/action"),
        (json!({"connection": "it", "service": "ec2", "action": "RunInstances", "region": "x/y"}), "/region"),
    ] {
        let (_, words) = permanent(bench.call("aws", "k", with).await);
        assert!(words.contains(place), "{words}");
    }
}
