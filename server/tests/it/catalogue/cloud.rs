//! Cloud, against moto: it answers as AWS does, and starts no machine.

use serde_json::{Value, json};

use super::{Answer, Portal, lab, seen::unique};

/// What AWS says to a question that nobody but the test asks.
struct Cloud {
    url: String,
    client: reqwest::Client,
}

impl Cloud {
    fn new() -> Self {
        Self { url: lab::setting("TEST_S3_URL"), client: crate::server::client() }
    }

    /// The XML that an action of a service answers with; moto believes every signature.
    async fn ask(&self, service: &str, version: &str, action: &str, parameters: &[(&str, &str)]) -> String {
        let scope = format!("AWS4-HMAC-SHA256 Credential=test/20261101/eu-central-1/{service}/aws4_request");
        let signed = format!("{scope}, SignedHeaders=host, Signature=none");
        let form = [&[("Action", action), ("Version", version)], parameters].concat();
        let answer = self.client.post(&self.url).header("authorization", signed).form(&form).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{action}: {status} {text}");
        text
    }

    async fn ec2(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.ask("ec2", "2016-11-15", action, parameters).await
    }

    async fn groups(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.ask("autoscaling", "2011-01-01", action, parameters).await
    }

    /// The state of each of the servers that have this name.
    async fn states(&self, name: &str) -> Vec<String> {
        let by_name = [("Filter.1.Name", "tag:Name"), ("Filter.1.Value.1", name)];
        let servers = self.ec2("DescribeInstances", &by_name).await;
        let states = servers.split("<instanceState>").skip(1);
        states.map(|state| first(state, "name")).collect()
    }

    async fn image(&self) -> String {
        first(&self.ec2("DescribeImages", &[("Owner.1", "amazon")]).await, "imageId")
    }

    /// A server of the test's own; its id.
    async fn server(&self, name: &str) -> String {
        let image = self.image().await;
        let tag = [
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "Name"),
            ("TagSpecification.1.Tag.1.Value", name),
        ];
        let what = [("ImageId", image.as_str()), ("MinCount", "1"), ("MaxCount", "1"), ("InstanceType", "t3.micro")];
        first(&self.ec2("RunInstances", &[&what[..], &tag[..]].concat()).await, "instanceId")
    }

    /// A group with two servers.
    async fn group(&self, name: &str) {
        let image = self.image().await;
        let template = [("LaunchConfigurationName", name), ("ImageId", &image), ("InstanceType", "t3.micro")];
        self.groups("CreateLaunchConfiguration", &template).await;
        let subnet = first(&self.ec2("DescribeSubnets", &[]).await, "subnetId");
        let group = [
            ("AutoScalingGroupName", name),
            ("LaunchConfigurationName", name),
            ("MinSize", "1"),
            ("MaxSize", "5"),
            ("DesiredCapacity", "2"),
            ("VPCZoneIdentifier", &subnet),
        ];
        self.groups("CreateAutoScalingGroup", &group).await;
    }

    async fn size(&self, group: &str) -> String {
        let one = [("AutoScalingGroupNames.member.1", group)];
        first(&self.groups("DescribeAutoScalingGroups", &one).await, "DesiredCapacity")
    }
}

/// The text of the first element of this name.
fn first(xml: &str, element: &str) -> String {
    let after = xml.split(&format!("<{element}>")).nth(1);
    after.and_then(|rest| rest.split('<').next()).unwrap_or_else(|| panic!("no {element} in {xml}")).to_owned()
}

async fn portal() -> Portal {
    Portal::open(&[lab::to("s3", "cloud"), lab::to("smtp", "mail")]).await
}

async fn wanted(cloud: &Cloud, name: &str, lifetime: &str, notify: &str) -> Value {
    json!({
        "name": name, "size": "m5.xlarge", "image": cloud.image().await, "purpose": "a test", "costCentre": "CC-100",
        "lifetime": lifetime, "notify": notify,
    })
}

#[tokio::test]
async fn a_server_is_provisioned_once_and_retired_when_its_time_is_over_whatever_dies() {
    let (mut portal, cloud, name) = (portal().await, Cloud::new(), unique("build"));
    let input = wanted(&cloud, &name, "PT2S", "sam@example.test").await;
    let run = portal.launch("cloud/provision-server", &input).await;
    portal.kill_when(&run, "startServer").await;
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"]["monthlyPrice"], 140);
    assert_eq!(cloud.states(&name).await, ["terminated"], "one was started, and its time was over");
    let server = ended["output"]["server"].as_str().unwrap();
    let by_tag = [("Filter.1.Name", "tag:server"), ("Filter.1.Value.1", server)];
    assert!(cloud.ec2("DescribeSnapshots", &by_tag).await.contains("<snapshotId>"), "its disk is kept");
    let tags = cloud.ec2("DescribeTags", &[("Filter.1.Name", "resource-id"), ("Filter.1.Value.1", server)]).await;
    for tag in ["CC-100", "staff", "a test"] {
        assert!(tags.contains(&format!("<value>{tag}</value>")), "{tag} is missing in {tags}");
    }
}

#[tokio::test]
async fn a_server_whose_owner_cannot_be_told_is_taken_back() {
    let (portal, cloud, name) = (portal().await, Cloud::new(), unique("lost"));
    let input = wanted(&cloud, &name, "P1D", "bounce@example.test").await;
    let ended = portal.run("cloud/provision-server", &input, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert_eq!(cloud.states(&name).await, ["terminated"]);
}

#[tokio::test]
async fn nothing_is_started_that_was_not_approved() {
    let (portal, cloud, name) = (portal().await, Cloud::new(), unique("never"));
    let input = wanted(&cloud, &name, "P1D", "sam@example.test").await;
    let ended = portal.run("cloud/provision-server", &input, Answer::Reject).await;
    assert_eq!(ended["status"], "faulted");
    assert_eq!(cloud.states(&name).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_cannot_be_terminated_runs_again() {
    let (portal, cloud, name) = (portal().await, Cloud::new(), unique("kept"));
    let server = cloud.server(&name).await;
    let protected = [("InstanceId", server.as_str()), ("DisableApiTermination.Value", "true")];
    cloud.ec2("ModifyInstanceAttribute", &protected).await;
    let input = json!({"server": server, "reason": "a test", "notify": "sam@example.test"});
    let ended = portal.run("cloud/retire-server", &input, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert_eq!(cloud.states(&name).await, ["running"]);
}

#[tokio::test]
async fn a_group_is_scaled_out_and_back_whatever_dies() {
    let (mut portal, cloud, name) = (portal().await, Cloud::new(), unique("shop"));
    cloud.group(&name).await;
    let input = json!({"group": name, "servers": 4, "for": "PT5S", "reason": "a test", "notify": "sam@example.test"});
    let run = portal.launch("cloud/scale-group", &input).await;
    portal.reach(&run, "scale", &["completed"]).await;
    // Before the kill: by the time the next server is there, it may be over.
    assert_eq!(cloud.size(&name).await, "4");
    portal.kill();
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"]["putBack"], true);
    assert_eq!(cloud.size(&name).await, "2");
}

#[tokio::test]
async fn a_group_goes_back_when_its_run_is_cancelled() {
    let (portal, cloud, name) = (portal().await, Cloud::new(), unique("sale"));
    cloud.group(&name).await;
    let input = json!({"group": name, "servers": 5, "for": "P1D", "reason": "a test", "notify": "sam@example.test"});
    let run = portal.launch("cloud/scale-group", &input).await;
    portal.reach(&run, "tell", &["completed"]).await;
    assert_eq!(cloud.size(&name).await, "5");
    portal.cancel(&run).await;
    let ended = portal.follow(&run, Answer::Approve).await;
    assert_eq!(ended["status"], "cancelled");
    assert_eq!(cloud.size(&name).await, "2");
}
